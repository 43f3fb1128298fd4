"""Every Python snippet of README.md and docs/ runs; those that say what they give are held to it.

``<!-- runs: name INPUT => RESULT -->`` before a snippet starts its function ``name`` on the embedded service, with
virtual time, and compares the result (both JSON). ``<!-- fails: name INPUT => TYPE -->`` expects the execution to fail
with an error of that type. Functions called ``test_...`` are called.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durably.client.in_process import InProcessClient
from durably.service.clock import ManualClock
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.wire.ports import DurableFunctionPort
from durably.workers.in_process import InProcessWorker

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- (?P<how>runs|fails): (?P<run>.+?) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def snippets() -> Iterator[Any]:
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text()
        for number, found in enumerate(BLOCK.finditer(text), 1):
            line = text[: found.start()].count("\n") + 1
            name = path.relative_to(ROOT).as_posix().removeprefix("docs/")
            yield pytest.param(path, line, found["code"], found["how"], found["run"], id=f"{name}-{number}")


@pytest.mark.parametrize(("path", "line", "code", "how", "run"), list(snippets()))
def test_snippet(
    path: Path, line: int, code: str, how: str | None, run: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)  # dataclasses look their module up
    exec(compile(code, f"<{path.name}, line {line}>", "exec"), module.__dict__)
    for name, value in list(vars(module).items()):
        if name.startswith("test_") and inspect.isfunction(value) and not inspect.signature(value).parameters:
            outcome = value()
            if inspect.iscoroutine(outcome):
                asyncio.run(outcome)
    functions = {name: value for name, value in vars(module).items() if isinstance(value, DurableFunctionPort)}
    assert functions or run is None, f"{path.name}:{line} says what it gives but defines no durable function"
    if run is not None:
        call, _, expected = run.partition(" => ")
        name, _, payload = call.partition(" ")
        answer = carry_out(functions, name, payload)
        found = json.loads(answer["Payload"])
        assert ("FunctionError" in answer) is (how == "fails"), answer["Payload"]
        assert (found["errorType"] if how == "fails" else found) == json.loads(expected)


def carry_out(functions: dict[str, Any], name: str, payload: str) -> dict[str, Any]:
    """The answer to the invoke that one execution is, in virtual time."""
    clock = ManualClock()
    service = Service(MemoryStore(), clock=clock)
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service), clock=clock)
    service.attach(worker)
    service.start(thread=False)
    answers: list[Any] = []
    try:
        service.submit("Invoke", {"FunctionName": f"{name}:$LATEST", "Payload": payload}, answers.append)
        while not answers:
            if service.step(timeout=0) or service.in_flight:
                service.step(timeout=0.05)
                continue
            due = service.next_timer_ms()
            assert due is not None, "the execution waits for something that never comes"
            clock.advance_to(due)
    finally:
        worker.close()
        service.close()
    answer = answers[0]
    assert isinstance(answer, dict), answer
    return answer
