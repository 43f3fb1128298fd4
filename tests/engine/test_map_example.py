"""examples/fan_out.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .harness import World

PATH = Path(__file__).parents[2] / "examples/fan_out.py"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fan_out", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fan_out", module)
    spec.loader.exec_module(module)
    return module


def test_the_example(example: ModuleType) -> None:
    lines = [
        {"article": "book", "pieces": 2},
        {"article": "brick", "pieces": 1000},
        {"article": "pen", "pieces": 10},
    ]
    world = World(example.purchase.handler, {"lines": lines})
    start = world.clock.now_ms()
    world.run()
    assert world.value == {
        "supplier": "east",
        "price": "99.50",
        "delivered": ["book", "pen"],
        "failed": {"order brick": "east has no 1000 pieces of brick"},
    }
    assert world.named("slow")["Status"] == "STARTED"
    assert world.named("order brick")["Status"] == "FAILED"
    assert world.clock.now_ms() - start < 86_400_000, "nobody waits for the slow supplier"
