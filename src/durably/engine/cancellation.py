"""Cancellation by the program itself: a timeout around a step, a failing TaskGroup.

It is a decision of the program like any other, so it is recorded, as a failure of its own type; replay waits for
the program to take the same decision again instead of handing it a result it never saw.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from durably.exceptions import DurableOperationError, operation_error
from durably.wire.shapes import ErrorObject, Operation

from .requests import Turn

if TYPE_CHECKING:
    from .operation import Op
    from .run import Protocol

__all__ = ["CANCELLED_TYPES", "cancelled_error", "is_cancellation", "raise_recorded"]

CANCELLED_TYPES: Final = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})


def is_cancellation(error: BaseException) -> bool:
    """Without importing asyncio: where it is not loaded, nothing can have been cancelled."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def cancelled_error(what: str) -> ErrorObject:
    return {"ErrorType": "asyncio.CancelledError", "ErrorMessage": f"{what} was cancelled by the code that awaited it"}


def raise_recorded(op: Op, record: Operation, cls: type[DurableOperationError]) -> Protocol:
    """Raise what an operation that failed for good raises, the same on every run; or be cancelled, as then."""
    error = op.error(record)
    if error.get("ErrorType") in CANCELLED_TYPES:
        ran_ms = record.get("EndTimestamp", record["StartTimestamp"]) - record["StartTimestamp"]
        yield Turn(op.id, cancelled_after_ms=ran_ms)
    if op.run.must_queue(op.id):
        yield Turn(op.id)
    raise operation_error(cls, error)
