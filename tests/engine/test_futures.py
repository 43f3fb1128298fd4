"""ctx.start(): operations that run side by side in one flow, and what their futures answer."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CallbackConfig,
    ContextMisuseError,
    DurableContext,
    Duration,
    InvalidStateError,
    RetryDecision,
    StepConfig,
    StepError,
    ValidationError,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WithRetryConfig,
)
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)
LONG = Duration.from_days(3)


def seconds(n: int) -> Duration:
    return Duration.from_seconds(n)


# ---- side by side ----------------------------------------------------------------------------------------


def test_steps_run_side_by_side_sync() -> None:
    """Each waits for the other: one after the other they would never end."""
    met = threading.Barrier(2, timeout=60)

    def handler(event: Any, ctx: DurableContext) -> Any:
        a = ctx.start(ctx.step, lambda step: met.wait() >= 0, name="a")
        b = ctx.start(ctx.step, lambda step: met.wait() >= 0, name="b")
        return [a.result(), b.result()]

    assert run(handler).value == [True, True]


def test_steps_run_side_by_side_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        here, there = asyncio.Event(), asyncio.Event()

        async def first(step: Any) -> str:
            here.set()
            await there.wait()
            return "first"

        async def second(step: Any) -> str:
            await here.wait()
            there.set()
            return "second"

        a = ctx.start(ctx.step, first)
        b = ctx.start(ctx.step, second)
        return [await a, await b]

    assert run(handler).value == ["first", "second"]


def test_the_flow_goes_on_beside_what_it_has_started_sync() -> None:
    release = threading.Event()

    def handler(event: Any, ctx: DurableContext) -> Any:
        slow = ctx.start(ctx.step, lambda step: release.wait(60), name="slow")
        between = ctx.step(lambda step: "between")
        release.set()
        return [between, slow.result()]

    assert run(handler).value == ["between", True]


def test_a_wait_of_the_flow_does_not_cut_off_a_step_that_it_has_started_sync() -> None:
    """The invocation is not suspended while the step runs, so the step runs once."""
    ready = threading.Event()

    def handler(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> str:
            world.effect("body")
            assert ready.wait(60)
            return "done"

        slow = ctx.start(ctx.step, body, name="slow")
        ctx.wait(SECOND, name="pause")
        return slow.result()

    world = World(handler)
    world.link.after = lambda call: ready.set() if ("WAIT", "START", "pause") in call.actions else None  # type: ignore[func-returns-value]
    world.run()
    assert world.value == "done"
    assert world.effects == ["body"]
    assert world.named("slow")["Status"] == "SUCCEEDED"


def test_nor_does_a_wait_inside_a_map_branch_or_a_child_sync() -> None:
    ready = threading.Event()

    def flow(inner: DurableContext, name: str) -> Any:
        def body(step: Any) -> str:
            world.effect(name)
            assert ready.wait(60)
            return name

        slow = inner.start(inner.step, body, name=name)
        inner.wait(SECOND, name="pause")
        return slow.result()

    def handler(event: Any, ctx: DurableContext) -> Any:
        child = ctx.run_in_child_context(lambda inner: flow(inner, "child"))
        return [child, ctx.map(["m"], lambda inner, item: flow(inner, item)).get_results()]

    world = World(handler)
    world.link.after = lambda call: ready.set() if ("WAIT", "START", "pause") in call.actions else None  # type: ignore[func-returns-value]
    world.run()
    assert world.value == ["child", ["m"]]
    assert world.effects == ["child", "m"]


def test_a_map_beside_a_started_step_sync() -> None:
    """A map whose branches all wait does not suspend the invocation either."""
    ready = threading.Event()

    def handler(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> str:
            world.effect("body")
            assert ready.wait(60)
            return "done"

        slow = ctx.start(ctx.step, body, name="slow")
        ctx.map([1, 2], lambda inner, item: inner.wait(SECOND, name=f"pause {item}"))
        return slow.result()

    def answered(call: Any) -> None:
        paused.update(name for _, _, name in call.actions if name and name.startswith("pause"))
        if len(paused) == 2:
            ready.set()

    paused: set[str] = set()
    world = World(handler)
    world.link.after = answered
    world.run()
    assert world.value == "done"
    assert world.effects == ["body"]


# ---- results ---------------------------------------------------------------------------------------------


def mixed(story: Any) -> Any:
    """Every kind of operation, started at once, asked for in another order."""
    flavour: Flavour = story

    def handler(event, ctx):
        def inside(inner):
            yield inner.wait(seconds(2))
            return (yield inner.step(flavour(lambda step: "in"), name="in"))

        def block(inner, attempt):
            yield inner.step(flavour(lambda step: attempt), name=f"attempt {attempt}")
            if attempt < 2:
                raise ValueError("again")
            return attempt

        def check(state, context):
            return state + 1

        until_two = WaitForConditionConfig(
            lambda state, n: (
                WaitForConditionDecision.continue_waiting(SECOND)
                if state < 2
                else WaitForConditionDecision.stop_polling()
            ),
            0,
        )
        again = WithRetryConfig(retry_strategy=lambda error, n: RetryDecision(True, SECOND))
        futures = [
            ctx.start(ctx.step, flavour(lambda step: "step"), name="step"),
            ctx.start(ctx.wait, seconds(5), name="wait"),
            ctx.start(ctx.run_in_child_context, flavour(inside), name="child"),
            ctx.start(ctx.wait_for_callback, flavour(lambda callback_id, context: None), name="approval"),
            ctx.start(ctx.invoke, "double", 4, name="invoke"),
            ctx.start(ctx.map, [1, 2], flavour(lambda inner, item, *rest: item * 10), name="map"),
            ctx.start(ctx.parallel, [flavour(lambda inner: "p")], name="parallel"),
            ctx.start(ctx.with_retry, flavour(block), name="block", config=again),
            ctx.start(ctx.wait_for_condition, flavour(check), until_two, name="condition"),
        ]
        found = []
        for future in reversed(futures):
            value = yield future.result()
            found.append(value.get_results() if hasattr(value, "get_results") else value)
        after = yield ctx.step(flavour(lambda step: "after"), name="after")
        return [*reversed(found), after]

    return handler


MIXED = ["step", None, "in", "approved", {"doubled": 8}, [10, 20], ["p"], 2, 2, "after"]
OUTSIDE: dict[str, Any] = {
    "callbacks": {"approval create callback id": Answer("approved")},
    "functions": {"double": lambda payload: {"doubled": payload * 2}},
}


def test_every_kind_of_operation_in_any_order(flavour: Flavour) -> None:
    world = flavour.run(mixed(flavour), **OUTSIDE)
    assert world.value == MIXED
    numbers = {operation_id(None, n): n for n in range(1, 11)}
    names = {numbers[op_id]: view["Name"] for op_id, view in world.operations.items() if op_id in numbers}
    expected = ["step", "wait", "child", "approval", "invoke", "map", "parallel", "block", "condition", "after"]
    assert names == dict(enumerate(expected, 1))


def test_both_worlds_record_the_same_operations() -> None:
    worlds = [Flavour(name).run(mixed(Flavour(name)), **OUTSIDE) for name in ("sync", "async")]
    assert identities(worlds[0]) == identities(worlds[1])


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_ids_do_not_depend_on_which_ends_first(flavour: Flavour, order: list[int]) -> None:
    def handler(event, ctx):
        def flow(n):
            def inside(inner):
                yield inner.wait(seconds(order.index(n) + 1))
                return (yield inner.step(flavour(lambda step: n), name=f"in {n}"))

            return flavour(inside)

        futures = [ctx.start(ctx.run_in_child_context, flow(n), name=f"flow {n}") for n in range(3)]
        found = []
        for future in futures:
            found.append((yield future.result()))
        return found

    world = flavour.run(handler)
    assert world.value == [0, 1, 2]
    for n in range(3):
        flow = operation_id(None, n + 1)
        assert world.named(f"flow {n}")["Id"] == flow
        assert world.named(f"in {n}")["Id"] == operation_id(flow, 2)


def test_a_started_operation_has_its_place_among_the_others(flavour: Flavour) -> None:
    def handler(event, ctx):
        first = ctx.start(ctx.step, flavour(lambda step: 1), name="first")
        yield ctx.step(flavour(lambda step: 2), name="second")
        return (yield first.result())

    world = flavour.run(handler)
    assert [world.named(name)["Id"] for name in ("first", "second")] == [operation_id(None, n) for n in (1, 2)]


def test_a_result_can_be_taken_twice(flavour: Flavour) -> None:
    def handler(event, ctx):
        good = ctx.start(ctx.step, flavour(lambda step: [1]), name="good")
        bad = ctx.start(
            ctx.step, flavour(lambda step: 1 / 0), name="bad", config=StepConfig(lambda e, n: RetryDecision.no_retry())
        )
        found = [(yield good.result()), (yield good.result()), good.done()]
        for _ in range(2):
            try:
                yield bad.result()
            except StepError as error:
                found.append(error.error_type)
        return found

    assert flavour.run(handler).value == [[1], [1], True, "ZeroDivisionError", "ZeroDivisionError"]


def test_a_future_is_awaited_as_it_is_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        a = ctx.start(ctx.step, lambda step: 1)
        b = ctx.start(ctx.step, lambda step: 2)
        together = await asyncio.gather(a, b)
        return [await a, *together, repr(a)]

    assert run(handler).value == [1, 1, 2, "<AsyncDurableFuture of step>"]


def test_a_future_knows_its_operation(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.step, flavour(lambda step: None), name="charge")
        yield future.result()
        return [future.operation_id, repr(future)]

    op_id, shown = flavour.run(handler).value
    assert op_id == operation_id(None, 1)
    assert shown.endswith("of step charge>")


# ---- failure, suspension, replay -----------------------------------------------------------------------------


def test_a_failure_is_raised_where_the_result_is_taken(flavour: Flavour) -> None:
    def handler(event, ctx):
        def broken(inner):
            yield inner.wait(SECOND)
            raise LookupError("gone")

        future = ctx.start(ctx.run_in_child_context, flavour(broken), name="child")
        after = yield ctx.step(flavour(lambda step: "goes on"))
        try:
            yield future.result()
        except Exception as error:
            return [after, type(error).__name__, str(error), type(error.__cause__).__name__]

    value = flavour.run(handler).value
    assert value[:3] == ["goes on", "ChildContextError", "gone"]


def test_a_retried_step_waits_beside_the_others(flavour: Flavour) -> None:
    def handler(event, ctx):
        def flaky(step):
            world.effect(("flaky", step.attempt))
            if step.attempt < 3:
                raise OSError("away")
            return step.attempt

        again = StepConfig(lambda error, n: RetryDecision(True, seconds(3)))
        future = ctx.start(ctx.step, flavour(flaky), name="flaky", config=again)
        for n in range(3):
            yield ctx.step(flavour(lambda step: world.effect("beside")), name=f"beside {n}")
            yield ctx.wait(SECOND)
        return (yield future.result())

    world = flavour.world(handler)
    world.run()
    assert world.value == 3
    assert [one for one in world.effects if one != "beside"] == [("flaky", n) for n in (1, 2, 3)]
    assert world.effects.count("beside") == 3


def test_nothing_recorded_is_repeated_on_replay(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(n):
            return flavour(lambda step: world.effect(n) or n)

        futures = [ctx.start(ctx.step, body(n), name=f"s{n}") for n in range(5)]
        pauses = [ctx.start(ctx.wait, seconds(n + 1), name=f"w{n}") for n in range(5)]
        for pause in pauses:
            yield pause.result()
        found = []
        for future in futures:
            found.append((yield future.result()))
        return found

    world = flavour.world(handler)
    world.run()
    assert world.value == list(range(5))
    assert sorted(world.effects) == list(range(5))
    assert world.invocations == 6


def test_inside_children_and_map_branches(flavour: Flavour) -> None:
    def handler(event, ctx):
        def both(inner, item, *rest):
            a = inner.start(inner.wait, seconds(item), name=f"a{item}")
            b = inner.start(inner.step, flavour(lambda step: world.effect(item) or item), name=f"b{item}")
            yield a.result()
            return (yield b.result())

        mapped = yield ctx.map([1, 2, 3], flavour(both))
        child = yield ctx.run_in_child_context(flavour(four))
        return [mapped.get_results(), child]

    def four(inner):
        a = inner.start(inner.step, flavour(lambda step: 4), name="four")
        yield inner.wait(SECOND)
        return (yield a.result())

    world = flavour.world(handler)
    world.run()
    assert world.value == [[1, 2, 3], 4]
    assert sorted(world.effects) == [1, 2, 3]


def test_a_started_flow_starts_others(flavour: Flavour) -> None:
    def handler(event, ctx):
        def outer(inner):
            def innermost(deep):
                yield deep.wait(SECOND)
                return "deep"

            future = inner.start(inner.run_in_child_context, flavour(innermost), name="deep")
            yield inner.wait(seconds(2))
            return (yield future.result())

        future = ctx.start(ctx.run_in_child_context, flavour(outer), name="outer")
        yield ctx.wait(seconds(5))
        return (yield future.result())

    assert flavour.run(handler).value == "deep"


def test_what_nobody_has_asked_for_is_given_up_when_the_handler_returns(flavour: Flavour) -> None:
    def handler(event, ctx):
        ctx.start(ctx.wait, LONG, name="never")
        future = ctx.start(ctx.run_in_child_context, flavour(waits_long), name="flow")
        yield ctx.step(flavour(lambda step: None))
        return future.done()

    def waits_long(inner):
        yield inner.wait(LONG)
        world.effect("too late")

    world = flavour.world(handler)
    world.run()
    assert world.value is False
    assert world.effects == []


def test_what_nobody_has_asked_for_is_given_up_when_a_child_returns(flavour: Flavour) -> None:
    """The flow around it is not held up."""

    def handler(event, ctx):
        kept = []

        def child(inner):
            kept.append(inner.start(inner.wait, LONG, name="never"))
            return (yield inner.step(flavour(lambda step: "child")))

        value = yield ctx.run_in_child_context(flavour(child))
        try:
            yield kept[-1].result()
        except InvalidStateError as error:
            return [value, str(error)]

    value, message = flavour.run(handler).value
    assert value == "child"
    assert "wait never> was given up when the function that started it returned" in message


def test_a_running_step_of_a_finished_child_does_not_hold_up_the_flow_sync() -> None:
    release = threading.Event()

    def handler(event: Any, ctx: DurableContext) -> Any:
        def child(inner: DurableContext) -> str:
            inner.start(inner.step, lambda step: release.wait(60), name="left over")
            return "child"

        value = ctx.run_in_child_context(child)
        ctx.wait(SECOND)  # suspends: nothing that counts is running
        return value

    world = World(handler)
    world.run()
    release.set()
    assert world.value == "child"
    assert all(view.get("Name") != "left over" or view["Status"] == "STARTED" for view in world.operations.values())


@pytest.mark.parametrize("failure", [Killed, OSError])
def test_a_crash_at_every_boundary(flavour: Flavour, failure: type[BaseException]) -> None:
    def play(fault_at: tuple[int, str] | None) -> World:
        def handler(event, ctx):
            def body(name):
                def run_body(step):
                    recorded = [v["Status"] for v in world.operations.values() if v.get("Name") == name]
                    assert recorded in ([], ["STARTED"]), "a recorded step runs again"
                    world.effect(name)
                    return name

                return flavour(run_body)

            def flow(inner):
                yield inner.step(body("in 1"), name="in 1")
                yield inner.wait(seconds(2))
                return (yield inner.step(body("in 2"), name="in 2"))

            a = ctx.start(ctx.step, body("a"), name="a")
            b = ctx.start(ctx.run_in_child_context, flavour(flow), name="b")
            c = ctx.start(ctx.wait, SECOND, name="c")
            between = yield ctx.step(body("between"), name="between")
            yield c.result()
            return [between, (yield b.result()), (yield a.result()), (yield ctx.step(body("end"), name="end"))]

        world = flavour.world(handler)

        def fault(when: str) -> Any:
            return lambda call: failure() if fault_at == (len(world.link.calls) - 1, when) else None

        world.link.before, world.link.after = fault("before"), fault("after")
        world.run()
        return world

    calm = play(None)
    assert calm.value == ["between", "in 2", "a", "end"]
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play((number, when))
            assert world.value == calm.value
            assert set(world.effects) == set(calm.effects)
            assert identities(world) == identities(calm)


# ---- misuse -------------------------------------------------------------------------------------------------


def test_start_takes_an_operation_of_this_context(flavour: Flavour) -> None:
    def handler(event, ctx):
        messages = []

        def attempt(*args, **kwargs):
            try:
                ctx.start(*args, **kwargs)
            except ValidationError as error:
                messages.append(str(error))

        def child(inner):
            attempt(inner.step, lambda step: 1)
            return None
            yield

        attempt(lambda: 1)
        attempt(ctx.saga)
        attempt(ctx.start, ctx.step)
        attempt("step")
        if flavour.is_async:
            attempt(ctx.step(lambda step: 1))
        yield ctx.run_in_child_context(flavour(child), name="inner")
        return messages

    messages = flavour.run(handler).value
    assert len(messages) == (6 if flavour.is_async else 5)
    assert all("ctx.start(ctx.step, charge(order))" in message for message in messages)
    assert "belongs to the context of RunInChildContext 'inner', not to the handler's context" in messages[-1]


def test_the_outer_context_cannot_start_inside_a_child(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            try:
                ctx.start(ctx.step, lambda step: 1)
            except ContextMisuseError as error:
                return str(error)
            yield

        return (yield ctx.run_in_child_context(flavour(child), name="inner"))

    assert "has a context of its own" in flavour.run(handler).value


def test_bad_arguments_are_told_where_the_result_is_taken(flavour: Flavour) -> None:
    def handler(event, ctx):
        found = []
        for make in (
            lambda: ctx.start(ctx.wait, seconds(0)),
            lambda: ctx.start(ctx.step, 42),
            lambda: ctx.start(ctx.step, lambda step: 1, name="ä"),
            lambda: ctx.start(ctx.invoke, "no such name!", 1),
        ):
            try:
                yield make().result()
            except ValidationError as error:
                found.append(str(error))
        return found

    found = flavour.run(handler).value
    assert len(found) == 4
    assert "1 second to" in found[0]
    assert "42" in found[1]
    assert "'ä'" in found[2]
    assert "'no such name!'" in found[3]


def test_a_future_inside_a_step(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.step, flavour(lambda step: 1), name="a")
        yield future.result()

        def body(step):
            try:
                future.cancel() if flavour.is_async else future.result()
            except ContextMisuseError as error:
                return str(error)
            return "allowed"

        async def abody(step):
            try:
                await future
            except ContextMisuseError as error:
                return str(error)

        return (yield ctx.step(abody if flavour.is_async else body, name="b"))

    assert "inside step 'b'" in flavour.run(handler).value.lower()


def test_a_future_in_another_thread_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        future = ctx.start(ctx.step, lambda step: 1)

        def foreign(call: Any) -> None:
            try:
                call()
            except ContextMisuseError as error:
                said.append(str(error))

        for call in (future.result, future.cancel):
            thread = threading.Thread(target=foreign, args=(call,))
            thread.start()
            thread.join()
        return future.result()

    said: list[str] = []
    assert run(handler).value == 1
    assert len(said) == 2
    assert all("thread" in message for message in said)


def test_a_future_after_its_invocation(flavour: Flavour) -> None:
    kept: list[Any] = []

    def handler(event, ctx):
        kept.append(ctx.start(ctx.step, flavour(lambda step: 1), name="a"))
        yield kept[-1].result()
        yield ctx.wait(SECOND)
        try:
            yield kept[0].result()
        except ContextMisuseError as error:
            return str(error)
        return "never"

    assert "another invocation" in flavour.run(handler).value


def test_a_future_in_a_flow_beside_it_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        first = ctx.start(ctx.wait, SECOND, name="first")

        def beside(inner: DurableContext) -> str:
            try:
                first.result()
            except ContextMisuseError as error:
                return str(error)
            return "allowed"

        return ctx.start(ctx.run_in_child_context, beside).result()

    message = run(handler).value
    assert "wait first" in message
    assert "Take its result where it was started" in message


def test_a_future_in_a_flow_beside_it_async() -> None:
    """There it is a task like others."""

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        first = ctx.start(ctx.wait, SECOND, name="first")

        async def beside(inner: AsyncDurableContext) -> str:
            await first
            return await inner.step(lambda step: "after it")

        return await ctx.start(ctx.run_in_child_context, beside)

    assert run(handler).value == "after it"


def test_a_future_inside_a_child_of_its_flow(flavour: Flavour) -> None:
    def handler(event, ctx):
        first = ctx.start(ctx.wait, SECOND, name="first")

        def child(inner):
            yield first.result()
            return (yield inner.step(flavour(lambda step: "after it")))

        return (yield ctx.run_in_child_context(flavour(child)))

    assert flavour.run(handler).value == "after it"


def test_one_call_of_start_is_one_operation(flavour: Flavour) -> None:
    """with_retry without a context of its own is several."""

    def handler(event, ctx):
        def block(inner, attempt):
            yield inner.step(flavour(lambda step: 1))
            yield inner.step(flavour(lambda step: 2))

        config = WithRetryConfig(
            retry_strategy=lambda error, n: RetryDecision.no_retry(), wrap_with_run_in_child_context=False
        )
        try:
            yield ctx.start(ctx.with_retry, flavour(block), config=config).result()
        except ContextMisuseError as error:
            return str(error)

    assert "exactly one operation" in flavour.run(handler).value


def test_a_failure_that_is_asked_for_in_a_later_invocation_is_not_reported_as_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(event, ctx):
        failing = ctx.start(ctx.step, lambda step: 1 / 0, config=StepConfig(lambda error, n: RetryDecision.no_retry()))
        result = await ctx.all_settled([failing, ctx.start(ctx.wait, SECOND)])
        with pytest.raises(StepError):
            await failing
        return len(result.failed())

    world = World(handler)
    world.run()
    assert world.value == 1
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


# ---- cancelling --------------------------------------------------------------------------------------------


def test_a_cancelled_wait_is_cancelled_at_the_service(flavour: Flavour) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        yield ctx.wait(SECOND)
        found = [pause.cancel(), pause.cancel()]
        try:
            yield pause.result()
        except InvalidStateError as error:
            found.append(str(error))
        yield ctx.wait(SECOND)  # the same is found on replay
        return found

    world = flavour.world(handler)
    world.run()
    cancelled, again, message = world.value
    assert (cancelled, again) == (True, False)
    assert message.endswith("of wait pause> was cancelled")
    assert world.named("pause")["Status"] == "CANCELLED"
    assert sum(update["Action"] == "CANCEL" for update in world.updates) == 1
    assert world.clock.now_ms() - world.start_ms < 10_000


def test_a_wait_cancelled_before_its_start_is_known_sync() -> None:
    """The start may be on its way; the service forgets the wait all the same."""

    def handler(event: Any, ctx: DurableContext) -> Any:
        pause = ctx.start(ctx.wait, LONG, name="pause")
        cancelled = pause.cancel()
        ctx.wait(SECOND)
        return cancelled

    world = run(handler)
    assert world.value is True
    assert [v["Status"] for v in world.operations.values() if v.get("Name") == "pause"] in ([], ["CANCELLED"])


def test_a_cancelled_flow_runs_in_no_later_invocation(flavour: Flavour) -> None:
    def handler(event, ctx):
        def flow(inner):
            yield inner.wait(SECOND, name="in wait")
            yield inner.step(flavour(lambda step: world.effect("flow")), name="in step")

        future = ctx.start(ctx.run_in_child_context, flavour(flow), name="flow")
        yield ctx.step(flavour(lambda step: None), name="beside")
        cancelled = future.cancel()
        yield ctx.wait(seconds(10))  # the flow's wait is over by now
        try:
            yield future.result()
        except InvalidStateError:
            return [cancelled, future.done(), future.cancel()]

    world = flavour.world(handler)
    world.run()
    assert world.value == [True, True, False]
    assert world.effects == []
    assert all(view.get("Name") != "in step" for view in world.operations.values())


def test_what_has_ended_cannot_be_cancelled(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.step, flavour(lambda step: "kept"))
        yield future.result()
        yield ctx.wait(SECOND)
        return [future.cancel(), (yield future.result())]

    assert flavour.run(handler).value == [False, "kept"]


def test_cancelling_takes_no_id(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.run_in_child_context, flavour(waits), name="flow")
        future.cancel()
        yield ctx.step(flavour(lambda step: None), name="after")

    def waits(inner):
        yield inner.wait(LONG)

    assert flavour.run(handler).named("after")["Id"] == operation_id(None, 2)


def test_a_run_that_does_not_cancel_what_the_last_one_did_sync() -> None:
    runs: list[int] = []

    def handler(event: Any, ctx: DurableContext) -> Any:
        runs.append(1)
        future = ctx.start(ctx.run_in_child_context, lambda inner: inner.wait(LONG), name="flow")
        if len(runs) == 1:
            future.cancel()
        ctx.wait(SECOND)
        return future.result() if len(runs) > 1 else None

    world = run(handler)
    assert world.error["errorType"].endswith("NonDeterministicExecutionError")
    assert "an earlier run cancelled" in world.error["errorMessage"]


# ---- cancel_wait -----------------------------------------------------------------------------------------------


def test_cancel_wait_ends_a_wait_at_once(flavour: Flavour) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        yield ctx.step(flavour(lambda step: None))
        found = [(yield ctx.cancel_wait(pause)), (yield pause.result()), (yield ctx.cancel_wait(pause.operation_id))]
        yield ctx.wait(SECOND)
        return found

    world = flavour.world(handler)
    world.run()
    assert world.value == [True, None, True]
    assert world.named("pause")["Status"] == "CANCELLED"
    assert sum(update["Action"] == "CANCEL" for update in world.updates) == 1


def test_a_cancel_is_acknowledged_before_the_program_goes_on(flavour: Flavour) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        yield ctx.step(flavour(lambda step: None))
        yield ctx.cancel_wait(pause)
        seen.append(world.named("pause")["Status"])

    seen: list[str] = []
    world = flavour.world(handler)
    world.run()
    assert seen[0] == "CANCELLED"


def test_cancel_wait_of_what_is_unknown_or_over(flavour: Flavour) -> None:
    def handler(event, ctx):
        over = ctx.start(ctx.wait, SECOND, name="over")
        yield over.result()
        return [(yield ctx.cancel_wait("no-such-id")), (yield ctx.cancel_wait(over))]

    world = flavour.run(handler)
    assert world.value == [False, False]
    assert all(update["Action"] != "CANCEL" for update in world.updates)


def test_cancel_wait_of_what_is_no_wait(flavour: Flavour) -> None:
    def handler(event, ctx):
        step = ctx.start(ctx.step, flavour(lambda step: 1), name="charge")
        yield step.result()
        messages = []
        for wrong in (step, 42, None):
            try:
                yield ctx.cancel_wait(wrong)
            except ValidationError as error:
                messages.append(str(error))
        return messages

    messages = flavour.run(handler).value
    assert "is Step 'charge'" in messages[0]
    assert "42" in messages[1]
    assert len(messages) == 3


def test_cancel_wait_takes_no_id(flavour: Flavour) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        cancelled = yield ctx.cancel_wait(pause)
        yield ctx.step(flavour(lambda step: None), name="after")
        return cancelled

    world = flavour.run(handler)
    assert world.value is True
    assert world.named("after")["Id"] == operation_id(None, 2)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_cancel(flavour: Flavour, when: str) -> None:
    def handler(event, ctx):
        pause = ctx.start(ctx.wait, LONG, name="pause")
        yield ctx.step(flavour(lambda step: world.effect("step")))
        return [(yield ctx.cancel_wait(pause)), (yield pause.result())]

    def fault(call: Any) -> BaseException | None:
        if any(action == "CANCEL" for _, action, _ in call.actions) and not struck:
            struck.append(1)
            return Killed()
        return None

    struck: list[int] = []
    world = flavour.world(handler)
    setattr(world.link, when, fault)
    world.run()
    assert struck
    assert world.value == [True, None]
    assert world.effects == ["step"]


# ---- many --------------------------------------------------------------------------------------------------------


def test_a_hundred_futures(flavour: Flavour) -> None:
    def handler(event, ctx):
        def flow(n):
            def inside(inner):
                yield inner.wait(SECOND)
                return (yield inner.step(flavour(lambda step: n)))

            return flavour(inside)

        futures = [ctx.start(ctx.run_in_child_context, flow(n), name=f"f{n}") for n in range(100)]
        peak.append(threading.active_count())
        total = 0
        for future in futures:
            total += yield future.result()
            peak.append(threading.active_count())
        return total

    peak: list[int] = []
    before = threading.active_count()
    assert flavour.run(handler).value == sum(range(100))
    assert max(peak) - before <= 70


def test_a_hundred_running_steps_share_threads_sync() -> None:
    """All that fit run at once; the others follow."""
    busy: set[int] = set()
    most: list[int] = []
    lock = threading.Lock()

    def handler(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> int:
            with lock:
                busy.add(threading.get_ident())
                most.append(len(busy))
            return 1

        futures = [ctx.start(ctx.step, body, name=f"s{n}") for n in range(100)]
        return sum(future.result() for future in futures)

    assert run(handler).value == 100
    assert max(most) <= 70, "64 at once; one that is through may not be back before the next begins"


def test_callback_config_goes_through_start(flavour: Flavour) -> None:
    def handler(event, ctx):
        future = ctx.start(ctx.create_callback, name="answered", config=CallbackConfig(timeout=LONG))
        callback = yield future.result()
        return (yield callback.result())

    assert flavour.run(handler, callbacks={"answered": Answer("yes")}).value == "yes"
