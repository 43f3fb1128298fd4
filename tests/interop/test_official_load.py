"""Programs of the official Python SDK, many at once in worker processes, while processes are killed.

The same programs with our package in their import lines are held to the same.
"""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crash import laws
from crash.proxy import FATES, LossyProxy
from crash.services import Background, Service, service

from .storm import answer_callbacks, check_careful_steps, check_once, check_steps, storm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

APP = Path(__file__).with_name("apps") / "load_program.py"
BIG = 300_000

EXPECTED: dict[str, Callable[[int], Any]] = {
    "pipeline": lambda n: [{"n": n, "list": [1, None, 2.5], "text": "é"}, 3, "division by zero", n + 1],
    "fan": lambda n: [[n + 1, n + 2, n + 3, n + 4], [1, 4, 9, 16, 25], [1, 2, "ALL_COMPLETED"]],
    "parent": lambda n: [n + 20, 3 * n, ["refuses", "absent"]],
    "asks": lambda n: [
        f"text {n}",
        f"text {n}",
        ["refused", "CallbackExternalError"],
        ["silent", "CallbackTimeoutError"],
        ["heartless", "CallbackTimeoutError"],
    ],
    "polls": lambda n: n + 3,
    "large": lambda n: [4 * BIG, 16 * BIG, n],
}
EACH = {"pipeline": 10, "fan": 8, "parent": 10, "asks": 8, "careful": 8, "polls": 4, "large": 2}


@contextlib.contextmanager
def running(tmp_path: Path, package: str) -> Iterator[Service]:
    environment = {"PACKAGE": package, "LEDGER": str(tmp_path / "ledger")}
    with service(tmp_path, "--workers", "3", app=APP, **environment) as served:
        yield served.start()


def check(served: Service, started: dict[str, tuple[str, int]], *, kills: bool = True) -> int:
    """Every law of every execution. Returns how many step bodies were repeated."""
    for arn in started:
        served.ended(arn, 300)
    entries = laws.ledger(served.ledger)
    check_careful_steps(entries)
    repeated = 0
    for arn, (function, number) in started.items():
        execution = served.execution(arn)
        assert execution["Status"] == "SUCCEEDED", (function, execution.get("Error"), served.tail())
        result = json.loads(execution["Result"])
        if function == "careful":
            check_once(result, arn, number, entries)
        else:
            assert result == EXPECTED[function](number)
        laws.check_history(served.history(arn))
        repeated += check_steps(served, arn, entries, kills=kills)
    return repeated


def wanted(moments: random.Random) -> list[tuple[str, int, str]]:
    everything = [(name, number, str(number)) for name, count in EACH.items() for number in range(count)]
    moments.shuffle(everything)
    return everything


@pytest.mark.parametrize("package", ["aws_durable_execution_sdk_python", "durably"])
def test_fifty_at_once(tmp_path: Path, package: str) -> None:
    with running(tmp_path, package) as served:
        started = {
            served.invoke(name, payload, f"{name}-{number}"): (name, number)
            for name, number, payload in wanted(random.Random(40))
        }
        assert len(started) == 50
        with Background(answer_callbacks(served)):
            assert check(served, started) == 0
        served.stop()
        laws.check_store(served.store)


@pytest.mark.parametrize("package", ["aws_durable_execution_sdk_python", "durably"])
@pytest.mark.parametrize("seed", [41])
def test_fifty_while_processes_are_killed(tmp_path: Path, package: str, seed: int) -> None:
    moments = random.Random(seed)
    with running(tmp_path, package) as served:
        with storm(served, wanted(moments), moments, kills=10, spared="plain") as started:
            repeated = check(served, started)
        assert repeated > 0, "no kill hit a running step: the test tests nothing"
        served.stop()
        laws.check_store(served.store)


def test_answers_are_lost(tmp_path: Path) -> None:
    """The network loses requests and answers, and delivers twice; the SDK's client tries again, or the service does."""
    # boto3 takes an answer that is cut short for an empty one; the SDK then stops as if it had been told to, before it
    # has told anybody of a callback that it opened.
    fates = [fate for fate in FATES if fate != "answer cut"]
    served = Service(tmp_path, "--workers", "3", app=APP, LEDGER=str(tmp_path / "ledger"))
    with LossyProxy(served.port, seed=44, share=0.3, fates=fates) as proxy:
        served.environment["PROXY"] = proxy.url
        try:
            served.start()
            names = [name for name in EACH if name != "large"] * 2
            started = {served.invoke(name, str(n), f"{name}-{n}"): (name, n) for n, name in enumerate(names)}
            with Background(answer_callbacks(served)):
                check(served, started, kills=False)
            assert set(proxy.met) == {"arrives", *fates}, "each fate was met"
            served.stop()
            laws.check_store(served.store)
        finally:
            served.destroy()
