"""Programs of AWS's own Python SDK on our service, and executions that change hands between the two SDKs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.ports import FunctionSpec
from durably.service.store.memory import MemoryStore
from durably.workers.runtime_api import LambdaWorkers, RuntimeFunction

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OFFICIAL = "aws_durable_execution_sdk_python"
OURS = "durably"
APPS = Path(__file__).parent / "apps"
RESULT = (
    '[{"order":"A7","lines":[1,2.5,null,true],"note":"ünïcode"},"a",{"weight":4,"label":"L1"},'
    '"yes","ZeroDivisionError: division by zero",49]'
)


class Stage:
    """The service, with worker processes of one SDK or the other."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.service = Service(MemoryStore())
        self.service.start()
        self.http = HttpServer(self.service, port=0)
        self.http.start()
        self.workers: LambdaWorkers | None = None

    def serve(self, package: str) -> None:
        """From now on new processes run the program under ``package``."""
        environment = {"PACKAGE": package, "LEDGER": str(self.ledger)}
        functions = [
            RuntimeFunction(FunctionSpec(name), f"shared_program.{name}", APPS, environment=environment)
            for name in ("process", "square")
        ]
        if self.workers is None:
            self.workers = LambdaWorkers(functions, endpoint_url=self.http.url, concurrency=2)
            self.service.attach(self.workers)
        else:
            self.workers.replace(functions)

    def start(self) -> str:
        answer = self.service.call(
            "Invoke", FunctionName="process:$LATEST", InvocationType="Event", Payload='{"id": "A7"}'
        )
        return str(answer["DurableExecutionArn"])

    def wait_until(self, arn: str, reached: Callable[[list[dict[str, Any]]], bool]) -> None:
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            history = self.service.call("GetDurableExecutionHistory", DurableExecutionArn=arn, MaxItems=1000)
            if reached(history["Events"]):
                return
            time.sleep(0.02)
        raise AssertionError(f"never reached; history: {history['Events']}")

    def approve(self, arn: str) -> None:
        file = Path(f"{self.ledger}.callback")
        self.wait_until(arn, lambda events: ("StepSucceeded", "approval submitter") in map(kind, events))
        self.service.call("SendDurableExecutionCallbackSuccess", CallbackId=file.read_text(), Result="yes")

    def outcome(self, arn: str) -> dict[str, Any]:
        self.wait_until(arn, lambda events: events[-1]["EventType"].startswith("Execution") and len(events) > 1)
        return self.service.call("GetDurableExecution", DurableExecutionArn=arn)

    def close(self) -> None:
        if self.workers is not None:
            self.workers.close()
        self.http.stop()
        self.service.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "ledger")
    try:
        yield stage
    finally:
        stage.close()


def kind(event: dict[str, Any]) -> tuple[str, str | None]:
    return event["EventType"], event.get("Name")


def event_kinds(stage: Stage, arn: str) -> list[tuple[str, str | None, str | None, str | None]]:
    history = stage.service.call("GetDurableExecutionHistory", DurableExecutionArn=arn, MaxItems=1000)
    return [
        (event["EventType"], event.get("Name"), event.get("Id"), event.get("ParentId"))
        for event in history["Events"]
        if not event["EventType"].startswith("Execution")
        and event["EventType"] != "InvocationCompleted"  # the answer to the callback may come before it or after it
    ]


def test_the_program_runs_under_both_packages_with_the_same_history(stage: Stage) -> None:
    histories = []
    for package in (OFFICIAL, OURS):
        stage.serve(package)
        arn = stage.start()
        stage.approve(arn)
        outcome = stage.outcome(arn)
        assert outcome["Status"] == "SUCCEEDED", outcome
        assert json.loads(outcome["Result"]) == json.loads(RESULT)
        histories.append(event_kinds(stage, arn))
    assert histories[0] == histories[1]


@pytest.mark.parametrize("moment", ["unlucky", "cool", "approval create callback id"])
def test_an_execution_begun_by_the_official_sdk_is_finished_by_ours(stage: Stage, moment: str) -> None:
    stage.serve(OFFICIAL)
    arn = stage.start()
    stage.wait_until(arn, lambda events: any(event.get("Name") == moment for event in events))
    stage.serve(OURS)
    stage.approve(arn)
    outcome = stage.outcome(arn)
    assert outcome["Status"] == "SUCCEEDED", outcome
    assert json.loads(outcome["Result"]) == json.loads(RESULT)
    ledger = stage.ledger.read_text().splitlines()
    assert f"{OFFICIAL} reserve" in ledger
    assert f"{OURS} reserve" not in ledger, "a recorded step ran again"
    assert f"{OURS} square" in ledger
