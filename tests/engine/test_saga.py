"""Sagas: what is registered, what runs when, what is recorded, and what happens when it fails or is cut short."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ChildContextError,
    CompletionConfig,
    ContextMisuseError,
    DurableContext,
    Duration,
    MapConfig,
    RetryDecision,
    StepConfig,
    StepError,
    ValidationError,
)
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)
LONG = Duration.from_days(3)
ALL: MapConfig[int] = MapConfig(completion_config=CompletionConfig.all_completed())
ONCE = StepConfig(lambda error, n: RetryDecision.no_retry())


class Ledger:
    """Steps with compensations whose effects are noted in the world."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.world: World

    def do(self, target: Any, name: str, *, undo_fails: bool = False, inside: Any = None) -> Any:
        """``target``: a context or a saga."""

        def forward(step):
            self._once(name)
            self.world.effect(f"do {name}")
            return {"made": name}

        def undo(ctx, result):
            assert result == {"made": name}
            if inside is not None:
                yield from inside(ctx)
            yield ctx.step(self.flavour(lambda step: self._undone(name)), name=f"undo {name}")
            if undo_fails:
                raise LookupError(f"cannot undo {name}")

        method = getattr(target, "step_with_compensation", None) or target.step
        return method(self.flavour(forward), self.flavour(undo), name=name)

    def _once(self, name: str) -> None:
        recorded = [
            v["Status"] for v in list(self.world.operations.values()) if v.get("Name") == name and v["Type"] == "STEP"
        ]
        assert recorded in ([], ["STARTED"]), f"{name} runs again although it is {recorded}"

    def _undone(self, name: str) -> None:
        self._once(f"undo {name}")
        self.world.effect(f"undo {name}")


@pytest.fixture
def ledger(flavour: Flavour) -> Ledger:
    return Ledger(flavour)


def play(ledger: Ledger, handler: Any, **options: Any) -> World:
    ledger.world = ledger.flavour.world(handler, **options)
    ledger.world.run()
    return ledger.world


def compensations(world: World) -> list[tuple[str | None, str]]:
    """In the order of their ids."""
    found = [view for view in world.operations.values() if view.get("SubType") == "Compensation"]
    found.sort(key=lambda view: view["StartTimestamp"])
    return [(view.get("Name"), view["Status"]) for view in found]


# ---- run_compensations ---------------------------------------------------------------------------------------


def test_last_registered_first(ledger: Ledger) -> None:
    def handler(event, ctx):
        found = []
        for name in "abc":
            found.append((yield ledger.do(ctx, name)))
        result = yield ctx.run_compensations()
        return [[one["made"] for one in found], [[item.name, item.succeeded] for item in result], result.all_succeeded]

    world = play(ledger, handler)
    assert world.value == [["a", "b", "c"], [["c", True], ["b", True], ["a", True]], True]
    assert world.effects == ["do a", "do b", "do c", "undo c", "undo b", "undo a"]


def test_each_is_a_context_of_its_own_with_the_callers_next_ids(ledger: Ledger) -> None:
    def handler(event, ctx):
        yield ledger.do(ctx, "a")
        yield ledger.do(ctx, "b")
        yield ctx.run_compensations()
        yield ctx.step(ledger.flavour(lambda step: None), name="after")

    world = play(ledger, handler)
    for n, name in ((3, "b"), (4, "a")):
        record = world.operations[operation_id(None, n)]
        assert (record["Type"], record["SubType"], record["Name"], record["Status"]) == (
            "CONTEXT",
            "Compensation",
            name,
            "SUCCEEDED",
        )
        assert world.named(f"undo {name}")["ParentId"] == record["Id"]
    assert world.named("after")["Id"] == operation_id(None, 5)


def test_a_compensation_that_fails_does_not_stop_the_others(ledger: Ledger) -> None:
    def handler(event, ctx):
        yield ledger.do(ctx, "a")
        yield ledger.do(ctx, "b", undo_fails=True)
        yield ledger.do(ctx, "c")
        result = yield ctx.run_compensations()
        yield ctx.wait(SECOND)
        return [
            result.all_succeeded,
            [[item.name, item.succeeded] for item in result],
            [[item.name, str(item.error)] for item in result.failed()],
        ]

    world = play(ledger, handler)
    assert world.value == [
        False,
        [["c", True], ["b", False], ["a", True]],
        [["b", "LookupError: cannot undo b"]],
    ]
    failed = [v for v in world.operations.values() if v.get("SubType") == "Compensation" and v["Status"] == "FAILED"]
    assert [view["ContextDetails"]["Error"]["ErrorMessage"] for view in failed] == ["cannot undo b"]
    assert [view["ContextDetails"]["Error"]["ErrorType"] for view in failed] == ["LookupError"]


def test_the_outcome_is_the_same_on_every_replay(ledger: Ledger) -> None:
    def handler(event, ctx):
        yield ledger.do(ctx, "a", undo_fails=True)
        yield ledger.do(ctx, "b")
        seen.append((yield ctx.run_compensations()))
        yield ctx.wait(SECOND)
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = play(ledger, handler)
    assert world.status == "SUCCEEDED"
    assert len(seen) == 3
    assert seen[0].failed()[0].error.type == "LookupError"
    for other in seen[1:]:
        assert [(item.name, str(item.error)) for item in other] == [(item.name, str(item.error)) for item in seen[0]]


def test_a_step_that_failed_is_not_undone(ledger: Ledger) -> None:
    def handler(event, ctx):
        yield ledger.do(ctx, "a")
        try:
            yield ctx.step_with_compensation(
                ledger.flavour(lambda step: 1 / 0), ledger.flavour(lambda inner, value: None), name="b", config=ONCE
            )
        except StepError:
            result = yield ctx.run_compensations()
            return [item.name for item in result]

    assert play(ledger, handler).value == ["a"]


def test_nothing_to_do_is_fine_and_takes_no_ids(ledger: Ledger) -> None:
    def handler(event, ctx):
        result = yield ctx.run_compensations()
        yield ctx.step(ledger.flavour(lambda step: None), name="after")
        return [len(result), bool(result), result.all_succeeded]

    world = play(ledger, handler)
    assert world.value == [0, True, True]
    assert world.named("after")["Id"] == operation_id(None, 1)


def test_a_second_run_does_nothing(ledger: Ledger) -> None:
    def handler(event, ctx):
        yield ledger.do(ctx, "a")
        first = yield ctx.run_compensations()
        second = yield ctx.run_compensations()
        yield ledger.do(ctx, "b")
        third = yield ctx.run_compensations()
        return [[item.name for item in one] for one in (first, second, third)]

    assert play(ledger, handler).value == [["a"], [], ["b"]]


def test_what_is_registered_is_rebuilt_on_replay(ledger: Ledger) -> None:
    def handler(event, ctx):
        for name in "abc":
            yield ledger.do(ctx, name)
            yield ctx.wait(SECOND)
        result = yield ctx.run_compensations()
        return [item.name for item in result]

    world = play(ledger, handler)
    assert world.value == ["c", "b", "a"]
    assert world.effects == ["do a", "do b", "do c", "undo c", "undo b", "undo a"]


def test_child_contexts_have_their_own(ledger: Ledger) -> None:
    def handler(event, ctx):
        def child(inner):
            yield ledger.do(inner, "inner")
            return [item.name for item in (yield inner.run_compensations())]

        yield ledger.do(ctx, "outer")
        inside = yield ctx.run_in_child_context(ledger.flavour(child))
        return [inside, [item.name for item in (yield ctx.run_compensations())]]

    assert play(ledger, handler).value == [["inner"], ["outer"]]


def test_compensations_with_durable_operations_inside(ledger: Ledger) -> None:
    def waiting(ctx):
        yield ctx.wait(SECOND, name="before undoing")

    def retried(ctx):
        def flaky(step):
            ledger.world.effect(f"attempt {step.attempt}")
            if step.attempt < 3:
                raise OSError("away")

        config = StepConfig(lambda error, n: RetryDecision(True, SECOND))
        yield ctx.step(ledger.flavour(flaky), name="flaky", config=config)

    def handler(event, ctx):
        yield ledger.do(ctx, "a", inside=waiting)
        yield ledger.do(ctx, "b", inside=retried)
        return (yield ctx.run_compensations()).all_succeeded

    world = play(ledger, handler)
    assert world.value is True
    assert world.effects == ["do a", "do b", "attempt 1", "attempt 2", "attempt 3", "undo b", "undo a"]
    assert world.invocations == 4


def test_what_a_compensation_returns_need_not_be_recordable(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step_with_compensation(flavour(lambda step: 1), flavour(lambda inner, value: object()), name="a")
        return (yield ctx.run_compensations()).all_succeeded

    assert flavour.run(handler).value is True


def test_started_steps_are_undone_in_the_order_of_their_calls(flavour: Flavour) -> None:
    """Whichever ended first: the order of the ids must not depend on that."""

    def handler(event, ctx):
        def forward(name, failures):
            def body(step):
                if step.attempt <= failures:
                    raise OSError("away")
                return name

            return flavour(body)

        def undo(inner, value):
            yield inner.step(flavour(lambda step: world.effect(value)), name=f"undo {value}")

        again = StepConfig(lambda error, n: RetryDecision(True, SECOND))
        futures = [
            ctx.start(ctx.step_with_compensation, forward(name, n), flavour(undo), name=name, config=again)
            for n, name in ((2, "a"), (0, "b"), (1, "c"))
        ]
        for future in futures:
            yield future.result()
        result = yield ctx.run_compensations()
        yield ctx.wait(SECOND)
        return [item.name for item in result]

    world = flavour.world(handler)
    world.run()
    assert world.value == ["c", "b", "a"]
    assert world.effects == ["c", "b", "a"]


def test_bad_input(flavour: Flavour) -> None:
    def handler(event, ctx):
        saga = ctx.saga()
        found = []
        for call in (
            lambda: ctx.step_with_compensation(42, lambda inner, value: None),
            lambda: ctx.step_with_compensation(lambda step: 1, 42),
            lambda: saga.step(lambda step: 1, None),
            lambda: saga.add_compensation("undo"),
            lambda: saga.add_cleanup(42),
            lambda: saga.add_cleanup(lambda inner: None, name="ä"),
            lambda: ctx.step_with_compensation(lambda step: 1, lambda inner, value: None, name="ä"),
        ):
            try:
                yield call()
            except ValidationError as error:
                found.append(str(error))
        return found

    world = flavour.run(handler)
    assert len(world.value) == 7
    assert "42" in world.value[0]
    assert "the compensation, called with a context and the result" in world.value[1]
    assert "'ä'" in world.value[5]
    assert world.updates == []


# ---- the scope -----------------------------------------------------------------------------------------------


def in_saga(flavour: Flavour, ctx: Any, block: Any) -> Any:
    """``with ctx.saga() as saga: block(saga)`` in both worlds; to be yielded."""
    if flavour.is_async:

        async def carried_out() -> Any:
            async with ctx.saga() as saga:
                return await flavour(block)(saga)

        return carried_out()
    with ctx.saga() as saga:
        return flavour(block)(saga)


def test_a_block_that_fails_is_undone_and_cleaned_up(ledger: Ledger) -> None:
    def handler(event, ctx):
        sagas = []

        def block(saga):
            sagas.append(saga)
            yield ledger.do(saga, "a")
            yield ctx.wait(SECOND)
            saga.add_cleanup(ledger.flavour(clean), name="clean")
            saga.add_compensation(ledger.flavour(by_hand), name="by hand")
            yield ledger.do(saga, "b")
            raise KeyError("boom")

        try:
            yield in_saga(ledger.flavour, ctx, block)
        except KeyError as error:
            yield ctx.wait(SECOND)
            (saga,) = sagas
            return [str(error), [item.name for item in saga.result], [item.name for item in saga.cleanup_result]]

    def clean(inner):
        yield inner.step(ledger.flavour(lambda step: ledger.world.effect("clean")), name="cleaning")

    def by_hand(inner):
        yield inner.step(ledger.flavour(lambda step: ledger.world.effect("by hand")), name="by hand step")

    world = play(ledger, handler)
    assert world.value == ["'boom'", ["b", "by hand", "a"], ["clean"]]
    assert world.effects == ["do a", "do b", "undo b", "by hand", "undo a", "clean"]
    kinds = [(view.get("Name"), view["SubType"]) for view in world.operations.values() if view["Type"] == "CONTEXT"]
    assert sorted(kinds, key=str) == [
        ("a", "Compensation"),
        ("b", "Compensation"),
        ("by hand", "Compensation"),
        ("clean", "Cleanup"),
    ]


def test_a_block_that_succeeds_is_only_cleaned_up(ledger: Ledger) -> None:
    def handler(event, ctx):
        def block(saga):
            sagas.append(saga)
            saga.add_cleanup(ledger.flavour(clean), name="first")
            saga.add_cleanup(ledger.flavour(clean), name="second")
            yield ledger.do(saga, "a")
            yield ctx.wait(SECOND)
            return "fine"

        value = yield in_saga(ledger.flavour, ctx, block)
        return [value, sagas[-1].result, [item.name for item in sagas[-1].cleanup_result]]

    def clean(inner):
        yield inner.step(ledger.flavour(lambda step: ledger.world.effect("clean")))

    sagas: list[Any] = []
    world = play(ledger, handler)
    assert world.value == ["fine", None, ["second", "first"]]
    assert world.effects == ["do a", "clean", "clean"]


def test_a_suspension_is_not_a_failure(ledger: Ledger) -> None:
    """Whichever operation of the block waits."""

    def handler(event, ctx):
        def child(inner):
            yield inner.wait(SECOND)
            return "child"

        def block(saga):
            yield ledger.do(saga, "a")
            yield ctx.wait(SECOND)
            yield ctx.run_in_child_context(ledger.flavour(child))
            yield ctx.wait_for_callback(ledger.flavour(lambda callback_id, context: None), name="approval")
            yield ctx.map([1, 2], ledger.flavour(lambda inner, item, *rest: inner.wait(SECOND)))
            return "done"

        return (yield in_saga(ledger.flavour, ctx, block))

    world = play(ledger, handler, callbacks={"approval create callback id": Answer("ok")})
    assert world.value == "done"
    assert world.invocations > 3
    assert compensations(world) == []
    assert world.effects == ["do a"]


def test_the_same_inside_map_branches_and_started_flows(ledger: Ledger) -> None:
    def handler(event, ctx):
        def flow(inner, name, fails):
            def block(saga):
                yield ledger.do(saga, name)
                yield inner.wait(SECOND)
                yield inner.wait(SECOND)
                if fails:
                    raise KeyError(name)
                return name

            return (yield in_saga(ledger.flavour, inner, block))

        def branch(inner, item, *rest):
            return (yield from flow(inner, f"m{item}", item == 2))

        def started(inner):
            return (yield from flow(inner, "s", True))

        future = ctx.start(ctx.run_in_child_context, ledger.flavour(started))
        mapped = yield ctx.map([1, 2, 3], ledger.flavour(branch), config=ALL)
        try:
            yield future.result()
        except ChildContextError as error:
            return [[item.status.value for item in mapped], error.error_type]

    world = play(ledger, handler)
    assert world.value == [["SUCCEEDED", "FAILED", "SUCCEEDED"], "KeyError"]
    assert sorted(world.effects) == ["do m1", "do m2", "do m3", "do s", "undo m2", "undo s"]


def test_failures_of_the_undoing_are_noted_on_the_error(ledger: Ledger) -> None:
    def handler(event, ctx):
        def block(saga):
            saga.add_cleanup(ledger.flavour(broken), name="broom")
            yield ledger.do(saga, "a", undo_fails=True)
            raise KeyError("boom")

        try:
            yield in_saga(ledger.flavour, ctx, block)
        except KeyError as error:
            return error.__notes__

    def broken(inner):
        raise OSError("no broom")
        yield

    assert play(ledger, handler).value == [
        "the compensation a failed as well: LookupError: cannot undo a",
        "the clean-up broom failed as well: OSError: no broom",
    ]


def test_an_error_that_takes_no_notes_goes_on_as_it_is(ledger: Ledger) -> None:
    @dataclass(frozen=True)
    class Frozen(Exception):
        place: str

    def handler(event, ctx):
        def block(saga):
            yield ledger.do(saga, "a", undo_fails=True)
            raise Frozen("here")

        try:
            yield in_saga(ledger.flavour, ctx, block)
        except Frozen as error:
            return error.place

    world = play(ledger, handler)
    assert world.value == "here"
    assert world.effects == ["do a", "undo a"]


def test_compensations_that_suspend_in_a_scope(ledger: Ledger) -> None:
    def waiting(ctx):
        yield ctx.wait(SECOND)

    def handler(event, ctx):
        def block(saga):
            yield ledger.do(saga, "a", inside=waiting)
            yield ledger.do(saga, "b", inside=waiting)
            raise KeyError("boom")

        try:
            yield in_saga(ledger.flavour, ctx, block)
        except KeyError:
            return "undone"

    world = play(ledger, handler)
    assert world.value == "undone"
    assert world.effects == ["do a", "do b", "undo b", "undo a"]


def test_an_escaping_error_fails_the_execution_after_the_undoing(ledger: Ledger) -> None:
    def handler(event, ctx):
        def block(saga):
            yield ledger.do(saga, "a")
            raise KeyError("boom")

        yield in_saga(ledger.flavour, ctx, block)

    world = play(ledger, handler)
    assert world.error["errorType"] == "KeyError"
    assert world.effects == ["do a", "undo a"]


def test_sagas_inside_sagas(ledger: Ledger) -> None:
    def handler(event, ctx):
        def inner_block(saga):
            yield ledger.do(saga, "inner")
            raise KeyError("boom")

        def block(saga):
            yield ledger.do(saga, "outer")
            yield in_saga(ledger.flavour, ctx, inner_block)

        try:
            yield in_saga(ledger.flavour, ctx, block)
        except KeyError:
            return "undone"

    world = play(ledger, handler)
    assert world.value == "undone"
    assert world.effects == ["do outer", "do inner", "undo inner", "undo outer"]


def test_a_timeout_of_the_programs_own_undoes_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def hangs(step: Any) -> None:
            await asyncio.sleep(3600)

        async def undo(inner: AsyncDurableContext, value: str) -> None:
            await inner.step(lambda step: world.effect(f"undo {value}"), name="undo")

        try:
            async with asyncio.timeout(0.05):
                async with ctx.saga() as saga:
                    await saga.step(lambda step: "a", undo, name="a")
                    await ctx.step(hangs, name="hangs")
        except TimeoutError:
            return "in time"

    world = World(handler)
    world.run()
    assert world.value == "in time"
    assert world.effects == ["undo a"]


def test_a_lost_race_undoes_nothing(ledger: Ledger) -> None:
    """The loser is given up, not failed: nothing of it is recorded any more."""

    def handler(event, ctx):
        def loser(inner):
            def block(saga):
                yield ledger.do(saga, "a")
                yield inner.wait(LONG)

            yield in_saga(ledger.flavour, inner, block)

        def winner(inner):
            yield inner.wait(SECOND)
            return "winner"

        value = yield ctx.race([ledger.flavour(loser), ledger.flavour(winner)])
        yield ctx.wait(SECOND)
        return value

    world = play(ledger, handler)
    assert world.value == "winner"
    assert world.effects == ["do a"]


def test_typed_results_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        with ctx.saga() as saga:
            first: int = saga.step(lambda step: 1, lambda inner, value: None)
            second: int = ctx.step_with_compensation(lambda step: 2, lambda inner, value: None)
        return first + second

    assert run(handler).value == 3


# ---- crashes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [Killed, OSError])
@pytest.mark.parametrize("scoped", [True, False])
def test_a_crash_at_every_boundary(flavour: Flavour, failure: type[BaseException], scoped: bool) -> None:
    def waiting(ctx):
        yield ctx.wait(SECOND)

    def once(fault_at: tuple[int, str] | None) -> World:
        ledger = Ledger(flavour)

        def handler(event, ctx):
            def block(saga):
                yield ledger.do(saga, "a", inside=waiting)
                yield ctx.wait(SECOND)
                yield ledger.do(saga, "b", undo_fails=True)
                yield ledger.do(saga, "c")
                raise KeyError("boom")

            if scoped:
                try:
                    yield in_saga(flavour, ctx, block)
                except KeyError as error:
                    return error.__notes__
            try:
                yield from block(ctx)
            except KeyError:
                result = yield ctx.run_compensations()
                return [[item.name, str(item.error)] for item in result]

        world = ledger.world = flavour.world(handler)

        def fault(when: str) -> Any:
            return lambda call: failure() if fault_at == (len(world.link.calls) - 1, when) else None

        world.link.before, world.link.after = fault("before"), fault("after")
        world.run()
        return world

    calm = once(None)
    assert calm.status == "SUCCEEDED"
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = once((number, when))
            assert world.outcome.value == calm.value, (number, when)
            assert set(world.effects) == set(calm.effects)
            assert len(world.effects) - len(calm.effects) <= 1, "only what was under way is repeated"
            assert identities(world) == identities(calm)


def test_a_compensation_whose_step_cannot_be_recorded_does_not_stop_the_others(flavour: Flavour) -> None:
    """A SerDesError reaches the code around a context as itself, not as a ChildContextError."""

    def handler(event, ctx):
        def bad(inner, value):
            yield inner.step(flavour(lambda step: object()), name="unwritable")

        def good(inner, value):
            yield inner.step(flavour(lambda step: world.effect("undone")), name="undo")

        yield ctx.step_with_compensation(flavour(lambda step: 1), flavour(good), name="first")
        yield ctx.step_with_compensation(flavour(lambda step: 2), flavour(bad), name="second")
        outcome = yield ctx.run_compensations()
        yield ctx.wait(SECOND)
        return [(item.name, item.error.type if item.error else None) for item in outcome]

    world = flavour.world(handler)
    world.run()
    assert world.value == [["second", "durably.SerDesError"], ["first", None]]
    assert world.effects == ["undone"]
    assert world.invocations == 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["step", "add_compensation", "add_cleanup"])
def test_what_nothing_would_undo_is_refused(flavour: Flavour, what: str, when: str) -> None:
    def handler(event, ctx):
        saga = ctx.saga()
        if when == "after":
            if flavour.is_async:
                yield saga.__aenter__()
                yield saga.__aexit__(None, None, None)
            else:
                with saga:
                    pass
        try:
            if what == "step":
                yield saga.step(flavour(lambda step: world.effect("ran")), flavour(lambda ctx, value: None), name="a")
            else:
                getattr(saga, what)(flavour(lambda ctx: None), name="a")
        except ContextMisuseError as error:
            return str(error)

    world = flavour.world(handler)
    world.run()
    then = {"before": "before its block has begun", "after": "after its block has ended"}[when]
    assert f"{what}() of a saga was called {then}" in world.value
    assert "with ctx.saga() as saga" in world.value
    assert not world.effects
    assert not world.operations


def test_a_saga_is_one_block(flavour: Flavour) -> None:
    """What the first block registered is none of the second's."""

    def handler(event, ctx):
        saga = ctx.saga()

        def block(entered):
            entered.add_compensation(flavour(lambda ctx: None), name="undo")
            yield ctx.step(flavour(lambda step: 1), name="a")

        def enter(block):
            if flavour.is_async:
                return _entered(saga, block)
            with saga:
                for _ in block(saga):
                    pass

        yield enter(block)
        try:
            yield enter(block)
        except ContextMisuseError as error:
            return str(error)

    async def _entered(saga, block):
        async with saga:
            for waited in block(saga):
                await waited

    world = flavour.run(handler)
    assert "a saga is one block" in world.value
    assert len(world.operations) == 1


def test_a_compensation_may_still_add_clean_up(flavour: Flavour) -> None:
    def handler(event, ctx):
        def block(saga):
            def undo(inner):
                saga.add_cleanup(flavour(lambda ctx: world.effect("cleaned")), name="clean")

            saga.add_compensation(flavour(undo), name="undo")
            yield ctx.step(flavour(lambda step: 1), name="a")
            raise KeyError("boom")

        try:
            yield in_saga(flavour, ctx, block)
        except KeyError:
            return "undone"

    world = flavour.world(handler)
    world.run()
    assert world.value == "undone"
    assert world.effects == ["cleaned"]
