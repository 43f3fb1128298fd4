"""Functions in processes of their own: the processes are killed, the service is, and both at once."""

from __future__ import annotations

import os
import random
import signal
import time
from itertools import count
from pathlib import Path

import pytest

from . import laws
from .load import Load
from .services import Background, Service, eventually, now_ms, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

EACH = {"pipeline": 4, "fan": 4, "parent": 4, "asks": 4, "once": 10, "big": 2, "loop": 1, "async_loop": 2}


def kill_a_worker(served: Service, dice: random.Random) -> bool:
    """Only one that has run something: a process that dies before it can be asked anything is another matter."""
    ran = {entry["pid"] for entry in laws.ledger(served.ledger)}
    workers = [pid for pid in sorted(served.workers()) if pid in ran]
    if workers:
        served.kill_worker(dice.choice(workers))
    return bool(workers)


@pytest.mark.parametrize("seed", [30])
def test_workers_and_service_at_random_moments(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with service(tmp_path, "--workers", "2") as served:
        load = Load(served.start())
        kills = 0
        with Background(load.answer), Background(load.start_many(EACH, 0.3, seed)) as starting:
            for number in count():
                if number >= 36:
                    if kills >= 10:
                        break
                    load.start("loop", number)  # new processes are slow to come: give them something to do
                time.sleep(dice.uniform(0.05, 0.9))
                if number % 4 != 3:
                    kills += kill_a_worker(served, dice)
                if number % 4 >= 2:
                    served.kill()
                    served.start()
            starting.join()
            repeated = load.check(300)
        assert repeated > 0, "no kill hit a running step: the test tests nothing"
        served.stop()
        laws.check_store(served.store)


def test_a_worker_that_freezes_is_replaced_and_writes_nothing(tmp_path: Path) -> None:
    """It is ended at its function's timeout, so there is none left to wake; and what it had begun is begun anew."""
    with service(tmp_path, "--workers", "2") as served:
        arn = served.start().invoke("stoppable", "7", "stopped")
        first = eventually(lambda: laws.ledger(served.ledger), "the step runs")[0]["pid"]
        os.kill(first, signal.SIGSTOP)
        (tmp_path / "ledger.go").touch()
        assert served.ended(arn)["Result"] == "7"
        assert not os.path.exists(f"/proc/{first}")
        served.killed_workers.add(first)
        events = served.history(arn)
        laws.check_history(events)
        assert laws.check_ledger(served, laws.ledger(served.ledger), arn, events) == 1
        ended = [event for event in events if event["EventType"] == "InvocationCompleted"]
        errors = [event["InvocationCompletedDetails"].get("Error", {}).get("Payload", {}) for event in ended]
        assert [error.get("ErrorType") for error in errors] == ["Sandbox.Timedout", None]
        served.stop()


def test_a_frozen_worker_does_not_outlive_its_service(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "2") as served:
        arn = served.start().invoke("stoppable", "7", "stopped")
        first = eventually(lambda: laws.ledger(served.ledger), "the step runs")[0]["pid"]
        os.kill(first, signal.SIGSTOP)
        served.kill()
        (tmp_path / "ledger.go").touch()
        assert served.start().ended(arn)["Result"] == "7"
        assert {entry["pid"] for entry in laws.ledger(served.ledger)} - {first}
        served.stop()


def test_a_process_that_outlives_its_service_can_write_nothing_to_the_next(tmp_path: Path) -> None:
    with service(tmp_path, "--workers", "2") as served:
        arn = served.start().invoke("escapes", "7", "escapes")
        escaped = eventually(lambda: laws.ledger(served.ledger), "the step runs")[0]["pid"]
        os.kill(escaped, signal.SIGSTOP)
        assert served.process is not None
        served.process.kill()
        served.process.wait()
        assert served.processes() == [escaped]
        served.start()

        def recorded() -> list[str]:
            events = served.history(arn)
            found = (event for event in events if event["EventType"] == "StepSucceeded")
            return [event["StepSucceededDetails"]["Result"]["Payload"] for event in found]

        eventually(lambda: len(recorded()) == 2, "the next service has run the step")
        (tmp_path / "ledger.go").touch()
        os.kill(escaped, signal.SIGCONT)
        eventually(lambda: any(e["kind"] == "woken" for e in laws.ledger(served.ledger)), "it wakes")
        assert served.execution(arn)["Status"] == "RUNNING"
        eventually(lambda: escaped not in served.processes(), "it finds its service gone and ends")
        assert served.ended(arn)["Result"] == '"second"'
        laws.check_history(served.history(arn))
        assert recorded() == ['"second"', "8"]
        assert {e["name"] for e in laws.ledger(served.ledger) if e["kind"] == "step"} == {"work", "after second"}
        served.stop()
        laws.check_store(served.store)


@pytest.mark.parametrize("function", ["frozen", "frozen_async"])
def test_what_wakes_after_its_timeout_can_write_nothing(tmp_path: Path, function: str) -> None:
    """In the service's own process nothing can be killed: there the frozen one does wake, and is fenced off."""
    with service(tmp_path) as served:
        arn = served.start().invoke(function, "7", "frozen")
        eventually(lambda: any(e["kind"] == "woken" for e in laws.ledger(served.ledger)), "it wakes")
        woken_ms = now_ms()
        assert served.ended(arn)["Result"] == '"second"'
        events = served.history(arn)
        laws.check_history(events)
        assert laws.milliseconds(events[-1]) > woken_ms, "it woke while the execution ran"
        results = [e["StepSucceededDetails"]["Result"]["Payload"] for e in events if e["EventType"] == "StepSucceeded"]
        assert results == ['"second"', "8"]
        assert {e["Name"] for e in events if e["EventType"] == "StepStarted"} == {"work", "after second"}
        assert {e["name"] for e in laws.ledger(served.ledger) if e["kind"] == "step"} == {"work", "after second"}
        served.stop()
        laws.check_store(served.store)
