"""The two templates meet the same requirements, with handlers that exist and are of the right colour.

The sources are read, not imported: what the handlers do is for the official runner to judge.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"
MODES = {"sync": ("sync", ast.FunctionDef), "async": ("asynchronous", ast.AsyncFunctionDef)}
SUITES = {
    "step": 20,
    "wait": 5,
    "child": 18,
    "callback": 19,
    "invoke": 16,
    "wait_for_callback": 15,
    "wait_for_condition": 13,
    "parallel": 22,
    "map": 20,
    "plugin": 7 + 16,  # those of the published package, and those that a newer edition adds
}
"""How many requirements the suites have that must be met whole."""


def named_in_template(mode: str) -> tuple[list[str], list[str]]:
    """Handlers, and requirement ids in the order of the template."""
    text = (CONFORMANCE / "templates" / f"{mode}.yaml").read_text()
    ids = [found for line in re.findall(r"TestDescription: \[(.*)\]", text) for found in re.findall(r'"([^"]+)"', line)]
    return re.findall(r"Handler: (\S+)", text), ids


def defined(mode: str) -> set[str]:
    """Top-level durable functions of the mode's handlers, as ``package.module.name``."""
    package, colour = MODES[mode]
    return {
        f"{package}.{path.stem}.{node.name}"
        for path in (CONFORMANCE / "handlers" / package).glob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, colour) and any(_is_durable_execution(decorator) for decorator in node.decorator_list)
    }


def _is_durable_execution(decorator: ast.expr) -> bool:
    """``@durable_execution``, with or without options."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id == "durable_execution"


@pytest.mark.parametrize("mode", MODES)
def test_every_handler_named_exists_and_every_handler_is_named(mode: str) -> None:
    handlers, _ = named_in_template(mode)
    assert set(handlers) == defined(mode)


def test_both_modes_meet_the_same_requirements_once() -> None:
    _, sync = named_in_template("sync")
    _, asynchronous = named_in_template("async")
    assert sync == asynchronous
    assert len(sync) == len(set(sync)) == sum(SUITES.values())


def test_both_modes_name_their_handlers_alike() -> None:
    handlers = {mode: [name.split(".", 1)[1] for name in named_in_template(mode)[0]] for mode in MODES}
    assert handlers["sync"] == handlers["async"]
