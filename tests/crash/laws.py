"""What must hold of every execution, whatever was killed: read from its history and from the ledger of side effects."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from .services import Service

ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped")
COMPLETIONS = ("Succeeded", "Failed", "TimedOut", "Stopped", "Cancelled")


def ledger(path: Path) -> list[Any]:
    """Its lines; a last line that a kill cut short did not happen."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def milliseconds(event: Any) -> int:
    return round(event["EventTimestamp"].timestamp() * 1000)


def is_retry(event: Any) -> bool:
    """An attempt that is to be followed by another: it failed, or its condition was not met."""
    details = event.get("StepFailedDetails") or event.get("StepSucceededDetails") or {}
    return "NextAttemptDelaySeconds" in (details.get("RetryDetails") or {})


def check_history(events: list[Any]) -> None:
    """Law: a history has no gaps, one end, and nothing of an operation after its completion."""
    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["EventType"] for event in events]
    assert kinds[0] == "ExecutionStarted"
    assert [kind for kind in kinds if kind in ENDS] == [kinds[-1]]
    stamps = [milliseconds(event) for event in events]
    assert stamps == sorted(stamps)
    requests = [e["InvocationCompletedDetails"]["RequestId"] for e in events if e["EventType"] == "InvocationCompleted"]
    assert len(set(requests)) == len(requests)

    completed: set[str] = set()
    attempts: Counter[str] = Counter()
    for event in events[1:-1]:
        kind = event["EventType"]
        if kind == "InvocationCompleted":
            continue
        operation = event["Id"]
        assert operation not in completed, f"{kind} of {event.get('Name')} after its completion"
        if kind.endswith("Started"):
            attempts[operation] += 1
        if is_retry(event):
            assert attempts[operation] == 1, "an attempt that is tried again was started once"
            attempts[operation] = 0
        elif kind.endswith(COMPLETIONS):
            assert attempts[operation] == 1, f"{event.get('Name')} was started {attempts[operation]} times"
            completed.add(operation)


def check_ledger(service: Service | None, entries: list[Any], arn: str, events: list[Any]) -> int:
    """Law: what is recorded is not repeated, and an unrecorded body runs again only after its process was killed.

    Without ``service`` the latter is not asked. Returns how many bodies were repeated.
    """
    ends: dict[tuple[str, int], int] = {}
    attempt: Counter[str] = Counter()
    for event in events:
        if event["EventType"] in ("StepSucceeded", "StepFailed"):
            attempt[event["Id"]] += 1
            ends[event["Id"], attempt[event["Id"]]] = milliseconds(event)
    runs: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for entry in entries:
        if entry["kind"] == "step" and entry["arn"] == arn:
            runs[entry["id"], entry["attempt"]].append(entry)
    for (operation, number), lines in runs.items():
        for line in lines:
            done = ends.get((operation, number))
            assert done is not None, f"{line} never ended"
            assert line["ms"] <= done, f"{line} ran again after its end was recorded at {done}"
        for before, after in pairwise(lines):
            assert service is None or was_killed(service, before, after), (
                f"{before} was repeated without need as {after}"
            )
    succeeded = {event["Id"] for event in events if event["EventType"] == "StepSucceeded" and "Name" in event}
    noted = {operation for operation, _ in runs}
    unnoted = {event["Name"] for event in events if event.get("Id") in succeeded - noted}
    assert {name for name in unnoted if not name.endswith("submitter")} == set(), "a result without a run"
    return sum(len(lines) - 1 for lines in runs.values())


def was_killed(service: Service, before: Any, after: Any) -> bool:
    if before["pid"] == after["pid"]:
        return False
    if before["pid"] in service.killed_workers:
        return True
    return any(before["ms"] <= moment <= after["ms"] for moment in service.killed_ms)


def check_once(entries: list[Any]) -> None:
    """Law: an at-most-once body runs at most once for an attempt."""
    careful = Counter(
        (line["arn"], line["id"], line["attempt"])
        for line in entries
        if line["kind"] == "step" and line["name"] in ("no retry", "per attempt")
    )
    assert {key: count for key, count in careful.items() if count > 1} == {}


def check_order(entries: list[Any], loops: set[str]) -> None:
    """Law: once a step has begun, the one before it is recorded for good, whatever is killed then.

    ``loops``: ARNs of executions whose steps follow one another and are named by their numbers.
    """
    reached: dict[str, int] = defaultdict(int)
    for entry in entries:
        if entry["kind"] == "step" and entry["arn"] in loops:
            number = int(entry["name"])
            assert number >= reached[entry["arn"]], f"{entry} runs again after step {reached[entry['arn']]} had begun"
            reached[entry["arn"]] = number


def check_store(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM executions WHERE end_ms IS NULL").fetchone() == (0,)
        gaps = "SELECT execution FROM journal GROUP BY execution HAVING count(*) <> max(revision) + 1"
        assert connection.execute(gaps).fetchall() == []
    finally:
        connection.close()
