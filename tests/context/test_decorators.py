"""The decorators that bind arguments."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    DurableContext,
    StepContext,
    ValidationError,
    WaitForCallbackContext,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from durably.serdes import MISSING, return_annotation


class Recorder:
    """A client whose service says yes to everything."""

    def __init__(self) -> None:
        self.updates: list[Any] = []

    def checkpoint(self, arn: str, token: str, updates: Any, client_token: str | None) -> Any:
        self.updates += updates
        operations = []
        for update in updates:
            done = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED"}.get(update["Action"], "STARTED")
            operation = {"Id": update["Id"], "Type": update["Type"], "Status": done, "StartTimestamp": 1}
            if update["Type"] == "CALLBACK":
                operation |= {"Status": "SUCCEEDED", "CallbackDetails": {"CallbackId": "the id", "Result": "answer"}}
            operations.append(operation)
        return {"CheckpointToken": token, "NewExecutionState": {"Operations": operations}}

    def get_state(self, *args: Any) -> Any:
        raise AssertionError("the state has one page")

    def invoke(self, handler: Any, input: Any = None) -> Any:
        answer = self.answer(handler, input)
        assert answer["Status"] == "SUCCEEDED", answer
        return json.loads(answer["Result"])

    def answer(self, handler: Any, input: Any = None) -> Any:
        execution = {
            "Id": "e",
            "Type": "EXECUTION",
            "Status": "STARTED",
            "StartTimestamp": 1,
            "ExecutionDetails": {"InputPayload": json.dumps(input)},
        }
        event = {
            "DurableExecutionArn": "arn:x",
            "CheckpointToken": "t",
            "InitialExecutionState": {"Operations": [execution]},
        }
        return durable_execution(client=self)(handler)(event, None)

    @property
    def names(self) -> list[str | None]:
        return list(dict.fromkeys(update.get("Name") for update in self.updates))


@dataclass
class Receipt:
    order: str
    amount: int


@durable_step
def charge(step: StepContext, order: str, *, amount: int = 1) -> Receipt:
    """Charges."""
    return Receipt(order, amount * step.attempt)


@durable_step
async def charge_async(step: StepContext, order: str, *, amount: int = 1) -> Receipt:
    return Receipt(order, amount)


@durable_with_child_context
def handle(ctx: DurableContext, order: str) -> Receipt:
    return ctx.step(charge(order, amount=5))


@durable_with_child_context
async def handle_async(ctx: AsyncDurableContext, order: str) -> Receipt:
    return await ctx.step(charge_async(order, amount=5))


@durable_wait_for_callback
def ask(callback_id: str, context: WaitForCallbackContext, who: str) -> None:
    assert callback_id == "the id"
    assert context.name == "ask submitter"


def test_decorated_functions_bind_arguments_and_lend_their_name_and_types() -> None:
    def handler(event: Any, ctx: DurableContext) -> list[Any]:
        direct = ctx.step(charge("a"))
        nested = ctx.run_in_child_context(handle("b"))
        answer = ctx.wait_for_callback(ask("manager"))
        assert type(direct) is type(nested) is Receipt
        return [asdict(direct), asdict(nested), answer]

    client = Recorder()
    assert client.invoke(handler) == [{"order": "a", "amount": 1}, {"order": "b", "amount": 5}, "answer"]
    assert client.names == ["charge", "handle", "ask", "ask create callback id", "ask submitter"]


def test_in_the_async_world() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> list[Any]:
        direct, plain = await asyncio.gather(ctx.step(charge_async("a")), ctx.step(charge("p")))
        nested = await ctx.run_in_child_context(handle_async("b"))
        assert type(direct) is type(nested) is type(plain) is Receipt
        return [asdict(direct), asdict(plain), asdict(nested), await ctx.wait_for_callback(ask("manager"))]

    client = Recorder()
    assert client.invoke(handler) == [
        {"order": "a", "amount": 1},
        {"order": "p", "amount": 1},
        {"order": "b", "amount": 5},
        "answer",
    ]


def test_a_given_name_wins() -> None:
    def handler(event: Any, ctx: DurableContext) -> None:
        ctx.step(charge("a"), name="mine")

    client = Recorder()
    client.invoke(handler)
    assert client.names == ["mine"]


def test_the_decorated_function_keeps_its_documentation() -> None:
    assert charge.__doc__ == "Charges."
    assert charge.__name__ == "charge"
    assert "charge" in repr(charge("a"))


def test_arguments_are_bound_when_the_step_is_made() -> None:
    def handler(event: Any, ctx: DurableContext) -> list[int]:
        steps = [charge("a", amount=n) for n in range(3)]
        return [ctx.step(one, name=f"{n}").amount for n, one in enumerate(steps)]

    assert Recorder().invoke(handler) == [0, 1, 2]


# ---- the handler ----------------------------------------------------------------------------------------


def test_input_and_output_follow_the_annotations() -> None:
    def handler(event: Receipt, ctx: DurableContext) -> Receipt:
        assert type(event) is Receipt
        return Receipt(event.order, event.amount + 1)

    assert Recorder().invoke(handler, {"order": "a", "amount": 1}) == {"order": "a", "amount": 2}


def test_an_input_that_does_not_fit_fails_the_execution() -> None:
    def handler(event: Receipt, ctx: DurableContext) -> None: ...

    answer = Recorder().answer(handler, {"order": "a", "amount": "many"})
    assert answer["Status"] == "FAILED"
    assert "input does not fit the handler" in answer["Error"]["ErrorMessage"]
    assert "amount" in answer["Error"]["ErrorMessage"]


@pytest.mark.parametrize("payload", [None, "", "   "])
def test_an_execution_without_input_gets_an_empty_object(payload: Any) -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        return [event]

    execution: dict[str, Any] = {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}
    if payload is not None:
        execution["ExecutionDetails"] = {"InputPayload": payload}
    state = {"Operations": [execution], "NextMarker": ""}
    event = {"DurableExecutionArn": "arn:x", "CheckpointToken": "t", "InitialExecutionState": state}
    answer = durable_execution(client=Recorder())(handler)(event, None)
    assert answer == {"Status": "SUCCEEDED", "Result": "[{}]"}


def test_the_context_knows_its_execution() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        return [ctx.execution_arn, ctx.original_input, str(ctx), ctx.lambda_context]

    assert Recorder().invoke(handler, {"a": 1}) == ["arn:x", '{"a": 1}', "the handler's context", None]


def test_methods_and_callable_objects_are_handlers() -> None:
    class Shop:
        def __init__(self) -> None:
            self.stock = 3

        def sell(self, event: Any, ctx: DurableContext) -> int:
            return self.stock

        async def sell_async(self, event: Any, ctx: AsyncDurableContext) -> int:
            return self.stock

        async def __call__(self, event: Any, ctx: AsyncDurableContext) -> int:
            return self.stock

    shop = Shop()
    assert Recorder().invoke(shop.sell) == 3
    assert Recorder().invoke(shop.sell_async) == 3
    assert Recorder().invoke(shop) == 3


def generator(event: Any, ctx: Any) -> Any:
    yield 1


async def async_generator(event: Any, ctx: Any) -> Any:
    yield 1


def keyword(event: Any, ctx: Any, *, more: int) -> Any: ...


@pytest.mark.parametrize(
    ("handler", "remedy"),
    [
        (5, "decorates a function"),
        (lambda event: 1, "takes 1 parameter;"),
        (lambda: 1, "takes 0 parameters"),
        (lambda event, ctx, more: 1, "takes 3 parameters"),
        (generator, r"generator\(\) is a generator function"),
        (async_generator, r"async_generator\(\) is a generator function"),
        (keyword, "has keyword parameters without a default"),
    ],
)
def test_what_cannot_be_a_handler(handler: Any, remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        durable_execution(handler)


@pytest.mark.parametrize("handler", [lambda event, ctx, more=1: 1, lambda *args: 1, lambda event, *rest: 1])
def test_what_can(handler: Any) -> None:
    assert Recorder().invoke(handler) == 1


@pytest.mark.parametrize("decorate", [durable_step, durable_with_child_context, durable_wait_for_callback])
def test_what_is_no_function_is_not_decorated(decorate: Any) -> None:
    with pytest.raises(ValidationError, match="was given int 5"):
        decorate(5)


def test_a_branch_decorator_without_parentheses_says_so() -> None:
    nobody: Any = keyword
    with pytest.raises(ValidationError, match=r"@durable_parallel_branch\(\)"):
        durable_parallel_branch(nobody)


def test_two_clients_are_one_too_many() -> None:
    with pytest.raises(ValidationError, match="pass one of them"):
        durable_execution(client=object(), boto3_client=object())


@pytest.mark.parametrize("days", [0, 91, 1.5, "7"])
def test_retention(days: Any) -> None:
    with pytest.raises(ValidationError, match="1 to 90"):
        durable_execution(retention_days=days)


def test_each_world_has_its_own_way_to_be_run() -> None:
    def plain(event: Any, ctx: Any) -> None: ...
    async def coroutine(event: Any, ctx: Any) -> None: ...

    with pytest.raises(ValidationError, match="run_async"):
        durable_execution(coroutine).run_sync({}, None)

    async def main() -> None:
        with pytest.raises(ValidationError, match="run_sync"):
            await durable_execution(plain).run_async({}, None)

    with asyncio.Runner() as runner:
        runner.run(main())


def test_what_is_bound_has_the_annotation_of_its_function() -> None:
    @durable_step
    def number(step: StepContext, n: int) -> int:
        return n

    @durable_step
    async def text(step: StepContext) -> str:
        return ""

    @durable_with_child_context
    def anything(ctx: DurableContext):  # type: ignore[no-untyped-def]
        return None

    for _ in range(3):
        assert return_annotation(number(1)) is int
        assert return_annotation(text()) is str
        assert return_annotation(anything()) is MISSING


def test_an_annotation_that_cannot_be_found_yet_is_looked_for_again() -> None:
    @durable_step
    def early(step: StepContext) -> Later: ...  # type: ignore[name-defined]  # noqa: F821

    assert return_annotation(early()) is MISSING
    globals()["Later"] = Receipt
    try:
        assert return_annotation(early()) is Receipt
    finally:
        del globals()["Later"]
