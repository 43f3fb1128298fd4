"""What programs written for AWS's own SDK do, and must go on doing after their import lines have changed."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest

from durably import (
    CallbackId,
    ChildConfig,
    DurableContext,
    Duration,
    JitterStrategy,
    LinearRetryStrategyConfig,
    MapConfig,
    RetryStrategyConfig,
    SerDes,
    SerDesContext,
    SerDesError,
    StepConfig,
    StepContext,
    StepError,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    WaitForConditionCheckContext,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from durably.serdes import AnnotationMismatchWarning

from .harness import Answer, Flavour


@pytest.mark.filterwarnings("ignore::durably.serdes.AnnotationMismatchWarning")
def test_annotations_of_plain_json_types_are_not_binding(flavour: Flavour) -> None:
    @flavour
    def look(step: Any) -> dict[str, bool]:
        return {"ok": True, "error": "no"}  # type: ignore[dict-item]

    def handler(event: Any, ctx: Any) -> Any:
        found = yield ctx.step(look)
        yield ctx.wait(Duration.from_seconds(5))
        return found["error"]

    function = flavour(handler)
    function.__annotations__["return"] = int
    with pytest.warns(AnnotationMismatchWarning, match="says bool") as warned:
        world = flavour.run(handler)
    assert world.value == "no"
    assert world.invocations == 2
    assert any("$.error" in str(one.message) for one in warned)


@pytest.mark.filterwarnings("ignore::durably.serdes.AnnotationMismatchWarning")
def test_a_handlers_result_may_be_other_json_than_annotated(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(lambda step: None) if not flavour.is_async else ctx.step(flavour(lambda step: None))
        return {"pair": (1, 2), "text": "no"}

    function = flavour(handler)
    function.__wrapped__.__annotations__["return"] = dict[str, bool]
    with pytest.warns(AnnotationMismatchWarning):
        world = flavour.run(handler)
    assert world.value == {"pair": [1, 2], "text": "no"}


@pytest.mark.parametrize(
    "strategy", [RetryStrategyConfig(max_attempts=2), LinearRetryStrategyConfig(2, jitter_strategy=JitterStrategy.NONE)]
)
def test_a_retry_strategy_config_is_a_strategy(flavour: Flavour, strategy: Any) -> None:
    attempts: list[int] = []

    @flavour
    def fails(step: Any) -> None:
        attempts.append(step.attempt)
        raise ValueError("again")

    def handler(event: Any, ctx: Any) -> Any:
        with pytest.raises(StepError, match="again"):
            yield ctx.step(fails, config=StepConfig(retry_strategy=strategy))

    flavour.run(handler)
    assert attempts == [1, 2]


def test_a_heartbeat_timeout_may_be_longer_than_the_timeout(flavour: Flavour) -> None:
    @flavour
    def submit(callback_id: str, context: Any) -> None: ...

    def handler(event: Any, ctx: Any) -> Any:
        config = WaitForCallbackConfig(timeout=Duration.from_seconds(10), heartbeat_timeout=Duration.from_seconds(20))
        return (yield ctx.wait_for_callback(submit, "approval", config))

    callbacks = {"approval create callback id": Answer("yes")}
    assert flavour.run(handler, callbacks=callbacks).value == "yes"


def test_a_step_may_return_a_dict_with_keys_that_are_no_strings(flavour: Flavour) -> None:
    @flavour
    def count(step: Any) -> dict:  # type: ignore[type-arg]
        return {1: "one", (2, 3): {None: "none"}}

    def handler(event: Any, ctx: Any) -> Any:
        counted = yield ctx.step(count)
        yield ctx.wait(Duration.from_seconds(1))
        return [counted[1], counted[2, 3][None]]

    world = flavour.run(handler)
    assert world.value == ["one", "none"]
    assert world.invocations == 2


class NonePasses(SerDes[Any]):
    """As many a custom serdes is written: None goes through in both directions."""

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
        return None if value is None else json.dumps({"kept": value})  # type: ignore[return-value]

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        assert data is not None
        return json.loads(data)["kept"]


def test_a_serdes_may_let_none_through(flavour: Flavour) -> None:
    serdes = NonePasses()

    @flavour
    def nothing(context: Any) -> None: ...

    @flavour
    def item(context: Any, value: Any) -> Any:
        return value

    @flavour
    def submit(callback_id: str, context: Any) -> None: ...

    def handler(event: Any, ctx: Any) -> Any:
        step = yield ctx.step(nothing, "step", StepConfig(serdes=serdes))
        child = yield ctx.run_in_child_context(nothing, "child", ChildConfig(serdes=serdes))
        mapped = yield ctx.map([None, 1], item, "map", MapConfig(item_serdes=serdes))
        answer = yield ctx.wait_for_callback(submit, "ask", WaitForCallbackConfig(serdes=serdes))
        yield ctx.wait(Duration.from_seconds(1))
        return [step, child, mapped.get_results(), answer]

    world = flavour.run(handler, callbacks={"ask create callback id": Answer('{"kept":5}')})
    assert world.value == [None, None, [None, 1], 5]
    assert world.invocations == 3
    for name in ("step", "child", "ask submitter"):
        assert not any("Payload" in update for update in world.updates if update.get("Name") == name), name


def test_a_handlers_serdes_may_let_none_through() -> None:
    @durable_execution(serdes=NonePasses(), client=SimpleNamespace(checkpoint=print))
    def handler(event: Any, ctx: DurableContext) -> None: ...

    state = {"Operations": [{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}]}
    state["Operations"][0]["ExecutionDetails"] = {"InputPayload": '{"kept":1}'}
    event = {"DurableExecutionArn": "x", "CheckpointToken": "t", "InitialExecutionState": state}
    assert handler(event) == {"Status": "SUCCEEDED", "Result": "null"}


def test_any_other_answer_of_a_serdes_than_text_is_an_error(flavour: Flavour) -> None:
    class Broken(NonePasses):
        def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
            return None  # type: ignore[return-value]

    @flavour
    def five(step: Any) -> int:
        return 5

    def handler(event: Any, ctx: Any) -> Any:
        with pytest.raises(SerDesError, match="returned None"):
            yield ctx.step(five, config=StepConfig(serdes=Broken()))

    flavour.run(handler)


def test_decorated_methods_keep_self_first(flavour: Flavour) -> None:
    class Shop:
        def __init__(self, rate: int) -> None:
            self.rate = rate

        @durable_step
        @flavour
        def charge(self, step: Any, amount: int) -> tuple[int, int]:
            return (self.rate * amount, step.attempt)

        @durable_with_child_context
        @flavour
        def flow(self, ctx: Any, amount: int) -> Any:
            return (yield ctx.step(self.charge(amount)))

        @durable_parallel_branch(name="branch")
        @flavour
        def branch(self, ctx: Any, amount: int) -> Any:
            return (yield ctx.step(self.charge(amount)))[0]

        @durable_wait_for_callback
        @flavour
        def ask(self, callback_id: CallbackId, context: Any, whom: str) -> None:
            asked.append((self.rate, whom, type(callback_id)))

        @staticmethod
        @durable_step
        @flavour
        def plain(step: Any, amount: int) -> int:
            return amount

    asked: list[Any] = []
    shop = Shop(3)

    def handler(event: Any, ctx: Any) -> Any:
        one = yield ctx.step(shop.charge(2))
        two = yield ctx.run_in_child_context(shop.flow(3))
        both = yield ctx.parallel([shop.branch(4), shop.branch(amount=5)])
        yield ctx.wait_for_callback(shop.ask("manager"), name="approval")
        return [type(one).__name__, one, two, both.get_results(), (yield ctx.step(shop.plain(7)))]

    world = flavour.run(handler, callbacks={"approval create callback id": Answer("yes")})
    assert world.value == ["tuple", [6, 1], [9, 1], [12, 15], 7]
    assert {"charge", "flow", "branch", "plain"} <= {view.get("Name") for view in world.operations.values()}
    assert asked == [(3, "manager", CallbackId)]


def test_contexts_are_known_by_the_official_names(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.wait(Duration.from_seconds(1))
        return [ctx.execution_context.durable_execution_arn == ctx.execution_arn, ctx.execution_arn.execution_id]

    world = flavour.run(handler)
    assert world.value == [True, world.arn.rsplit("/", 1)[1]]


def test_a_step_can_be_called_with_a_context_made_by_hand(caplog: pytest.LogCaptureFixture) -> None:
    @durable_step
    def charge(step: StepContext, amount: int) -> int:
        step.logger.warning("charging %s", amount, sku="A7")
        return amount + step.attempt

    bound = charge(5)
    assert bound(StepContext(logging.getLogger("shop"), 2)) == 7
    assert caplog.messages == ["charging 5"]
    assert caplog.records[0].sku == "A7"  # type: ignore[attr-defined]

    lines: list[Any] = []

    class Recorder:
        def info(self, *args: Any, **options: Any) -> None:
            lines.append((args, options))

        debug = warning = error = exception = info

    context = WaitForConditionCheckContext(logger=Recorder(), attempt=3)
    context.logger.info("x", extra={"a": 1})
    assert lines == [(("x",), {"extra": {"a": 1}})]
    made = WaitForCallbackContext(Recorder(), operation_id="op", name="n", execution_arn="arn")
    assert (made.attempt, made.operation_id, made.name, made.execution_arn) == (1, "op", "n", "arn")
    assert repr(made) == "<WaitForCallbackContext n attempt 1>"
