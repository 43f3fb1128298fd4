"""Asking a function's error handler what its execution is to fail with (see :mod:`durably.failures`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durably.exceptions import ValidationError
from durably.failures import ExecutionFailure

if TYPE_CHECKING:
    from .run import Run

__all__ = ["ask", "ask_async"]


def ask(handler: Any, run: Run, error: Exception) -> Exception:
    """What to fail with instead of ``error``, or ``error`` itself."""
    try:
        answer = handler(error, ExecutionFailure(run))
        if hasattr(answer, "__await__"):
            getattr(answer, "close", _nothing)()
            raise ValidationError(
                "the error handler of a plain function is a plain function: it answered with an awaitable"
            )
        return _settled(error, answer)
    except Exception as raised:
        return _settled(error, raised)


async def ask_async(handler: Any, run: Run, error: Exception) -> Exception:
    """The same for a coroutine handler, whose error handler may be one."""
    try:
        answer = handler(error, ExecutionFailure(run))
        if hasattr(answer, "__await__"):
            answer = await answer
        return _settled(error, answer)
    except Exception as raised:
        return _settled(error, raised)


def _settled(error: Exception, answer: object) -> Exception:
    if answer is None:
        return error
    settled = answer
    if not isinstance(settled, Exception):
        settled = ValidationError(
            f"the error handler answered {answer!r}; it may answer an exception to fail with, or None"
        )
    if settled is not error and settled.__cause__ is None and settled.__context__ is None:
        settled.__context__ = error
    return settled


def _nothing() -> None:
    return None
