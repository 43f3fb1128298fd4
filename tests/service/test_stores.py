"""What a store promises: all or nothing, one owner, and a file that is ours."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from durably.service.kernel import Service
from durably.service.store.base import (
    ExecutionIndex,
    JournalRow,
    ListQuery,
    Store,
    StoreError,
    StoreLocked,
    StoreVersionError,
    WriteBatch,
)
from durably.service.store.memory import MemoryStore
from durably.service.store.sqlite import SqliteStore

from .conftest import World, callback, step, wait


def entry(key: int, **changes: object) -> ExecutionIndex:
    made = ExecutionIndex(key, f"id{key}", f"arn{key}", "f", "$LATEST", f"n{key}", "RUNNING", 1000 + key)
    for member, value in changes.items():
        setattr(made, member, value)
    return made


def row(key: int, revision: int, events: bytes = b"", operations: bytes = b"") -> JournalRow:
    return JournalRow(key, revision, events, operations, b"head%d" % revision)


def test_what_was_written_is_read(store: Store) -> None:
    store.open()
    assert store.last_key() == 0
    assert store.load(1) is None
    assert store.next_purge_ms() is None
    rows = [row(1, 0, b"e0", b"o0"), row(1, 1, b"", b"o1"), row(1, 2, b"e2", b""), row(2, 0, b"x", b"y")]
    store.commit(WriteBatch([entry(1), entry(2)], rows))
    store.commit(WriteBatch(journal=[row(2, 1)]))
    assert store.load(1) == ([b"o0", b"o1"], b"head2", 2)
    assert store.load(2) == ([b"y"], b"head1", 1)
    assert store.events(1, 0, 9, descending=False) == [(0, b"e0"), (2, b"e2")]
    assert store.events(1, 1, 9, descending=False) == [(2, b"e2")]
    assert store.events(1, 0, 1, descending=False) == [(0, b"e0")]
    assert store.events(1, 99, 1, descending=True) == [(2, b"e2")]
    assert store.events(1, 1, 9, descending=True) == [(0, b"e0")]
    assert list(store.open_executions()) == [(1, b"head2"), (2, b"head1")]
    assert store.find("id2") == store.get(2) == store.find_named("f", "n2") == entry(2)
    assert store.find("zz") is None
    assert store.find_named("f", "zz") is None
    store.commit(WriteBatch([entry(1, status="FAILED", end_ms=5, purge_ms=9)]))
    assert list(store.open_executions()) == [(2, b"head1")]
    assert store.next_purge_ms() == 9
    assert store.purgeable(8, 10) == []
    assert store.purgeable(9, 10) == [1]
    assert [e.key for e in store.search(ListQuery("f", statuses=["FAILED"]))] == [1]
    store.commit(WriteBatch([entry(3, name="n1")], [row(3, 0)], deleted=[1]))
    assert store.load(1) is None
    assert store.get(1) is None
    assert store.find_named("f", "n1") == entry(3, name="n1")
    assert store.last_key() == 3
    store.close()
    store.close()


def test_a_closed_store_lost_nothing(store: Store) -> None:
    store.open()
    store.commit(WriteBatch([entry(1)], [row(1, 0, b"e", b"o")]))
    store.close()
    store.open()
    assert store.load(1) == ([b"o"], b"head0", 0)
    store.close()


def test_a_failed_commit_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.open()
    store.commit(WriteBatch([entry(1)], [row(1, 0)]))
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(WriteBatch([entry(2), entry(3, id="id2")], [row(2, 0)], deleted=[1]))
    assert store.load(1) is not None
    assert store.get(2) is None
    with pytest.raises(sqlite3.IntegrityError):
        store.commit(WriteBatch(journal=[row(1, 1), row(1, 0)]))
    assert store.load(1) == ([], b"head0", 0)
    store.close()


def test_one_owner(store: Store, tmp_path: Path) -> None:
    store.open()
    other: Store = SqliteStore(store.path) if isinstance(store, SqliteStore) else store
    with pytest.raises(StoreLocked) as refusal:
        other.open()
    assert "another" in str(refusal.value)
    with pytest.raises(StoreLocked):
        store.open()
    store.close()
    other.open()
    other.close()


def test_service_on_a_locked_store(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Service(SqliteStore(path)):
        second = Service(SqliteStore(path))
        with pytest.raises(StoreLocked, match=r"s\.db"):
            second.start()
        second.close()


_HOLD = """
import sys, time
from durably.service.store.sqlite import SqliteStore
from durably.service.store.base import WriteBatch, ExecutionIndex, JournalRow
store = SqliteStore(sys.argv[1])
store.open()
index = ExecutionIndex(1, "i", "a", "f", "v", "n", "RUNNING", 1)
store.commit(WriteBatch([index], [JournalRow(1, 0, b"e", b"o", b"h")]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_killed_owner_leaves_the_file_free_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with subprocess.Popen([sys.executable, "-c", _HOLD, str(path)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        store = SqliteStore(path)
        with pytest.raises(StoreLocked):
            store.open()
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    store.open()
    assert store.load(1) == ([b"o"], b"h", 0)
    store.close()


def test_files_that_are_not_ours(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine(x)")
    db.close()
    before = other.read_bytes()
    with pytest.raises(StoreVersionError, match="another program"):
        SqliteStore(other).open()
    assert other.read_bytes() == before
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look like the header of one " * 20)
    with pytest.raises(StoreVersionError, match="not a durably store"):
        SqliteStore(text).open()
    with pytest.raises(StoreError, match="create it"):
        SqliteStore(tmp_path / "missing" / "s.db").open()
    with pytest.raises(StoreError, match="cannot be opened"):
        SqliteStore(tmp_path).open()
    with pytest.raises(StoreError, match="not open"):
        SqliteStore(tmp_path / "s.db").last_key()


def test_a_newer_file(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    store = SqliteStore(path)
    store.open()
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreVersionError, match="upgrade durably"):
        SqliteStore(path).open()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from durably.service.store import sqlite

    path = tmp_path / "s.db"
    store = SqliteStore(path)
    store.open()
    store.commit(WriteBatch([entry(1)], [row(1, 0)]))
    store.close()
    monkeypatch.setattr(
        sqlite, "_MIGRATIONS", (*sqlite._MIGRATIONS, "CREATE TABLE later(x); CREATE INDEX lx ON later(x)")
    )
    store.open()
    assert store.load(1) is not None
    store.close()
    store.open()
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()


def test_durability_settings(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    store.open()
    db = store._connection
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_the_log_does_not_grow_under_commits(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    log = tmp_path / "s.db-wal"
    store = SqliteStore(path)
    store.open()
    before = log.stat().st_size
    store.commit(WriteBatch([entry(1)], [row(1, 0, b"e" * 1_000_000)]))
    assert log.stat().st_size == before > 4_000_000
    copy = tmp_path / "copy.db"  # what a killed service leaves
    copy.write_bytes(path.read_bytes())
    (tmp_path / "copy.db-wal").write_bytes(log.read_bytes())
    store.close()
    assert not log.exists()
    assert path.stat().st_size < 1_200_000, "zeros of the log are no part of the store"
    left = SqliteStore(copy)
    left.open()
    assert left.events(1, 0, 1, descending=False) == [(0, b"e" * 1_000_000)]
    assert (tmp_path / "copy.db-wal").stat().st_size == before
    left.close()


_FULL = """
import resource, sys
from durably.service.store.sqlite import SqliteStore
from durably.service.store.base import WriteBatch, ExecutionIndex, JournalRow
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
store = SqliteStore(sys.argv[1])
store.open()
index = ExecutionIndex(1, "i", "a", "f", "v", "n", "RUNNING", 1)
store.commit(WriteBatch([index], [JournalRow(1, 0, b"e", b"o", b"h")]))
print(store.load(1))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of file sizes there")
def test_no_room_for_a_log_of_full_length(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _FULL, str(tmp_path / "s.db")], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("([b'o'], b'h', 0)\n", "")


def test_everything_survives_a_restart(world: World) -> None:
    """Law 11: the same answers from the cache and from the disk."""
    run = world.start(DurableExecutionName="mine")
    run.checkpoint(step("a", "SUCCEED", Payload='"ü"'), wait("w", 60), callback("c", timeout=90), step("b"))
    run.suspends()
    world.call("PauseDurableExecution", DurableExecutionArn=run.arn, Reason="r")
    ended = world.start()
    ended.fails(ErrorType="E")

    def picture() -> list[object]:
        return [
            (world.get(arn), world.history(arn), world.service.next_timer_ms(), world.service._core.by_arn(arn).token)
            for arn in (run.arn, ended.arn)
        ]

    before = picture()
    world.reopen()
    assert picture() == before
    world.call("ResumeDurableExecution", DurableExecutionArn=run.arn)
    world.advance(60)
    assert [o["Id"] for o in world.next_run().operations[1:]] == ["a", "c", "b", "w"]


def test_timers_that_fell_due_while_nobody_was_there(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 60), callback("c", timeout=30))
    run.suspends()
    world.service.close()
    world.clock.advance(3_600_000)
    world.service = world._new()
    run = world.next_run()
    assert run.event["UpdatedOperationIds"] == ["c", "w"], "in the order in which they were due"


def test_many_executions_pass_through_a_small_cache(store: Store) -> None:
    world = World(store, cached_executions=3)
    runs = [world.start(str(n)) for n in range(10)]
    for n, run in enumerate(runs):
        run.checkpoint(wait("w", 1 + n % 3))
        run.suspends()
    world.advance(3)
    for _ in range(10):
        world.next_run().succeeds()
    assert [world.status(run.arn) for run in runs] == ["SUCCEEDED"] * 10
    assert len(world.service._core._cache) <= 3
    world.service.close()


def test_what_runs_stays_in_memory() -> None:
    loaded: list[int] = []

    class Watched(MemoryStore):
        def load(self, key: int) -> Any:
            loaded.append(key)
            return super().load(key)

    world = World(Watched(), cached_executions=3)
    runs = [world.start(str(n)) for n in range(10)]
    for op_id in "abc":
        for run in runs:
            run.checkpoint(step(op_id, "SUCCEED"))
    assert loaded == [], "an execution whose invocation runs is not read again for every checkpoint of it"
    for run in runs:
        run.succeeds()
    assert len(world.service._core._cache) <= 3
    world.service.close()


def test_memory_store_reopens() -> None:
    world = World(MemoryStore())
    run = world.start()
    world.reopen()
    assert world.kinds(run.arn) == ["ExecutionStarted", "InvocationCompleted"]
    world.service.close()
