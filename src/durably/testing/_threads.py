"""Driving a world from outside its thread: for async tests, and for runs that must not take too long."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, TypeVar

from durably.engine.threads import borrow

from ._loop import VirtualLoop

__all__ = ["Late", "in_thread", "in_time"]

T = TypeVar("T")


async def in_thread(func: Callable[[], T]) -> T:
    """``func()`` in another thread, while this thread's event loop goes on."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):  # in a function under test, whose time stands still meanwhile
        made: T = await loop.run_in_executor(None, copy_context().run, func)
        return made
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
        value, error = _outcome(lambda: context.run(func))
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            pass  # the loop was closed: nobody waits any more

    borrow(job)
    return await future


class Late(Exception):
    """It took too long."""


def in_time(func: Callable[[], T], seconds: float) -> T:
    """``func()`` in another thread, for ``seconds`` at most. Raises Late."""
    ended = threading.Event()
    outcome: list[tuple[Any, BaseException | None]] = []
    context = copy_context()

    def job() -> None:
        outcome.append(_outcome(lambda: context.run(func)))
        ended.set()

    borrow(job)
    if not ended.wait(seconds):
        raise Late
    value, error = outcome[0]
    if error is not None:
        raise error
    made: T = value
    return made


def _outcome(func: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return func(), None
    except BaseException as error:
        return None, error
