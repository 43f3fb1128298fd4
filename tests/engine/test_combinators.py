"""race, any, all and all_settled: what they return, what they record, and what becomes of the losers."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from durably import (
    AllFailedError,
    AsyncDurableContext,
    AsyncDurableFuture,
    BatchItemStatus,
    CallbackError,
    ContextMisuseError,
    DurableContext,
    Duration,
    ExecutionError,
    InvalidStateError,
    RetryDecision,
    StepConfig,
    StepError,
    ValidationError,
)
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)
LONG = Duration.from_days(3)
ONCE = StepConfig(lambda error, n: RetryDecision.no_retry())


def seconds(n: int) -> Duration:
    return Duration.from_seconds(n)


def after(flavour: Flavour, n: int, value: Any) -> Any:
    """A flow that waits ``n`` seconds and returns ``value`` from a step, or raises it."""

    def flow(inner):
        yield inner.wait(seconds(n))
        if isinstance(value, Exception):
            raise value
        return (yield inner.step(flavour(lambda step: value), name=f"step of {value}"))

    return flavour(flow)


def decision(world: World, sub_type: str) -> dict[str, Any]:
    (found,) = [view for view in world.operations.values() if view.get("SubType") == sub_type]
    assert found["Status"] == "SUCCEEDED"
    return dict(json.loads(found["StepDetails"]["Result"]))


# ---- race ----------------------------------------------------------------------------------------------------


def test_the_first_outcome_wins(flavour: Flavour) -> None:
    def handler(event, ctx):
        value = yield ctx.race([after(flavour, 9, "slow"), after(flavour, 1, "quick"), after(flavour, 5, "medium")])
        yield ctx.wait(seconds(60))  # the others' waits are over meanwhile
        return value

    world = flavour.run(handler)
    assert world.value == "quick"
    assert decision(world, "Race") == {"index": 1}
    assert not [view for view in world.operations.values() if view.get("Name") in ("step of slow", "step of medium")]


def test_a_failure_is_an_outcome_too(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.race([after(flavour, 9, "slow"), after(flavour, 1, LookupError("gone"))])
        except Exception as error:
            return [type(error).__name__, str(error)]

    assert flavour.run(handler).value == ["ChildContextError", "gone"]


def test_of_those_that_have_ended_the_one_that_ended_first_wins(flavour: Flavour) -> None:
    def handler(event, ctx):
        early = ctx.start(ctx.step, flavour(lambda step: "early"))
        yield early.result()
        late = ctx.start(ctx.step, flavour(lambda step: "late"))
        yield late.result()
        return (yield ctx.race([late, early]))

    assert flavour.run(handler).value == "early"


def test_the_winner_is_the_same_on_replay_even_if_a_loser_would_be_quicker(flavour: Flavour) -> None:
    decided: list[str] = []

    def handler(event, ctx):
        def flow(inner):
            if not decided:
                yield inner.wait(LONG)
            return "loser"

        value = yield ctx.race([flavour(flow), after(flavour, 1, "winner")])
        decided.append(value)
        yield ctx.wait(SECOND)
        return value

    world = flavour.run(handler)
    assert world.value == "winner"
    assert world.invocations == 3


@pytest.mark.parametrize("kind", ["race", "any"])
def test_what_ended_while_no_invocation_ran_ended_in_the_order_of_the_record(flavour: Flavour, kind: str) -> None:
    def handler(event, ctx):
        late = ctx.start(ctx.wait, seconds(5), name="late")
        soon = ctx.start(ctx.run_in_child_context, after(flavour, 3, "soon"), name="soon")
        earlier = ctx.start(ctx.wait, seconds(3), name="earlier")
        yield ctx.wait(SECOND)

        def dies(step):
            if not world.effects:
                world.effect("died")
                world.clock.advance(10_000)
                world.link.dead = True
                raise Killed

        yield ctx.step(flavour(dies))
        yield getattr(ctx, kind)([late, soon, earlier])

    world = flavour.world(handler)
    world.run()
    assert world.status == "SUCCEEDED"
    assert decision(world, kind.capitalize())["index"] == 2


def test_a_loser_runs_in_no_later_invocation(flavour: Flavour) -> None:
    """Neither a function given to the race nor an operation that was started before it."""

    def handler(event, ctx):
        def flow(name):
            def inside(inner):
                yield inner.wait(seconds(5))
                runs.append((world.invocations, name))
                yield inner.step(flavour(lambda step: world.effect(name)), name=name)

            return flavour(inside)

        started = ctx.start(ctx.run_in_child_context, flow("started"), name="flow")
        value = yield ctx.race([started, flow("given"), after(flavour, 1, "winner")])
        for _ in range(3):
            yield ctx.wait(seconds(10))
        return value

    runs: list[tuple[int, str]] = []
    world = flavour.world(handler)
    world.run()
    assert world.value == "winner"
    assert world.effects == []
    assert runs == []
    assert decision(world, "Race") == {"index": 2, "cancelled": [operation_id(None, 1)]}


def test_nothing_of_a_loser_is_recorded_after_the_decision_sync() -> None:
    """Its step is in the middle of its body when the race is decided."""
    begun, release = threading.Event(), threading.Event()

    def handler(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> str:
            begun.set()
            release.wait(60)
            return "loser"

        def winner(inner: DurableContext) -> str:
            begun.wait(60)
            return "winner"

        value = ctx.race([lambda inner: inner.step(body, name="slow"), winner])
        release.set()
        for n in range(5):
            ctx.step(lambda step: None, name=f"after {n}")
        return value

    world = run(handler)
    assert world.value == "winner"
    actions = [(update.get("Name"), update["SubType"], update["Action"]) for update in world.updates]
    decided = actions.index((None, "Race", "SUCCEED"))
    assert all((name or "").startswith("after") for name, _, _ in actions[decided + 1 :])
    assert world.named("slow")["Status"] == "STARTED"


def test_nothing_of_a_loser_is_recorded_after_the_decision_async() -> None:
    """Even if it makes something of being cancelled."""
    told: list[str] = []

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def loser(inner: AsyncDurableContext) -> None:
            try:
                await inner.wait(LONG)
            except asyncio.CancelledError:
                told.append("cancelled")
                await inner.step(lambda step: told.append("recorded"), name="clean up")
                raise

        async def winner(inner: AsyncDurableContext) -> str:
            return await inner.step(lambda step: "winner")

        value = await ctx.race([loser, winner])
        await ctx.step(lambda step: None, name="after")
        return value

    world = run(handler)
    assert world.value == "winner"
    assert told == ["cancelled"]
    actions = [(update.get("Name"), update["SubType"], update["Action"]) for update in world.updates]
    decided = actions.index((None, "Race", "SUCCEED"))
    assert {name for name, _, _ in actions[decided + 1 :]} == {"after"}


def test_a_loser_is_told(flavour: Flavour) -> None:
    def handler(event, ctx):
        slow = ctx.start(ctx.run_in_child_context, after(flavour, 50, "slow"), name="slow")
        value = yield ctx.race([slow, after(flavour, 1, "quick")])
        found = []
        for _ in range(2):
            try:
                yield slow.result()
            except InvalidStateError as error:
                found.append(str(error))
            yield ctx.wait(SECOND)
        return [value, *found, slow.done(), slow.cancel()]

    value = flavour.run(handler).value
    assert value[0] == "quick"
    assert all("run_in_child_context slow> was cancelled" in message for message in value[1:3])
    assert value[3:] == [True, False]


def test_what_had_ended_when_the_race_was_decided_keeps_its_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        a = ctx.start(ctx.step, flavour(lambda step: "a"), name="a")
        b = ctx.start(ctx.step, flavour(lambda step: "b"), name="b")
        yield b.result()
        yield a.result()
        value = yield ctx.race([a, b])
        yield ctx.wait(SECOND)
        return [value, (yield a.result()), (yield b.result())]

    value = flavour.run(handler).value
    assert value[1:] == ["a", "b"]
    assert value[0] in ("a", "b")


def test_callback_or_timeout_whichever_first_the_callback(flavour: Flavour) -> None:
    world = approval(flavour, answered=True)
    assert world.value == ["approved", "shipped"]
    assert world.named("deadline")["Status"] == "CANCELLED"
    assert world.clock.now_ms() - world.start_ms < 60_000


def test_callback_or_timeout_whichever_first_the_timeout(flavour: Flavour) -> None:
    world = approval(flavour, answered=False)
    assert world.value == [None, "shipped"]
    assert world.named("deadline")["Status"] == "SUCCEEDED"
    assert world.named("approval create callback id")["Status"] == "STARTED"


def approval(flavour: Flavour, *, answered: bool) -> World:
    def handler(event, ctx):
        asked = ctx.start(ctx.wait_for_callback, flavour(lambda callback_id, context: None), name="approval")
        deadline = ctx.start(ctx.wait, LONG, name="deadline")
        value = yield ctx.race([asked, deadline], name="approval or deadline")
        yield ctx.wait(SECOND)
        return [value, (yield ctx.step(flavour(lambda step: "shipped"), name="ship"))]

    callbacks = {"approval create callback id": Answer("approved")} if answered else {}
    return flavour.run(handler, callbacks=callbacks)


def test_a_race_of_coroutines_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def own() -> str:
            await ctx.wait(seconds(5))
            return await ctx.step(lambda step: world.effect("own"), name="own")  # type: ignore[no-any-return]

        callback = await ctx.create_callback("answered")
        value = await ctx.race([callback.result(), ctx.wait(LONG, name="deadline"), own()])
        await ctx.wait(seconds(30))
        return [value, await ctx.step(lambda step: "after")]

    world = World(handler, callbacks={"answered": Answer("yes")})
    world.run()
    assert world.value == ["yes", "after"]
    assert world.effects == []
    assert world.named("deadline")["Status"] == "CANCELLED"


def test_races_inside_races(flavour: Flavour) -> None:
    def handler(event, ctx):
        def heat(*flows):
            def inside(inner):
                return (yield inner.race(list(flows), name="heat"))

            return flavour(inside)

        value = yield ctx.race(
            [
                heat(after(flavour, 9, "a"), after(flavour, 7, "b")),
                heat(after(flavour, 8, "c"), after(flavour, 2, "d")),
            ],
            name="final",
        )
        yield ctx.wait(seconds(30))
        return value

    world = flavour.run(handler)
    assert world.value == "d"
    heats = [view for view in world.operations.values() if view.get("Name") == "heat"]
    assert len(heats) == 1  # the other one was never decided


def test_races_inside_map_branches(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner, item, *rest):
            value = yield inner.race([after(flavour, item, f"{item} quick"), after(flavour, 50, f"{item} slow")])
            yield inner.wait(SECOND)
            return value

        return (yield ctx.map([1, 2, 3], flavour(branch))).get_results()

    assert flavour.run(handler).value == ["1 quick", "2 quick", "3 quick"]


def test_futures_of_two_contexts_in_one_race(flavour: Flavour) -> None:
    def handler(event, ctx):
        outer = ctx.start(ctx.run_in_child_context, after(flavour, 9, "outer"))

        def child(inner):
            return (yield inner.race([outer, after(flavour, 1, "inner")]))

        return (yield ctx.run_in_child_context(flavour(child)))

    assert flavour.run(handler).value == "inner"


def test_one_future_twice(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.step, flavour(lambda step: 1))
        return [(yield ctx.race([future, future])), (yield ctx.all([future, future]))]

    assert flavour.run(handler).value == [1, [1, 1]]


# ---- any ---------------------------------------------------------------------------------------------------------


def test_any_takes_the_first_that_succeeds(flavour: Flavour) -> None:
    def handler(event, ctx):
        flows = [after(flavour, 1, ValueError("no")), after(flavour, 9, "slow"), after(flavour, 3, "quick")]
        value = yield ctx.any(flows, name="mirrors")
        yield ctx.wait(seconds(30))
        return value

    world = flavour.run(handler)
    assert world.value == "quick"
    assert decision(world, "Any") == {"index": 2}
    assert world.named("mirrors")["SubType"] == "Any"


def test_any_with_none_that_succeeds(flavour: Flavour) -> None:
    def handler(event, ctx):
        flows = [after(flavour, 2, ValueError("first")), after(flavour, 1, KeyError("second"))]
        found = []
        for _ in range(2):
            try:
                yield ctx.any([*flows, ctx.start(ctx.step, flavour(lambda step: 1 / 0), config=ONCE)])
            except AllFailedError as error:
                found.append([str(error), [[type(one).__name__, one.error_type] for one in error.errors]])
            yield ctx.wait(SECOND)
        return found

    first, second = flavour.run(handler).value
    assert first == second
    message, errors = first
    assert message.startswith("all 3 operations failed: first; ")
    assert errors == [
        ["ChildContextError", "ValueError"],
        ["ChildContextError", "KeyError"],
        ["StepError", "ZeroDivisionError"],
    ]


# ---- all ---------------------------------------------------------------------------------------------------------


def test_all_results_in_order(flavour: Flavour) -> None:
    def handler(event, ctx):
        started = ctx.start(ctx.wait, seconds(4))
        value = yield ctx.all([after(flavour, 3, "a"), started, after(flavour, 1, "b")])
        yield ctx.wait(SECOND)
        return value

    world = flavour.run(handler)
    assert world.value == ["a", None, "b"]
    assert decision(world, "All") == {"index": None}


def test_the_first_failure_decides(flavour: Flavour) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        flows = [after(flavour, 9, "slow"), after(flavour, 5, ValueError("later")), after(flavour, 1, KeyError("x"))]
        try:
            yield ctx.all([*flows, pause])
        except Exception as error:
            yield ctx.wait(seconds(30))
            return [type(error).__name__, error.error_type]

    world = flavour.run(handler)
    assert world.value == ["ChildContextError", "KeyError"]
    assert world.named("pause")["Status"] == "CANCELLED"
    assert decision(world, "All") == {"index": 2, "cancelled": [world.named("pause")["Id"]]}


# ---- all_settled ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["any", "all", "all_settled"])
def test_many_are_looked_at_a_few_times_each_async(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not all of them whenever one has ended, which would take minutes for ten thousand."""
    looks = []
    peek = AsyncDurableFuture.peek
    monkeypatch.setattr(AsyncDurableFuture, "peek", lambda future: looks.append(1) or peek(future))

    async def handler(event, ctx):
        fails = kind == "any"
        futures = [ctx.start(ctx.step, lambda step, n=n: 1 / (not fails) + n, config=ONCE) for n in range(300)]
        try:
            return len(await getattr(ctx, kind)(futures))
        except AllFailedError as error:
            return len(error.errors)

    assert run(handler).value == 300
    assert len(looks) < 300 * 10


def test_every_outcome(flavour: Flavour) -> None:
    def handler(event, ctx):
        flows = [after(flavour, 3, "a"), after(flavour, 1, LookupError("gone")), after(flavour, 2, "c")]
        seen.append((yield ctx.all_settled(flows)))
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    assert flavour.run(handler).status == "SUCCEEDED"
    assert seen[0] == seen[-1]
    result = seen[0]
    assert [item.status for item in result] == [
        BatchItemStatus.SUCCEEDED,
        BatchItemStatus.FAILED,
        BatchItemStatus.SUCCEEDED,
    ]
    assert result.get_results() == ["a", "c"]
    assert result.get_errors()[0].message == "gone"


# ---- nothing, and bad input ------------------------------------------------------------------------------------------


def test_nothing_to_wait_for(flavour: Flavour) -> None:
    def handler(event, ctx):
        found = [(yield ctx.all([])), len((yield ctx.all_settled([])))]
        for combine in (ctx.race, ctx.any):
            try:
                yield combine([])
            except ValidationError as error:
                found.append(str(error))
        yield ctx.wait(SECOND)
        return found

    found = flavour.run(handler).value
    assert found[:2] == [[], 0]
    assert found[2:] == [f"{kind}() needs at least one operation to wait for" for kind in ("race", "any")]


@pytest.mark.parametrize("kind", ["race", "any", "all", "all_settled"])
def test_what_cannot_be_waited_for(flavour: Flavour, kind: str) -> None:
    """Refused before anything is started."""

    def handler(event, ctx):
        combine = getattr(ctx, kind)
        found = []
        for wrong in ([after(flavour, 1, "x"), 42], 42, "ab", {"a": 1}, after(flavour, 1, "x")):
            try:
                yield combine(wrong)
            except ValidationError as error:
                found.append(str(error))
        try:
            yield combine([after(flavour, 1, "x")], name="ä")
        except ValidationError as error:
            found.append(str(error))
        return found

    world = flavour.run(handler)
    assert len(world.value) == 6
    assert "futures" in world.value[0]
    assert "not 42" in world.value[0]
    assert all(f"{kind}() takes" in message for message in world.value[:5])
    assert world.updates == []


def test_a_coroutine_twice_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        said = []
        for make in (lambda one: [one, one], lambda one: [one]):
            coroutine = ctx.step(lambda step: 1)
            if len(said) == 1:
                await coroutine
            with pytest.raises(ValidationError) as refused:
                await ctx.all(make(coroutine))
            said.append(str(refused.value))
        await ctx.wait(SECOND)
        return said

    said = run(handler).value
    assert all("A coroutine runs once: start the operation with ctx.start()" in one for one in said)


def test_a_coroutine_in_sync_code() -> None:
    async def coroutine() -> None:
        raise AssertionError

    def handler(event: Any, ctx: DurableContext) -> Any:
        try:
            ctx.race([coroutine()])  # type: ignore[list-item]
        except ValidationError as error:
            return str(error)

    assert "takes futures and functions of a context" in run(handler).value


def test_a_future_of_another_invocation(flavour: Flavour) -> None:
    kept: list[Any] = []

    def handler(event, ctx):
        kept.append(ctx.start(ctx.step, flavour(lambda step: 1)))
        yield kept[-1].result()
        yield ctx.wait(SECOND)
        try:
            yield ctx.race(kept)
        except ContextMisuseError as error:
            return str(error)

    assert "belongs to another invocation" in flavour.run(handler).value


def test_an_error_that_fails_the_execution_is_not_held_back(flavour: Flavour) -> None:
    def handler(event, ctx):
        def doomed(inner):
            raise ExecutionError("out of order")
            yield

        yield ctx.all_settled([flavour(doomed), after(flavour, 1, "x")])

    assert flavour.run(handler).error["errorMessage"] == "out of order"


def test_the_ids_of_a_combination(flavour: Flavour) -> None:
    """One for each function, in their order, then one for the decision."""

    def handler(event, ctx):
        yield ctx.race([after(flavour, 9, "a"), after(flavour, 1, "b")], name="r")
        yield ctx.step(flavour(lambda step: None), name="after")

    world = flavour.run(handler)
    assert world.named("r")["Id"] == operation_id(None, 3)
    assert world.named("r")["Type"] == "STEP"
    assert world.named("after")["Id"] == operation_id(None, 4)


def test_both_worlds_record_the_same() -> None:
    def story(flavour: Flavour) -> World:
        def handler(event, ctx):
            first = yield ctx.race([after(flavour, 9, "a"), after(flavour, 1, "b")], name="race")
            return [first, (yield ctx.all([after(flavour, 1, "c"), after(flavour, 2, "d")], name="all"))]

        return flavour.run(handler)

    a, b = story(Flavour("sync")), story(Flavour("async"))
    assert a.value == b.value == ["b", ["c", "d"]]
    assert identities(a) == identities(b)


# ---- crashes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Killed, OSError])
def test_a_crash_at_every_boundary(flavour: Flavour, failure: type[BaseException]) -> None:
    def play(fault_at: tuple[int, str] | None) -> World:
        def handler(event, ctx):
            def flow(n, name):
                def body(step):
                    recorded = [v["Status"] for v in world.operations.values() if v.get("Name") == name]
                    assert recorded in ([], ["STARTED"]), "a recorded step runs again"
                    world.effect(name)
                    return name

                def inside(inner):
                    yield inner.wait(seconds(n))
                    return (yield inner.step(flavour(body), name=name))

                return flavour(inside)

            deadline = ctx.start(ctx.wait, LONG, name="deadline")
            started = ctx.start(ctx.run_in_child_context, flow(40, "loser"), name="started")
            won = yield ctx.race([flow(20, "slow"), deadline, flow(1, "quick"), started], name="race")
            everything = yield ctx.all([flow(2, "x"), flow(1, "y")], name="all")
            yield ctx.wait(seconds(60))
            return [won, everything]

        world = flavour.world(handler)

        def fault(when: str) -> Any:
            return lambda call: failure() if fault_at == (len(world.link.calls) - 1, when) else None

        world.link.before, world.link.after = fault("before"), fault("after")
        world.run()
        return world

    calm = play(None)
    assert calm.value == ["quick", ["x", "y"]]
    assert calm.named("deadline")["Status"] == "CANCELLED"
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play((number, when))
            assert world.value == calm.value, (number, when)
            assert set(world.effects) == set(calm.effects), (number, when)
            assert world.named("deadline")["Status"] == "CANCELLED", (number, when)
            assert decision(world, "Race") == decision(calm, "Race")


def test_a_callback_that_fails_first(flavour: Flavour) -> None:
    def handler(event, ctx):
        asked = ctx.start(ctx.wait_for_callback, flavour(lambda callback_id, context: None), name="approval")
        try:
            yield ctx.race([asked, ctx.start(ctx.wait, LONG, name="deadline")])
        except CallbackError as error:
            return str(error)

    failure = Answer(failure={"ErrorType": "Denied", "ErrorMessage": "not today"})
    world = flavour.run(handler, callbacks={"approval create callback id": failure})
    assert world.value == "not today"
    assert world.named("deadline")["Status"] == "CANCELLED"


def test_a_step_that_fails_first(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.race([ctx.start(ctx.step, flavour(lambda step: 1 / 0), config=ONCE), after(flavour, 9, "x")])
        except StepError as error:
            return error.error_type

    assert flavour.run(handler).value == "ZeroDivisionError"
