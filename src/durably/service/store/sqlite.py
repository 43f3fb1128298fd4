"""A store in one SQLite file: stdlib sqlite3, WAL, ``synchronous=FULL``.

Journal rows lie in the order in which they were written, whatever execution they belong to, and a small index leads
from an execution to its rows. So the commit of a hundred executions' checkpoints writes the few pages at the end of
the table and of the index, not one page for each execution (measured: a quarter of the time).

The connection locks the file exclusively for as long as it is open (``locking_mode=EXCLUSIVE``). That keeps a second
service out, saves the locking of each transaction, and ends with the process, however it ends.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from .base import ExecutionIndex, ListQuery, StoreError, StoreLocked, StoreVersionError, WriteBatch

__all__ = ["SqliteStore"]

_APPLICATION_ID: Final = 0x44524259
"""``DRBY``, in the file's header: this is a durably store."""

# Each entry brings a file from the version that is its position to the next. Never change one that was released.
_MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE executions(
        key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, arn TEXT NOT NULL, function TEXT NOT NULL,
        version TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, start_ms INTEGER NOT NULL,
        end_ms INTEGER, purge_ms INTEGER, UNIQUE (function, name)
    );
    CREATE INDEX executions_by_start ON executions(function, start_ms, key);
    CREATE INDEX executions_open ON executions(key) WHERE end_ms IS NULL;
    CREATE INDEX executions_purge ON executions(purge_ms) WHERE purge_ms IS NOT NULL;
    CREATE TABLE journal(
        id INTEGER PRIMARY KEY, execution INTEGER NOT NULL, revision INTEGER NOT NULL,
        events BLOB NOT NULL, operations BLOB NOT NULL, head BLOB NOT NULL
    );
    CREATE UNIQUE INDEX journal_by_execution ON journal(execution, revision);
    """,
)

_LOG_BYTES: Final = 4_500_000
"""A little more than the 1,000 pages after which SQLite copies the log into the file and begins it anew."""

_INDEX_COLUMNS: Final = "key, id, arn, function, version, name, status, start_ms, end_ms, purge_ms"
_INSERT: Final = "INSERT INTO journal(execution, revision, events, operations, head) VALUES(?, ?, ?, ?, ?)"
_PUT_INDEX: Final = (
    f"INSERT INTO executions({_INDEX_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT(key) DO UPDATE SET status = excluded.status, end_ms = excluded.end_ms, purge_ms = excluded.purge_ms"
)


class SqliteStore:
    """Parameters:
    path: of the file; it is created when missing. Its directory must exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path)
        self._db: sqlite3.Connection | None = None

    def open(self) -> None:
        if self._db is not None:
            raise StoreLocked(f"{self.path} is open already; close the service that uses it first")
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path.parent} is not a directory; create it, or give another path for the store")
        # Cannot wait for a lock: whoever has it keeps it for as long as it lives.
        try:
            db = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.DatabaseError as failure:
            raise _explained(self.path, failure) from failure
        try:
            self._prepare(db)
        except sqlite3.DatabaseError as failure:
            db.close()
            raise _explained(self.path, failure) from failure
        except BaseException:
            db.close()
            raise
        self._db = db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION_ID and db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreVersionError(f"{self.path} is a database of another program; give another path for the store")
        if version > len(_MIGRATIONS):
            raise StoreVersionError(
                f"{self.path} was written by a newer durably (store version {version}, this one knows "
                f"{len(_MIGRATIONS)}); upgrade durably, or give another path for the store"
            )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN EXCLUSIVE")
        for number in range(version, len(_MIGRATIONS)):
            for statement in _MIGRATIONS[number].split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number + 1}")
        if application != _APPLICATION_ID:
            db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        db.execute("COMMIT")
        _lengthen(f"{self.path}-wal")

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"{self.path} is not open")
        return self._db

    def commit(self, batch: WriteBatch) -> None:
        db = self._connection
        journal = batch.journal
        if len(journal) == 1 and not batch.executions and not batch.deleted:
            row = journal[0]
            db.execute(_INSERT, (row.key, row.revision, row.events, row.operations, row.head))
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            for key in batch.deleted:
                db.execute("DELETE FROM journal WHERE execution = ?", (key,))
                db.execute("DELETE FROM executions WHERE key = ?", (key,))
            if batch.executions:
                db.executemany(_PUT_INDEX, [_index_values(entry) for entry in batch.executions])
            db.executemany(_INSERT, [(row.key, row.revision, row.events, row.operations, row.head) for row in journal])
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def last_key(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(key), 0) FROM executions").fetchone()[0])

    def find(self, execution_id: str) -> ExecutionIndex | None:
        return self._one("id = ?", (execution_id,))

    def find_named(self, function: str, name: str) -> ExecutionIndex | None:
        return self._one("function = ? AND name = ?", (function, name))

    def get(self, key: int) -> ExecutionIndex | None:
        return self._one("key = ?", (key,))

    def _one(self, where: str, values: tuple[Any, ...]) -> ExecutionIndex | None:
        row = self._connection.execute(f"SELECT {_INDEX_COLUMNS} FROM executions WHERE {where}", values).fetchone()
        return None if row is None else ExecutionIndex(*row)

    def search(self, query: ListQuery) -> list[ExecutionIndex]:
        where = ["function = ?"]
        values: list[Any] = [query.function]

        def add(condition: str, *more: Any) -> None:
            where.append(condition)
            values.extend(more)

        if query.version is not None:
            add("version = ?", query.version)
        if query.name is not None:
            add("name = ?", query.name)
        if query.statuses is not None:
            add(f"status IN ({', '.join('?' * len(query.statuses))})", *query.statuses)
        if query.started_after_ms is not None:
            add("start_ms > ?", query.started_after_ms)
        if query.started_before_ms is not None:
            add("start_ms < ?", query.started_before_ms)
        if query.after is not None:
            add(f"(start_ms, key) {'>' if query.oldest_first else '<'} (?, ?)", *query.after)
        order = "ASC" if query.oldest_first else "DESC"
        rows = self._connection.execute(
            f"SELECT {_INDEX_COLUMNS} FROM executions WHERE {' AND '.join(where)} "
            f"ORDER BY start_ms {order}, key {order} LIMIT ?",
            (*values, query.limit),
        )
        return [ExecutionIndex(*row) for row in rows]

    def load(self, key: int) -> tuple[list[bytes], bytes, int] | None:
        rows = self._connection.execute(
            "SELECT revision, operations, head FROM journal WHERE execution = ? ORDER BY revision", (key,)
        ).fetchall()
        if not rows:
            return None
        revision, _, head = rows[-1]
        return [row[1] for row in rows if row[1]], head, revision

    def events(self, key: int, revision: int, limit: int, *, descending: bool) -> list[tuple[int, bytes]]:
        compare, order = ("<=", "DESC") if descending else (">=", "ASC")
        return self._connection.execute(
            f"SELECT revision, events FROM journal WHERE execution = ? AND revision {compare} ? AND events <> x'' "
            f"ORDER BY revision {order} LIMIT ?",
            (key, revision, limit),
        ).fetchall()

    def open_executions(self) -> Iterable[tuple[int, bytes]]:
        return self._connection.execute(
            "SELECT key, (SELECT head FROM journal WHERE execution = key ORDER BY revision DESC LIMIT 1) "
            "FROM executions WHERE end_ms IS NULL ORDER BY key"
        ).fetchall()

    def next_purge_ms(self) -> int | None:
        found = self._connection.execute("SELECT min(purge_ms) FROM executions WHERE purge_ms IS NOT NULL").fetchone()
        return None if found[0] is None else int(found[0])

    def purgeable(self, now_ms: int, limit: int) -> Sequence[int]:
        rows = self._connection.execute(
            "SELECT key FROM executions WHERE purge_ms IS NOT NULL AND purge_ms <= ? ORDER BY purge_ms LIMIT ?",
            (now_ms, limit),
        )
        return [row[0] for row in rows]


def _lengthen(log: str) -> None:
    """Fill the log up with zeros, which are no frames to SQLite. What cannot be written is done without."""
    try:
        file = os.open(log, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
    except OSError:
        return
    try:
        length = os.fstat(file).st_size
        missing = _LOG_BYTES - length
        if missing > 0:
            try:
                if os.write(file, bytes(missing)) < missing:
                    os.truncate(file, length)  # the disk is full: leave the rest to what has to be kept
                os.fsync(file)
            except OSError:
                os.truncate(file, length)
    except OSError:
        pass
    finally:
        os.close(file)


def _index_values(entry: ExecutionIndex) -> tuple[Any, ...]:
    return (
        entry.key,
        entry.id,
        entry.arn,
        entry.function,
        entry.version,
        entry.name,
        entry.status,
        entry.start_ms,
        entry.end_ms,
        entry.purge_ms,
    )


def _explained(path: Path, failure: sqlite3.DatabaseError) -> StoreError:
    text = str(failure)
    if "locked" in text or "busy" in text:
        return StoreLocked(
            f"{path} is used by another durably service; stop that one, or give this one another path for its store"
        )
    if "not a database" in text:
        return StoreVersionError(f"{path} is not a durably store; give another path for the store")
    return StoreError(f"{path} cannot be opened: {text}")
