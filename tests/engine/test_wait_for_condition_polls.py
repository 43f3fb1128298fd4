"""wait_for_condition: the state's way through the records, strategies, limits, failures, interruption."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ContextMisuseError,
    DurableContext,
    Duration,
    ExecutionError,
    ExponentialWait,
    FixedWait,
    InvocationError,
    JitterStrategy,
    LinearWait,
    SerDes,
    SerDesContext,
    SerDesError,
    ValidationError,
    WaitForConditionCheckContext,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitForConditionError,
)
from durably.wire.ids import operation_id

from .harness import Call, Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)


def until(limit: int, seconds: int = 5) -> Any:
    """Poll every few seconds until the state reaches ``limit``."""
    return WaitForConditionConfig(FixedWait(lambda state: state >= limit, Duration.from_seconds(seconds)), 0)


def counting(flavour: Flavour, world: Any = None) -> Any:
    def check(state, context):
        if world is not None:
            world.effects.append((state, context.attempt))
        return state + 1

    return flavour(check)


# ---- the way of the state ----------------------------------------------------------------------------------


def test_the_state_travels_from_poll_to_poll(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.wait_for_condition(counting(flavour, world), until(3), name="ready"))

    world = flavour.world(handler)
    start = world.clock.now_ms()
    world.run()
    assert world.value == 3
    assert world.effects == [(0, 1), (1, 2), (2, 3)]
    assert world.outputs[:2] == [{"Status": "PENDING"}] * 2
    assert world.clock.now_ms() - start >= 10_000
    record = world.named("ready")
    assert (record["Type"], record["SubType"], record["Status"]) == ("STEP", "WaitForCondition", "SUCCEEDED")
    assert record["StepDetails"]["Result"] == "3"
    assert world.batches == [
        [("STEP", "START", "ready"), ("STEP", "RETRY", "ready")],
        [("STEP", "START", "ready"), ("STEP", "RETRY", "ready")],
        [("STEP", "START", "ready"), ("STEP", "SUCCEED", "ready")],
    ]
    retries = [update for update in world.updates if update["Action"] == "RETRY"]
    assert [(update["Payload"], update["StepOptions"], "Error" in update) for update in retries] == [
        ("1", {"NextAttemptDelaySeconds": 5}, False),
        ("2", {"NextAttemptDelaySeconds": 5}, False),
    ]


def test_a_condition_met_at_once_suspends_nothing(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.wait_for_condition(counting(flavour), until(1)))

    world = flavour.run(handler)
    assert world.value == 1
    assert world.invocations == 1
    assert len(world.batches) == 1


def test_a_finished_poll_does_not_run_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        found = yield ctx.wait_for_condition(counting(flavour, world), until(2))
        yield ctx.wait(SECOND)
        return found

    world = flavour.world(handler)
    world.run()
    assert world.value == 2
    assert world.effects == [(0, 1), (1, 2)]


@dataclass(frozen=True)
class Job:
    id: str
    done: bool = False
    seen: tuple[str, ...] = ()


def test_the_state_is_typed_by_the_check_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        def look(job: Job, context: WaitForConditionCheckContext) -> Job:
            assert isinstance(job, Job)
            return Job(job.id, context.attempt == 2, (*job.seen, f"look {context.attempt}"))

        config = WaitForConditionConfig(FixedWait[Job](lambda job: job.done, SECOND), Job("j1"))
        seen.append(ctx.wait_for_condition(look, config))
        ctx.wait(SECOND)

    seen: list[Job] = []
    assert run(handler).status == "SUCCEEDED"
    assert seen == [Job("j1", True, ("look 1", "look 2"))] * 2


def test_the_state_is_typed_by_the_check_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def look(job: Job, context: WaitForConditionCheckContext) -> Job:
            return Job(job.id, context.attempt == 2, (*job.seen, f"look {context.attempt}"))

        config = WaitForConditionConfig(FixedWait[Job](lambda job: job.done, SECOND), Job("j1"))
        return (await ctx.wait_for_condition(look, config)).seen

    assert run(handler).value == ["look 1", "look 2"]


def test_a_state_may_be_none(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = WaitForConditionConfig[Any](lambda state, attempts: SECOND if attempts < 3 else None, "first")
        return (yield ctx.wait_for_condition(flavour(lambda state, context: seen.append(state)), config))

    seen: list[Any] = []
    assert flavour.run(handler).value is None
    assert seen == ["first", None, None]


def test_a_serdes_writes_and_reads_the_state(flavour: Flavour) -> None:
    class Marked(SerDes[int]):
        def serialize(self, value: int, serdes_context: SerDesContext) -> str:
            assert serdes_context.operation_id == operation_id(None, 1)
            return f"<{value}>"

        def deserialize(self, data: str, serdes_context: SerDesContext) -> int:
            return int(data[1:-1])

    def handler(event, ctx):
        config = WaitForConditionConfig(FixedWait[int](lambda state: state >= 2, SECOND), 0, Marked())
        return (yield ctx.wait_for_condition(counting(flavour), config, name="c"))

    world = flavour.run(handler)
    assert world.value == 2
    assert world.named("c")["StepDetails"]["Result"] == "<2>"


def test_the_check_knows_where_it_is(flavour: Flavour) -> None:
    def handler(event, ctx):
        def check(state, context):
            return [context.name, context.operation_id, context.execution_arn == ctx.execution_arn, context.attempt]

        config = WaitForConditionConfig[Any](lambda state, attempts: None, None)
        return (yield ctx.wait_for_condition(flavour(check), config, name="c"))

    assert flavour.run(handler).value == ["c", operation_id(None, 1), True, 1]


# ---- strategies --------------------------------------------------------------------------------------------


def delays(world: World) -> list[int]:
    return [update["StepOptions"]["NextAttemptDelaySeconds"] for update in world.updates if update["Action"] == "RETRY"]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (FixedWait(lambda state: state >= 5, Duration.from_seconds(7)), [7, 7, 7, 7]),
        (
            LinearWait(
                lambda state: state >= 5,
                Duration.from_seconds(1),
                Duration.from_seconds(2),
                jitter=JitterStrategy.NONE,
            ),
            [1, 3, 5, 7],
        ),
        (
            ExponentialWait(
                lambda state: state >= 5,
                Duration.from_seconds(2),
                Duration.from_seconds(10),
                2,
                jitter=JitterStrategy.NONE,
            ),
            [2, 4, 8, 10],
        ),
        (lambda state, attempts: Duration.from_seconds(attempts) if state < 5 else None, [1, 2, 3, 4]),
        (
            lambda state, attempts: (
                WaitForConditionDecision.continue_waiting(Duration(0))
                if state < 5
                else WaitForConditionDecision.stop_polling()
            ),
            [1, 1, 1, 1],
        ),
    ],
)
def test_a_strategy_sets_the_delays(flavour: Flavour, strategy: Any, expected: list[int]) -> None:
    def handler(event, ctx):
        return (yield ctx.wait_for_condition(counting(flavour), WaitForConditionConfig(strategy, 0)))

    world = flavour.run(handler)
    assert world.value == 5
    assert delays(world) == expected


def failure(flavour: Flavour, check: Any, config: Any) -> tuple[WaitForConditionError, World]:
    """What is raised, the same in the first run and on replay."""

    def handler(event, ctx):
        with pytest.raises(WaitForConditionError) as raised:
            yield ctx.wait_for_condition(check, config, name="c")
        seen.append(raised.value)
        yield ctx.wait(SECOND)

    seen: list[WaitForConditionError] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    first, replayed = seen
    assert (str(first), first.error_type, repr(first.__cause__)) == (
        str(replayed),
        replayed.error_type,
        repr(replayed.__cause__),
    )
    assert world.named("c")["Status"] == "FAILED"
    return first, world


def test_attempts_run_out(flavour: Flavour) -> None:
    strategy = FixedWait[int](lambda state: False, SECOND, max_attempts=3)
    error, world = failure(flavour, counting(flavour), WaitForConditionConfig(strategy, 0))
    assert "the condition was not met in 3 attempts" in str(error)
    assert len(delays(world)) == 2


def test_a_check_that_fails_ends_the_polling(flavour: Flavour) -> None:
    def check(state, context):
        if context.attempt == 2:
            raise LookupError("gone")
        return state + 1

    error, world = failure(flavour, flavour(check), until(9))
    assert "gone" in str(error)
    assert error.error_type == "LookupError"
    assert error.__cause__ is not None
    assert len(delays(world)) == 1


@pytest.mark.parametrize("answer", [True, 5, "later"])
def test_a_strategy_that_answers_something_else(flavour: Flavour, answer: Any) -> None:
    error, _ = failure(flavour, counting(flavour), WaitForConditionConfig(lambda state, attempts: answer, 0))
    assert error.error_type == "durably.ValidationError"
    assert f"answered {answer!r}" in str(error)


def test_a_state_that_cannot_be_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        with pytest.raises(SerDesError, match="object"):
            yield ctx.wait_for_condition(flavour(lambda state, context: object()), until(3), name="c")

    world = flavour.run(handler)
    assert world.value is None
    assert world.named("c")["Status"] == "FAILED"


def test_a_state_too_large_to_record(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = WaitForConditionConfig[str](lambda state, attempts: SECOND, "")
        with pytest.raises(SerDesError, match=r"the state of WaitForCondition 'c' takes 6,291,4.. bytes"):
            yield ctx.wait_for_condition(flavour(lambda state, context: "x" * (6 * 1024 * 1024)), config, name="c")

    assert flavour.run(handler).status == "SUCCEEDED"


def test_a_check_may_end_the_execution(flavour: Flavour) -> None:
    def handler(event, ctx):
        def check(state, context):
            raise ExecutionError("for good")

        try:
            yield ctx.wait_for_condition(flavour(check), until(3))
        except Exception:
            return "caught"

    assert flavour.run(handler).error["errorMessage"] == "for good"


def test_a_check_may_ask_for_another_invocation(flavour: Flavour) -> None:
    def handler(event, ctx):
        def check(state, context):
            if world.invocations == 1:
                raise InvocationError("again")
            return state + 1

        return (yield ctx.wait_for_condition(flavour(check), until(1)))

    world = flavour.world(handler)
    world.run()
    assert world.value == 1
    assert isinstance(world.outputs[0], InvocationError)


# ---- the timeout -----------------------------------------------------------------------------------------


def test_a_timeout_ends_the_polling_when_the_next_poll_would_be_too_late(flavour: Flavour) -> None:
    """By the service's clock, which may be another than the engine's."""

    def handler(event, ctx):
        strategy = FixedWait[int](lambda state: state >= limit, Duration.from_seconds(10))
        config = WaitForConditionConfig(strategy, 0, timeout=Duration.from_seconds(35))
        try:
            return (yield ctx.wait_for_condition(counting(flavour), config, name="c"))
        except WaitForConditionError as error:
            return [error.error_type, str(error)]

    limit = 4  # polls at 0, 10, 20 and 30 seconds
    world = flavour.world(handler)
    world.run()
    assert world.value == 4

    limit = 5
    world = flavour.world(handler)
    world.run()
    assert world.value[0] == "TimeoutError"
    assert "the condition was not met within 35 s" in world.value[1]
    assert len(delays(world)) == 3


# ---- interruption ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_boundary_loses_no_state(flavour: Flavour, when: str) -> None:
    def play(at: int | None) -> World:
        def handler(event, ctx):
            first = yield ctx.wait_for_condition(counting(flavour, world), until(3), name="first")
            return [first, (yield ctx.wait_for_condition(counting(flavour), until(2), name="second"))]

        world = flavour.world(handler)

        def fault(call: Call) -> BaseException | None:
            return Killed() if next(n for n, one in enumerate(world.link.calls) if one is call) == at else None

        setattr(world.link, when, fault)
        world.run()
        return world

    calm = play(None)
    assert calm.value == [3, 2]
    for number in range(len(calm.link.calls)):
        world = play(number)
        assert world.value == calm.value
        assert identities(world) == identities(calm)
        assert len(world.effects) <= len(calm.effects) + 1, "only the poll under way is repeated, with its state"
        assert set(world.effects) == set(calm.effects)


def test_a_changed_name_is_noticed(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.wait_for_condition(counting(flavour), until(3), name=f"n{world.invocations}")

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"


def test_a_poll_is_due_while_a_sibling_runs() -> None:
    """It goes on in the same invocation."""

    async def handler(event, ctx):
        over = asyncio.Event()

        async def check(state, context):
            world.clock.advance(10_000)
            if context.attempt == 2:
                over.set()
            return state + 1

        async def slow(step):
            await over.wait()

        return (await asyncio.gather(ctx.wait_for_condition(check, until(2)), ctx.step(slow)))[0]

    world = World(handler, start_ms=1_700_000_000_000)
    world.link.edit = lambda call, answer: (world.clock.advance(6_000), answer)[1]
    world.run()
    assert world.value == 2
    assert world.invocations == 1


def test_a_poll_that_the_program_cancels_is_cancelled_again_on_replay() -> None:
    async def handler(event, ctx):
        async def check(state, context):
            await asyncio.Event().wait()

        try:
            async with asyncio.timeout(0.01):
                await ctx.wait_for_condition(check, until(2), name="c")
        except TimeoutError:
            seen.append("timeout")
        await ctx.wait(SECOND)
        return "end"

    seen: list[str] = []
    world = run(handler)
    assert world.value == "end"
    assert seen == ["timeout", "timeout"]
    assert world.named("c")["StepDetails"]["Error"]["ErrorType"] == "asyncio.CancelledError"


# ---- misuse ----------------------------------------------------------------------------------------------


def test_operations_are_refused_inside_the_check(flavour: Flavour) -> None:
    def handler(event, ctx):
        def check(state, context):
            with pytest.raises(ContextMisuseError, match="cannot contain operations"):
                ctx.wait(SECOND)
            return state + 1

        return (yield ctx.wait_for_condition(flavour(check), until(1)))

    assert flavour.run(handler).value == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", until(1)), "takes the check, called with the state and a context, not str"),
        ((lambda state, context: state, None), "needs a WaitForConditionConfig"),
        ((lambda state, context: state, FixedWait(lambda state: True)), "needs a WaitForConditionConfig"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_recorded(flavour: Flavour, arguments: Any, said: str) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match=said):
            yield ctx.wait_for_condition(*arguments)

    assert flavour.run(handler).updates == []
