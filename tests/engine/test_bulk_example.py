"""examples/bulk.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .harness import Call, Killed
from .modes import ModeWorld

PATH = Path(__file__).parents[2] / "examples/bulk.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bulk", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bulk", module)
    spec.loader.exec_module(module)
    return module


def world_of_example(example: ModuleType, job: object) -> ModeWorld:
    load = example.load
    return ModeWorld(load.handler, job, checkpointing=load.checkpoints)


def test_the_example(example: ModuleType) -> None:
    world = world_of_example(example, {"rows": 2500})
    world.run()
    assert world.value == {"loaded": 2475, "pages": 3}
    assert len(example.table) == 2500
    calls = [call for call in world.link.calls if call.kind == "checkpoint"]
    assert len(calls) <= 5 + 5 + 3


def test_a_killed_example(example: ModuleType) -> None:
    world = world_of_example(example, {"rows": 1500})
    world.link.before = lambda call: dies(world, call)
    world.run()
    assert world.value == {"loaded": 1485, "pages": 2}
    assert world.invocations == 2 + 2 + 1  # killed, begun twice, answered


def dies(world: ModeWorld, call: Call) -> BaseException | None:
    return Killed() if len(world.link.calls) in (3, 8) else None
