"""One program under AWS's SDK and under this library, in virtual time: the same result, the same operations."""

from __future__ import annotations

import json
import logging
import sys
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from durably.client.in_process import InProcessClient
from durably.service.clock import ManualClock, SequentialIds
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker

SOURCE = Path(__file__).parent / "apps" / "habits.py"
OFFICIAL = "aws_durable_execution_sdk_python"
ANSWERS = {"approval create callback id": '"yes"', "callback": "raw text"}


class Boto:
    """As much of boto3's Lambda client as a running function needs, over the service in this process."""

    def __init__(self, service: Service) -> None:
        self.client = InProcessClient(service)

    def checkpoint_durable_execution(self, **request: Any) -> Any:
        token = request["CheckpointToken"]
        return with_times(self.client.checkpoint(request["DurableExecutionArn"], token, request.get("Updates", [])))

    def get_durable_execution_state(self, **request: Any) -> Any:
        token, marker = request["CheckpointToken"], request.get("Marker")
        return with_times(self.client.get_state(request["DurableExecutionArn"], token, marker))


def with_times(value: Any) -> Any:
    """As boto3 gives it: with datetimes."""
    if isinstance(value, list):
        return [with_times(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        name: datetime.fromtimestamp(part / 1000, UTC) if name.endswith("Timestamp") else with_times(part)
        for name, part in value.items()
    }


class Play:
    """The program under one package, from its start to its end."""

    def __init__(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ManualClock()
        self.service = Service(MemoryStore(), clock=self.clock, ids=SequentialIds())
        if package == OFFICIAL:
            from aws_durable_execution_sdk_python.lambda_service import LambdaClient

            boto: Any = Boto(self.service)
            monkeypatch.setattr(LambdaClient, "initialize_client", classmethod(lambda cls: LambdaClient(client=boto)))
        module = types.ModuleType("habits")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        source = SOURCE.read_text().replace("from PACKAGE", f"from {package}")
        exec(compile(source, str(SOURCE), "exec"), module.__dict__)
        functions = {"handler": module.__dict__["handler"]}
        self.worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(self.service), clock=self.clock)
        self.answered: set[str] = set()
        self.ignored: list[Any] = []
        self.answer: Any = None

    def run(self) -> None:
        answers: list[Any] = []
        self.service.attach(self.worker)
        self.service.start(thread=False)
        try:
            request = {"FunctionName": "handler:$LATEST", "Payload": "{}", "DurableExecutionName": "habits"}
            self.service.submit("Invoke", request, answers.append)
            while not answers:
                if self.service.step(timeout=0) or self.service.in_flight:
                    self.service.step(timeout=0.05)
                elif not self._answer_a_callback():
                    due = self.service.next_timer_ms()
                    assert due is not None, "the execution waits for something that never comes"
                    self.clock.advance_to(due)
            self.answer = answers[0]
        finally:
            self.worker.close()
            self.service.close()

    def _answer_a_callback(self) -> bool:
        for view in self.operations:
            if view["Type"] != "CALLBACK" or view["Status"] != "STARTED" or view["Id"] in self.answered:
                continue
            self.answered.add(view["Id"])
            request: dict[str, Any] = {"CallbackId": view["CallbackDetails"]["CallbackId"]}
            if view["Name"] in ANSWERS:
                self.service.submit(
                    "SendDurableExecutionCallbackSuccess",
                    request | {"Result": ANSWERS[view["Name"]]},
                    self.ignored.append,
                )
            else:
                request["Error"] = {"ErrorType": "No", "ErrorMessage": "not you", "ErrorData": "d"}
                self.service.submit("SendDurableExecutionCallbackFailure", request, self.ignored.append)
            return True
        return False

    @property
    def operations(self) -> list[dict[str, Any]]:
        (execution,) = self.service._core._by_arn.values()
        return [dict(op.view) for op in execution.ops.values()]

    @property
    def value(self) -> Any:
        assert "FunctionError" not in self.answer, self.answer
        return json.loads(self.answer["Payload"])

    @property
    def outline(self) -> dict[str, Any]:
        """What both must have recorded: everything but how values are written."""
        return {
            view["Id"]: (
                view["Type"],
                view.get("SubType"),
                view.get("Name"),
                view.get("ParentId"),
                view["Status"],
                view.get("StepDetails", {}).get("Attempt"),
            )
            for view in self.operations
        }


@pytest.fixture(scope="module")
def plays() -> Iterator[dict[str, Play]]:
    logging.disable(logging.CRITICAL)
    monkeypatch = pytest.MonkeyPatch()
    try:
        made = {package: Play(package, monkeypatch) for package in ("durably", OFFICIAL)}
        for play in made.values():
            play.run()
        yield made
    finally:
        monkeypatch.undo()
        logging.disable(logging.NOTSET)


def test_the_same_result(plays: dict[str, Play]) -> None:
    ours, theirs = plays["durably"].value, plays[OFFICIAL].value
    assert list(ours) == list(theirs)
    for name in theirs:
        assert ours[name] == theirs[name], name


def test_the_same_operations(plays: dict[str, Play]) -> None:
    ours, theirs = plays["durably"].outline, plays[OFFICIAL].outline
    assert ours.keys() == theirs.keys()
    for op_id, outline in theirs.items():
        assert ours[op_id] == outline
