"""Who may use which context, and where operation ids come from (law R2).

Ids count calls, so two pieces of code that run interleaved must never count on one counter. A *scope* is the
right to use one context: it holds the counter. The handler gets a scope, the body of a child context gets one,
and a step's body gets one that allows no context at all. The scope in force travels in a context variable, so
it follows the code and not the clock.

A task that user code spawns (``gather``, ``TaskGroup``, ``create_task``) gets a scope of its own on the same
context, whose ids have a prefix made of the spawning scope's prefix and the task's number in it: ``-t1``,
``-t2`` in order of creation. A program that creates its tasks in the same order therefore meets the same ids
again, however they interleave. (A context operation's id is 64 hex digits or nothing and its children are
numbered, so these texts cannot collide with theirs.)

Whatever cannot be attributed is refused with a ContextMisuseError that says what to do.
"""

from __future__ import annotations

from contextvars import ContextVar
from threading import get_ident
from typing import TYPE_CHECKING, Any

from durably.exceptions import ContextMisuseError
from durably.wire.ids import operation_id

if TYPE_CHECKING:
    from durably.checkpointing import CheckpointMode

    from .branch import Branch
    from .operation import Op
    from .run import Run

__all__ = ["CURRENT", "Around", "Leaf", "Scope", "refuse_use"]


class Scope:
    """The right to use ``owner`` (a context), or none, and the counter of its operations.

    Parameters:
        run: the invocation.
        owner: the context that may be used; None in a step's body.
        prefix: what its operations' ids are derived from; None at the root.
        where: for messages, e.g. ``step 'charge'``, or what is so called when it is made a string.
        replaying: the code runs over what an earlier invocation already recorded.
        like: used by the same thread as this scope; by default the current one.
        branch: that the code is part of; by default that of ``like``.
    """

    __slots__ = (
        "_peeked",
        "branch",
        "count",
        "disorder",
        "drawn",
        "is_task",
        "mode",
        "owner",
        "prefix",
        "preset_id",
        "replaying",
        "run",
        "spawned",
        "started",
        "thread",
        "time_ms",
        "timers",
        "where",
    )

    def __init__(
        self,
        run: Run,
        owner: Any,
        prefix: str | None,
        where: object,
        replaying: bool = False,
        like: Scope | None = None,
        branch: Branch | None = None,
    ) -> None:
        self.run: Run = run
        self.owner: Any = owner
        self.prefix: str | None = prefix
        self.preset_id: str | None = None
        self.where: object = where
        self.replaying: bool = replaying
        self.thread: int = get_ident() if like is None else like.thread
        self.branch: Branch | None = like.branch if branch is None and like is not None else branch
        self.count: int = 0
        self.spawned: int = 0
        self.started: Any = None
        self.mode: CheckpointMode | None = None if like is None else like.mode
        self.time_ms: int = 0 if like is None else like.time_ms
        self.drawn: int = 0
        self.timers: int = 0
        self.disorder: str | None = None
        self.is_task: bool = False
        self._peeked: str | None = None

    def take_id(self) -> str:
        """The id of the next operation; counts it."""
        peeked = self._peeked
        self.count += 1
        if peeked is not None:
            self._peeked = None
            return peeked
        if self.disorder is not None:
            raise ContextMisuseError(self.disorder)
        return operation_id(self.prefix, self.count)

    def preset(self, op_id: str, afterwards: str) -> None:
        """Let the first operation take ``op_id``, and refuse any other, saying ``afterwards``."""
        self._peeked = self.preset_id = op_id
        self.disorder = afterwards

    def take_timer_id(self) -> str:
        """The id of the next timer that the program sets in this scope; counts it."""
        self.timers += 1
        return operation_id(f"{self.prefix or ''}-timer", self.timers)

    def peek_id(self) -> str:
        """The id that the next operation will take. Hashed once, whoever asks first."""
        if self._peeked is None:
            self._peeked = operation_id(self.prefix, self.count + 1)
        return self._peeked

    def spawn(self, number: int | None = None) -> Scope:
        """The scope of a task created here; ``number`` where the order of creation is not the program's order."""
        if number is None:
            self.spawned += 1
            number = self.spawned
        prefix = f"{self.prefix}-t{number}" if self.prefix else f"t{number}"
        where = f"task {number} of {self.where}"
        scope = Scope(self.run, self.owner, prefix, where, replaying=self.replays, like=self)
        scope.is_task = True
        return scope

    def recorded_in_task(self, number: int) -> list[str]:
        """Ids of what is recorded of the task of that number and of its own tasks, as far as they are numbered on."""
        return _recorded(self.run, f"{self.prefix}-t{number}" if self.prefix else f"t{number}")

    @property
    def replays(self) -> bool:
        """Whether the code runs over what has run before, as far as that can be told.

        Recorded completions reach tasks in recorded order (law R9): once one of them has met something new, so have
        all that wait for each other.
        """
        return self.replaying and not (self.run.went_on and (self.is_task or self.spawned))


class Leaf(Scope):
    """The scope of a step's body: no operations, and nothing in it ever changes. There are many."""

    __slots__ = ()
    owner: Any = None
    prefix: str | None = None
    preset_id: str | None = None
    replaying: bool = False
    branch: Branch | None = None
    count: int = 0
    spawned: int = 0
    mode: CheckpointMode | None = None
    time_ms: int = 0
    is_task: bool = False

    def __init__(self, run: Run, where: object) -> None:
        self.run: Run = run
        self.where: object = where
        self.thread: int = get_ident()


class Around(Scope):
    """The scope around the one operation of a branch. There are many."""

    __slots__ = ()
    owner: Any = None
    prefix: str | None = None
    preset_id: str | None = None
    count: int = 0
    spawned: int = 0
    is_task: bool = False

    def __init__(self, op: Op, branch: Branch | None) -> None:
        scope = op.scope
        self.run: Run = op.run
        self.where: object = op
        self.thread: int = get_ident()
        self.branch: Branch | None = branch
        self.replaying: bool = scope.replaying
        self.mode: CheckpointMode | None = scope.mode
        self.time_ms: int = op.time_ms


def _recorded(run: Run, prefix: str, deeper: int = 4) -> list[str]:
    """``deeper``: how many levels of tasks that record nothing themselves are looked through."""
    found: list[str] = []
    while (op_id := operation_id(prefix, len(found) + 1)) in run.ops:
        found.append(op_id)
    task, deeper = 0, 4 if found else deeper - 1
    while deeper and (inner := _recorded(run, f"{prefix}-t{(task := task + 1)}", deeper)):
        found += inner
    return found


CURRENT: ContextVar[Scope | None] = ContextVar("durably_scope", default=None)
"""The scope of the code that is running; None outside of durable code."""


def refuse_use(context: Any, scope: Scope | None) -> ContextMisuseError:
    """The error for a use of ``context`` by code in ``scope``, saying what to do instead."""
    what = f"{type(context).__name__} ({context})"
    if scope is None or scope.thread != get_ident():
        return ContextMisuseError(
            f"{what} was used by a thread or task that does not belong to its invocation. Operations must be called "
            "by the function that received the context, or by tasks it created; do foreign work inside a step."
        )
    if scope.owner is None:
        return ContextMisuseError(
            f"{what} was used inside {scope.where}. A step is one unit of work and cannot contain operations: call the "
            "operation before or after the step, or group operations with run_in_child_context()."
        )
    if scope.run is not context.run:
        return ContextMisuseError(
            f"{what} belongs to another invocation. Do not keep contexts in globals; use the one the function received."
        )
    return ContextMisuseError(
        f"{what} was used inside {scope.where}, which has a context of its own. Use the context that was passed to "
        "that function: the outer one cannot number operations that run inside an inner one."
    )
