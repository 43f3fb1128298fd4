"""The protocol of a step: START, run, SUCCEED; or RETRY and again; or FAIL.

At least once (the default): START is not awaited, so a quick step costs one call carrying START and completion. A
step found STARTED was interrupted and simply runs again, without another START.
At most once per attempt: START is awaited before the body runs; a step found STARTED on entry may have had its
effect, so its body is not run for that attempt: its retry strategy is handed a StepInterruptedError.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any

from durably._configs import StepConfig, StepSemantics
from durably.checkpointing import CheckpointMode
from durably.exceptions import (
    ContextMisuseError,
    SerDesError,
    StepError,
    StepInterruptedError,
    UnrecoverableError,
    ValidationError,
    error_object,
    operation_error,
)

from .cancellation import failure_of, raise_recorded
from .operation import Op, is_terminal
from .requests import Body, Park, Turn
from .run import Protocol
from .scope import Leaf
from .sizes import check_result

if TYPE_CHECKING:
    from durably.serdes import Codec
    from durably.wire.shapes import Operation, StepDetails

__all__ = ["step"]

_NO_DETAILS: StepDetails = {}

CALLERS: set[CodeType] = set()
"""The code of the drivers that calls bodies: an error that starts there was made by the call itself."""


def step(
    op: Op, func: Callable[..., Any], config: StepConfig, codec: Codec, make_context: Callable[[Op, int], Any]
) -> Protocol:
    """Run ``func(step_context)`` once and record its outcome.

    Raises StepError when it failed for good, SerDesError when its result cannot be recorded.
    """
    run = op.run
    record = op.begin()
    while True:
        if record is not None and record["Status"] == "SUCCEEDED":
            if run.must_queue(op.id):
                yield Turn(op.id)
            result = record.get("StepDetails", _NO_DETAILS).get("Result")
            return None if result is None else run.consult(codec.decode, result)
        if record is not None and is_terminal(record):
            yield from raise_recorded(op, record, StepError)
        at_most_once = config.step_semantics is StepSemantics.AT_MOST_ONCE_PER_RETRY
        if record is not None and record["Status"] == "STARTED" and at_most_once:  # by an earlier invocation
            interrupted = StepInterruptedError(
                f"{op.describe()} was interrupted while its body ran; it is at-most-once, so that attempt is not "
                "repeated"
            )
            yield from _failed(op, interrupted, _attempt(op, record), config)
            record = op.record()
            continue
        if record is not None and record["Status"] == "PENDING":
            yield Park(op, op.details(record).get("NextAttemptTimestamp"))
            record = op.record()
            continue
        attempt = _attempt(op, record)
        if record is None or record["Status"] == "READY":
            if not at_most_once:
                if record is not None or op.mode is not CheckpointMode.BATCHED:
                    op.post("START")
            else:
                yield op.put("START")
                record = op.record()
                if record is not None and is_terminal(record):
                    continue
        try:
            timeout = config.timeout_seconds
            body = run.environment.body(op, attempt, func, timeout)
            value = yield Body(body, (make_context(op, attempt),), Leaf(run, op), True, timeout)
            text, value = codec.round_trip(value)
            check_result(op, text)
        except UnrecoverableError as error:  # says itself what is to become of the execution or the invocation
            run.end_by(error)
            raise
        except BaseException as error:
            yield from _failed(op, _explain(op, func, failure_of(op, error)), attempt, config)
            record = op.record()
        else:
            mode = op.mode
            if mode is CheckpointMode.EAGER or at_most_once or not run.may_defer(op.id, op.scope.branch):
                yield op.put("SUCCEED", text, None, True)
            else:
                yield from op.defer("SUCCEED", text, mode)
            return value


def _failed(op: Op, error: Exception, attempt: int, config: StepConfig) -> Protocol:
    """Record a failed attempt: RETRY (returns) or FAIL (raises the step's error)."""
    from durably.retries import RetryDecision, RetryPresets, decide

    decision = RetryDecision.no_retry()
    if not isinstance(error, (SerDesError, ContextMisuseError)):  # neither can go better the next time
        try:
            decision = decide(config.retry_strategy or RetryPresets.default(), error, attempt)
        except ValidationError as broken:  # the strategy itself; it names the error that it was asked about
            error = broken
    record = error_object(error)
    if decision.should_retry:
        options = {"NextAttemptDelaySeconds": max(1, decision.delay_seconds)}
        yield op.put("RETRY", None, {"Error": record, "StepOptions": options})
        if _status(op.record()) not in ("PENDING", "READY", "SUCCEEDED", "FAILED"):
            raise op.run.suspend()  # the answer did not say when: the next invocation's state will
        return
    yield op.put("FAIL", None, {"Error": record}, True)
    raise operation_error(StepError, record)


def _explain(op: Op, func: Callable[..., Any], error: Exception) -> Exception:
    """A step's function that cannot be called with one argument fails every time: say what is wrong."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code not in CALLERS:
        return error
    if type(error) is ValidationError:  # by whoever called it, of what it returned
        return ContextMisuseError(str(error))
    if not isinstance(error, TypeError):
        return error
    return ContextMisuseError(
        f"the function of {op.describe()}, {func!r}, could not be called with the step's context as its only argument "
        f"({error}). Give it one parameter, e.g. `lambda step: ...`, or bind the others with @durable_step."
    )


def _status(record: Operation | None) -> str | None:
    return None if record is None else record["Status"]


def _attempt(op: Op, record: Operation | None) -> int:
    """The number of the attempt to be made, from 1."""
    return 1 if record is None else int(op.details(record).get("Attempt") or 0) + 1
