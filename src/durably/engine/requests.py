"""What a protocol may ask of the driver that runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .scope import Scope

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .branch import Branch
    from .group import MakeBranch
    from .operation import Op

__all__ = ["Body", "Flush", "NextOutcome", "OpenGroup", "Park", "Pause", "Request", "Turn"]


class Flush:
    """Go on when update number ``seq`` (of operation ``op_id``) is acknowledged and the answer merged.

    ``last``: the protocol does nothing more but return or raise. ``final``: it is the execution's own, sent when
    nothing else may be recorded any more. ``arrival``: where an async driver keeps whom to tell.
    """

    __slots__ = ("arrival", "completion", "final", "last", "op_id", "seq", "strand")

    def __init__(
        self,
        seq: int,
        op_id: str,
        strand: Branch | None,
        completion: bool = False,
        last: bool = False,
        final: bool = False,
    ) -> None:
        self.arrival: Any = None
        self.last: bool = last
        self.final: bool = final
        self.seq: int = seq
        self.op_id: str = op_id
        self.strand: Branch | None = strand
        self.completion: bool = completion


class Park:
    """Go on when the record of ``op`` has changed. Without running siblings the invocation suspends.

    ``due_ms``: when the service will change it by itself (epoch milliseconds), if that is known.
    """

    __slots__ = ("_met", "due_ms", "op_id", "strand")

    def __init__(self, op: Op, due_ms: int | None = None) -> None:
        self.op_id: str = op.id
        branch = op.scope.branch
        self.strand: Branch | None = None if branch is None else branch.strand
        self.due_ms: int | None = due_ms
        self._met = op.record()

    @classmethod
    def for_ever(cls, strand: Branch | None) -> Park:
        """Wait for what no answer brings."""
        park = cls.__new__(cls)
        park.op_id, park.strand, park.due_ms, park._met = "", strand, None, None
        return park

    def changed(self, ops: dict[str, Operation]) -> bool:
        """Whether the record is another than when the protocol last looked."""
        return ops.get(self.op_id) is not self._met


class Turn:
    """Go on when the recorded completion of ``op_id`` is next to be seen by the program (law R9).

    ``cancelled_after_ms``: the operation was cancelled by the program itself so long after its start; only the
    same cancellation ends the turn, and one that does not come in time is non-determinism.
    """

    __slots__ = ("cancelled_after_ms", "op_id")

    def __init__(self, op_id: str, cancelled_after_ms: int | None = None) -> None:
        self.op_id: str = op_id
        self.cancelled_after_ms: int | None = cancelled_after_ms


class Pause:
    """Go on when the writer has had the opportunity to send, without waiting for an answer."""

    __slots__ = ()


class Body:
    """Run the user's ``func(*args)`` in ``scope`` and answer what it returns, or raise what it raises.

    ``is_step``: leaf work, which a suspending invocation lets finish, and in which no context may be used.
    ``timeout``: seconds after which StepTimeoutError is raised instead; a thread that runs the body is left behind.
    """

    __slots__ = ("args", "func", "is_step", "scope", "timeout")

    def __init__(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        scope: Scope,
        is_step: bool = False,
        timeout: float | None = None,
    ) -> None:
        self.func: Callable[..., Any] = func
        self.args: tuple[Any, ...] = args
        self.scope: Scope = scope
        self.is_step: bool = is_step
        self.timeout: float | None = timeout


class OpenGroup:
    """Answer with a group of branches, part of ``branch``; see :mod:`durably.engine.group`."""

    __slots__ = ("branch", "make")

    def __init__(self, branch: Branch | None, make: MakeBranch) -> None:
        self.branch: Branch | None = branch
        self.make: MakeBranch = make


class NextOutcome:
    """Answer with the outcome of a branch of ``group`` that has ended."""

    __slots__ = ("group",)

    def __init__(self, group: Any) -> None:
        self.group: Any = group


Request = Flush | Park | Pause | Turn | Body | OpenGroup | NextOutcome
