"""Every operation of the catalogue: first run, replay, suspension in the middle, and a crash at every checkpoint.

Failures inside are part of the programs. A checkpoint boundary is the moment before a call reaches the service, or
after it was applied there and before the answer is known; a kill there ends the process, an OSError only the
invocation. In every case the outcome, the recorded operations and the ledger of side effects are those of the calm run,
but for the bodies that were under way (law R5). ``recurse`` has worlds of its own, in test_recurse.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from durably import CheckpointMode, durable_execution
from durably.engine.operation import is_terminal

from .harness import Call, Flavour, Killed
from .modes import ModeWorld
from .operations import CATALOGUE, Program, Story, double

PROGRAMS = pytest.mark.parametrize("program", CATALOGUE, ids=[one.name for one in CATALOGUE])
FAILURES = pytest.mark.parametrize("failure", [Killed, OSError])
UNSTABLE = {"steps_at_most_once"}
"""Programs in which an attempt that is cut off counts: another may follow, or not, but none is repeated."""


def stage(program: Program, flavour: Flavour, mode: CheckpointMode | None = None) -> ModeWorld:
    story = Story(flavour)

    def handler(event, ctx):
        return (yield from program.source(story, ctx))

    story.world = ModeWorld(
        flavour(handler),
        callbacks=program.answers,
        functions={"double": double},
        checkpointing=mode or program.mode,
    )
    return story.world


def play(
    program: Program,
    flavour: Flavour,
    fault_at: Sequence[tuple[int, str]],
    failure: type[BaseException],
    mode: CheckpointMode | None = None,
) -> ModeWorld:
    """One execution that fails at the boundaries ``fault_at``: (number of the call, before or after)."""
    world = stage(program, flavour, mode)

    def fault(when: str) -> Callable[[Call], BaseException | None]:
        def decide(call: Call) -> BaseException | None:
            number = next(n for n, one in enumerate(world.link.calls) if one is call)
            return failure() if (number, when) in fault_at else None

        return decide

    world.link.before, world.link.after = fault("before"), fault("after")
    world.run()
    return world


def records(world: ModeWorld) -> set[str]:
    return {
        f"{view['Type']}:{view['SubType']}:{view.get('Name') or '-'}={view['Status']}"
        for view in world.operations.values()
    }


def ids(world: ModeWorld, optional: str | None = None) -> set[tuple[Any, ...]]:
    return {
        (op_id, view["Type"], view["SubType"], view.get("Name"), view.get("ParentId"), view["Status"])
        for op_id, view in world.operations.items()
        if optional is None or view.get("Name") != optional
    }


def check_records(program: Program, world: ModeWorld, where: Any = None) -> None:
    spared = {line for line in program.records if program.optional and f":{program.optional}=" in line}
    assert records(world) | spared == program.records, where


def as_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@PROGRAMS
def test_first_run(program: Program, flavour: Flavour) -> None:
    world = play(program, flavour, (), Killed)
    assert world.value == as_json(program.expected)
    check_records(program, world)
    assert len(world.effects) == len(set(world.effects)), "nothing is done twice"


@PROGRAMS
def test_both_worlds_record_the_same(program: Program) -> None:
    """So an execution that a plain function has begun can be finished by a coroutine, and the other way round."""
    worlds = [play(program, Flavour(name), (), Killed) for name in ("sync", "async")]
    assert ids(worlds[0], program.optional) == ids(worlds[1], program.optional)
    results = [
        {
            op_id: payload_of(view)
            for op_id, view in world.operations.items()
            if program.optional is None or view.get("Name") != program.optional
        }
        for world in worlds
    ]
    assert results[0] == results[1]


def payload_of(view: dict[str, Any]) -> Any:
    """What an operation's record holds, but for stack traces and what the service made up."""
    details = next((dict(value) for key, value in view.items() if key.endswith("Details")), {})
    result = details.get("Result")
    if result and view["Type"] == "CONTEXT":
        details["Result"] = json.loads(result)
    kept = {key: details.get(key) for key in ("Result", "Error", "Attempt", "ReplayChildren")}
    return json.loads(json.dumps(kept), object_hook=lambda found: {k: v for k, v in found.items() if k != "StackTrace"})


@pytest.mark.parametrize(("begins", "ends"), [("sync", "async"), ("async", "sync")])
@PROGRAMS
def test_what_one_world_has_recorded_the_other_replays(program: Program, begins: str, ends: str) -> None:
    world = play(program, Flavour(begins), (), Killed)
    other = stage(program, Flavour(ends))
    output = replayed(other, list(as_json(world.operations).values()), 1000, world)
    assert output["Status"] == "SUCCEEDED", output
    assert json.loads(output["Result"]) == world.value
    assert other.effects == []


# ---- replay ------------------------------------------------------------------------------------------------------


class Archive:
    """A client of a finished history, in pages: it can be read, and nothing can be added to it."""

    def __init__(self, operations: list[dict[str, Any]], page: int) -> None:
        self.operations = operations
        self.page = page

    def checkpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        raise AssertionError(f"a replay records {updates}")

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
        first = int(marker or 0)
        found: dict[str, Any] = {"Operations": self.operations[first : first + self.page]}
        if first + self.page < len(self.operations):
            found["NextMarker"] = str(first + self.page)
        return found


def execution_operation(world: ModeWorld) -> dict[str, Any]:
    details = {"InputPayload": json.dumps(world.input)}
    return {
        "Id": world.arn.rpartition("/")[2],
        "Type": "EXECUTION",
        "Status": "STARTED",
        "StartTimestamp": world.start_ms,
        "ExecutionDetails": details,
    }


def replayed(
    world: ModeWorld, operations: list[dict[str, Any]], page: int, recorded_by: ModeWorld | None = None
) -> Any:
    """The answer of one more invocation of ``world``'s function, over ``operations``."""
    past = recorded_by or world
    archive = Archive(operations, page)
    state = {"Operations": [execution_operation(past)], "NextMarker": "0"}
    event = {"DurableExecutionArn": past.arn, "CheckpointToken": "t", "InitialExecutionState": state}
    function = durable_execution(client=archive, checkpointing=world.checkpointing)(world.handler)
    return function(event, None)


def without_the_insides_of_what_is_done(operations: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a service may leave out of the state: operations of contexts that are done and have their result."""

    def inside(view: dict[str, Any]) -> bool:
        parent = operations.get(view.get("ParentId") or "")
        if parent is None:
            return False
        done = is_terminal(parent) and not parent.get("ContextDetails", {}).get("ReplayChildren")
        return done or inside(parent)

    return [view for view in operations.values() if not inside(view)]


@pytest.mark.parametrize("page", [1, 1000])
@pytest.mark.parametrize("pruned", [False, True])
@PROGRAMS
def test_replay(program: Program, flavour: Flavour, pruned: bool, page: int) -> None:
    """The whole program over its finished record: the same result, no body runs, nothing is sent."""
    world = play(program, flavour, (), Killed)
    effects = list(world.effects)
    operations = as_json(world.operations)
    given = without_the_insides_of_what_is_done(operations) if pruned else list(operations.values())
    output = replayed(world, given, page)
    assert output["Status"] == "SUCCEEDED", output
    assert json.loads(output["Result"]) == world.value
    assert world.effects == effects


# ---- suspension ----------------------------------------------------------------------------------------------------


@PROGRAMS
def test_suspension_wherever_time_passes(program: Program, flavour: Flavour) -> None:
    """Time passes between all calls, so operations end while others are under way: other schedules, one outcome."""
    calm = play(program, flavour, (), Killed)
    for milliseconds in (1, 400, 1500):
        world = stage(program, flavour)
        world.link.before = world.link.after = lambda call, ms=milliseconds, world=world: world.clock.advance(ms)
        world.run()
        assert world.value == calm.value
        check_records(program, world)
        assert sorted(map(str, world.effects)) == sorted(map(str, calm.effects))
    assert program.name in {"steps"} or calm.invocations > 1, "the program is suspended at least once"


# ---- crashes -------------------------------------------------------------------------------------------------------


def same_outcome(world: ModeWorld, calm: ModeWorld, program: Program, where: Any) -> None:
    assert world.outcome.value == calm.value, where
    if program.name in UNSTABLE:
        assert len(world.effects) == len(set(world.effects)), "an attempt is never repeated"
        return
    check_records(program, world, where)
    assert ids(world, program.optional) == ids(calm, program.optional), where
    assert set(world.effects) == set(calm.effects), where


@FAILURES
@PROGRAMS
def test_a_crash_at_every_checkpoint(program: Program, flavour: Flavour, failure: type[BaseException]) -> None:
    calm = play(program, flavour, (), failure)
    assert calm.value == as_json(program.expected)
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play(program, flavour, [(number, when)], failure)
            same_outcome(world, calm, program, (number, when))
            assert len(world.effects) - len(set(world.effects)) <= program.repeats, (
                "only what was under way is repeated"
            )


@PROGRAMS
def test_a_crash_in_every_body(program: Program, flavour: Flavour) -> None:
    """The process dies in the body of a step, after its effect and before its outcome is known."""
    calm = play(program, flavour, (), Killed)
    for number in range(len(calm.effects)):
        world = stage(program, flavour)

        def effect(what: Any, world: ModeWorld = world, number: int = number) -> None:
            ModeWorld.effect(world, what)
            if len(world.effects) == number + 1:
                world.kill()

        world.effect = effect  # type: ignore[method-assign]
        world.run()
        assert any(isinstance(output, Killed) for output in world.outputs)
        same_outcome(world, calm, program, number)
        if program.name not in UNSTABLE:
            assert len(world.effects) > len(calm.effects), "the body that was cut off runs again"


@pytest.mark.parametrize("mode", [CheckpointMode.OPTIMISTIC, CheckpointMode.BATCHED])
@PROGRAMS
def test_a_crash_at_every_checkpoint_of_other_modes(program: Program, flavour: Flavour, mode: CheckpointMode) -> None:
    """More bodies may run again, as the mode says; the outcome and the record stay."""
    calm = play(program, flavour, (), Killed, mode)
    assert calm.value == as_json(program.expected)
    check_records(program, calm)
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play(program, flavour, [(number, when)], Killed, mode)
            same_outcome(world, calm, program, (number, when))


@pytest.mark.slow
@pytest.mark.timeout(900)
@PROGRAMS
def test_two_crashes_at_every_pair_of_checkpoints(program: Program, flavour: Flavour) -> None:
    calm = play(program, flavour, (), Killed)
    boundaries = [(n, when) for n in range(len(calm.link.calls) + 2) for when in ("before", "after")]
    for n, one in enumerate(boundaries):
        for two in boundaries[n + 1 :]:
            world = play(program, flavour, [one, two], Killed)
            same_outcome(world, calm, program, (one, two))
