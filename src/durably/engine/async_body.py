"""Running a user's function for async code: a coroutine function on the loop, one that may block in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from .requests import Body
from .step import CALLERS
from .timeouts import timed_out

__all__ = ["awaited", "run_body"]


async def run_body(body: Body) -> Any:
    """What the body's function returns, awaited if need be. Raises StepTimeoutError when its time is over."""
    if body.timeout is None:
        return await _run(body)
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
    if body.is_step and not iscoroutinefunction(func) and _blocks(func):
        result = await asyncio.to_thread(_called, func, body.args)
    else:
        result = func(*body.args)
    return await result if isawaitable(result) else result


def _called(func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return func(*args)


def _blocks(func: Callable[..., Any]) -> bool:
    """Whether to call a plain function in a thread: it may block. A lambda is an expression, often of a coroutine."""
    inner = getattr(func, "__wrapped__", func)
    return getattr(inner, "__name__", "") != "<lambda>" and not iscoroutinefunction(inner)


CALLERS.update((_run.__code__, _called.__code__))
