"""A service that was killed starts again on a store with 10,000 open executions.

Two stores: one whose executions are suspended (half wait for an hour, half for a callback), and one whose executions
were all inside a step when the process was killed, so that each has to be invoked again. Ready means that a new
execution has been answered after all the open ones were found.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from support.embedded import directory, invoke_all, make_service
from support.model import Case, Measurement, Row, Settings, check

BATCH = 500
ROOT = Path(__file__).resolve().parent.parent
PREPARE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from cases.recovery import prepare
prepare(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
"""


def prepare(store: Path, kind: str, executions: int) -> None:
    """In a process of its own: make the open executions, then die as a killed process does."""
    from support import app

    if kind == "interrupted":
        os.environ[app.HOLD] = "1"
    service = make_service(store)
    suspended = EventCount("InvocationCompleted")
    service.subscribe(suspended)
    service.start()
    functions = ("interrupted",) if kind == "interrupted" else ("sleeping", "called")
    for begin in range(0, executions, BATCH):
        for position, function in enumerate(functions):
            share = (min(BATCH, executions - begin) + position) // len(functions)
            invoke_all(partial(service.submit, "Invoke"), function, {}, share, kind="Event")
    wait_until(lambda: (app.inside if kind == "interrupted" else suspended.count) >= executions)
    os.kill(os.getpid(), signal.SIGKILL)


class EventCount:
    """A listener that counts the committed events of one type."""

    def __init__(self, event_type: str) -> None:
        self._type = event_type
        self.count = 0

    def __call__(self, arn: str, events: list[Any]) -> None:
        self.count += sum(event["EventType"] == self._type for event in events)


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        check(time.monotonic() < deadline, f"not done after {seconds:g} s")
        pause.wait(0.005)


def measure(settings: Settings) -> Measurement:
    measurement: Measurement = {}
    executions = settings.count(10_000, 200)
    for kind in ("suspended", "interrupted"):
        with directory() as place:
            store = place / "store.db"
            arguments = [sys.executable, "-c", PREPARE, str(ROOT), str(store), kind, str(executions)]
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
            check(done.returncode == -signal.SIGKILL, f"no store was prepared: {done.stderr[-1000:]}")
            ready, finished = recover(store, kind, executions)
            measurement[f"{kind}_s"] = ready
            if kind == "interrupted":
                measurement["finished_s"] = finished
    return measurement


def recover(store: Path, kind: str, executions: int) -> tuple[float, float]:
    """Seconds from the start of the service until it has answered, and until all that was interrupted has ended."""
    service = make_service(store)
    ended = EventCount("ExecutionSucceeded")
    service.subscribe(ended)
    try:
        began = time.perf_counter()
        service.start()
        (answer,) = invoke_all(partial(service.submit, "Invoke"), "awaiting", {"steps": 1}, 1)
        ready = time.perf_counter() - began
        check(json.loads(answer["Payload"]) == 1, f"wrong answer: {answer}")
        if kind == "interrupted":
            wait_until(lambda: ended.count >= executions + 1)
            finished = time.perf_counter() - began
            check(count(service, "interrupted", "SUCCEEDED") == executions, "not all executions have succeeded")
            return ready, finished
        running = count(service, "sleeping", "RUNNING") + count(service, "called", "RUNNING")
        check(running == executions, f"{running} executions are open of {executions}")
        answer_a_callback(service)
        wait_until(lambda: ended.count >= 2)
        return ready, ready
    finally:
        service.close()


def count(service: Any, function: str, status: str) -> int:
    total = 0
    parameters: dict[str, Any] = {"FunctionName": function, "Statuses": [status], "MaxItems": 1000}
    while True:
        page = service.call("ListDurableExecutionsByFunction", **parameters)
        total += len(page["DurableExecutions"])
        if not page.get("NextMarker"):
            return total
        parameters["Marker"] = page["NextMarker"]


def answer_a_callback(service: Any) -> None:
    page = service.call("ListDurableExecutionsByFunction", FunctionName="called", Statuses=["RUNNING"], MaxItems=1)
    arn = page["DurableExecutions"][0]["DurableExecutionArn"]
    history = service.call("GetDurableExecutionHistory", DurableExecutionArn=arn)
    (started,) = [event for event in history["Events"] if event["EventType"] == "CallbackStarted"]
    callback = started["CallbackStartedDetails"]["CallbackId"]
    service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback, Result="ok")


CASE = Case(
    number=9,
    title="recovery with 10,000 open executions",
    programs={"durably": measure},
    rows=(
        Row("10,000 suspended: until a new execution is answered", "suspended_s", "s", "durably", {}, 2, digits=2),
        Row("10,000 interrupted: until a new execution is answered", "interrupted_s", "s", "durably", {}, 2, digits=2),
        Row("10,000 interrupted: until all have finished", "finished_s", "s", "durably", digits=2),
    ),
)
