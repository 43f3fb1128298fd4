"""Every Python snippet of README.md and docs/ runs; those that say what they give are held to it.

``<!-- runs: name INPUT => RESULT -->`` before a snippet runs its function ``name`` with the testing kit and
compares the result (both JSON). ``<!-- fails: name INPUT => TYPE -->`` expects the execution to fail
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

from durably.testing import LocalRunner
from durably.wire.ports import DurableFunctionPort

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
        others = {other: function for other, function in functions.items() if other != name}
        runner: LocalRunner[Any, Any] = LocalRunner(functions[name], functions=others)
        result = runner.run(json.loads(payload))
        assert result.succeeded is (how == "runs"), result
        found = (result.error or {}).get("ErrorType") if result.payload is None else json.loads(result.payload)
        assert found == json.loads(expected)
