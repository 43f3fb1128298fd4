"""When a batch is complete: every policy, live; what the predicate is asked; who is admitted, and when."""

from __future__ import annotations

from typing import Any

import pytest

from durably import (
    BatchCompletionError,
    BatchItemStatus,
    ChildContextError,
    CompletionConfig,
    CompletionOutcome,
    CompletionReason,
    CompletionStatus,
    Duration,
    MapConfig,
    NestingType,
    ValidationError,
    complete_batch,
    continue_batch,
)

from .harness import Flavour

SECOND = Duration.from_seconds(1)
GOOD, BAD = "good", "bad"


def play(flavour: Flavour, items: list[str], completion: CompletionConfig, **options: Any) -> Any:
    """One after the other: (reason, statuses of the items that were begun, status of the whole)."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.step(flavour(lambda step: None))
            if item == BAD:
                raise ValueError(item)
            return item

        config = MapConfig(max_concurrency=1, completion_config=completion, **options)
        result = yield ctx.map(items, flavour(one), config=config)
        seen.append(result)
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert seen[0] == seen[1]
    result = seen[0]
    return result.completion_reason.value, [item.status.value for item in result], result.status.value


S, F = "SUCCEEDED", "FAILED"


@pytest.mark.parametrize("nesting", NestingType)
@pytest.mark.parametrize(
    ("items", "completion", "expected"),
    [
        ([GOOD, GOOD], CompletionConfig(), ("ALL_COMPLETED", [S, S], S)),
        ([GOOD, BAD, GOOD], CompletionConfig(), ("FAILURE_TOLERANCE_EXCEEDED", [S, F], F)),
        ([GOOD, BAD, GOOD], CompletionConfig.all_successful(), ("FAILURE_TOLERANCE_EXCEEDED", [S, F], F)),
        ([BAD, GOOD, BAD], CompletionConfig.all_completed(), ("ALL_COMPLETED", [F, S, F], F)),
        ([BAD, GOOD, GOOD], CompletionConfig.first_successful(), ("MIN_SUCCESSFUL_REACHED", [F, S], F)),
        ([BAD, BAD], CompletionConfig.first_successful(), ("ALL_COMPLETED", [F, F], F)),
        ([GOOD, GOOD, GOOD], CompletionConfig(min_successful=2), ("MIN_SUCCESSFUL_REACHED", [S, S], S)),
        ([BAD, BAD, GOOD], CompletionConfig(tolerated_failure_count=1), ("FAILURE_TOLERANCE_EXCEEDED", [F, F], F)),
        ([BAD, GOOD, GOOD], CompletionConfig(tolerated_failure_count=1), ("ALL_COMPLETED", [F, S, S], F)),
        (
            [BAD, BAD, GOOD, GOOD],
            CompletionConfig(tolerated_failure_percentage=25),
            ("FAILURE_TOLERANCE_EXCEEDED", [F, F], F),
        ),
        ([BAD, BAD, GOOD, GOOD], CompletionConfig(tolerated_failure_percentage=50), ("ALL_COMPLETED", [F, F, S, S], F)),
        (
            [BAD, GOOD, BAD, GOOD],
            CompletionConfig(min_successful=2, tolerated_failure_count=1),
            ("FAILURE_TOLERANCE_EXCEEDED", [F, S, F], F),
        ),
    ],
)
def test_every_policy(
    flavour: Flavour, items: list[str], completion: CompletionConfig, expected: Any, nesting: NestingType
) -> None:
    assert play(flavour, items, completion, nesting_type=nesting) == expected


# ---- the predicate --------------------------------------------------------------------------------------


def asked(status: CompletionStatus) -> Any:
    """What a predicate was told, in short."""
    marks = {None: "-", BatchItemStatus.STARTED: ".", BatchItemStatus.SUCCEEDED: "s", BatchItemStatus.FAILED: "f"}
    text = "".join(marks[item.status] for item in status.items)
    assert [item.index for item in status.items] == list(range(status.total_count))
    assert status.completed_count == status.success_count + status.failure_count
    return (status.success_count, status.failure_count, text)


def test_the_predicate_is_asked_before_the_first_item_and_after_every_change(flavour: Flavour) -> None:
    def decide(status):
        seen.append(asked(status))
        return complete_batch() if status.success_count >= 2 else continue_batch()

    seen: list[Any] = []
    found = play(flavour, [GOOD, BAD, GOOD, GOOD], CompletionConfig(should_complete=decide))
    assert found == ("CUSTOM_COMPLETION_SUCCEEDED", [S, F, S], S)
    assert seen == [(0, 0, "----"), (1, 0, "s---"), (1, 1, "sf--"), (2, 1, "sfs-")]


def test_the_predicate_sees_names_and_what_is_under_way(flavour: Flavour) -> None:
    def decide(status):
        seen.append([(item.name, item.status and item.status.value) for item in status.items])
        return continue_batch()

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(Duration.from_seconds(item))

        config = MapConfig[int](
            completion_config=CompletionConfig(should_complete=decide), item_namer=lambda item, index: f"wait {item}"
        )
        yield ctx.map([2, 1], flavour(one), config=config)

    seen: list[Any] = []
    assert flavour.run(handler).status == "SUCCEEDED"
    assert seen[0] == [("wait 2", None), ("wait 1", None)]
    assert seen[-1] == [("wait 2", "SUCCEEDED"), ("wait 1", "SUCCEEDED")]
    assert [("wait 2", "STARTED"), ("wait 1", "SUCCEEDED")] in seen


def test_a_predicate_that_is_satisfied_at_once_begins_nothing(flavour: Flavour) -> None:
    config = CompletionConfig(should_complete=lambda status: complete_batch())
    assert play(flavour, [GOOD, GOOD], config) == ("CUSTOM_COMPLETION_SUCCEEDED", [], S)


def test_a_predicate_may_fail_the_batch(flavour: Flavour) -> None:
    def decide(status):
        return complete_batch(CompletionOutcome.FAILED) if status.completed_count else continue_batch()

    def handler(event, ctx):
        config = MapConfig[str](max_concurrency=1, completion_config=CompletionConfig(should_complete=decide))
        result = yield ctx.map([GOOD, GOOD], flavour(lambda inner, item, *rest: item), config=config)
        with pytest.raises(BatchCompletionError, match="ended the batch as failed"):
            result.throw_if_error()
        return [result.completion_reason.value, result.status.value, len(result)]

    assert flavour.run(handler).value == ["CUSTOM_COMPLETION_FAILED", "FAILED", 1]


def test_without_a_decision_all_items_run(flavour: Flavour) -> None:
    config = CompletionConfig(should_complete=lambda status: continue_batch())
    assert play(flavour, [BAD, GOOD, BAD], config) == ("ALL_COMPLETED", [F, S, F], F)


@pytest.mark.parametrize("answer", [True, None, "stop"])
def test_a_predicate_that_answers_something_else_fails_the_map(flavour: Flavour, answer: Any) -> None:
    def handler(event, ctx):
        config = MapConfig[str](completion_config=CompletionConfig(should_complete=lambda status: answer))
        with pytest.raises(ChildContextError, match="return continue_batch") as raised:
            yield ctx.map([GOOD], flavour(lambda inner, item, *rest: item), name="m", config=config)
        seen.append(raised.value.error_type)
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert seen == ["durably.ValidationError"] * 2
    assert world.named("m")["Status"] == "FAILED"


def test_a_predicate_that_raises_fails_the_map_and_cuts_its_items_off(flavour: Flavour) -> None:
    def decide(status):
        if status.completed_count:
            raise ZeroDivisionError("by zero")
        return continue_batch()

    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == "slow":
                yield inner.wait(Duration.from_days(30))

        config = MapConfig[str](completion_config=CompletionConfig(should_complete=decide))
        with pytest.raises(ChildContextError, match="by zero"):
            yield ctx.map(["slow", "quick"], flavour(one), name="m", config=config)
        return "went on"

    world = flavour.run(handler)
    assert world.value == "went on"
    assert world.named("m")["Status"] == "FAILED"


# ---- admission ------------------------------------------------------------------------------------------


def test_items_are_admitted_in_order_and_one_that_waits_keeps_its_place(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            begun.append(item)
            yield inner.wait(SECOND, name=f"wait {item}")
            yield inner.step(flavour(lambda step: None))

        yield ctx.map(range(5), flavour(one), config=MapConfig(max_concurrency=2))

    begun: list[int] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert list(dict.fromkeys(begun)) == [0, 1, 2, 3, 4]
    most, open_items = 0, set()
    for event in world.history:
        name = event.get("Name") or ""
        if name.startswith("map-item"):
            (open_items.add if event["EventType"] == "ContextStarted" else open_items.discard)(name)
            most = max(most, len(open_items))
    assert most == 2


def test_no_item_is_admitted_once_too_many_have_failed(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            begun.append(item)
            raise ValueError(item)
            yield

        result = yield ctx.map(range(10), flavour(one), config=MapConfig(max_concurrency=1))
        return [result.completion_reason.value, len(result)]

    begun: list[int] = []
    assert flavour.run(handler).value == ["FAILURE_TOLERANCE_EXCEEDED", 1]
    assert begun == [0]


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "2"])
def test_a_concurrency_that_is_none(value: Any) -> None:
    with pytest.raises(ValidationError, match="max_concurrency is "):
        MapConfig(max_concurrency=value)


def test_completion_reasons_are_the_wires() -> None:
    assert [reason.value for reason in CompletionReason] == [
        "ALL_COMPLETED",
        "MIN_SUCCESSFUL_REACHED",
        "FAILURE_TOLERANCE_EXCEEDED",
        "CUSTOM_COMPLETION_SUCCEEDED",
        "CUSTOM_COMPLETION_FAILED",
    ]


@pytest.mark.parametrize(("before", "after"), [(5, 1), (1, 5), (3, 2)])
def test_more_or_less_may_be_in_flight_after_a_new_deployment(flavour: Flavour, before: int, after: int) -> None:
    """max_concurrency is no part of the history: a batch that has begun goes on with the new one."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(Duration.from_seconds(7 - item))
            return item

        concurrency = before if world.invocations < 3 else after
        result = yield ctx.map(range(6), flavour(one), config=MapConfig(max_concurrency=concurrency))
        return result.get_results()

    world = flavour.world(handler)
    world.run()
    assert world.value == [0, 1, 2, 3, 4, 5]
