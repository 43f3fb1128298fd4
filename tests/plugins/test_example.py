"""examples/plugin_example.py."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from engine.harness import World

PATH = Path(__file__).parents[2] / "examples/plugin_example.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    spec = importlib.util.spec_from_file_location("plugin_example", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "plugin_example", module)
    spec.loader.exec_module(module)
    return module


def test_it_measures_what_it_says(example: Any, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(example.ship.handler, {"id": "P7", "stops": 2})
    example.ship.client = world.link
    world.function = example.ship
    world.run()
    assert world.value == ["P7@1", "P7@2"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    operations = [(one["name"], one["status"]) for one in lines if one["metric"] == "operation"]
    assert operations == [(f"{what} {n}", "SUCCEEDED") for n in (1, 2) for what in ("drive", "scan")]
    assert [one["seconds"] for one in lines if one.get("name", "").startswith("drive")] == [1800, 1800]
    invocations = [(one["status"], one["first"], one["operations"]) for one in lines if one["metric"] == "invocation"]
    assert invocations == [("PENDING", True, 0), ("PENDING", False, 1), ("PENDING", False, 1), ("SUCCEEDED", False, 2)]
    assert example.metrics.attempts == {"scan 1": 2, "scan 2": 1}
    assert set(example.metrics.seconds) == {"scan 1", "scan 2"}
