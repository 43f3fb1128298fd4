"""A branch: one strand of execution among several, of a map, a parallel or a started operation.

A branch can be over before its code is: it lost (its group was decided without it), or it waits for the service and,
in sync code, its frames were unwound. From then on nothing it does is recorded, whatever user code makes of the
exception; the same holds for the branches inside it.
"""

from __future__ import annotations

__all__ = ["Branch"]


class Branch:
    """One run of a branch's code.

    Attributes:
        over: it may not record anything more.
        parked: (operation id, status, due) of each thing it waits for, when it has been unwound to wait.
    """

    __slots__ = ("over", "parent", "parked")

    def __init__(self, parent: Branch | None) -> None:
        self.parent = parent
        self.over = False
        self.parked: list[tuple[str, str | None, int | None]] | None = None

    @property
    def is_over(self) -> bool:
        branch: Branch | None = self
        while branch is not None:
            if branch.over or branch.parked is not None:
                return True
            branch = branch.parent
        return False
