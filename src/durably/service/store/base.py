"""What the kernel needs of a store.

A store keeps, for each execution, a *journal*: one row for every command that changed it, holding the history events
the command appended, the operations it changed (whole, in their new form) and the execution's small head (token
chain, running invocation, counters). The newest head and the newest form of each operation are the execution. So one
checkpoint writes one row, which is all that a commit has to put on the disk, and what a reader finds is always exactly
one committed state. Beside the journal there is one index row per execution, written when it
starts, ends, pauses and resumes.

All methods are called from one thread, but for :meth:`Store.close`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = [
    "ExecutionIndex",
    "JournalRow",
    "ListQuery",
    "Store",
    "StoreError",
    "StoreLocked",
    "StoreVersionError",
    "WriteBatch",
    "MAX_REVISION",
]

MAX_REVISION = 1 << 24
"""Journal rows of one execution. A checkpoint that would pass it is refused: no replay could carry so much."""


class StoreError(Exception):
    """A store cannot be used."""


class StoreLocked(StoreError):
    """Another service has the store open."""


class StoreVersionError(StoreError):
    """The file is not a durably store, or was written by a newer durably."""


@dataclass(slots=True)
class ExecutionIndex:
    """What can be searched for: one row per execution."""

    key: int
    id: str
    arn: str
    function: str
    version: str
    name: str
    status: str
    start_ms: int
    end_ms: int | None = None
    purge_ms: int | None = None


@dataclass(slots=True)
class JournalRow:
    """What one command did to one execution. ``revision`` counts from 0 without gaps."""

    key: int
    revision: int
    events: bytes
    operations: bytes
    head: bytes


@dataclass(slots=True)
class WriteBatch:
    """All that one commit writes, or nothing of it."""

    executions: list[ExecutionIndex] = field(default_factory=list[ExecutionIndex])
    """New ones, and those whose status changed (the whole row)."""
    journal: list[JournalRow] = field(default_factory=list[JournalRow])
    deleted: list[int] = field(default_factory=list[int])

    def __bool__(self) -> bool:
        return bool(self.executions or self.journal or self.deleted)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Filters of ListDurableExecutionsByFunction; ``after`` is where the page before ended."""

    function: str
    version: str | None = None
    name: str | None = None
    statuses: Sequence[str] | None = None
    started_after_ms: int | None = None
    started_before_ms: int | None = None
    oldest_first: bool = False
    after: tuple[int, int] | None = None
    """(start_ms, key) of the last execution of the page before."""
    limit: int = 100


class Store(Protocol):
    def open(self) -> None:
        """Take the store for this process alone. Raises StoreLocked, StoreVersionError."""
        ...

    def close(self) -> None:
        """Release it. Idempotent."""
        ...

    def commit(self, batch: WriteBatch) -> None:
        """Make all of ``batch`` durable. When it raises, nothing of it is."""
        ...

    def last_key(self) -> int:
        """The largest key ever given out (0 for none)."""
        ...

    def find(self, execution_id: str) -> ExecutionIndex | None: ...

    def find_named(self, function: str, name: str) -> ExecutionIndex | None: ...

    def get(self, key: int) -> ExecutionIndex | None: ...

    def search(self, query: ListQuery) -> list[ExecutionIndex]:
        """Ordered by (start_ms, key), newest first unless ``oldest_first``."""
        ...

    def load(self, key: int) -> tuple[list[bytes], bytes, int] | None:
        """(operations of every row in order, newest head, newest revision)."""
        ...

    def events(self, key: int, revision: int, limit: int, *, descending: bool) -> list[tuple[int, bytes]]:
        """Up to ``limit`` rows (revision, events) that have events, from ``revision`` on, inclusive."""
        ...

    def open_executions(self) -> Iterable[tuple[int, bytes]]:
        """(key, newest head) of every execution that has not ended."""
        ...

    def next_purge_ms(self) -> int | None:
        """When the next ended execution is to be purged."""
        ...

    def purgeable(self, now_ms: int, limit: int) -> Sequence[int]:
        """Keys of ended executions whose retention is over."""
        ...
