"""What programs written for AWS's SDK do. Run under both packages: the tests put the package's name for PACKAGE."""

from __future__ import annotations

import datetime
import decimal
import logging
import uuid
from typing import TYPE_CHECKING, Any

from PACKAGE import (
    ChildContextError,
    DurableContext,
    DurableOperationError,
    InvokeError,
    ParallelBranch,
    StepContext,
    WaitForConditionError,
    durable_execution,
    durable_parallel_branch,
    durable_step,
    durable_wait_for_callback,
    durable_with_child_context,
)
from PACKAGE.concurrency.models import BatchResult
from PACKAGE.config import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    Duration,
    InvokeConfig,
    MapConfig,
    StepConfig,
    StepSemantics,
)
from PACKAGE.exceptions import CallbackExternalError, ValidationError
from PACKAGE.lambda_service import ErrorObject, OperationSubType
from PACKAGE.retries import RetryDecision, RetryPresets
from PACKAGE.serdes import ExtendedTypeSerDes, JsonSerDes, SerDes, SerDesContext
from PACKAGE.types import WaitForCallbackContext, WaitForConditionCheckContext
from PACKAGE.waits import (
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
)

if TYPE_CHECKING:
    from somewhere import Nothing

ONCE = StepConfig(retry_strategy=RetryPresets.none())


class NonePasses(SerDes[Any]):
    def serialize(self, value: Any, _: SerDesContext) -> str:
        return None if value is None else f"<{value}>"

    def deserialize(self, data: str, _: SerDesContext) -> Any:
        return data[1:-1]


class Boom(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)


@durable_step
def rich(step: StepContext, n: int, *, k: str = "d") -> dict[str, Any]:
    step.logger.info("rich %s", n, extra={"a": 1})
    return {
        "when": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        "price": decimal.Decimal("1.50"),
        "id": uuid.UUID(int=1),
        "pair": (1, 2),
        "raw": b"x",
        "deep": [{"a": (n,)}],
        "k": k,
        "none": None,
        "f": 1.5,
    }


@durable_with_child_context
def child(ctx: DurableContext, x: int) -> Nothing:
    first = ctx.step(lambda _: x, name="a")
    ctx.wait(Duration(seconds=2))
    return (first, ctx.step(lambda _: x + 1))


@durable_parallel_branch(name="pb")
def branch(ctx: DurableContext, v: int) -> int:
    return ctx.step(lambda _: v)


@durable_wait_for_callback
def ask(callback_id: str, ctx: WaitForCallbackContext, who: str) -> None:
    ctx.logger.info("asking %s", who)


def boom(_: Any) -> None:
    raise Boom(7, "bang")


def errors(context: DurableContext, out: dict[str, Any]) -> None:
    try:
        context.step(boom, config=ONCE)
    except DurableOperationError as error:
        out["step"] = [type(error).__name__, error.error_type, error.message, str(error), error.data]
    try:
        context.run_in_child_context(lambda c: c.step(boom, config=ONCE), name="around a step")
    except ChildContextError as error:
        out["child of a step"] = [error.message, type(error.__cause__).__name__]

    def fails(_: DurableContext) -> None:
        raise KeyError("k")

    try:
        context.run_in_child_context(fails, name="child")
    except ChildContextError as error:
        out["child"] = [error.error_type, error.message]
    try:
        context.invoke("nobody", {"a": 1}, name="invoke", config=InvokeConfig())
    except InvokeError as error:
        out["invoke"] = type(error).__name__
    for wrong in (lambda: context.wait(Duration(seconds=0)), lambda: CompletionConfig(min_successful=0)):
        try:
            wrong()
        except ValidationError as error:
            out.setdefault("wrong", []).append(type(error).__name__)


def batches(context: DurableContext, out: dict[str, Any]) -> None:
    def half(c: DurableContext, item: int, index: int, items: list[int]) -> float:
        return c.step(lambda _: 10 / item, name=f"half {index} of {len(items)}", config=ONCE)

    every = MapConfig(max_concurrency=1, completion_config=CompletionConfig.all_completed())
    result: BatchResult = context.map([1, 0, 4], half, name="map", config=every)
    out["map"] = [result.success_count, result.failure_count, result.completion_reason.value, result.get_results()]
    out["errors"] = [error.message for error in result.get_errors()]
    try:
        result.throw_if_error()
    except ChildContextError as error:
        out["thrown"] = str(error)
    strict = MapConfig(max_concurrency=1, completion_config=CompletionConfig.all_successful())
    result = context.map([1, 0, 4], half, name="strict", config=strict)
    out["strict"] = [
        result.total_count,
        result.started_count,
        result.status.value,
        [i.status.value for i in result.all],
    ]
    out["parallel"] = context.parallel([branch(1), ParallelBranch(lambda c: 2, name="two"), lambda c: 3]).get_results()
    out["empty"] = [context.map([], half).total_count, context.parallel([]).completion_reason.value]


def others(context: DurableContext, out: dict[str, Any]) -> None:
    def more(state: dict[str, int], check: WaitForConditionCheckContext) -> dict[str, int]:
        return {"n": state["n"] + 1, "attempt": check.attempt}

    strategy = create_wait_strategy(WaitStrategyConfig(should_continue_polling=lambda state: state["n"] < 3))
    config = WaitForConditionConfig(wait_strategy=strategy, initial_state={"n": 0})
    out["condition"] = context.wait_for_condition(more, config, name="condition")
    never = WaitForConditionConfig(lambda state, n: WaitForConditionDecision.stop_polling(), initial_state=0)
    try:
        context.wait_for_condition(lambda state, check: 1 / 0, never)
    except WaitForConditionError as error:
        out["broken condition"] = [error.error_type, error.message]
    out["approval"] = context.wait_for_callback(ask("me"), name="approval")
    try:
        context.wait_for_callback(ask("you"), name="refusal")
    except CallbackExternalError as error:
        out["refusal"] = [error.message, error.data]
    config = CallbackConfig(timeout=Duration.from_seconds(10), heartbeat_timeout=Duration.from_minutes(1))
    out["callback"] = context.create_callback(name="callback", config=config).result()

    def flaky(step: StepContext) -> int:
        if step.attempt < 3:
            raise RuntimeError("again")
        return step.attempt

    def soon(error: Exception, attempts: int) -> RetryDecision:
        return RetryDecision.retry(Duration.from_seconds(1)) if attempts < 5 else RetryDecision.no_retry()

    out["flaky"] = context.step(flaky, name="flaky", config=StepConfig(retry_strategy=soon))
    once = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, sub_type="Mine")
    out["once"] = context.step(lambda _: "x", config=once)
    out["virtual"] = context.run_in_child_context(lambda c: c.step(lambda _: 1), config=ChildConfig(is_virtual=True))
    out["none"] = context.step(lambda _: None, name="none", config=StepConfig(serdes=NonePasses()))
    out["own"] = context.step(lambda _: "v", name="own", config=StepConfig(serdes=NonePasses()))
    out["json"] = context.step(lambda _: (1, 2), name="json", config=StepConfig(serdes=JsonSerDes()))


@durable_execution
def handler(event: dict, context: DurableContext) -> dict[str, Any]:
    out: dict[str, Any] = {}
    found = context.step(rich(1, k="z"))
    context.logger.info("found", extra={"x": 1})
    out["rich"] = [type(value).__name__ for value in found.values()]
    out["arn"] = context.execution_context.durable_execution_arn.startswith("arn:aws:lambda:")
    out["request"] = bool(context.lambda_context.aws_request_id)
    out["pair"] = context.run_in_child_context(child(5))
    deep = ChildConfig(sub_type=OperationSubType.RUN_IN_CHILD_CONTEXT.value)
    out["deep"] = context.run_in_child_context(
        lambda c: c.run_in_child_context(lambda d: d.step(lambda _: "deep"), name="inner"), name="outer", config=deep
    )
    errors(context, out)
    batches(context, out)
    others(context, out)
    context.set_logger(logging.getLogger("mine"))
    context.logger.warning("done")
    serdes: SerDes[Any] = ExtendedTypeSerDes()
    out["tagged"] = serdes.deserialize(serdes.serialize((1, {"a": b"x"}), SerDesContext()), SerDesContext())[0]
    out["error"] = ErrorObject("m", "T", None, None).to_dict()
    return out
