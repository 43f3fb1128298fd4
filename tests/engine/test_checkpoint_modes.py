"""When updates are sent in the batched and the optimistic mode, and what is recorded by then."""

from __future__ import annotations

from typing import Any

import pytest

from durably import (
    CheckpointConfig,
    CheckpointMode,
    Duration,
    MapConfig,
    NestingType,
    RetryDecision,
    StepConfig,
    StepError,
    StepSemantics,
    ValidationError,
    WaitForConditionConfig,
    WaitForConditionDecision,
    durable_execution,
)

from .harness import Answer, Flavour, Killed, identities
from .modes import ModeProgram, world_of

SECOND = Duration.from_seconds(1)
BATCHED, OPTIMISTIC = CheckpointMode.BATCHED, CheckpointMode.OPTIMISTIC
MODES = list(CheckpointMode)
TWICE = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 2, Duration.from_seconds(2)))
AT_MOST_ONCE = StepConfig(TWICE.retry_strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY)


@pytest.fixture
def program(flavour: Flavour) -> ModeProgram:
    return ModeProgram(flavour)


# ---- how many calls -----------------------------------------------------------------------------------------


def test_a_thousand_batched_steps_cost_at_most_five_calls(program: ModeProgram) -> None:
    def handler(event, ctx):
        total = 0
        for n in range(1000):
            total += yield program.step(ctx, f"s{n}", n)
        return total

    world = program.run(handler, BATCHED)
    assert world.value == sum(range(1000))
    assert len(world.link.calls) <= 5
    assert [name for call in world.flushed for name in call] == [f"s{n}" for n in range(1000)]
    assert len(program.recorded()) == 1000
    assert all(update["Action"] == "SUCCEED" for update in world.updates)


def test_replaying_batched_steps_costs_no_call(program: ModeProgram) -> None:
    def handler(event, ctx):
        for n in range(600):
            yield program.step(ctx, f"s{n}")
        yield ctx.wait(SECOND)
        yield program.step(ctx, "end")

    world = program.run(handler, BATCHED)
    assert [call.invocation for call in world.link.calls] == [1, 1, 1, 2]
    assert world.flushed[-1] == ["end"]
    assert len(world.effects) == 601


def test_a_batch_is_sent_when_it_has_max_updates(program: ModeProgram) -> None:
    def handler(event, ctx):
        for n in range(25):
            yield program.step(ctx, f"s{n}")

    world = program.run(handler, CheckpointConfig(BATCHED, max_updates=10))
    assert [len(call) for call in world.flushed] == [10, 10, 5]


@pytest.mark.parametrize("letter", ["x", "é"])
def test_a_batch_is_sent_when_it_has_max_bytes(program: ModeProgram, letter: str) -> None:
    def handler(event, ctx):
        for n in range(6):
            yield program.step(ctx, f"s{n}", letter * (498 // len(letter.encode())))  # and two quotes

    world = program.run(handler, CheckpointConfig(BATCHED, max_bytes=1000))
    assert [len(call) for call in world.flushed] == [2, 2, 2]


def test_large_results_stay_within_the_limit_of_a_call(program: ModeProgram) -> None:
    def handler(event, ctx):
        found = []
        for n in range(12):
            found.append((yield program.step(ctx, f"s{n}", str(n) * 200_000)))
        yield ctx.wait(SECOND)
        return [len(text) for text in found]

    world = program.run(handler, BATCHED)
    assert world.value == [200_000 * len(str(n)) for n in range(12)]
    sizes = [sum(len(update.get("Payload") or "") for update in call.updates) for call in world.link.calls]
    assert max(sizes) <= 750 * 1024
    assert len(sizes) < 13
    assert len(world.effects) == 12


@pytest.mark.parametrize("mode", [BATCHED, OPTIMISTIC])
def test_never_more_than_max_updates_wait_to_be_recorded(program: ModeProgram, mode: CheckpointMode) -> None:
    behind: list[int] = []

    def handler(event, ctx):
        for n in range(40):
            yield program.step(ctx, f"s{n}")
            behind.append(len(program.world.effects) - len(program.recorded()))

    program.run(handler, CheckpointConfig(mode, max_updates=7))
    assert max(behind) < 7
    assert len(program.recorded()) == 40


# ---- what is recorded when ------------------------------------------------------------------------------------


def waits(program, ctx):
    yield ctx.wait(SECOND)


def gets_a_callback(program, ctx):
    callback = yield ctx.create_callback(name="answer")
    yield callback.result()


def creates_a_callback(program, ctx):
    yield ctx.create_callback(name="ignored")


def waits_for_a_callback(program, ctx):
    yield ctx.wait_for_callback(program.flavour(lambda callback_id, context: None), name="approval")


def invokes(program, ctx):
    yield ctx.invoke("other", {})


def takes_an_at_most_once_step(program, ctx):
    yield program.step(ctx, "once", config=AT_MOST_ONCE)


def fails_a_step(program, ctx):
    def body(step):
        raise ValueError

    try:
        yield ctx.step(program.flavour(body), name="hopeless", config=TWICE)
    except StepError:
        pass


def ends_a_child(program, ctx):
    def inside(inner):
        yield program.step(inner, "in")

    yield ctx.run_in_child_context(program.flavour(inside), name="child")


def fails_a_child(program, ctx):
    def inside(inner):
        yield program.step(inner, "in")
        raise KeyError("lost")

    try:
        yield ctx.run_in_child_context(program.flavour(inside), name="child")
    except Exception:
        pass


def ends_a_map(program, ctx):
    def one(inner, item, *rest):
        return (yield program.step(inner, f"in {item}"))

    yield ctx.map([1, 2, 3], program.flavour(one))


def ends_a_flat_map(program, ctx):
    def one(inner, item, *rest):
        return (yield program.step(inner, f"in {item}"))

    yield ctx.map([1, 2, 3], program.flavour(one), config=MapConfig(nesting_type=NestingType.FLAT))


def polls(program, ctx):
    config = WaitForConditionConfig(
        wait_strategy=lambda state, n: WaitForConditionDecision(n < 2, SECOND), initial_state=0
    )
    yield ctx.wait_for_condition(program.flavour(lambda state, check: state + 1), config, name="poll")


def flushes(program, ctx):
    yield ctx.flush()


BOUNDARIES = [
    waits,
    gets_a_callback,
    creates_a_callback,
    waits_for_a_callback,
    invokes,
    takes_an_at_most_once_step,
    fails_a_step,
    ends_a_child,
    fails_a_child,
    ends_a_map,
    ends_a_flat_map,
    polls,
    flushes,
]


@pytest.mark.parametrize("mode", [BATCHED, OPTIMISTIC])
@pytest.mark.parametrize("boundary", BOUNDARIES, ids=lambda one: one.__name__)
def test_everything_is_recorded_before_the_program(program: ModeProgram, boundary: Any, mode: CheckpointMode) -> None:
    """... goes on behind ``boundary``; and in the order in which it happened."""
    known: list[tuple[list[str], list[str]]] = []

    def handler(event, ctx):
        yield program.step(ctx, "a")
        yield program.step(ctx, "b")
        yield from boundary(program, ctx)
        known.append((program.recorded(), sorted(set(program.world.effects))))

    world = program.run(
        handler,
        mode,
        callbacks={"answer": Answer('"yes"'), "approval create callback id": Answer('"yes"')},
        functions={"other": lambda payload: payload},
    )
    assert world.status == "SUCCEEDED", world.outcome
    (recorded, effects), *others = known
    assert not others
    assert set(effects) <= set(recorded)
    assert len(world.effects) == len(set(world.effects))
    done = [name for call in world.flushed for name in call]
    assert done[:2] == ["a", "b"]


@pytest.mark.parametrize("mode", [BATCHED, OPTIMISTIC])
@pytest.mark.parametrize("fails", [False, True])
def test_everything_is_recorded_before_the_handler_ends(
    program: ModeProgram, mode: CheckpointMode, fails: bool
) -> None:
    def handler(event, ctx):
        for n in range(5):
            yield program.step(ctx, f"s{n}")
        if fails:
            raise LookupError("on purpose")

    world = program.run(handler, mode)
    assert world.status == ("FAILED" if fails else "SUCCEEDED")
    assert program.recorded() == [f"s{n}" for n in range(5)]
    assert world.invocations == 1


def test_a_batched_retry_travels_at_once_with_what_came_before_it(program: ModeProgram) -> None:
    def handler(event, ctx):
        def body(step):
            program.world.effect(f"flaky {step.attempt}")
            if step.attempt == 1:
                raise OSError("away")

        yield program.step(ctx, "a")
        yield ctx.step(program.flavour(body), name="flaky", config=TWICE)
        yield program.step(ctx, "b")

    world = program.run(handler, BATCHED)
    assert world.batches[0] == [("STEP", "SUCCEED", "a"), ("STEP", "RETRY", "flaky")]
    assert world.effects == ["a", "flaky 1", "flaky 2", "b"]
    assert world.named("flaky")["StepDetails"]["Attempt"] == 2


def test_a_batched_step_knows_its_attempt_after_a_crash(program: ModeProgram) -> None:
    def handler(event, ctx):
        def body(step):
            program.world.effect(step.attempt)
            if len(program.world.effects) in (1, 3):
                raise OSError("away")
            if len(program.world.effects) == 2:
                program.world.kill()

        config = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 5, SECOND))
        yield ctx.step(program.flavour(body), name="flaky", config=config)

    world = program.run(handler, BATCHED)
    assert world.effects == [1, 2, 2, 3]


# ---- crashes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("max_updates", "repeated"), [(250, [0, 1, 2, 3, 4, 5]), (2, [4, 5]), (5, [5]), (1, [5])])
def test_a_crash_repeats_what_was_not_recorded(program: ModeProgram, max_updates: int, repeated: list[int]) -> None:
    def handler(event, ctx):
        for n in range(8):

            def body(step, n=n):
                program.world.effect(n)
                if n == 5 and program.world.invocations == 1:
                    program.world.kill()

            yield ctx.step(program.flavour(body), name=f"s{n}")

    world = program.run(handler, CheckpointConfig(BATCHED, max_updates=max_updates))
    assert world.effects == [0, 1, 2, 3, 4, 5, *repeated, 6, 7]


def test_a_lost_answer_repeats_nothing_that_was_recorded(program: ModeProgram) -> None:
    def handler(event, ctx):
        for n in range(30):
            yield program.step(ctx, f"s{n}")

    program.world = world = world_of(program.flavour, handler, checkpointing=CheckpointConfig(BATCHED, max_updates=10))
    world.link.after = lambda call: Killed() if len(world.link.calls) == 2 else None
    world.run()
    assert world.effects == [f"s{n}" for n in range(30)]
    assert [len(call) for call in world.flushed] == [10, 10, 10]


@pytest.mark.parametrize("mode", [BATCHED, OPTIMISTIC])
def test_results_and_ids_are_those_of_the_eager_mode(program: ModeProgram, mode: CheckpointMode) -> None:
    def handler(event, ctx):
        def inside(inner):
            found = []
            for n in range(3):
                found.append((yield program.step(inner, f"in {n}", n)))
            yield inner.wait(SECOND)
            return found

        def one(inner, item, *rest):
            first = yield program.step(inner, f"first {item}", item)
            yield inner.wait(Duration.from_seconds(item))
            return first + (yield program.step(inner, f"second {item}", item * 10))

        found = [(yield program.step(ctx, "a", 1))]
        found.append((yield ctx.run_in_child_context(program.flavour(inside), name="child")))
        found.append((yield ctx.map([1, 2, 3], program.flavour(one), name="each")).get_results())
        yield from fails_a_step(program, ctx)
        found.append((yield program.step(ctx, "z", 2)))
        return found

    eager = program.run(handler, CheckpointMode.EAGER)
    world = program.run(handler, mode)
    assert world.value == eager.value == [1, [0, 1, 2], [11, 22, 33], 2]
    assert identities(world) == identities(eager)
    assert sorted(world.effects) == sorted(eager.effects)


# ---- arguments -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["BATCHED", 1, True, CheckpointMode, {"mode": BATCHED}])
def test_a_mode_that_is_none(given: Any) -> None:
    with pytest.raises(ValidationError, match=r"mode is a CheckpointMode, e\.g\. CheckpointMode\.BATCHED, not "):
        durable_execution(checkpointing=given)(lambda event, ctx: None)
    with pytest.raises(ValidationError, match="mode is a CheckpointMode"):
        CheckpointConfig(given)


@pytest.mark.parametrize("given", [0, -1, 251, 1.5, "10", None, True])
def test_a_wrong_number_of_updates(given: Any) -> None:
    with pytest.raises(ValidationError, match="max_updates is 1 to 250, not "):
        CheckpointConfig(BATCHED, max_updates=given)


@pytest.mark.parametrize("given", [0, 768_001, 1e3, "1", None, False])
def test_a_wrong_number_of_bytes(given: Any) -> None:
    with pytest.raises(ValidationError, match="max_bytes is 1 to 768,000, not "):
        CheckpointConfig(BATCHED, max_bytes=given)


def test_a_config_is_a_value() -> None:
    assert CheckpointConfig() == CheckpointConfig(CheckpointMode.EAGER, 250, 768_000)
    assert CheckpointConfig(BATCHED) != CheckpointConfig(OPTIMISTIC)
    assert hash(CheckpointConfig(BATCHED)) == hash(CheckpointConfig(BATCHED))
