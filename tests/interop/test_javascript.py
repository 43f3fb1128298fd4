"""Programs of AWS's JavaScript SDK on the embedded service, with Python functions on both sides of them.

Node.js comes from the environment, the SDK from npm's registry (once, into ``js/functions/node_modules``).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crash import laws
from crash.proxy import FATES, LossyProxy
from crash.services import Background, Service, eventually, service

from .javascript import node_directory
from .storm import answer_callbacks, check_careful_steps, check_once, check_steps, storm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

PROJECT = Path(__file__).with_name("js")
SDK = PROJECT / "functions" / "node_modules" / "@aws" / "durable-execution-sdk-js" / "package.json"


@pytest.fixture(scope="session")
def node() -> Path:
    """The directory of Node.js, once the SDK is there too."""
    directory = node_directory(22)
    if not SDK.exists():
        bundled = directory.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        npm = [str(directory / "node"), str(bundled)] if bundled.exists() else [shutil.which("npm") or "npm"]
        environment = {**os.environ, "PATH": f"{directory}{os.pathsep}{os.environ['PATH']}"}
        command = [*npm, "install", "--no-audit", "--no-fund", "--no-package-lock"]
        try:
            done = subprocess.run(
                command, cwd=PROJECT / "functions", env=environment, capture_output=True, text=True, timeout=180
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            pytest.skip(f"npm could not be run: {exc}")
        if not SDK.exists():
            pytest.skip(f"npm could not install the SDK: {done.stderr[-500:]}")
    return directory


@contextlib.contextmanager
def prepared(tmp_path: Path, node: Path, *options: str) -> Iterator[Service]:
    options = (*options, "--parameter", f"Ledger={tmp_path / 'ledger'}")
    path = f"{node}{os.pathsep}{os.environ['PATH']}"
    with service(tmp_path, *options, app=PROJECT / "template.yaml", PATH=path) as served:
        yield served


@contextlib.contextmanager
def running(tmp_path: Path, node: Path, *options: str) -> Iterator[Service]:
    with prepared(tmp_path, node, *options) as served:
        yield served.start()


def step_error(message: str) -> list[str]:
    return ["StepError", "StepError", message]


EXPECTED: dict[str, Callable[[int], Any]] = {
    "Steps": lambda n: {
        "first": n + 1,
        "second": n + 4,
        "nothing": True,
        "shape": {"list": [1, None, {"deep": "é\U0001f600"}], "flag": False, "zero": 0},
        "caught": step_error("never"),
        "late": "twice",
    },
    "Callbacks": lambda n: {
        "first": f'{{"n":{n}}}',
        "second": f"text {n}",
        "outcomes": [
            ["refused", "CallbackExternalError", "no"],
            ["silent", "CallbackTimeoutError", "Callback timed out"],
            ["heartless", "CallbackTimeoutError", "Callback heartbeat timed out"],
            ["broken", "CallbackSubmitterError", "could not ask"],
        ],
    },
    "Batches": lambda n: {
        "squares": [number * number + n for number in range(7)],
        "flat": [number + n for number in range(7)],
        "tolerant": ["ALL_COMPLETED", 4, 3, ["odd 1", "odd 3", "odd 5"]],
        "strict": ["FAILURE_TOLERANCE_EXCEEDED", 1, True],
        "two": ["MIN_SUCCESSFUL_REACHED", 2, [0, 1]],
        "custom": ["CUSTOM_COMPLETION_SUCCEEDED", [0, 1, 2]],
        "branches": ["quick", "slow", n],
        "thrown": "ChildContextError",
    },
    "Children": lambda n: {
        "nested": n + 11,
        "large": 400_000,
        "many": [150_000] * 3,
        "unrecorded": n,
        "failure": ["ChildContextError", "bad"],
    },
    "Conditions": lambda n: {
        "reached": {"count": n + 3, "attempt": 3},
        "gaveUp": "StepError",
        "failed": "cannot look",
    },
    "Combinators": lambda n: {
        "all": [n, n + 1],
        "settled": [["fulfilled", 1], ["rejected", "d"]],
        "any": "f",
        "race": "fast",
        "none": "PromiseCombinatorError",
    },
    "Concurrent": lambda n: 780 + 40 * n,
    "Blocks": lambda n: [3, n + 3],
    "Pages": lambda n: 7_500_000 + n,
    "Crashes": lambda n: n + 1,
    "Caller": lambda n: [{"n": n, "text": "é\U0001f600"}, {"plain": n}, "StepError", f"no luck with {n}"],
}


def payload_of(function: str, number: int) -> str:
    return json.dumps({"n": number} if function == "Caller" else number)


def check_result(served: Service, arn: str, function: str, number: int) -> None:
    execution = served.execution(arn)
    assert execution["Status"] == "SUCCEEDED", (function, execution.get("Error"), served.tail())
    result = json.loads(execution["Result"])
    if function == "Careful":
        check_once(result, arn, number, laws.ledger(served.ledger))
    elif function == "Invokes":
        leaf = {"doubled": 2 * number, "text": "é\U0001f600"}
        assert result["leaf"] == leaf
        assert result["together"] == [{**leaf, "doubled": 2 * number + 2}, {"plain": number}]
        (refuses, plain, absent) = result["failures"]
        assert refuses == ["refuses", "InvokeError", f"refused {number}"]
        assert plain == ["plain fails", "InvokeError", f"plain refused {number}"]
        assert absent[:2] == ["absent", "InvokeError"]
        assert absent[2].startswith("Function not found: arn:aws:lambda:us-east-1:000000000000:function:Nobody:$LATEST")
    else:
        assert result == EXPECTED[function](number)


PROGRAMS = [*EXPECTED, "Careful", "Invokes"]


def test_every_program_gives_what_it_must(tmp_path: Path, node: Path) -> None:
    with running(tmp_path, node, "--workers", "2") as served:
        started = {name: served.invoke(name, payload_of(name, 7), name) for name in PROGRAMS}
        with Background(answer_callbacks(served)):
            for name, arn in started.items():
                served.ended(arn, 120)
                check_result(served, arn, name, 7)
                laws.check_history(served.history(arn, page=7))
                repeated = check_steps(served, arn, laws.ledger(served.ledger))
                assert repeated == (1 if name == "Crashes" else 0)
        served.stop()
        laws.check_store(served.store)


def test_executions_that_fail(tmp_path: Path, node: Path) -> None:
    with running(tmp_path, node, "--workers", "1") as served:
        fails, forgetful = (served.invoke(name, "7", name) for name in ("Fails", "Forgetful"))
        failed = served.ended(fails)
        assert (failed["Status"], failed["Error"]) == (
            "FAILED",
            {"ErrorType": "StepError", "ErrorMessage": "no luck with 7"},
        )
        lost = served.ended(forgetful)
        assert (lost["Status"], lost["Error"]["ErrorType"]) == ("FAILED", "NonDeterministicExecutionError")
        for arn in (fails, forgetful):
            laws.check_history(served.history(arn))


def test_large_results_and_what_is_too_large(tmp_path: Path, node: Path) -> None:
    with running(tmp_path, node, "--workers", "1") as served:
        eventually(lambda: served.ended(served.invoke("Large", "10", "warm")), "it serves")
        synchronous = served.api.invoke(FunctionName="Large:$LATEST", Payload="6291000")
        assert len(synchronous["Payload"].read()) == 6_291_002
        assert "FunctionError" not in synchronous
        refused = served.ended(served.invoke("Large", "1100000", "asynchronous"))
        assert refused["Status"] == "FAILED"
        assert "1,100,002 bytes long, more than the 1,048,576 allowed" in refused["Error"]["ErrorMessage"]


@pytest.mark.parametrize("seed", [31])
def test_killed_at_random_moments(tmp_path: Path, node: Path, seed: int) -> None:
    """The service with everything in it, and single processes of functions, again and again."""
    moments = random.Random(seed)
    wanted = [(name, number, payload_of(name, number)) for name in PROGRAMS for number in range(3)]
    moments.shuffle(wanted)
    with running(tmp_path, node, "--workers", "2") as served:
        with storm(served, wanted, moments, kills=12, spared="Plain") as started:
            repeated = 0
            for arn, (name, number) in started.items():
                served.ended(arn, 120)
                check_result(served, arn, name, number)
                laws.check_history(served.history(arn, page=1000))
                repeated += check_steps(served, arn, laws.ledger(served.ledger))
        check_careful_steps(laws.ledger(served.ledger))
        assert repeated > 3, "no kill hit a running step: the test tests nothing"
        served.stop()
        laws.check_store(served.store)


def test_answers_are_lost(tmp_path: Path, node: Path) -> None:
    """The network loses requests and answers, and delivers twice; the SDK's client tries again, or the service does."""
    with (
        prepared(tmp_path, node, "--workers", "2") as served,
        LossyProxy(served.port, seed=45, share=0.3) as proxy,
    ):
        served.environment["PROXY"] = proxy.url
        served.start()
        names = [name for name in PROGRAMS if name not in ("Pages", "Children", "Crashes")]
        started = {served.invoke(name, payload_of(name, n), name): (name, n) for n, name in enumerate(names)}
        with Background(answer_callbacks(served)):
            for arn, (name, number) in started.items():
                served.ended(arn, 120)
                check_result(served, arn, name, number)
                laws.check_history(served.history(arn))
                check_steps(served, arn, laws.ledger(served.ledger), kills=False)
        assert set(proxy.met) == {"arrives", *FATES}, "each fate was met"
        served.stop()
