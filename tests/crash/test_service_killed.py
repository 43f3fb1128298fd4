"""The service is killed again and again, with all that runs in it, and started again."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from . import laws
from .load import Load
from .services import Background, eventually, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

EACH = {"pipeline": 5, "fan": 5, "parent": 5, "asks": 5, "once": 8, "big": 3, "loop": 3, "async_loop": 3}


@pytest.mark.parametrize("seed", [20])
def test_at_random_moments(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    with service(tmp_path) as served:
        load = Load(served.start())
        with Background(load.answer), Background(load.start_many(EACH, 0.15, seed)) as starting:
            for _ in range(20):
                time.sleep(moments.uniform(0.05, 1.0))
                served.kill()
                served.start()
            starting.join()
            repeated = load.check(300)
        assert repeated > 0, "no kill hit a running step: the test tests nothing"
        served.stop()
        laws.check_store(served.store)


@pytest.mark.parametrize("seed", [21])
def test_while_it_starts(tmp_path: Path, seed: int) -> None:
    """Killed from before it has opened its store until its recovery has started everything again."""
    moments = random.Random(seed)
    with service(tmp_path) as served:
        load = Load(served.start())
        with Background(load.answer):
            for number in range(40):
                load.start(("pipeline", "fan", "parent", "asks", "once")[number % 5], number)
            served.kill()
            for _ in range(40):
                served.spawn()
                time.sleep(moments.uniform(0.05, 0.6))
                served.kill()
            served.start()
            load.check(300)
        served.stop()
        laws.check_store(served.store)


def test_a_step_that_outlasts_many_a_service(tmp_path: Path) -> None:
    """It is begun anew each time; that is no fault of the function, however often it happens."""
    with service(tmp_path) as served:
        arn = served.start().invoke("long", "7", "long")
        for kills in range(15):
            eventually(lambda: len(laws.ledger(served.ledger)) > kills, "the step runs again")  # noqa: B023
            served.kill()
            served.start()
        (tmp_path / "ledger.go").touch()
        assert served.ended(arn)["Result"] == "7"
        events = served.history(arn)
        laws.check_history(events)
        assert laws.check_ledger(served, laws.ledger(served.ledger), arn, events) >= 14
        served.stop()


def test_a_frozen_service_goes_on_where_it_was(tmp_path: Path) -> None:
    with service(tmp_path) as served:
        load = Load(served.start())
        assert served.process is not None
        with Background(load.answer), Background(load.start_many(dict.fromkeys(EACH, 1), 0.1, seed=2)) as starting:
            for _ in range(3):
                time.sleep(0.4)
                os.kill(served.process.pid, signal.SIGSTOP)
                time.sleep(1.5)
                os.kill(served.process.pid, signal.SIGCONT)
            starting.join()
            assert load.check(300) == 0, "nothing was killed, so nothing is repeated"
        served.stop()
        laws.check_store(served.store)
