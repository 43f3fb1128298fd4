"""examples/race.py and examples/saga.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .harness import Answer, World

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{name}_example", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def carry_out(function: Any, event: Any, **options: Any) -> World:
    world = World(function.handler, event, **options)
    world.function = function
    function.client = world.link
    world.run()
    return world


def test_a_trip_that_is_booked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world = carry_out(example("saga", monkeypatch).book_trip, {"traveller": "Ada"})
    assert [booking["what"] for booking in world.value["booked"]] == ["flight", "room", "car"]
    assert world.value["given_back"] == []
    assert capsys.readouterr().out.splitlines() == ["the traveller is told"]


def test_a_trip_that_is_given_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    world = carry_out(example("saga", monkeypatch).book_trip, {"traveller": "Ada", "sold_out": "car"})
    assert world.value == {"booked": [], "given_back": ["room", "flight"], "reason": "no car for Ada"}
    assert capsys.readouterr().out.splitlines() == ["ROOM-1 given back", "FLIGHT-1 given back", "the traveller is told"]


def test_an_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"approval create callback id": Answer('"fine by me"')}
    world = carry_out(example("race", monkeypatch).buy, {"article": "lamp"}, callbacks=answers)
    assert world.value == {"article": "lamp", "price": 40, "answer": '"fine by me"'}
    assert world.named("deadline")["Status"] == "CANCELLED"


def test_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    world = carry_out(example("race", monkeypatch).buy, {"article": "lamp"})
    assert world.value is None
    assert world.named("deadline")["Status"] == "SUCCEEDED"
