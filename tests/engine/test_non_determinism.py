"""Code that no longer matches its record fails the execution, whoever catches it (law R3)."""

from __future__ import annotations

import asyncio

import pytest

from durably import CallbackConfig, ChildConfig, Duration, MapConfig, NestingType, StepConfig

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


def in_handler(ctx, flavour, inside):
    return inside(ctx)


def in_child(ctx, flavour, inside):
    return ctx.run_in_child_context(flavour(inside), name="kid")


def in_virtual_child(ctx, flavour, inside):
    return ctx.run_in_child_context(flavour(inside), name="kid", config=ChildConfig(is_virtual=True))


def in_branch(ctx, flavour, inside):
    return ctx.parallel([flavour(inside)], name="kid")


def in_flat_map(ctx, flavour, inside):
    def item(inner, _):
        return (yield from inside(inner))

    return ctx.map([1], flavour(item), name="kid", config=MapConfig(nesting_type=NestingType.FLAT))


def in_block(ctx, flavour, inside):
    def attempt(inner, _):
        return (yield from inside(inner))

    return ctx.with_retry(flavour(attempt), name="kid")


WHERE = {
    "handler": (in_handler, "the handler"),
    "child": (in_child, "RunInChildContext 'kid'"),
    "virtual child": (in_virtual_child, "RunInChildContext 'kid'"),
    "branch": (in_branch, "ParallelBranch 'parallel-branch-0'"),
    "flat map": (in_flat_map, "MapIteration 'map-item-0'"),
    "with_retry": (in_block, "RunInChildContext 'kid'"),
}


@pytest.mark.parametrize(("place", "called"), WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("left", [0, 1, 2])
def test_operations_that_the_code_no_longer_comes_to(flavour: Flavour, place, called, left) -> None:
    def handler(event, ctx):
        def inside(inner):
            live = world.invocations == 1
            if live or left > 0:
                yield inner.step(flavour(lambda step: 1), name="a")
            if live or left > 1:
                yield inner.step(flavour(lambda step: 2), name="b")
            if live:
                yield inner.wait(SECOND, name="c")
            return "shorter"

        if place is in_handler:
            return (yield from inside(ctx))
        try:
            yield place(ctx, flavour, inside)
        except BaseException:
            pass
        return "swallowed"

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    message = world.error["errorMessage"]
    record = f"{('Step', 'Step', 'Wait')[left]} {'abc'[left]!r}"
    assert f"recorded {record} as operation {left + 1} of {called}, but the code now returns after {left} op" in message
    assert world.named("abc"[left])["Id"] in message
    assert len(world.outputs) == 2
    assert [call for call in world.link.calls if call.invocation > 1] == []


def test_a_rebuilt_child_that_leaves_operations_out(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: 1), name="one")
            if world.invocations == 1:
                yield inner.step(flavour(lambda step: 2), name="two")
            return "x" * 300_000

        yield ctx.run_in_child_context(flavour(child), name="child")
        yield ctx.wait(SECOND)

    world = flavour.world(handler)
    world.run()
    assert "recorded Step 'two' as operation 2 of RunInChildContext 'child'" in world.error["errorMessage"]


def test_an_exception_of_the_programs_own_is_what_it_fails_with(flavour: Flavour) -> None:
    """It says more than what was left out because of it."""

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="a")
        if world.invocations > 1:
            raise LookupError("no such order")
        yield ctx.wait(SECOND)

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "LookupError"


def test_what_completes_the_execution_leaves_nothing_out(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: 1), name="a")
            if world.invocations > 1:
                try:
                    yield ctx_complete("done")
                except BaseException:
                    return "swallowed"
            yield inner.wait(SECOND)

        ctx_complete = ctx.complete
        yield ctx.run_in_child_context(flavour(child), name="kid", config=ChildConfig(is_virtual=True))

    world = flavour.world(handler)
    world.run()
    assert world.value == "done"


def test_code_that_was_told_to_stop_leaves_nothing_out(flavour: Flavour) -> None:
    """A loser that swallows what stops it has not come as far as in the invocation before."""
    told = []

    def handler(event, ctx):
        def loser(inner):
            yield inner.step(flavour(lambda step: 1), name="a")
            try:
                yield inner.wait(Duration.from_hours(9), name="long")
                yield inner.step(flavour(lambda step: 2), name="never")
            except BaseException:
                told.append("stopped")
            return "told to stop"

        def winner(inner):
            yield inner.wait(SECOND)
            yield inner.wait(SECOND)
            return "won"

        return (yield ctx.race([flavour(loser), flavour(winner)]))

    world = flavour.world(handler)
    world.run()
    assert world.value == "won"
    assert told


def test_a_task_that_was_cancelled_returns_where_it_is() -> None:
    async def handler(event, ctx):
        async def patient(inner):
            try:
                await inner.wait(SECOND, name="first")
                await inner.wait(Duration.from_hours(5), name="second")
            except asyncio.CancelledError:
                return "cancelled"

        kid = asyncio.ensure_future(ctx.run_in_child_context(patient, name="kid"))
        await ctx.wait(Duration.from_seconds(2))
        kid.cancel()
        try:
            await kid
        except asyncio.CancelledError:
            pass
        await ctx.wait(SECOND)
        return "on"

    world = World(handler)
    world.run()
    assert world.value == "on"
