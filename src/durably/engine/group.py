"""Branches that run side by side: what a protocol may ask of them, in both worlds.

The protocol that opens a group decides which branches start and when enough have ended; a group runs them. A branch
that waits for the service keeps its place: in async code its task is parked; in sync code its frames are unwound, no
thread is held, and its function runs again over its records when the record that it waits for has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from .branch import Branch
from .run import Protocol as OperationProtocol

__all__ = ["Group", "MakeBranch", "Outcome"]

MakeBranch = Callable[[int, Branch], OperationProtocol]
"""Makes the protocol of one branch; called for every run of it, in the thread or task that is to drive it."""


class Outcome:
    """How a branch ended: ``value`` if it returned, ``error`` if it raised; ``text``: the value as it is recorded."""

    __slots__ = ("error", "index", "text", "value")

    def __init__(self, index: int, value: Any, error: Exception | None, text: str | None = None) -> None:
        self.index: int = index
        self.value: Any = value
        self.error: Exception | None = error
        self.text: str | None = text


class Group(Protocol):
    """Branches that were opened together."""

    def start(self, index: int) -> None:
        """Let branch ``index`` run."""
        ...

    def ready(self) -> Outcome | None:
        """The outcome of a branch that has ended, if it can be had without waiting."""
        ...

    def close(self) -> None:
        """Cut off the branches that have not ended: they are not waited for and record nothing more. Idempotent."""
        ...
