"""Our service with its functions in this process, and ways to start many executions at once."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .model import check

WORK = Path(__file__).resolve().parent.parent / ".work"


@contextmanager
def directory() -> Iterator[Path]:
    """A new directory on the filesystem whose fsync the report states."""
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as name:
        yield Path(name)


def make_service(store: Path) -> Any:
    """A service, not yet started, on the store with the functions of ``support.app``."""
    from durably.client import InProcessClient
    from durably.service.kernel import Service
    from durably.service.store.sqlite import SqliteStore
    from durably.workers.in_process import InProcessWorker

    from .app import FUNCTIONS

    service = Service(SqliteStore(str(store)))
    service.attach(InProcessWorker(FUNCTIONS, client_factory=lambda: InProcessClient(service)))
    return service


def invoke_all(
    submit: Callable[[dict[str, Any], Callable[[Any], None]], None],
    function: str,
    payload: Any,
    executions: int,
    kind: str = "RequestResponse",
) -> list[dict[str, Any]]:
    """Start executions at once and wait until each was answered. Fails when one was refused."""
    answers: list[Any] = [None] * executions
    left = executions
    lock = threading.Lock()
    done = threading.Event()

    def replied(position: int, answer: Any) -> None:
        nonlocal left
        answers[position] = answer
        with lock:
            left -= 1
            if left == 0:
                done.set()

    parameters = {"FunctionName": f"{function}:$LATEST", "InvocationType": kind, "Payload": json.dumps(payload)}
    for position in range(executions):
        submit(dict(parameters), lambda answer, position=position: replied(position, answer))
    check(done.wait(300), f"{left} of {executions} executions were not answered within 300 s")
    for answer in answers:
        check(isinstance(answer, dict) and not answer.get("FunctionError"), f"an execution did not succeed: {answer}")
    return answers


def recorded_steps(history: dict[str, Any]) -> int:
    return sum(event["EventType"] == "StepSucceeded" for event in history["Events"])
