"""A branch: code of an invocation that can be over before the invocation is.

The function of a child context is one: when it has returned, tasks that it spawned and left running may not record
anything below a context that is complete. The branches of a map or parallel are others: one can lose (its group was
decided without it), and one that waits for the service has its frames unwound, in sync code. From the moment a branch
is over nothing it does is recorded, whatever user code makes of the exception; the same holds for branches inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

__all__ = ["Branch"]


class Branch:
    """One run of a branch's code.

    Parameters:
        parent: the branch around it.
        isolated: it belongs to a group, whose branches see only what is theirs.

    Attributes:
        strand: the nearest isolated branch, itself included; None in the handler's own strand.
        over: it may not record anything more: it has ended, is given up, or has been unwound to wait.
        parked: (operation id, status, due) of each thing it waits for, when it has been unwound to wait.
        tasks: those that its code has spawned.
        concurrent: of an isolated branch: its code, or that of a branch inside, has spawned tasks.
        text: of an isolated branch: its result as it is recorded, once it has one.
    """

    __slots__ = ("concurrent", "over", "parent", "parked", "strand", "tasks", "text")

    def __init__(self, parent: Branch | None, isolated: bool = False) -> None:
        self.parent: Branch | None = parent
        self.strand: Branch | None = self if isolated else (parent.strand if parent is not None else None)
        self.over: bool = False
        self.concurrent: bool = False
        self.parked: list[tuple[str, str | None, int | None]] | None = None
        self.tasks: set[asyncio.Task[Any]] | None = None
        self.text: str | None = None

    def end(self) -> None:
        """Its code is through, and recorded: nothing asks any more which strand it is, itself."""
        self.over = True
        self.strand = None

    @property
    def is_over(self) -> bool:
        if self.over:
            return True
        around = self.parent
        while around is not None:
            if around.over:
                return True
            around = around.parent
        return False
