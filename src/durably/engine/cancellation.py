"""Cancellation by the program itself: a timeout around a step, a failing TaskGroup.

It is a decision of the program like any other, so it is recorded, as a failure of its own type; replay waits for
the program to take the same decision again instead of handing it a result it never saw.
"""

from __future__ import annotations

import sys
from typing import Final

from durably.wire.shapes import ErrorObject

__all__ = ["CANCELLED_TYPES", "cancelled_error", "is_cancellation"]

CANCELLED_TYPES: Final = frozenset({"asyncio.CancelledError", "asyncio.exceptions.CancelledError"})


def is_cancellation(error: BaseException) -> bool:
    """Without importing asyncio: where it is not loaded, nothing can have been cancelled."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def cancelled_error(what: str) -> ErrorObject:
    return {"ErrorType": "asyncio.CancelledError", "ErrorMessage": f"{what} was cancelled by the code that awaited it"}
