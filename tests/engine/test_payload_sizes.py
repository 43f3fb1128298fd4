"""What is too large to be recorded fails the operation that made it, not the execution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durably import (
    CheckpointMode,
    ChildConfig,
    Duration,
    FileSystemSerDes,
    MapConfig,
    ParallelConfig,
    SerDesError,
    StepConfig,
    WaitForConditionConfig,
    WaitForConditionDecision,
)

from .harness import Flavour
from .modes import world_of

LIMIT = 1024 * 1024
SECOND = Duration.from_seconds(1)


def text_of(size: int, letter: str = "x") -> str:
    """A string whose JSON takes ``size`` bytes."""
    return letter * ((size - 2) // len(letter.encode())) + "x" * ((size - 2) % len(letter.encode()))


def refused(error: Exception, what: str, size: int = LIMIT + 1) -> str:
    """What the program makes of the error, checked here in every run."""
    assert type(error) is SerDesError
    assert str(error).startswith(f"{what} takes {size:,} bytes; at most 1,048,576 (1 MiB) can be recorded. ")
    return str(error).partition("recorded. ")[2]


@pytest.mark.parametrize("mode", list(CheckpointMode))
@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_step_result_of_exactly_the_limit_is_recorded(flavour: Flavour, mode: CheckpointMode, letter: str) -> None:
    def handler(event, ctx):
        found = yield ctx.step(flavour(lambda step: text_of(LIMIT, letter)), name="a")
        yield ctx.wait(SECOND)
        return len(found.encode())

    world = world_of(flavour, handler, checkpointing=mode)
    world.run()
    assert world.value == LIMIT - 2
    assert len(world.named("a")["StepDetails"]["Result"].encode()) == LIMIT


@pytest.mark.parametrize("mode", list(CheckpointMode))
@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_step_result_above_it_fails_the_step_at_once(flavour: Flavour, mode: CheckpointMode, letter: str) -> None:
    def handler(event, ctx):
        def body(step):
            world.effect(step.attempt)
            return text_of(LIMIT + 1, letter)

        try:
            yield ctx.step(flavour(body), name="a")
        except SerDesError as error:
            remedies.append(refused(error, "the result of Step 'a'"))
        yield ctx.wait(SECOND)
        return (yield ctx.step(flavour(lambda step: "goes on"), name="b"))

    remedies: list[str] = []
    world = world_of(flavour, handler, checkpointing=mode)
    world.run()
    assert world.value == "goes on"
    assert world.effects == [1], "another attempt would be as large"
    assert world.named("a")["Status"] == "FAILED"
    assert remedies == ["Store it elsewhere and return a reference, or give the operation a FileSystemSerDes."] * 2


def test_a_file_takes_what_the_record_does_not(flavour: Flavour, tmp_path: Path) -> None:
    def handler(event, ctx):
        config = StepConfig(serdes=FileSystemSerDes(tmp_path))
        found = yield ctx.step(flavour(lambda step: text_of(3 * LIMIT)), name="a", config=config)
        yield ctx.wait(SECOND)
        return len(found)

    assert flavour.run(handler).value == 3 * LIMIT - 2


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_polled_state(flavour: Flavour, goes_on: bool) -> None:
    def handler(event, ctx):
        config = WaitForConditionConfig(
            wait_strategy=lambda state, n: WaitForConditionDecision(goes_on, SECOND), initial_state=""
        )
        try:
            yield ctx.wait_for_condition(flavour(lambda state, check: text_of(LIMIT + 1)), config, name="c")
        except SerDesError as error:
            refused(error, "the state of WaitForCondition 'c'")
        yield ctx.wait(SECOND)
        return "goes on"

    world = flavour.run(handler)
    assert world.value == "goes on"
    assert world.named("c")["Status"] == "FAILED"


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize("how", ["invoke", "recurse"])
def test_an_invokes_payload(flavour: Flavour, how: str, size: int) -> None:
    def handler(event, ctx):
        if how == "recurse" and event != "first":
            return len(event)
        try:
            if how == "recurse":
                return (yield ctx.recurse(text_of(size), name="i"))
            return (yield ctx.invoke("other", text_of(size), name="i"))
        except SerDesError as error:
            remedy = refused(error, "the payload of ChainedInvoke 'i'")
        yield ctx.wait(SECOND)
        return remedy

    world = flavour.run(handler, "first", functions={"other": len})
    if size == LIMIT:
        assert world.value == LIMIT - 2
    else:
        assert world.value == "Store it elsewhere and pass a reference."
        assert [update["Type"] for update in world.updates] == ["WAIT"]


def test_a_context_keeps_a_summary_of_what_is_too_large(flavour: Flavour) -> None:
    def handler(event, ctx):
        def inside(inner):
            parts = []
            for n in range(3):
                parts.append((yield inner.step(flavour(lambda step: text_of(LIMIT)), name=f"part {n}")))
            return parts

        found = yield ctx.run_in_child_context(flavour(inside), name="child")
        yield ctx.wait(SECOND)
        return sum(map(len, found))

    world = flavour.run(handler)
    assert world.value == 3 * (LIMIT - 2)
    assert world.named("child")["ContextDetails"]["ReplayChildren"] is True


def _child(flavour: Flavour, ctx: Any, generator: Any) -> Any:
    config = ChildConfig[Any](summary_generator=generator)
    return ctx.run_in_child_context(flavour(lambda inner: "x" * LIMIT), name="all", config=config)


def _map(flavour: Flavour, ctx: Any, generator: Any) -> Any:
    config = MapConfig[Any](summary_generator=generator)
    return ctx.map([1, 2, 3], flavour(lambda inner, *rest: "x" * 100_000), name="all", config=config)


def _parallel(flavour: Flavour, ctx: Any, generator: Any) -> Any:
    branch = flavour(lambda inner: "x" * 200_000)
    return ctx.parallel([branch, branch], name="all", config=ParallelConfig(summary_generator=generator))


@pytest.mark.parametrize(("call", "kind"), [(_child, "RunInChildContext"), (_map, "Map"), (_parallel, "Parallel")])
def test_a_summary(flavour: Flavour, call: Any, kind: str) -> None:
    def handler(event, ctx):
        try:
            yield call(flavour, ctx, lambda value: "s" * (LIMIT + 1))
        except SerDesError as error:
            size = int(str(error).split(" takes ")[1].split(" bytes")[0].replace(",", ""))
            assert size > LIMIT
            remedies.append(refused(error, f"the summary of {kind} 'all'", size))
        yield ctx.wait(SECOND)
        return "goes on"

    remedies: list[str] = []
    world = flavour.run(handler)
    assert world.value == "goes on"
    assert world.named("all")["Status"] == "FAILED"
    assert len(remedies) == 2
    assert all(remedy.startswith("Let summary_generator return less") for remedy in remedies)


def test_a_branch_whose_step_makes_too_much_is_the_one_that_fails(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.step(flavour(lambda step: text_of(LIMIT + item)), name=f"s{item}")
            return item

        found = yield ctx.map([0, 1], flavour(one), name="all")
        yield ctx.wait(SECOND)
        return [found.get_results(), [error.message for error in found.get_errors()]]

    results, (message,) = flavour.run(handler).value
    assert results == [0]
    assert message.startswith("the result of Step 's1' takes 1,048,577 bytes")


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("x" * (6 * LIMIT - 52), False),
        ("x" * (6 * LIMIT - 51), True),
        ("x" * (8 * LIMIT), True),
        ('"' * (LIMIT + LIMIT // 4), False),  # each takes two characters as JSON, and four in an answer
        ('"' * (LIMIT + LIMIT * 3 // 4), True),
        ("\u00e4" * (LIMIT // 2), False),
        ("\u00e4" * (LIMIT + LIMIT // 4), True),  # runtimes that write ASCII make six characters of it
    ],
)
def test_a_handlers_result(flavour: Flavour, text: str, recorded: bool) -> None:
    """What an answer cannot carry, which has it as text within its JSON, is recorded instead."""

    def handler(event, ctx):
        return text
        yield

    world = flavour.run(handler)
    assert world.value == text
    executions = [update["Action"] for update in world.updates if update["Type"] == "EXECUTION"]
    assert executions == (["SUCCEED"] if recorded else [])
    answer = json.dumps(world.outputs[-1])
    assert len(answer) <= 6 * LIMIT + 100
    if recorded:
        assert world.outputs[-1] == {"Status": "SUCCEEDED", "Result": ""}
