"""Driving a world from outside its thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from durably.engine.threads import borrow

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(func: Callable[[], T]) -> T:
    """``func()`` in another thread, while this thread's event loop goes on."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError("StopIteration was raised"))
        else:
            future.set_exception(error)

    def job() -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = context.run(func)
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            pass  # the loop was closed: nobody waits any more

    borrow(job)
    return await future
