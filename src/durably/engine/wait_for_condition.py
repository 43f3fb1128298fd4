"""The protocol of wait_for_condition: a step that checks again and again, with the state travelling in its record.

START is not awaited. Each check gets the state and returns the next one; the strategy says whether to go on. RETRY
carries the new state as its payload, and the service gives it back as the step's result when the delay has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from durably.exceptions import (
    UnrecoverableError,
    WaitForConditionError,
    error_object,
    operation_error,
)
from durably.waits import decide_wait

from .cancellation import failure_of, raise_recorded
from .operation import Op, is_terminal
from .requests import Body, Park, Turn
from .run import Protocol
from .scope import Leaf
from .sizes import check_size

if TYPE_CHECKING:
    from durably.serdes import Codec
    from durably.waits import WaitForConditionConfig
    from durably.wire.shapes import Operation

__all__ = ["wait_for_condition"]


def wait_for_condition(
    op: Op,
    check: Callable[..., Any],
    config: WaitForConditionConfig[Any],
    codec: Codec,
    make_context: Callable[[Op, int], Any],
) -> Protocol:
    """Return the state with which the strategy stopped.

    Raises WaitForConditionError when the check or the strategy failed, or the timeout passed.
    """
    run = op.run
    record = op.begin()
    while True:
        if record is not None and is_terminal(record):
            if record["Status"] != "SUCCEEDED":
                yield from raise_recorded(op, record, WaitForConditionError)
            if run.must_queue(op.id):
                yield Turn(op.id)
            text = op.details(record).get("Result")
            return None if text is None else run.consult(codec.decode, text)
        if record is not None and record["Status"] == "PENDING":
            yield Park(op, op.details(record).get("NextAttemptTimestamp"))
            record = op.record()
            continue
        details = {} if record is None else op.details(record)
        attempt = int(details.get("Attempt") or 0) + 1
        began_ms = run.environment.now_ms()
        waited_ms = 0 if record is None else _waited_ms(record, details, began_ms)
        if record is None or record["Status"] == "READY":
            op.post("START")
        try:
            state = config.initial_state if details.get("Result") is None else codec.decode(details["Result"])
            scope = Leaf(run, op)
            body = run.environment.body(op, attempt, check, None)
            state = yield Body(body, (state, make_context(op, attempt)), scope, True)
            text, state = codec.round_trip(state)
            check_size(f"the state of {op.describe()}", text)
            decision = decide_wait(config.wait_strategy, state, attempt)
            if decision.should_continue:
                _check_timeout(op, config, waited_ms + run.environment.now_ms() - began_ms, decision.delay_seconds)
        except UnrecoverableError as error:  # says itself what is to become of the execution or the invocation
            run.end_by(error)
            raise
        except BaseException as error:
            failure = error_object(failure_of(op, error))
            yield op.put("FAIL", None, {"Error": failure}, True)
            wrapped = operation_error(WaitForConditionError, failure)
            raise wrapped from wrapped.__cause__
        if not decision.should_continue:
            yield op.put("SUCCEED", text, None, True)
            return state
        options = {"NextAttemptDelaySeconds": max(1, decision.delay_seconds)}
        yield op.put("RETRY", text, {"StepOptions": options})
        record = op.record()
        if record is None or record["Status"] == "STARTED":
            raise run.suspend()  # the answer did not say when: the next invocation's state will


def _waited_ms(record: Operation, details: Mapping[str, Any], now: int) -> int:
    """From the first check to this one, by the service's clock as far as it says."""
    if not details.get("Attempt"):
        return 0
    due_ms: int = details.get("NextAttemptTimestamp") or now  # an interrupted check does not know it any more
    return max(0, due_ms - record["StartTimestamp"])


def _check_timeout(op: Op, config: WaitForConditionConfig[Any], waited_ms: int, delay: int) -> None:
    """Give up now if the next check would come too late."""
    timeout = config.timeout_seconds
    if timeout is not None and waited_ms + delay * 1000 > timeout * 1000:
        raise TimeoutError(f"{op.describe()}: the condition was not met within {timeout:g} s")
