"""examples/logging_example.py."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.harness import World

PATH = Path(__file__).parents[2] / "examples/logging_example.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("AWS_LAMBDA_LOG_LEVEL", raising=False)
    spec = importlib.util.spec_from_file_location("logging_example", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "logging_example", module)
    spec.loader.exec_module(module)
    return module


def carry_out(function: Any) -> World:
    world = World(function.handler, {"id": "P7", "stops": 2})
    world.function = function
    function.client = world.link
    world.run()
    assert world.value == ["P7@1", "P7@2"]
    return world


def test_json_lines(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    world = carry_out(example.parcel)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    said = ["on its way", "scanned at stop 1", "scanned at stop 2", "arrived after 2 stops", "delivered"]
    assert [line["message"] for line in lines] == said
    assert {(line["executionArn"], line["parcel"], line["logger"]) for line in lines} == {(world.arn, "P7", "parcels")}
    assert [(line.get("operationName"), line.get("stop")) for line in lines[1:3]] == [("scan", 1), ("scan", 2)]


def test_again_on_replay(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    carry_out(example.noisy_parcel)
    said = Counter(capsys.readouterr().out.splitlines())
    assert said["WARNING  P7: arrived after 2 stops"] == said["WARNING  P7: arrived after 2 stops (again)"] == 1
    assert said["INFO     P7: on its way"] == 1
    assert sum(said.values()) == 6
