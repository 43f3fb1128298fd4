"""Cancellation by the program itself: a timeout around a step, a failing TaskGroup.

It is a decision of the program like any other, so it is recorded, as a failure of its own type; replay waits for
the program to take the same decision again instead of handing it a result it never saw.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from durably.exceptions import DurableOperationError, ExecutionError, operation_error

from .operation import describe
from .requests import Turn

if TYPE_CHECKING:
    from durably.wire.shapes import ErrorObject, Operation

    from .operation import Op
    from .run import Protocol, Run

__all__ = [
    "CANCELLED_TYPES",
    "by_own_code",
    "cancelled_by_itself",
    "cancelled_error",
    "failure_of",
    "is_cancellation",
    "not_cancelled",
    "raise_recorded",
]

CANCELLED_TYPES: Final = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})


def is_cancellation(error: BaseException) -> bool:
    """Without importing asyncio: where it is not loaded, nothing can have been cancelled."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def cancelled_error(what: str) -> ErrorObject:
    return {"ErrorType": "asyncio.CancelledError", "ErrorMessage": f"{what} was cancelled by the code that awaited it"}


def failure_of(op: Op, error: BaseException) -> Exception:
    """What escaped from a body of ``op``, as the failure that it is.

    A CancelledError is one of the body's own, unless somebody has cancelled the code that waits for it: a task that
    the body awaited was cancelled, or an event loop that it ran. Raises what is no failure; a cancellation by the
    program is recorded first, so that replay can repeat it.
    """
    if isinstance(error, Exception):
        return error
    if is_cancellation(error) and op.recording:
        if not op.run.is_being_cancelled():
            return by_own_code(op.describe(), error)
        op.post("FAIL", None, {"Error": cancelled_error(op.describe())})
    raise error


def by_own_code(what: str, error: BaseException) -> RuntimeError:
    failure = RuntimeError(f"{what} was cancelled by its own code: {error!r} escaped")
    failure.__cause__ = error
    return failure


def cancelled_by_itself() -> ExecutionError:
    """What a handler fails with from which a CancelledError escapes although nobody has cancelled it."""
    return ExecutionError("the handler was cancelled by its own code: a CancelledError escaped from it")


def not_cancelled(run: Run, op_id: str, future: Any) -> None:
    """The program was to cancel an operation as it did in an earlier run, and has not: fail, and wake who waits."""
    record = run.ops[op_id]
    error = run.fail_non_deterministic(
        f"an earlier run cancelled {describe(record['Type'], record.get('SubType'), record.get('Name'))} itself "
        "(a timeout, a failing task group); this run awaits it and does not cancel it",
        op_id,
    )
    if not future.done():
        future.set_exception(error)


def raise_recorded(op: Op, record: Operation, cls: type[DurableOperationError]) -> Protocol:
    """Raise what an operation that failed for good raises, the same on every run; or be cancelled, as then."""
    error = op.error(record)
    if error.get("ErrorType") in CANCELLED_TYPES:
        ran_ms = record.get("EndTimestamp", record["StartTimestamp"]) - record["StartTimestamp"]
        yield Turn(op.id, cancelled_after_ms=ran_ms)
    if op.run.must_queue(op.id):
        yield Turn(op.id)
    raise operation_error(cls, error)
