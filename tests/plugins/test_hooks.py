"""Which hooks are called when, with what: operation by operation, in sync and async code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably import (
    CallbackConfig,
    CallbackExternalError,
    CheckpointMode,
    ChildConfig,
    Duration,
    MapConfig,
    NestingType,
    RetryPresets,
    StepConfig,
    StepError,
    WaitForConditionConfig,
    WaitForConditionDecision,
)
from durably.plugin import OperationStatus, OperationType
from engine.harness import Answer, Flavour

from .recorder import RecorderFactory, ids, watch, with_plugins

ONCE = StepConfig(retry_strategy=RetryPresets.none())
AGAIN = StepConfig(retry_strategy=RetryPresets.fixed())


def moment_of(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


# ---- steps ---------------------------------------------------------------------------------------------------


def test_a_step_from_beginning_to_end(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.step(flavour(lambda step: {"paid": event["id"]}), name="charge"))

    world, seen = watch(flavour, handler, {"id": 7})
    assert seen.story == [
        "invocation-start first",
        "start charge",
        "function-start charge 1",
        "function-end charge 1 SUCCEEDED",
        "end charge SUCCEEDED",
        "invocation-end SUCCEEDED",
    ]
    record = world.named("charge")
    (start,) = seen.of("start")
    assert (start.operation_id, start.operation_type, start.sub_type) == (record["Id"], OperationType.STEP, "Step")
    assert (start.parent_id, start.is_replayed, start.status) == (None, False, OperationStatus.STARTED)
    assert (start.start_time, start.end_time, start.result, start.error, start.attempt) == (None,) * 5
    (end,) = seen.of("end")
    assert end.operation_id == record["Id"]
    assert (end.start_time, end.end_time) == (moment_of(record["StartTimestamp"]), moment_of(record["EndTimestamp"]))
    assert (end.result, end.error, end.attempt, end.is_replayed) == (record["StepDetails"]["Result"], None, 1, False)
    begun, over = seen.of("function-start", "function-end")
    assert begun.operation_id == over.operation_id == record["Id"]
    assert begun.start_time is not None
    assert over.start_time == begun.start_time
    assert over.end_time >= over.start_time
    assert (begun.is_replay_children, over.is_replay_children, over.error) == (False, False, None)


def test_a_step_that_is_retried_in_the_next_invocation(flavour: Flavour) -> None:
    def flaky(step):
        if step.attempt < 2:
            raise ValueError("not yet")
        return "done"

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="first")
        yield ctx.step(flavour(flaky), name="flaky", config=AGAIN)

    _world, seen = watch(flavour, handler)
    assert seen.story == [
        "invocation-start first",
        "start first",
        "function-start first 1",
        "function-end first 1 SUCCEEDED",
        "end first SUCCEEDED",
        "start flaky",
        "function-start flaky 1",
        "function-end flaky 1 FAILED",
        "invocation-end PENDING",
        "invocation-start again",
        "start flaky replayed",
        "function-start flaky 2",
        "function-end flaky 2 SUCCEEDED",
        "end flaky SUCCEEDED",
        "invocation-end SUCCEEDED",
    ]
    failed = seen.of("function-end", name="flaky")[0]
    assert (failed.error.type, failed.error.message) == ("ValueError", "not yet")
    assert seen.of("end", name="flaky")[0].attempt == 2
    assert seen.of("end", name="flaky")[0].error is None
    assert len(set(ids(seen.of("start", "end", "function-start", "function-end", name="flaky")))) == 1


def test_a_step_that_fails_for_good(flavour: Flavour) -> None:
    def boom(step):
        raise ValueError("boom")

    def handler(event, ctx):
        try:
            yield ctx.step(flavour(boom), name="boom", config=ONCE)
        except StepError as error:
            return error.message

    world, seen = watch(flavour, handler)
    assert world.value == "boom"
    assert seen.story_of("boom") == [
        "start boom",
        "function-start boom 1",
        "function-end boom 1 FAILED",
        "end boom FAILED",
    ]
    (end,) = seen.of("end")
    assert (end.error.type, end.error.message, end.result) == ("ValueError", "boom", None)
    assert end.error.stack_trace


@pytest.mark.parametrize("mode", ["BATCHED", "OPTIMISTIC"])
def test_steps_that_the_program_does_not_wait_for_end_too(flavour: Flavour, mode: str) -> None:
    def handler(event, ctx):
        for n in range(5):
            yield ctx.step(flavour(lambda step, n=n: n), name=f"s{n}")
        yield ctx.wait(Duration.from_seconds(3), name="w")
        for n in range(5, 8):
            yield ctx.step(flavour(lambda step, n=n: n), name=f"s{n}")

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen], checkpointing=CheckpointMode[mode])
    world.run()
    assert world.status == "SUCCEEDED"
    for n in range(8):
        story = seen.story_of(f"s{n}")
        assert story[:3] == [f"start s{n}", f"function-start s{n} 1", f"function-end s{n} 1 SUCCEEDED"]
        assert story[3:] == [f"end s{n} SUCCEEDED"]
    for invocation in (1, 2):
        assert seen.events[[e.invocation for e in seen.events].index(invocation)].hook == "invocation-start"
    assert [e.hook for e in seen.events if e.invocation == 1][-1] == "invocation-end"


# ---- waits, callbacks, invokes ------------------------------------------------------------------------------------


def test_a_wait_is_begun_in_one_invocation_and_ends_in_the_next(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.wait(Duration.from_seconds(2), name="pause")
        yield ctx.step(flavour(lambda step: 1), name="after")

    world, seen = watch(flavour, handler)
    assert seen.story[:5] == [
        "invocation-start first",
        "start pause",
        "invocation-end PENDING",
        "invocation-start again",
        "end pause SUCCEEDED",
    ]
    first, second = seen.of("invocation-start")
    assert first.updated_operations == {}
    assert [(one.name, one.status) for one in second.updated_operations.values()] == [
        ("pause", OperationStatus.SUCCEEDED)
    ]
    assert set(second.updated_operations) == {world.named("pause")["Id"]} <= set(second.operations)


def test_what_still_waits_is_met_again_and_what_has_ended_is_not(flavour: Flavour) -> None:
    def branch(seconds, name):
        def run(child):
            yield child.wait(Duration.from_seconds(seconds), name=name)
            return name

        return flavour(run)

    def handler(event, ctx):
        result = yield ctx.parallel([branch(2, "short"), branch(8, "long")], name="waits")
        return result.get_results()

    world, seen = watch(flavour, handler)
    assert world.value == ["short", "long"]
    assert seen.story_of("short") == ["start short", "end short SUCCEEDED"]
    assert seen.story_of("long") == ["start long", "start long replayed", "end long SUCCEEDED"]
    assert all(info.end_time is None for info in seen.of("start"))


def test_a_callback_and_what_came_of_it(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="answer")
        return (yield callback.result())

    _world, seen = watch(flavour, handler, callbacks={"answer": Answer("yes")})
    assert seen.story == [
        "invocation-start first",
        "start answer",
        "invocation-end PENDING",
        "invocation-start again",
        "end answer SUCCEEDED",
        "invocation-end SUCCEEDED",
    ]
    (end,) = seen.of("end")
    assert (end.operation_type, end.sub_type, end.result) == (OperationType.CALLBACK, "Callback", "yes")


def test_a_callback_that_nobody_asks_for_ends_before_the_invocation_does(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.create_callback(name="ignored")
        yield ctx.wait(Duration.from_days(1), name="pause")
        yield ctx.wait(Duration.from_days(1), name="pause again")

    _world, seen = watch(flavour, handler, callbacks={"ignored": Answer("yes")})
    assert seen.story_of("ignored")[-1] == "end ignored SUCCEEDED"
    assert len([told for told in seen.story if told == "end ignored SUCCEEDED"]) == 1


def test_wait_for_callback_shows_its_parts(flavour: Flavour) -> None:
    def submit(callback_id, context):
        world_of["id"] = callback_id

    world_of: dict[str, Any] = {}

    def handler(event, ctx):
        try:
            yield ctx.wait_for_callback(flavour(submit), name="approval", config=None)
        except CallbackExternalError as error:
            return error.message

    failure = {"ErrorType": "Refused", "ErrorMessage": "no"}
    world, seen = watch(flavour, handler, callbacks={"approval create callback id": Answer(failure=failure)})
    assert world.value == "no"
    assert [told for told in seen.story if "invocation" not in told] == [
        "start approval",
        "function-start approval",
        "start approval create callback id",
        "start approval submitter",
        "function-start approval submitter 1",
        "function-end approval submitter 1 SUCCEEDED",
        "end approval submitter SUCCEEDED",
        "function-end approval INCOMPLETE",
        "start approval replayed",
        "function-start approval",
        "end approval create callback id FAILED",
        "function-end approval FAILED",
        "end approval FAILED",
    ]
    outer = world.named("approval")["Id"]
    assert {info.parent_id for info in seen.of("start", "end") if info.name != "approval"} == {outer}


def test_a_callback_that_times_out(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="late", config=CallbackConfig(timeout=Duration.from_minutes(5)))
        try:
            yield callback.result()
        except Exception as error:
            return type(error).__name__

    world, seen = watch(flavour, handler)
    assert world.value == "CallbackTimeoutError"
    assert [(info.name, info.status) for info in seen.of("end")] == [("late", OperationStatus.TIMED_OUT)]


def test_an_invoke(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.invoke("double", 21, name="twice"))

    world, seen = watch(flavour, handler, functions={"double": lambda n: 2 * n})
    assert world.value == 42
    assert seen.story_of("twice")[0] == "start twice"
    assert seen.story_of("twice")[-1] == "end twice SUCCEEDED"
    (end,) = seen.of("end")
    assert (end.operation_type, end.sub_type, end.result) == (OperationType.CHAINED_INVOKE, "ChainedInvoke", "42")


def test_an_invoke_that_cannot_be_written_is_not_begun(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.invoke("double", object(), name="twice")

    world, seen = watch(flavour, handler, functions={"double": lambda n: 2 * n})
    assert world.status == "FAILED"
    assert seen.of("start") == []


def test_each_check_of_a_condition_is_a_run_of_its_function(flavour: Flavour) -> None:
    def check(state, context):
        return state + 1

    def until_three(state, attempt):
        if state >= 3:
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_seconds(5))

    def polling(event, ctx):
        return (yield ctx.wait_for_condition(flavour(check), WaitForConditionConfig(until_three, 0), name="ready"))

    world, seen = watch(flavour, polling)
    assert world.value == 3
    assert [info.attempt for info in seen.of("function-start")] == [1, 2, 3]
    assert [info.outcome.value for info in seen.of("function-end")] == ["SUCCEEDED"] * 3
    assert [info.is_replayed for info in seen.of("start")] == [False, True, True]
    assert [(info.status, info.attempt) for info in seen.of("end")] == [(OperationStatus.SUCCEEDED, 3)]


# ---- contexts ------------------------------------------------------------------------------------------------------


def test_what_happens_in_a_child_context_is_told_inside_of_it(flavour: Flavour) -> None:
    def inside(child):
        return (yield child.step(flavour(lambda step: 1), name="inner"))

    def handler(event, ctx):
        yield ctx.run_in_child_context(flavour(inside), name="outer")

    world, seen = watch(flavour, handler)
    assert seen.story[1:-1] == [
        "start outer",
        "function-start outer",
        "start inner",
        "function-start inner 1",
        "function-end inner 1 SUCCEEDED",
        "end inner SUCCEEDED",
        "function-end outer SUCCEEDED",
        "end outer SUCCEEDED",
    ]
    outer = world.named("outer")["Id"]
    assert {info.parent_id for info in seen.of("start", "end", "function-start", "function-end", name="inner")} == {
        outer
    }
    assert {info.parent_id for info in seen.of("start", "end", name="outer")} == {None}
    assert {info.attempt for info in seen.of("function-start", "function-end", name="outer")} == {None}


def test_a_child_context_that_suspends_has_an_incomplete_run(flavour: Flavour) -> None:
    def inside(child):
        yield child.wait(Duration.from_seconds(9), name="pause")

    def handler(event, ctx):
        yield ctx.run_in_child_context(flavour(inside), name="outer")

    _world, seen = watch(flavour, handler)
    assert seen.story_of("outer") == [
        "start outer",
        "function-start outer",
        "function-end outer INCOMPLETE",
        "start outer replayed",
        "function-start outer",
        "function-end outer SUCCEEDED",
        "end outer SUCCEEDED",
    ]


def test_a_context_without_a_record_begins_and_ends_in_every_invocation(flavour: Flavour) -> None:
    def inside(child):
        yield child.step(flavour(lambda step: 1), name="inner")
        return "value"

    def broken(child):
        raise ValueError("no")
        yield

    def handler(event, ctx):
        yield ctx.run_in_child_context(flavour(inside), name="virtual", config=ChildConfig(is_virtual=True))
        try:
            yield ctx.run_in_child_context(flavour(broken), name="broken", config=ChildConfig(is_virtual=True))
        except Exception:
            pass
        yield ctx.wait(Duration.from_seconds(9), name="pause")

    _world, seen = watch(flavour, handler)
    once = ["start virtual", "function-start virtual", "function-end virtual SUCCEEDED", "end virtual SUCCEEDED"]
    assert seen.story_of("virtual") == once * 2
    once = ["start broken", "function-start broken", "function-end broken FAILED", "end broken FAILED"]
    assert seen.story_of("broken") == once * 2
    assert {info.is_replayed for info in seen.of("end", name="virtual")} == {False}
    assert [info.error.message for info in seen.of("end", name="broken")] == ["no"] * 2
    assert seen.story_of("inner").count("end inner SUCCEEDED") == 1


def test_a_context_whose_result_is_rebuilt_says_so(flavour: Flavour) -> None:
    def inside(child):
        yield child.step(flavour(lambda step: 1), name="inner")
        return "x" * 300_000

    def handler(event, ctx):
        value = yield ctx.run_in_child_context(flavour(inside), name="large")
        yield ctx.wait(Duration.from_seconds(9), name="pause")
        return len(value)

    world, seen = watch(flavour, handler)
    assert world.value == 300_000
    assert [info.is_replay_children for info in seen.of("function-start", name="large")] == [False, True]
    assert [info.is_replay_children for info in seen.of("function-end", name="large")] == [False, True]
    assert [info.is_replayed for info in seen.of("end", name="large")] == [False, True]
    assert seen.story_of("inner").count("function-start inner 1") == 1


# ---- map and parallel ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nesting", [NestingType.NESTED, NestingType.FLAT])
def test_every_branch_has_its_hooks(flavour: Flavour, nesting: NestingType) -> None:
    def item(child, value, index, items):
        if value == 2:
            yield child.wait(Duration.from_seconds(9), name="pause")
        yield child.step(flavour(lambda step: value), name=f"s{value}")
        return value

    def handler(event, ctx):
        result = yield ctx.map(range(4), flavour(item), name="all", config=MapConfig(nesting_type=nesting))
        return result.get_results()

    world, seen = watch(flavour, handler)
    assert world.value == [0, 1, 2, 3]
    for n in range(4):
        name = f"map-item-{n}"
        assert len(set(ids(seen.of("start", "end", "function-start", "function-end", name=name)))) == 1
        assert seen.of("function-start", name=name)[0].sub_type == "MapIteration"
        assert seen.story_of(name)[-1] == f"end {name} SUCCEEDED"
        assert seen.story_of(f"s{n}")[-1] == f"end s{n} SUCCEEDED"
        branch = [told for told in seen.story if told.endswith(f" {name} SUCCEEDED") or f" s{n} " in f"{told} "]
        assert branch.index(f"end s{n} SUCCEEDED") < branch.index(f"end {name} SUCCEEDED")
        if nesting is NestingType.NESTED:
            assert seen.story_of(name).count(f"end {name} SUCCEEDED") == 1
    assert seen.story.count("end all SUCCEEDED") == 1
    told = seen.story_of("all")
    assert told[:2] == ["start all", "function-start all"]
    assert told[-2:] == ["function-end all SUCCEEDED", "end all SUCCEEDED"]
    assert told.count("function-end all INCOMPLETE") == 1
    parents = {info.parent_id for info in seen.of("function-start") if info.sub_type == "MapIteration"}
    assert parents == {world.named("all")["Id"]}


def test_a_result_too_large_for_the_record_is_rebuilt_branch_by_branch(flavour: Flavour) -> None:
    def item(child, value, index, items):
        yield child.step(flavour(lambda step: value), name=f"s{value}")
        return str(value) * 100_000

    def handler(event, ctx):
        result = yield ctx.map(range(4), flavour(item), name="all")
        yield ctx.wait(Duration.from_seconds(9), name="pause")
        return sum(len(one) for one in result.get_results())

    world, seen = watch(flavour, handler)
    assert world.value == 400_000
    assert world.named("all")["ContextDetails"]["ReplayChildren"] is True
    assert [info.is_replay_children for info in seen.of("function-start", name="all")] == [False, True]
    assert [info.is_replayed for info in seen.of("end", name="all")] == [False, True]
    assert [seen.story.count(f"function-start s{n} 1") for n in range(4)] == [1] * 4


# ---- changes -----------------------------------------------------------------------------------------------------


def test_changes_are_told_with_the_whole_map(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: "task-a"), name="greet")
        yield ctx.wait(Duration.from_seconds(3), name="pause")

    world, seen = watch(flavour, handler)
    changes = seen.of("change")
    told = [(one.name, one.status.value) for info in changes for one in info.updated_operations.values()]
    assert told[-2:] == [("greet", "SUCCEEDED"), ("pause", "STARTED")]
    assert told.count(("greet", "SUCCEEDED")) == 1
    for info in changes:
        assert info.execution_arn == world.arn
        assert set(info.updated_operations) <= set(info.operations)
    greeted = next(info for info in changes if any(one.result for one in info.updated_operations.values()))
    (item,) = greeted.updated_operations.values()
    assert (item.result, item.attempt, item.is_replayed) == ('"task-a"', 1, False)
    assert item.end_time is not None
    assert [event.hook for event in seen.events][-1] == "invocation-end"


def test_an_answer_that_changes_nothing_is_not_told_of(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="only")

    _world, seen = watch(flavour, handler)
    statuses = [one.status.value for info in seen.of("change") for one in info.updated_operations.values()]
    assert statuses in (["SUCCEEDED"], ["STARTED", "SUCCEEDED"])
