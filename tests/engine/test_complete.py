"""complete: the execution ends with a result from anywhere in the program, whatever else is going on."""

from __future__ import annotations

from typing import Any

import pytest

from durably import (
    CheckpointMode,
    ContextMisuseError,
    Duration,
    MapConfig,
    SerDesError,
    StepError,
)

from .harness import Flavour, Killed, World, identities
from .modes import world_of
from .test_saga import in_saga

SECOND = Duration.from_seconds(1)
LONG = Duration.from_days(3)
LARGE = "x" * (6 * 1024 * 1024 - 49)


def test_from_deep_inside(flavour: Flavour) -> None:
    def handler(event, ctx):
        def inner(deep):
            yield deep.step(flavour(lambda step: world.effect("found")), name="find")
            yield deep.complete({"found": True})
            world.effects.append("went on")

        def outer(child):
            yield child.run_in_child_context(flavour(inner), name="inner")
            world.effects.append("went on")

        yield ctx.run_in_child_context(flavour(outer), name="outer")
        world.effects.append("went on")
        return "not found"

    world = flavour.world(handler)
    world.run()
    assert world.value == {"found": True}
    assert world.effects == ["found"]
    assert world.outputs == [{"Status": "SUCCEEDED", "Result": '{"found":true}'}]
    assert world.named("find")["Status"] == "SUCCEEDED"
    assert world.named("outer")["Status"] == "STARTED"


def test_at_once(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.complete(None)

    world = flavour.run(handler)
    assert world.value is None
    assert world.status == "SUCCEEDED"
    assert world.updates == []


def test_after_a_suspension(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.wait(SECOND)
        yield ctx.complete("later")

    world = flavour.run(handler)
    assert world.value == "later"
    assert world.invocations == 2


@pytest.mark.parametrize("mode", CheckpointMode)
def test_what_is_done_is_recorded_first(flavour: Flavour, mode: CheckpointMode) -> None:
    def handler(event, ctx):
        for name in "ab":
            yield ctx.step(flavour(lambda step: None), name=name)
        yield ctx.complete("done")

    world = world_of(flavour, handler, checkpointing=mode)
    world.run()
    assert world.value == "done"
    assert [world.named(name)["Status"] for name in "ab"] == ["SUCCEEDED"] * 2


def test_nobody_can_swallow_it(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.complete("early")
        except BaseException:
            pass
        try:
            yield ctx.step(flavour(lambda step: world.effects.append("more")), name="more")
        except BaseException:
            pass
        return "late"

    world = flavour.world(handler)
    world.run()
    assert world.value == "early"
    assert world.effects == []
    assert world.updates == []


def test_from_a_branch_while_others_wait(flavour: Flavour) -> None:
    """They are given up: nobody waits for the days that they still have to wait."""

    def handler(event, ctx):
        def one(inner, days):
            yield inner.wait(Duration.from_days(days), name=f"{days} days")
            yield inner.step(flavour(lambda step: world.effect(days)), name=f"after {days}")
            yield inner.complete(f"first after {days}")

        yield ctx.map([3, 1, 2], flavour(one), name="days", config=MapConfig())

    world = flavour.world(handler)
    world.run()
    assert world.value == "first after 1"
    assert world.effects == [1]
    assert world.named("days")["Status"] == "STARTED"


def test_with_started_operations(flavour: Flavour) -> None:
    def handler(event, ctx):
        ctx.start(ctx.wait, LONG, name="long")
        yield ctx.step(flavour(lambda step: None), name="step")
        yield ctx.complete("done")

    assert flavour.run(handler).value == "done"


def test_a_saga_is_not_undone(flavour: Flavour) -> None:
    def handler(event, ctx):
        def block(saga):
            saga.add_cleanup(flavour(lambda inner: world.effects.append("cleaned")))
            yield saga.step(
                flavour(lambda step: 1), flavour(lambda inner, made: world.effects.append("undone")), name="made"
            )
            yield ctx.complete("kept")

        yield in_saga(flavour, ctx, block)

    world = flavour.world(handler)
    world.run()
    assert world.value == "kept"
    assert world.effects == []


def test_a_result_that_is_too_large_for_the_answer(flavour: Flavour) -> None:
    """Above 6 MiB less 50 bytes it is recorded instead."""

    def handler(event, ctx):
        def one(inner, item):
            yield inner.step(flavour(lambda step: item), name=f"step {item}")
            if item == 2:
                yield inner.complete(LARGE)
            yield inner.wait(LONG)

        yield ctx.map([1, 2, 3], flavour(one))

    world = flavour.world(handler)
    world.run()
    assert world.value == LARGE
    assert world.outputs[-1] == {"Status": "SUCCEEDED", "Result": ""}
    assert [update["Action"] for update in world.updates if update["Type"] == "EXECUTION"] == ["SUCCEED"]
    assert world.link.calls[-1].updates[-1]["Type"] == "EXECUTION"


@pytest.mark.parametrize("failure", [Killed, OSError])
def test_a_crash_at_every_boundary(flavour: Flavour, failure: type[BaseException]) -> None:
    def play(fault_at: tuple[int, str] | None) -> World:
        def handler(event, ctx):
            def inside(inner):
                yield inner.step(flavour(lambda step: world.effect("a")), name="a")
                yield inner.wait(SECOND, name="w")
                yield inner.step(flavour(lambda step: world.effect("b")), name="b")
                yield inner.complete(LARGE)

            yield ctx.run_in_child_context(flavour(inside), name="child")
            return "not reached"

        world = flavour.world(handler)

        def fault(when: str) -> Any:
            return lambda call: failure() if fault_at == (len(world.link.calls) - 1, when) else None

        world.link.before, world.link.after = fault("before"), fault("after")
        world.run()
        return world

    calm = play(None)
    assert calm.value == LARGE
    assert calm.effects == ["a", "b"]
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play((number, when))
            assert world.value == calm.value, (number, when)
            assert set(world.effects) == {"a", "b"}
            assert identities(world) == identities(calm)


def test_a_service_that_refuses_the_result(flavour: Flavour) -> None:
    from durably.wire.api_errors import ApiError

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: world.effect("once")), name="step")
        yield ctx.complete(LARGE)

    world = flavour.world(handler)
    refused = ApiError("InvalidParameterValueException", "not today")
    world.link.before = lambda call: refused if any(one["Type"] == "EXECUTION" for one in call.updates) else None
    world.run()
    assert world.error["errorType"] == "durably.CheckpointError"
    assert world.effects == ["once"]


# ---- what cannot work ------------------------------------------------------------------------------------------------


def test_a_result_that_cannot_be_written(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.complete(object())
        except SerDesError as error:
            return str(error)

    assert "$ is of type object" in flavour.run(handler).value


def test_inside_a_step(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            ctx.complete("no")

        try:
            yield ctx.step(flavour(body), name="body")
        except StepError as error:
            return error.error_type

    assert flavour.run(handler).value == f"durably.{ContextMisuseError.__name__}"
