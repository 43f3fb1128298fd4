"""Random programs under AWS's package and under ours: the same outcome, operations and history; and executions that
change hands in the middle."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import Any

import pytest

from durably.service.ports import FunctionSpec

from .random_programs import ANSWERS, Node, Program, handlers, package
from .two_packages import Boto, TwoPackages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

OFFICIAL = ("aws_durable_execution_sdk_python", False)
OURS = ("durably", False)
OURS_ASYNC = ("durably", True)
SPECS = {name: FunctionSpec(name, durable=name != "plain") for name in ("main", "double", "failing", "plain")}
DETAILS = ("StepDetails", "ContextDetails", "CallbackDetails", "ChainedInvokeDetails", "WaitDetails")
MOMENTS = re.compile("Timestamp$|^CallbackId$|^RequestId$|^EventId$|^StackTrace$|^DurableExecutionArn$")
OWN_NAMES = re.compile(r"(aws_durable_execution_sdk_python(\.\w+)*|durably(\.exceptions)?)\.(?=[A-Z])")


@dataclass
class Ran:
    outcome: dict[str, Any]
    operations: dict[str, Any]
    events: list[Any]
    ledger: list[Any]
    calls: int
    kills: int


def run(
    program: Program,
    first: tuple[str, bool],
    then: tuple[str, bool] | None = None,
    kill: tuple[str, int] | None = None,
) -> Ran:
    """``then``: what finishes the execution after the kill."""
    ledger: list[Any] = []

    def make(name: str, boto: Boto, kills: int) -> Any:
        package_name, is_async = then if kills and then is not None else first
        return handlers(program, package(package_name), boto, ledger, is_async=is_async)[name]

    stage = TwoPackages(SPECS, make, kill)
    try:
        described = stage.run("main", answer)
        operations = {one["Id"]: same(operation(one)) for one in stage.operations()}
        # the last one to return says so before or after the execution's end is known
        events = [same(event) for event in stage.history() if event["EventType"] != "InvocationCompleted"]
    finally:
        stage.close()
    outcome = same({member: described.get(member) for member in ("Status", "Result", "Error")})
    return Ran(outcome, operations, events, ledger, stage.calls, stage.kills)


def answer(operation: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    name = operation["Name"].removesuffix(" create callback id")
    return next(given for text, given in ANSWERS.items() if name.endswith(text))


def operation(record: dict[str, Any]) -> dict[str, Any]:
    kept = ("Type", "SubType", "Name", "ParentId", "Status")
    shown = {member: record.get(member) for member in kept}
    for details in DETAILS:
        shown.update(record.get(details) or {})
    return shown


def same(value: Any, member: str = "") -> Any:
    """Without what the guide says is different: names of classes of the package, how JSON is written, stack traces."""
    if isinstance(value, dict):
        return {key: same(one, key) for key, one in value.items() if not MOMENTS.search(key)}
    if isinstance(value, list):
        return [same(one) for one in value]
    if not isinstance(value, str):
        return value
    text = OWN_NAMES.sub("PACKAGE.", value)
    if member in ("Payload", "Result"):
        try:
            return comparable(json.loads(text))
        except ValueError:
            pass
    return text


def comparable(value: Any) -> Any:
    """AWS's package writes what holds a dict, or a type of Python's own, as a tagged tree. The program sees what is in
    it, so its results tell."""
    return "tagged" if _holds_dict(value) else value


def _holds_dict(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_holds_dict, value)))


def side_by_side(nodes: list[Node]) -> bool:
    return any(
        (node.kind in ("map", "parallel") and node.width != 1 and len(node.kids) > 1) or side_by_side(node.kids)
        for node in nodes
    )


def by_operation(events: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for event in events:
        found.setdefault(event["Id"], []).append(event)
    return found


def assert_same(program: Program, one: Ran, other: Ran) -> None:
    assert other.outcome == one.outcome
    assert other.operations == one.operations
    assert sorted(map(str, other.ledger)) == sorted(map(str, one.ledger))
    if side_by_side(program.root.kids):
        assert by_operation(other.events) == by_operation(one.events)
    else:
        assert other.events == one.events
        assert other.ledger == one.ledger


@pytest.mark.parametrize("seeds", [range(n, n + 15) for n in range(0, 45, 15)], ids=str)
def test_both_packages_record_the_same(seeds: range) -> None:
    for seed in seeds:
        program = Program(seed)
        assert_same(program, run(program, OFFICIAL), run(program, OURS))


@pytest.mark.parametrize("seeds", [range(n, n + 100) for n in range(1000, 1200, 100)], ids=str)
def test_the_async_form_records_the_same(seeds: range) -> None:
    for seed in seeds:
        program = Program(seed)
        assert_same(program, run(program, OURS), run(program, OURS_ASYNC))


@pytest.mark.parametrize("then", [OURS, OURS_ASYNC], ids=["plain", "async"])
def test_what_the_official_package_began_is_finished_by_ours_wherever_it_died(then: tuple[str, bool]) -> None:
    for seed in range(2000, 2025):
        program = Program(seed)
        whole = run(program, OURS)
        draw = random.Random(seed)
        for _ in range(2):
            kill = (draw.choice(["before", "after"]), draw.randint(1, max(1, whole.calls)))
            ran = run(program, OFFICIAL, then, kill)
            assert ran.kills <= 1
            if "StepInterruptedError" in json.dumps(ran.events):
                continue  # the step runs at most once, and was cut off
            assert ran.outcome == whole.outcome
            assert set(ran.operations) == set(whole.operations)
