"""Tasks that user code spawns: their scopes, and what they are waiting for.

The task factory gives every task that is created by durable code (outside of steps) a scope of its own
(:mod:`durably.engine.scope`) and makes it known to its run, which cancels it when the invocation ends. Tasks
created by anything else, a step's body included, are not touched: a client library may keep a task of its own
across invocations.

asyncio does not always create tasks in the program's order: ``as_completed`` iterates over a set of what it was
given. There the number is the position in the list that was given, and without a list the tasks have no order and
may not call operations. ``wait_for`` made a task of its coroutine until Python 3.12, while its caller stood still;
that task shares its caller's scope, so that both give the same ids.

:func:`waits_inside` tells tasks that only wait for each other from those that something outside may wake: only
when none of the latter is left may an invocation end (law R7 says what then happens).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, Final, Protocol

from durably.exceptions import ContextMisuseError

from .scope import CURRENT, Scope

if TYPE_CHECKING:
    from .async_run import AsyncRun
    from .branch import Branch
    from .run import Protocol as OperationProtocol

__all__ = ["Acknowledgement", "Arrival", "ParkFuture", "install_task_factory", "waits_inside"]


class ParkFuture(asyncio.Future[Any]):
    """What a parked operation awaits.

    Attributes:
        strand: the isolated branch that it belongs to, if any.
        came: when its completion came, counted in this invocation.
    """

    strand: Branch | None = None
    came: int = 0

    def hand_out(self) -> bool:
        self.set_result(None)
        return False


class Acknowledgement:
    """What the driver of an operation awaits while an update is on its way: as much of a future as a task asks for.

    When its turn has come the task goes on at once: by a future's callback it would in another turn of the loop.

    Attributes:
        strand, came: as those of a ParkFuture.
    """

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_done", "_loop", "_wake", "came", "strand")

    def __init__(self, loop: asyncio.AbstractEventLoop, strand: Branch | None) -> None:
        self._loop = loop
        self.strand: Branch | None = strand
        self.came: int = 0
        self._done = False
        self._wake: Callable[[Any], object] | None = None

    def hand_out(self) -> bool:
        """Let the task go on. Not to be called where another task runs."""
        self._done = True
        if self._wake is not None:
            self._context.run(self._wake, self)
        return True

    def set_result(self, _: None, /) -> None:
        """Let the task go on in the loop's next turn."""
        self._done = True
        if self._wake is not None:
            self._loop.call_soon(self._wake, self, context=self._context)

    # ---- what asyncio's tasks ask for ---------------------------------------------------------------------

    def __await__(self) -> Generator[Acknowledgement, None, None]:
        if not self._done:
            self._asyncio_future_blocking = True
            yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, wake: Callable[[Any], object], *, context: Context) -> None:
        self._wake, self._context = wake, context

    def done(self) -> bool:
        return self._done

    def cancel(self, msg: Any = None) -> bool:
        if self._done:
            return False
        self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self.set_result(None)
        return True

    def result(self) -> None:
        cancelled: asyncio.CancelledError | None = getattr(self, "_cancelled", None)
        if cancelled is not None:
            raise cancelled


class Arrival(Protocol):
    """What a completion on its way to the program ends up in: a future, or something in its place."""

    strand: Branch | None
    came: int

    def done(self) -> bool: ...

    def set_result(self, result: None, /) -> None: ...

    def hand_out(self) -> bool:
        """The same as set_result(None), from where no task runs. Whether the program has gone on already."""
        ...


# ---- scopes of new tasks -----------------------------------------------------------------------------------


def install_task_factory(loop: asyncio.AbstractEventLoop) -> None:
    """Make ``loop`` give durable scopes to tasks; an earlier factory keeps creating them. Idempotent."""
    previous = loop.get_task_factory()
    if getattr(previous, "durably", False):
        return
    create: Callable[..., Any] = previous if previous is not None else _default_factory
    eager = _EAGER is not None and _code(previous) is _EAGER

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:
        parent = CURRENT.get()
        if parent is None or parent.owner is None or not parent.run.is_async:
            return create(loop, coro, **options)
        given = options.pop("context", None)
        context = copy_context() if given is None else given.copy()
        context.run(CURRENT.set, _scope_for(parent, coro))
        run: AsyncRun = parent.run  # type: ignore[assignment]
        if previous is None or (eager and _called_by_anyio()):
            task = _default_factory(loop, coro, context=context, **options)
        else:
            run.spawning += 1
            try:
                task = create(loop, coro, context=context, **options)
            finally:
                run.spawning -= 1
        run.adopt(task, parent.branch)
        return task

    factory.durably = True  # type: ignore[attr-defined]
    factory.plain = previous is None  # type: ignore[attr-defined]  # what is not the program's is an ordinary task
    loop.set_task_factory(factory)  # type: ignore[arg-type]  # typeshed's protocol lacks the keyword options


def factory_replaced(protocol: OperationProtocol) -> ContextMisuseError:
    """The error for an operation whose loop no longer gives tasks their scopes; its ``protocol`` is closed."""
    protocol.close()
    return ContextMisuseError(
        "the event loop's task factory was replaced during the invocation, so tasks can no longer be told apart and "
        "their operations cannot be numbered. Set it before the invocation begins: durably keeps using it."
    )


def _default_factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> Any:
    return asyncio.Task(coro, loop=loop, **options)


def _code(function: Any) -> CodeType | None:
    return getattr(function, "__code__", None)


_AS_COMPLETED: Final = frozenset(
    filter(
        None,
        (
            _code(asyncio.as_completed),
            _code(getattr(getattr(asyncio.tasks, "_AsCompletedIterator", None), "__init__", None)),
        ),
    )
)
_EAGER: Final = _code(getattr(asyncio, "eager_task_factory", None))
_WAIT_FOR: Final = _code(asyncio.wait_for)
_ASYNCIO_DIR: Final = os.path.dirname(asyncio.__file__)


def _called_by_anyio() -> bool:
    """Whether an anyio task group creates the task: it cannot have eager ones, and avoids them where it sees them."""
    return f"{os.sep}anyio{os.sep}" in sys._getframe(3).f_code.co_filename


def _scope_for(parent: Scope, coro: Any) -> Scope:
    """The scope of the task being created for ``coro``, by whom asyncio creates it for."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_ASYNCIO_DIR):
        code = frame.f_code
        if code is _WAIT_FOR:
            return parent
        if code in _AS_COMPLETED:
            return _scope_in_batch(parent, coro, frame)
        frame = frame.f_back
    return parent.spawn()


def _scope_in_batch(parent: Scope, coro: Any, frame: FrameType) -> Scope:
    given = frame.f_locals.get("fs", frame.f_locals.get("aws"))
    batch: tuple[FrameType, int, dict[int, int]] | None = getattr(parent.run, "spawn_batch", None)
    if batch is None or batch[0] is not frame:
        positions = {id(one): n for n, one in enumerate(given, 1)} if isinstance(given, (list, tuple)) else {}
        batch = (frame, parent.spawned, positions)
        parent.run.spawn_batch = batch  # type: ignore[attr-defined]
        parent.spawned += max(len(positions), 1)
    position = batch[2].get(id(coro))
    if position is not None:
        return parent.spawn(batch[1] + position)
    scope = parent.spawn()
    scope.disorder = (
        "asyncio.as_completed() was given something without an order (a set, a generator), so the operations of its "
        "coroutines cannot be numbered the same way on every run. Pass it a list."
    )
    return scope


# ---- what tasks wait for ---------------------------------------------------------------------------------------

_INSIDE_MODULES: Final = frozenset({"locks.py", "queues.py", "taskgroups.py", "tasks.py", "timeouts.py"})
_ANYIO_INSIDE: Final = frozenset({"__aexit__", "wait"})

_Found = asyncio.Future[Any] | bool | None


def waits_inside(task: asyncio.Task[Any], adopted: set[asyncio.Task[Any]]) -> _Found:
    """True: nothing but other tasks of this run, or the service, can wake ``task``.

    A future: something outside may (a timer, a socket, a thread); it completes first. None: it is about to run.
    """
    waiter: asyncio.Future[Any] | None = getattr(task, "_fut_waiter", None)
    if waiter is None:
        return None
    return _inside(waiter, _frames(task), adopted, 0)


def _inside(
    waiter: asyncio.Future[Any], frames: list[FrameType], adopted: set[asyncio.Task[Any]], depth: int
) -> _Found:
    if waiter.done():
        return None
    if isinstance(waiter, (ParkFuture, Acknowledgement)):
        return True
    if isinstance(waiter, asyncio.Task):
        return True if waiter in adopted else waiter
    children = getattr(waiter, "_children", None)
    if isinstance(children, list) and depth < 8:  # gather()
        return _all_inside(children, frames, adopted, depth)
    for callback in _callbacks(waiter):
        name = getattr(callback, "__qualname__", "")
        if name.startswith("_chain_future"):  # a thread
            return waiter
        if name.startswith("shield.") and depth < 8:
            for cell in callback.__closure__ or ():
                inner = cell.cell_contents
                if isinstance(inner, asyncio.Future) and inner is not waiter:
                    return _inside(inner, frames, adopted, depth + 1)
    return _judge(waiter, frames, adopted, depth)


def _all_inside(
    futures: Iterable[asyncio.Future[Any]], frames: list[FrameType], adopted: set[asyncio.Task[Any]], depth: int
) -> _Found:
    """What is found of the first that something outside may wake. None when all are done: whoever waits runs soon."""
    pending = [one for one in futures if not one.done()]
    for one in pending:
        found = _inside(one, frames, adopted, depth + 1)
        if found is not True:
            return found
    return True if pending else None


def _judge(waiter: asyncio.Future[Any], frames: list[FrameType], adopted: set[asyncio.Task[Any]], depth: int) -> _Found:
    """By the code that awaits ``waiter``, a future of no known kind. ``frames``: innermost last."""
    for n in range(len(frames) - 1, -1, -1):
        code = frames[n].f_code
        path = code.co_filename
        if path.startswith(_ASYNCIO_DIR):
            module = os.path.basename(path)
            if module not in _INSIDE_MODULES or code.co_name == "sleep":
                return waiter
            awaited = _awaited_by(frames, n, adopted)
            if awaited is None:
                return True
            if waiter in awaited:
                continue  # passed through by wait_for(): the code that called it decides
            return waiter if not awaited else _all_inside(awaited, frames[:n], adopted, depth)
        if f"{os.sep}anyio{os.sep}" in path:
            return True if code.co_name in _ANYIO_INSIDE else waiter
        # A library's own future is woken by its sockets and threads. One that user code made by hand is woken by
        # user code.
        return True if "site-packages" not in path and "dist-packages" not in path else waiter
    return waiter


def _awaited_by(frames: list[FrameType], n: int, adopted: set[asyncio.Task[Any]]) -> list[asyncio.Future[Any]] | None:
    """What asyncio's wait(), wait_for() or as_completed() in frame ``n`` waits for; None for anything else.

    Empty: for futures that are not this run's.
    """
    own = frames[n].f_locals
    if frames[n].f_code.co_filename.endswith("tasks.py"):
        if "fs" in own:
            return list(own["fs"])
        if isinstance(own.get("fut"), asyncio.Future):
            return [own["fut"]]
    elif n and frames[n - 1].f_code.co_name == "_wait_for_one":
        iterator = frames[n - 1].f_locals.get("self")
        if iterator is not None:  # Python 3.13
            return list(iterator._todo)
        queue = frames[n - 1].f_locals.get("done")
        for task in adopted:
            for callback in _callbacks(task):
                cells = [cell.cell_contents for cell in getattr(callback, "__closure__", None) or ()]
                if any(one is queue for one in cells):
                    return [future for one in cells if isinstance(one, set) for future in one]
        return []
    return None


def _callbacks(future: asyncio.Future[Any]) -> list[Any]:
    return [entry[0] if isinstance(entry, tuple) else entry for entry in getattr(future, "_callbacks", None) or ()]


def _frames(task: asyncio.Task[Any]) -> list[FrameType]:
    """The suspended frames of ``task``, innermost last."""
    frames: list[FrameType] = []
    current: Any = task.get_coro()
    while current is not None:
        frame = getattr(current, "cr_frame", None) or getattr(current, "gi_frame", None)
        frame = frame or getattr(current, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        following = getattr(current, "cr_await", None) or getattr(current, "gi_yieldfrom", None)
        current = following or getattr(current, "ag_await", None)
    return frames
