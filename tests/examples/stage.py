"""Runs the functions of one example file on the embedded service in this process, in virtual time.

The file is loaded as ``durably dev`` loads it. The service runs in the caller's thread, so nothing happens behind the
test's back; time passes when nothing else can happen.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durably.client.in_process import InProcessClient
from durably.service.clock import ManualClock
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker
from durably.workers.loader import load_functions

ROOT = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Answer:
    """What somebody outside does with a callback, ``after`` seconds with nothing else to wait for."""

    result: str | None = None
    failure: Mapping[str, str] | None = None
    heartbeat: bool = False
    after: int = 0


@dataclass(frozen=True)
class Ended:
    """How an execution ended: ``value``, or ``error`` as the service tells it."""

    value: Any
    error: dict[str, Any] | None
    seconds: float
    """that passed, in virtual time"""
    operations: dict[str, str]
    """status by name, for what has a name"""


def play(path: str, name: str, event: Any, answers: Mapping[str, Sequence[Answer]]) -> Ended:
    """One execution of the function ``name`` of ``examples/<path>``.

    Parameters:
        answers: by the name of the callback's operation, in order.
    """
    functions = load_functions(str(ROOT / path)).functions
    clock = ManualClock()
    service = Service(MemoryStore(), clock=clock)
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service), clock=clock)
    service.attach(worker)
    service.start(thread=False)
    began = clock.now_ms()
    ended: list[Any] = []
    script = {callback: deque(given) for callback, given in answers.items()}
    try:
        payload = {"FunctionName": f"{name}:$LATEST", "Payload": json.dumps(event)}
        service.submit("Invoke", payload, ended.append)
        while not ended:
            if service.step(timeout=0) or service.in_flight:
                service.step(timeout=0.05)
            else:
                _go_on(service, clock, script)
        answer = ended[0]
        assert isinstance(answer, dict), answer
        assert not any(script.values()), f"nobody asked for {script}"
        value = json.loads(answer["Payload"]) if answer.get("Payload") else None
        failed = "FunctionError" in answer
        seconds = (clock.now_ms() - began) / 1000
        return Ended(None if failed else value, value if failed else None, seconds, _statuses(service, answer))
    finally:
        worker.close()
        service.close()


def _go_on(service: Service, clock: ManualClock, script: Mapping[str, deque[Answer]]) -> None:
    """Answer a callback, or let time pass until something is due."""
    due = service.next_timer_ms()
    for arn in list(service._core._by_arn):
        for operation in service._core.by_arn(arn).ops.values():
            view: Mapping[str, Any] = operation.view
            waiting = script.get(view.get("Name", ""))
            if view["Type"] != "CALLBACK" or view["Status"] != "STARTED" or not waiting:
                continue
            at = clock.now_ms() + waiting[0].after * 1000
            if due is not None and due < at:
                continue
            clock.advance_to(at)
            _answer(service, view["CallbackDetails"]["CallbackId"], waiting.popleft())
            return
    assert due is not None, "the execution waits for something that never comes"
    clock.advance_to(due)


def _answer(service: Service, callback_id: str, answer: Answer) -> None:
    if answer.heartbeat:
        service.submit("SendDurableExecutionCallbackHeartbeat", {"CallbackId": callback_id}, _accepted)
    elif answer.failure is not None:
        params = {"CallbackId": callback_id, "Error": dict(answer.failure)}
        service.submit("SendDurableExecutionCallbackFailure", params, _accepted)
    else:
        params = {"CallbackId": callback_id, "Result": answer.result}
        service.submit("SendDurableExecutionCallbackSuccess", params, _accepted)


def _accepted(answer: Any) -> None:
    assert isinstance(answer, dict), answer


def _statuses(service: Service, answer: Mapping[str, Any]) -> dict[str, str]:
    execution = service._core.by_arn(answer["DurableExecutionArn"])
    return {op.view["Name"]: op.view["Status"] for op in execution.ops.values() if "Name" in op.view}
