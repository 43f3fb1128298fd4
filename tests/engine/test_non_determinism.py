"""Code that no longer matches its record fails the execution, whoever catches it (law R3)."""

from __future__ import annotations

import asyncio

import pytest

from durably import CallbackConfig, ChildConfig, Duration, StepConfig

from .harness import Flavour, World

SECOND = Duration.from_seconds(1)


def step(name, sub_type=None):
    return lambda ctx, flavour: ctx.step(flavour(lambda step: 1), name=name, config=StepConfig(sub_type=sub_type))


def wait(name):
    return lambda ctx, flavour: ctx.wait(SECOND, name=name)


def child(name, sub_type=None):
    def make(ctx, flavour):
        def inside(inner):
            return 1
            yield

        return ctx.run_in_child_context(flavour(inside), name=name, config=ChildConfig(sub_type=sub_type))

    return make


def callback(name, sub_type=None):
    return lambda ctx, flavour: ctx.create_callback(name=name, config=CallbackConfig(sub_type=sub_type))


CHANGES = {
    "type": (step("a"), wait("a"), ["Step 'a'", "Wait 'a'", "type: recorded 'STEP', now 'WAIT'"]),
    "name": (step("a"), step("b"), ["Step 'a'", "Step 'b'", "name: recorded 'a', now 'b'"]),
    "name gone": (step("a"), step(None), ["name: recorded 'a', now None"]),
    "name new": (step(None), step("a"), ["name: recorded None, now 'a'"]),
    "subtype": (step("a"), step("a", "Charge"), ["subtype: recorded 'Step', now 'Charge'"]),
    "wait renamed": (wait("a"), wait("b"), ["name: recorded 'a', now 'b'"]),
    "child for step": (child("a"), step("a"), ["RunInChildContext 'a'", "Step 'a'"]),
    "child subtype": (child("a"), child("a", "Saga"), ["'RunInChildContext'", "'Saga'"]),
    "callback for child": (callback("a"), child("a"), ["Callback 'a'"]),
}


@pytest.mark.parametrize("catch", [False, True], ids=["uncaught", "caught"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_operation_in_the_place_of_the_recorded_one(flavour: Flavour, change, catch) -> None:
    before, after, expected = change

    def handler(event, ctx):
        make = before if world.invocations == 1 else after
        try:
            yield make(ctx, flavour)
        except BaseException:
            if not catch:
                raise
        yield ctx.wait(SECOND, name="pause")
        return "swallowed"

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    message = world.error["errorMessage"]
    for part in [*expected, "operation 1 of the handler", "same operations in the same order"]:
        assert part in message
    assert [batch for batch in world.batches if len(world.outputs) > 2] == []


def test_another_parent(flavour: Flavour) -> None:
    """The same id under another parent: a child that has become virtual."""

    def handler(event, ctx):
        def inside(inner):
            yield inner.step(flavour(lambda step: 1), name="a")
            yield inner.wait(SECOND)

        config = ChildConfig(is_virtual=world.invocations > 1)
        yield ctx.run_in_child_context(flavour(inside), name="child", config=config)

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "RunInChildContext 'child'" in world.error["errorMessage"]


def test_a_virtual_child_that_has_become_real(flavour: Flavour) -> None:
    def handler(event, ctx):
        def inside(inner):
            yield inner.step(flavour(lambda step: 1), name="a")
            yield inner.wait(SECOND)

        config = ChildConfig(is_virtual=world.invocations == 1)
        yield ctx.run_in_child_context(flavour(inside), name="child", config=config)

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "parent: recorded None" in world.error["errorMessage"]


def test_inside_a_child_the_place_is_named(flavour: Flavour) -> None:
    def handler(event, ctx):
        def inside(inner):
            yield inner.step(flavour(lambda step: 1), name="same")
            yield inner.step(flavour(lambda step: 1), name=f"n{world.invocations}")
            yield inner.wait(SECOND)

        yield ctx.run_in_child_context(flavour(inside), name="child")

    world = flavour.world(handler)
    world.run()
    assert "operation 2 of RunInChildContext 'child'" in world.error["errorMessage"]


def test_in_one_of_several_tasks() -> None:
    """Final although gather(return_exceptions=True) hands it over as a result."""

    async def handler(event, ctx):
        async def one(n):
            name = f"n{n}" if n != 2 or world.invocations == 1 else "other"
            return await ctx.step(lambda step: n, name=name)

        results = await asyncio.gather(*[one(n) for n in range(4)], return_exceptions=True)
        await ctx.wait(SECOND)
        return [repr(one) for one in results]

    world = World(handler)
    world.run()
    assert "name: recorded 'n2', now 'other'" in world.error["errorMessage"]
    assert "task 3 of the handler" in world.error["errorMessage"]


def test_nothing_is_recorded_after_it(flavour: Flavour) -> None:
    """R6."""

    def handler(event, ctx):
        try:
            yield ctx.step(flavour(lambda step: 1), name=f"n{world.invocations}")
        finally:
            if world.invocations > 1:
                try:
                    yield ctx.step(flavour(lambda step: world.effects.append("ran")), name="cleanup")
                except BaseException:
                    pass
        yield ctx.wait(SECOND)

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert world.effects == []
    assert len(world.link.calls) == 2


def test_operations_that_are_no_longer_called_are_no_error(flavour: Flavour) -> None:
    """What was recorded and is not met again is left alone; the result is the handler's."""

    def handler(event, ctx):
        if world.invocations == 1:
            yield ctx.step(flavour(lambda step: 1), name="a")
            yield ctx.wait(SECOND)
        return "shorter"

    world = flavour.world(handler)
    world.run()
    assert world.value == "shorter"
