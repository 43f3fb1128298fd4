"""Running a user's function for async code: a coroutine function on the loop, one that may block in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from inspect import CO_COROUTINE, isawaitable, iscoroutinefunction
from types import FunctionType
from typing import Any

from .requests import Body
from .step import CALLERS
from .timeouts import timed_out

__all__ = ["awaited", "run_body"]


def run_body(body: Body) -> Coroutine[Any, Any, Any]:
    """What the body's function returns, awaited if need be. Raises StepTimeoutError when its time is over."""
    return _run(body) if body.timeout is None else _run_in_time(body)


async def _run_in_time(body: Body) -> Any:
    limit = asyncio.timeout(body.timeout)
    try:
        async with limit:
            return await _run(body)
    except TimeoutError:
        if not limit.expired():
            raise  # the body's own
        raise timed_out(body) from None


async def awaited(call: Callable[[], Any]) -> Any:
    return await call()


async def _run(body: Body) -> Any:
    func = body.func
    if body.is_step and _blocks(func):
        result = await asyncio.to_thread(_called, func, body.args)
    else:
        result = func(*body.args)
    return await result if isawaitable(result) else result


def _called(func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return func(*args)


def _blocks(func: Callable[..., Any]) -> bool:
    """Whether to call ``func`` in a thread: a plain function may block. A lambda is an expression, often a coroutine's.

    The code's own flag is looked at first: asking inspect costs more than all the rest of a quick step's body.
    """
    inner = getattr(func, "__wrapped__", func)
    if type(inner) is FunctionType and inner.__code__.co_flags & CO_COROUTINE:
        return False
    return (
        getattr(inner, "__name__", "") != "<lambda>"
        and not iscoroutinefunction(inner)
        and not iscoroutinefunction(func)
    )


CALLERS.update((_run.__code__, _called.__code__))
