"""A store in memory: for tests and for executions that need not outlive the process.

It keeps the same encoded rows as a file would, so whatever works here works there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from .base import ExecutionIndex, JournalRow, ListQuery, StoreLocked, WriteBatch

__all__ = ["MemoryStore"]


class MemoryStore:
    """Holds everything until it is garbage. A closed one can be opened again and has lost nothing."""

    def __init__(self) -> None:
        self._open = False
        self._last_key = 0
        self._index: dict[int, ExecutionIndex] = {}
        self._by_id: dict[str, int] = {}
        self._by_name: dict[tuple[str, str], int] = {}
        self._journal: dict[int, list[JournalRow]] = {}

    def open(self) -> None:
        if self._open:
            raise StoreLocked("this MemoryStore is used by another service; close that one first or make another store")
        self._open = True

    def close(self) -> None:
        self._open = False

    def commit(self, batch: WriteBatch) -> None:
        for key in batch.deleted:
            gone = self._index.pop(key, None)
            self._journal.pop(key, None)
            if gone is not None:
                del self._by_id[gone.id]
                del self._by_name[gone.function, gone.name]
        for entry in batch.executions:
            self._index[entry.key] = replace(entry)
            self._by_id[entry.id] = entry.key
            self._by_name[entry.function, entry.name] = entry.key
            self._last_key = max(self._last_key, entry.key)
        for row in batch.journal:
            self._journal.setdefault(row.key, []).append(row)

    def last_key(self) -> int:
        return self._last_key

    def find(self, execution_id: str) -> ExecutionIndex | None:
        key = self._by_id.get(execution_id)
        return None if key is None else self.get(key)

    def find_named(self, function: str, name: str) -> ExecutionIndex | None:
        key = self._by_name.get((function, name))
        return None if key is None else self.get(key)

    def get(self, key: int) -> ExecutionIndex | None:
        found = self._index.get(key)
        return None if found is None else replace(found)

    def search(self, query: ListQuery) -> list[ExecutionIndex]:
        def wanted(entry: ExecutionIndex) -> bool:
            place = (entry.start_ms, entry.key)
            return (
                entry.function == query.function
                and (query.version is None or entry.version == query.version)
                and (query.name is None or entry.name == query.name)
                and (query.statuses is None or entry.status in query.statuses)
                and (query.started_after_ms is None or entry.start_ms > query.started_after_ms)
                and (query.started_before_ms is None or entry.start_ms < query.started_before_ms)
                and (query.after is None or (place > query.after if query.oldest_first else place < query.after))
            )

        found = [replace(entry) for entry in self._index.values() if wanted(entry)]
        found.sort(key=lambda entry: (entry.start_ms, entry.key), reverse=not query.oldest_first)
        return found[: query.limit]

    def load(self, key: int) -> tuple[list[bytes], bytes, int] | None:
        rows = self._journal.get(key)
        if not rows:
            return None
        return [row.operations for row in rows if row.operations], rows[-1].head, rows[-1].revision

    def events(self, key: int, revision: int, limit: int, *, descending: bool) -> list[tuple[int, bytes]]:
        rows = self._journal.get(key, [])
        if descending:
            end = bisect_right(rows, revision, key=lambda row: row.revision)
            chosen: Iterable[JournalRow] = reversed(rows[:end])
        else:
            chosen = rows[bisect_left(rows, revision, key=lambda row: row.revision) :]
        found: list[tuple[int, bytes]] = []
        for row in chosen:
            if row.events:
                found.append((row.revision, row.events))
                if len(found) == limit:
                    break
        return found

    def open_executions(self) -> Iterable[tuple[int, bytes]]:
        return [(key, self._journal[key][-1].head) for key, entry in self._index.items() if entry.end_ms is None]

    def next_purge_ms(self) -> int | None:
        return min((entry.purge_ms for entry in self._index.values() if entry.purge_ms is not None), default=None)

    def purgeable(self, now_ms: int, limit: int) -> Sequence[int]:
        due = (key for key, entry in self._index.items() if entry.purge_ms is not None and entry.purge_ms <= now_ms)
        return [key for key, _ in zip(due, range(limit), strict=False)]
