from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably.service.ports import Invocation, InvocationResult, Worker

_ids = itertools.count(1)


@pytest.fixture
def app(tmp_path: Path) -> Callable[..., Path]:
    """Writes files below a new directory and returns the first one's path."""

    def write(source: str | dict[str, str], name: str = "app.py") -> Path:
        files = {name: source} if isinstance(source, str) else source
        for file, text in files.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text)
        return tmp_path / next(iter(files))

    return write


class Answer:
    """The result of an invocation, once it is there."""

    def __init__(self) -> None:
        self.results: list[InvocationResult] = []
        self._there = threading.Event()

    def __call__(self, result: InvocationResult) -> None:
        self.results.append(result)
        self._there.set()

    @property
    def there(self) -> bool:
        return self._there.is_set()

    def get(self, timeout: float = 60) -> InvocationResult:
        assert self._there.wait(timeout), "no answer"
        return self.results[0]


def invocation(
    function: str, payload: str = "{}", *, timeout: float | None = 900, now_ms: int | None = None, **more: Any
) -> Invocation:
    number = next(_ids)
    now = time.time() * 1000 if now_ms is None else now_ms
    return Invocation(
        request_id=more.pop("request_id", f"request-{number}"),
        function_name=function,
        function_version="$LATEST",
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        payload=payload,
        deadline_ms=None if timeout is None else int(now + timeout * 1000),
        **more,
    )


def send(worker: Worker, function: str, payload: str = "{}", **more: Any) -> Answer:
    answer = Answer()
    worker.submit(invocation(function, payload, **more), answer)
    return answer


def call(worker: Worker, function: str, payload: str = "{}", **more: Any) -> InvocationResult:
    return send(worker, function, payload, **more).get()


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """A process that has ended but was not reaped counts as dead."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
