"""Running a user's function for async code: a coroutine function on the loop, one that may block in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from inspect import CO_COROUTINE, isawaitable, iscoroutinefunction
from types import FunctionType
from typing import Any

from .requests import Body
from .step import CALLERS
from .timeouts import timed_out

__all__ = ["awaited", "begin_body"]


def begin_body(body: Body) -> Any:
    """Call the function of a step's body, in a thread if it may block: its result, or what to await for it.

    Awaiting raises StepTimeoutError when its time is over.
    """
    if body.timeout is not None:
        return _run_in_time(body)
    func = body.func
    return _run_in_thread(body) if _blocks(func) else func(*body.args)


async def _run_in_thread(body: Body) -> Any:
    result = await asyncio.to_thread(_called, body.func, body.args)
    return await result if isawaitable(result) else result


async def _run_in_time(body: Body) -> Any:
    limit = asyncio.timeout(body.timeout)
    try:
        async with limit:
            result = _run_in_thread(body) if _blocks(body.func) else body.func(*body.args)
            return await result if isawaitable(result) else result
    except TimeoutError:
        if not limit.expired():
            raise  # the body's own
        raise timed_out(body) from None


async def awaited(call: Callable[[], Any]) -> Any:
    return await call()


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


CALLERS.update((begin_body.__code__, _run_in_time.__code__, _called.__code__))
