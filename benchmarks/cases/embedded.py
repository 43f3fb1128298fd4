"""Durable steps and executions on a store inside the program: service, functions and store in one process.

All stores are new files on the filesystem named above the table. Each program is measured once warm (one execution
of ten steps before).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from support.embedded import directory, invoke_all, make_service, recorded_steps
from support.model import Case, Measurement, Row, Settings, check

RunAll = Callable[[int, int], list[int]]
"""(executions, steps of each): start all at once, wait for all, give their results."""


def expected(steps: int) -> int:
    return steps * (steps + 1) // 2


def timed_run(run_all: RunAll, executions: int, steps: int) -> float:
    began = time.perf_counter()
    results = run_all(executions, steps)
    elapsed = time.perf_counter() - began
    check(results == [expected(steps)] * executions, f"wrong results: {results[:3]} ...")
    return elapsed


def measure(run_all: RunAll, settings: Settings) -> Measurement:
    timed_run(run_all, 1, 10)
    steps = settings.count(1000, 50)
    one = timed_run(run_all, 1, steps)
    at_once, each = settings.count(100, 10), settings.count(50, 5)
    many = timed_run(run_all, at_once, each)
    short = settings.count(300, 20)
    alone = sum(timed_run(run_all, 1, 1) for _ in range(short))
    executions = settings.count(1000, 50)
    together = timed_run(run_all, executions, 1)
    return {
        "steps_per_s": steps / one,
        "steps_per_s_at_once": at_once * each / many,
        "executions_per_s": short / alone,
        "executions_per_s_at_once": executions / together,
    }


# ---- durably ----------------------------------------------------------------------------------------------


def durably(settings: Settings, function: str) -> Measurement:
    with directory() as place:
        service = make_service(place / "store.db")
        service.start()
        last: dict[str, Any] = {}

        def run_all(executions: int, steps: int) -> list[int]:
            answers = invoke_all(partial(service.submit, "Invoke"), function, {"steps": steps}, executions)
            last.update(answers[-1])
            return [json.loads(answer["Payload"]) for answer in answers]

        try:
            measurement = measure(run_all, settings)
            run_all(1, 7)
            recorded = recorded_steps(
                service.call("GetDurableExecutionHistory", DurableExecutionArn=last["DurableExecutionArn"])
            )
            check(recorded == 7, f"{recorded} steps are recorded of 7")
            return measurement
        finally:
            service.close()


# ---- DBOS --------------------------------------------------------------------------------------------------


def dbos(settings: Settings, pragmas: tuple[str, ...] = ()) -> Measurement:
    """``pragmas`` are given to every connection; none: the database as DBOS ships it."""
    import sqlalchemy
    from dbos import DBOS

    @sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    @DBOS.step()
    def add(number: int) -> int:
        return number + 1

    @DBOS.workflow()
    def loop(steps: int) -> int:
        total = 0
        for number in range(steps):
            total += add(number)
        return total

    def run_all(executions: int, steps: int) -> list[int]:
        if executions == 1:
            return [loop(steps)]
        handles = [DBOS.start_workflow(loop, steps) for _ in range(executions)]
        return [handle.get_result() for handle in handles]

    with directory() as place:
        DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{place}/dbos.db", "log_level": "ERROR"})
        DBOS.launch()
        try:
            measurement = measure(run_all, settings)
            handle = DBOS.start_workflow(loop, 7)
            check(handle.get_result() == expected(7), "wrong result")
            recorded = DBOS.list_workflow_steps(handle.workflow_id)
            check(len(recorded) == 7, f"{len(recorded)} steps are recorded of 7")
            return measurement
        finally:
            DBOS.destroy()


# ---- what SQLite itself does ----------------------------------------------------------------------------------


def sqlite(settings: Settings) -> Measurement:
    """One row of the size of a step's record per transaction, WAL, synchronous=FULL."""
    transactions = settings.count(3000, 200)
    with directory() as place:
        connection = sqlite3.connect(place / "bare.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB)")
        began = time.perf_counter()
        for _ in range(transactions):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO record (body) VALUES (?)", (b"x" * 600,))
            connection.execute("COMMIT")
        elapsed = time.perf_counter() - began
        connection.close()
    return {"steps_per_s": transactions / elapsed}


PEERS = {"dbos": "dbos", "dbos-wal": "dbos/wal"}
WAL = ("journal_mode=WAL", "synchronous=FULL")
RATES = (
    ("steps, one execution", "steps_per_s", 4000),
    ("steps, 100 executions at once", "steps_per_s_at_once", 10_000),
    ("one-step executions, one by one", "executions_per_s", None),
    ("one-step executions, 1,000 at once", "executions_per_s_at_once", 2000),
)

CASE = Case(
    number=8,
    title="embedded store, WAL, synchronous=FULL",
    programs={
        "durably/sync": lambda settings: durably(settings, "blocking"),
        "durably/async": lambda settings: durably(settings, "awaiting"),
        "dbos": dbos,
        "dbos/wal": lambda settings: dbos(settings, WAL),
        "durably/sqlite": sqlite,
    },
    rows=(
        *(
            Row(f"{label}, {world}", metric, "/s", f"durably/{world}", PEERS, target, higher=True, digits=0)
            for label, metric, target in RATES
            for world in ("sync", "async")
        ),
        Row("bare sqlite3, one row a transaction", "steps_per_s", "/s", "durably/sqlite", higher=True, digits=0),
    ),
    notes=(
        "DBOS on SQLite, synchronous workflows: as shipped (journal_mode=DELETE, synchronous=FULL), and with the "
        "pragmas that our store uses.",
    ),
)
