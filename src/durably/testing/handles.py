"""Callbacks answered by the test while a run goes on elsewhere: in another thread, or another task of an async test."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from durably.wire.shapes import ErrorObject

from ._threads import in_thread
from .callbacks import OpenCallback, not_ready

if TYPE_CHECKING:
    from ._world import World

__all__ = ["AsyncRunnerCallback", "Handles", "RunnerCallback"]

_NEXT_RUN: Final = 1.0
"""Real seconds within which another run may begin that opens the callback."""
_LATER_RUN: Final = 5.0
"""The same for a handle that was taken when a run had already ended."""
_THINKING: Final = 200
"""How often the driver waits a moment for the test to take the next handle, after it has answered one."""


class Handles:
    """Those that somebody has taken. While a callback of theirs is open, time stands still for the answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken: list[RunnerCallback] = []
        self.news: threading.Condition = threading.Condition()
        self.drives: int = 0
        """How many times the world was driven, and has come to rest."""
        self._thinking: int = 0

    def take(self, name: str | None, index: int) -> RunnerCallback:
        handle = RunnerCallback(self._world, self, name, index)
        self._taken.append(handle)
        return handle

    @property
    def hold(self) -> bool:
        """Whether an answer has to be waited for."""
        self._taken = [handle for handle in self._taken if not handle.answered]
        return any(handle.is_open for handle in self._taken)

    def answered_one(self) -> None:
        """The test goes on, and may ask for the next: it is no end if nothing else is left to do."""
        self._thinking = _THINKING

    def may_be_taken(self) -> bool:
        """Whether another handle may be about to be taken. Counts down."""
        self._thinking = max(0, self._thinking - 1)
        return self._thinking > 0

    def tell(self, *, rested: bool = False) -> None:
        """Something has changed."""
        with self.news:
            self.drives += rested
            self.news.notify_all()


class RunnerCallback:
    """A callback of whatever execution opens it first. Made by :meth:`LocalRunner.callback`, before or during a run."""

    def __init__(self, world: World, handles: Handles, name: str | None, index: int) -> None:
        self._world = world
        self._handles = handles
        self._name = name
        self._index = index
        self._drives = handles.drives
        self.answered: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it can be answered now."""
        return self._found() is not None

    @property
    def callback_id(self) -> str:
        """Waits for it, as :meth:`wait` does."""
        return self._ready().callback_id

    def wait(self) -> RunnerCallback:
        """Block until it is open and its submitter has handed the id out.

        Raises:
            CallbackNotReady: the run has ended without that.
        """
        self._ready()
        return self

    def succeed(self, value: Any = None) -> None:
        """Answer with ``value``: text is sent as it is, anything else as JSON."""
        found = self._ready()
        self._handles.answered_one()
        self.answered = True
        found.succeed(value)

    def fail(self, error: BaseException | ErrorObject | str) -> None:
        found = self._ready()
        self._handles.answered_one()
        self.answered = True
        found.fail(error)

    def heartbeat(self) -> None:
        """Say that the answer is still being worked on."""
        self._ready().heartbeat()

    def release(self) -> None:
        """Let time pass for it from now on, although it has no answer."""
        self.answered = True
        self._world.scheduler.ring()

    def _found(self) -> OpenCallback | None:
        return self._world.listener.find(None, self._name, self._index)

    def _ready(self) -> OpenCallback:
        with self._handles.news:
            while (found := self._found()) is None:
                patience = None
                if self._handles.drives and not self._world.scheduler.driven:
                    patience = _NEXT_RUN if self._handles.drives > self._drives else _LATER_RUN
                if not self._handles.news.wait(patience):
                    raise not_ready(self._name, "the run has ended")
        return found

    def __repr__(self) -> str:
        return f"<RunnerCallback {self._name!r} {'open' if self.is_open else 'not open'}>"


class AsyncRunnerCallback:
    """As :class:`RunnerCallback`, to be awaited. Made by :meth:`LocalRunner.acallback`."""

    def __init__(self, handle: RunnerCallback) -> None:
        self._handle = handle

    @property
    def is_open(self) -> bool:
        return self._handle.is_open

    async def callback_id(self) -> str:
        return await in_thread(lambda: self._handle.callback_id)

    async def wait(self) -> AsyncRunnerCallback:
        await in_thread(self._handle.wait)
        return self

    async def succeed(self, value: Any = None) -> None:
        await in_thread(lambda: self._handle.succeed(value))

    async def fail(self, error: BaseException | ErrorObject | str) -> None:
        await in_thread(lambda: self._handle.fail(error))

    async def heartbeat(self) -> None:
        await in_thread(self._handle.heartbeat)

    def release(self) -> None:
        self._handle.release()

    def __repr__(self) -> str:
        return repr(self._handle)
