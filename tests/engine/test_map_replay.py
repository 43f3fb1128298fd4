"""A batch that is interrupted: crashes at every boundary, large results, replay of each state, non-determinism."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from durably import (
    BatchResult,
    ChildContextError,
    CompletionConfig,
    Duration,
    ItemBatcher,
    JsonSerDes,
    MapConfig,
    NestingType,
    ParallelConfig,
    SerDes,
    SerDesContext,
    SerDesError,
    StepConfig,
)
from durably.retries import RetryDecision
from durably.summaries import map_summary, parallel_summary

from .harness import Call, Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)
ALL = CompletionConfig.all_completed()
LARGE = "x" * 150_000
RETRY = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 3, SECOND))


def shape(result: BatchResult[Any]) -> list[Any]:
    return [
        [[item.index, item.status.value, item.name] for item in result],
        result.get_results(),
        [error and [error.type, error.message] for error in result.get_errors()],
        result.completion_reason.value,
    ]


# ---- crashes --------------------------------------------------------------------------------------------


def steps_and_waits(story: Story, ctx: Any) -> Any:
    def one(inner, item, *rest):
        yield story.step(inner, f"first {item}")
        yield inner.wait(Duration.from_seconds(4 - item))
        return (yield story.step(inner, f"second {item}", failures=item % 2))

    return shape((yield ctx.map([1, 2, 3], story.flavour(one), config=story.config(max_concurrency=2))))


def failing(story: Story, ctx: Any) -> Any:
    def one(inner, item, *rest):
        yield story.step(inner, f"step {item}")
        if item == 2:
            raise ValueError("two")
        return item

    config = story.config(completion_config=ALL, item_namer=lambda item, index: f"n{item}")
    return shape((yield ctx.map([1, 2, 3], story.flavour(one), config=config)))


def early(story: Story, ctx: Any) -> Any:
    """The second of three decides; the first is under way for good, and the fourth is never begun."""

    def one(inner, item, *rest):
        yield inner.wait(Duration.from_seconds(item))
        return (yield story.step(inner, f"step {item}"))

    config = story.config(completion_config=CompletionConfig(min_successful=1), max_concurrency=3)
    return shape((yield ctx.map([900, 2, 800, 1], story.flavour(one), config=config)))


def large(story: Story, ctx: Any) -> Any:
    def one(inner, item, *rest):
        part = yield story.step(inner, f"step {item}", value=LARGE)
        yield inner.wait(Duration.from_hours(20 if item == 2 else 1))  # all of them have begun when the first two end
        return [item, len(part), part]

    config = story.config(completion_config=CompletionConfig(min_successful=2))
    result = yield ctx.map([1, 2, 3], story.flavour(one), config=config)
    yield ctx.wait(SECOND)
    return [[item.status.value for item in result], [found[:2] for found in result.get_results()]]


def nested(story: Story, ctx: Any) -> Any:
    def leaf(inner, item, *rest):
        yield inner.wait(SECOND)
        return (yield story.step(inner, f"leaf {item}"))

    def branch(name):
        def inside(inner):
            return (yield inner.map([f"{name}1", f"{name}2"], story.flavour(leaf), config=story.config())).get_results()

        return story.flavour(inside)

    config = ParallelConfig(nesting_type=story.nesting)
    return shape((yield ctx.parallel([branch("a"), branch("b")], config=config)))


def batched(story: Story, ctx: Any) -> Any:
    def one(inner, item, *rest):
        found = yield story.step(inner, f"step {item}")
        if item == 3:
            yield inner.wait(SECOND)
            raise ValueError("three")
        return found

    config = story.config(item_batcher=ItemBatcher(max_items_per_batch=2), completion_config=ALL)
    return shape((yield ctx.map([1, 2, 3, 4, 5], story.flavour(one), config=config)))


STORIES = {one.__name__: one for one in [steps_and_waits, failing, early, large, nested, batched]}


class Story:
    def __init__(self, flavour: Flavour, nesting: NestingType) -> None:
        self.flavour = flavour
        self.nesting = nesting
        self.world: World

    def config(self, **options: Any) -> MapConfig[Any]:
        return MapConfig(nesting_type=self.nesting, **options)

    def step(self, ctx: Any, name: str, value: Any = None, failures: int = 0) -> Any:
        def body(step: Any) -> Any:
            recorded = [view["Status"] for view in list(self.world.operations.values()) if view.get("Name") == name]
            assert recorded in ([], ["STARTED"], ["READY"]), f"law R1: {name} runs again although it is {recorded}"
            self.world.effect((name, step.attempt))
            if step.attempt <= failures:
                raise ValueError(name)
            return name if value is None else value

        return ctx.step(self.flavour(body), name=name, config=RETRY)


def play(source: Any, flavour: Flavour, nesting: NestingType, at: tuple[int, str] | None) -> World:
    story = Story(flavour, nesting)

    def handler(event, ctx):
        return (yield from source(story, ctx))

    story.world = world = flavour.world(handler)

    def fault(when: str) -> Any:
        def decide(call: Call) -> BaseException | None:
            number = next(n for n, one in enumerate(world.link.calls) if one is call)
            return Killed() if (number, when) == at else None

        return decide

    world.link.before, world.link.after = fault("before"), fault("after")
    world.run()
    return world


@pytest.mark.parametrize("nesting", NestingType)
@pytest.mark.parametrize("source", STORIES.values(), ids=STORIES)
def test_a_crash_at_every_boundary_changes_nothing(source: Any, flavour: Flavour, nesting: NestingType) -> None:
    calm = play(source, flavour, nesting, None)
    assert calm.status == "SUCCEEDED", calm.outcome
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = play(source, flavour, nesting, (number, when))
            assert world.outcome.value == calm.outcome.value, (number, when)
            assert set(world.effects) == set(calm.effects)
            assert identities(world) == identities(calm)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", STORIES.values(), ids=STORIES)
def test_crashes_on_many_schedules_sync(source: Any) -> None:
    """Which updates share a call depends on threads: the same again, a number of times."""
    flavour = Flavour("sync")
    for _ in range(10):
        for nesting in NestingType:
            test_a_crash_at_every_boundary_changes_nothing(source, flavour, nesting)


# ---- what is recorded is not run again ------------------------------------------------------------------


def test_a_finished_nested_map_does_not_run_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            world.effects.append(item)
            return (yield inner.step(flavour(lambda step: item)))

        result = yield ctx.map([1, 2], flavour(one))
        yield ctx.wait(SECOND)
        return result.get_results()

    world = flavour.world(handler)
    world.run()
    assert world.value == [1, 2]
    assert sorted(world.effects) == [1, 2]


def test_of_a_half_finished_map_only_the_open_items_run_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            world.effects.append((world.invocations, item))
            if item == "slow":
                yield inner.wait(SECOND)
            if item == "bad":
                raise ValueError(item)
            return item

        return shape((yield ctx.map(["quick", "slow", "bad"], flavour(one), config=MapConfig(completion_config=ALL))))

    world = flavour.world(handler)
    world.run()
    assert world.value[1:] == [["quick", "slow"], [["ValueError", "bad"]], "ALL_COMPLETED"]
    assert sorted(world.effects) == [(1, "bad"), (1, "quick"), (1, "slow"), (2, "slow")]


def test_an_item_that_could_not_be_recorded_stays_failed_when_the_map_goes_on(flavour: Flavour) -> None:
    """Its SerDesError is an item's failure like any other, live and from the record."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == "slow":
                yield inner.wait(SECOND)
                return item
            return object()

        result = yield ctx.map(["bad", "slow"], flavour(one), config=MapConfig(completion_config=ALL))
        seen.append(shape(result))
        with pytest.raises(SerDesError, match="object"):
            result.throw_if_error()
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert seen[0] == seen[1]
    assert seen[0][1] == ["slow"]
    assert seen[0][2][0][0] == "durably.SerDesError"


def test_decisions_fall_the_same_way_in_recorded_order(flavour: Flavour) -> None:
    """Two items have ended when the process dies; the one that was recorded first decides again."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(Duration.from_seconds(item))
            return item

        result = yield ctx.map([3, 2, 1, 900], flavour(one), config=MapConfig(completion_config=completion))
        return shape(result)

    completion = CompletionConfig(min_successful=2)
    calm = flavour.run(handler)
    assert calm.value[1] == [2, 1]
    world = flavour.world(handler)

    def die(call: Call) -> BaseException | None:
        struck = [update for update in call.updates if update["SubType"] == "Map" and update["Action"] == "SUCCEED"]
        return Killed() if struck and not any(isinstance(one, Killed) for one in world.outputs) else None

    world.link.before = die
    world.run()
    assert any(isinstance(one, Killed) for one in world.outputs)
    assert world.value == calm.value


# ---- large results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("nesting", NestingType)
def test_a_large_result_is_rebuilt_from_the_items(flavour: Flavour, nesting: NestingType) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            text = yield inner.step(flavour(lambda step: LARGE))
            if item == 2:
                raise ValueError("two")
            return [item, text]

        config = MapConfig[int](
            completion_config=ALL,
            summary_generator=map_summary,
            nesting_type=nesting,
            item_namer=lambda item, index: f"n{item}",
        )
        result = yield ctx.map([1, 2, 3], flavour(one), name="m", config=config)
        seen.append(result)
        yield ctx.wait(SECOND)

    import json

    seen: list[BatchResult[Any]] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert shape(seen[0]) == shape(seen[1])
    assert [found[0] for found in seen[1].get_results()] == [1, 3]
    details = world.named("m")["ContextDetails"]
    assert details["ReplayChildren"] is True
    summary = {"type": "map", "totalCount": 3, "successCount": 2, "failureCount": 1, "status": "partial"}
    envelope = json.loads(details["Result"])
    assert json.loads(envelope.pop("summary")) == summary
    assert envelope == {
        "type": "MapResult",
        "totalCount": 3,
        "completionReason": "ALL_COMPLETED",
        "startedIndexes": [],
        "startedCount": 0,
        "successCount": 2,
        "failureCount": 1,
        "status": "FAILED",
    }


@pytest.mark.parametrize("nesting", NestingType)
def test_a_large_result_of_an_early_end_is_rebuilt_as_it_was(flavour: Flavour, nesting: NestingType) -> None:
    """The loser has had its effect meanwhile; it is reported as it was when the decision fell, and not run again."""

    def handler(event, ctx):
        def quick(inner):
            return (yield inner.step(flavour(lambda step: LARGE)))

        def slow(inner):
            world.effects.append(world.invocations)
            yield inner.wait(Duration.from_hours(20))

        functions = [flavour(quick), flavour(slow), flavour(quick), flavour(quick)]
        config = ParallelConfig(
            max_concurrency=3,
            completion_config=CompletionConfig(min_successful=2),
            summary_generator=parallel_summary,
            nesting_type=nesting,
        )
        result = yield ctx.parallel(functions, name="p", config=config)
        seen.append(result)
        yield ctx.wait(Duration.from_hours(40))

    seen: list[BatchResult[Any]] = []
    world = flavour.world(handler)
    world.run()
    assert world.status == "SUCCEEDED", world.outcome
    assert shape(seen[0]) == shape(seen[1])
    statuses = [item.status.value for item in seen[1]]
    assert statuses.count("SUCCEEDED") == 2
    assert statuses[1] == "STARTED"
    assert world.effects == [1]
    assert seen[1].completion_reason.value == "MIN_SUCCESSFUL_REACHED"


def test_a_summary_that_is_no_text_fails_the_map(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[int](summary_generator=lambda result: {"no": "text"})  # type: ignore[arg-type,return-value]
        with pytest.raises(ChildContextError, match="summary_generator returned dict"):
            yield ctx.map([1, 2], flavour(lambda inner, item, *rest: LARGE), config=config)

    assert flavour.run(handler).status == "SUCCEEDED"


def test_a_large_result_goes_through_the_whole_serdes_on_replay_too(flavour: Flavour) -> None:
    class Counting(SerDes[Any]):
        def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
            return "|".join(value.get_results())

        def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
            return [len(part) for part in data.split("|")]

    def handler(event, ctx):
        config = MapConfig[int](serdes=Counting(), item_serdes=JsonSerDes())
        seen.append((yield ctx.map([1, 2], flavour(lambda inner, item, *rest: LARGE), config=config)))
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    assert flavour.run(handler).status == "SUCCEEDED"
    assert seen == [[150_000, 150_000]] * 2


# ---- another program ------------------------------------------------------------------------------------


def changed(flavour: Flavour, first: Any, second: Any) -> dict[str, Any]:
    """The error of an execution whose code changes from ``first`` to ``second`` while a map is under way."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.step(flavour(lambda step: item), name=f"step {item}")
            yield inner.wait(Duration.from_seconds(item))

        try:
            items, config = first if world.invocations == 1 else second
            yield ctx.map(items, flavour(one), name="m", config=config)
        except Exception:
            return "caught"
        return "unnoticed"

    world = flavour.world(handler)
    world.run()
    return world.error if world.status == "FAILED" else {"errorMessage": str(world.outcome)}


@pytest.mark.parametrize("nesting", NestingType)
def test_fewer_items_are_noticed(flavour: Flavour, nesting: NestingType) -> None:
    config = MapConfig[int](nesting_type=nesting)
    error = changed(flavour, ([1, 2, 3], config), ([1, 2], config))
    assert error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "began more branches in an earlier run than it has now: 2" in error["errorMessage"]


def test_other_names_are_noticed(flavour: Flavour) -> None:
    def named(prefix: str) -> MapConfig[int]:
        return MapConfig(item_namer=lambda item, index: f"{prefix} {item}")

    error = changed(flavour, ([1, 2], named("old")), ([1, 2], named("new")))
    assert error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "name: recorded 'old 1', now 'new 1'" in error["errorMessage"]


def test_a_nested_history_is_not_gone_on_with_flat(flavour: Flavour) -> None:
    error = changed(flavour, ([1, 2], MapConfig()), ([1, 2], MapConfig(nesting_type=NestingType.FLAT)))
    assert error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "NestingType.FLAT" in error["errorMessage"]


def test_a_flat_history_is_not_gone_on_with_nested(flavour: Flavour) -> None:
    error = changed(flavour, ([1, 2], MapConfig(nesting_type=NestingType.FLAT)), ([1, 2], MapConfig()))
    assert error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "parent: recorded" in error["errorMessage"]


def test_a_map_that_has_become_a_parallel_is_noticed(flavour: Flavour) -> None:
    def handler(event, ctx):
        def waiting(inner, *rest):
            yield inner.wait(SECOND)

        if world.invocations == 1:
            yield ctx.map([1], flavour(waiting), name="m")
        else:
            yield ctx.parallel([flavour(waiting)], name="m")

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "subtype: recorded 'Map', now 'Parallel'" in world.error["errorMessage"]


def test_a_large_result_of_fewer_items_is_noticed(flavour: Flavour) -> None:
    def handler(event, ctx):
        items = [1, 2] if world.invocations == 1 else [1]
        yield ctx.map(items, flavour(lambda inner, item, *rest: LARGE), name="m")
        yield ctx.wait(SECOND)

    world = flavour.world(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "started 2 items in an earlier run, but now has only 1" in world.error["errorMessage"]


# ---- due while a sibling runs ---------------------------------------------------------------------------


def test_a_branch_goes_on_in_the_same_invocation_when_its_wait_is_due_async() -> None:
    """The service's clock stands in the past here, so everything is due as far as the engine can see."""

    async def handler(event, ctx):
        over = asyncio.Event()

        async def slow(inner):
            async def body(step):
                world.clock.advance(10_000)
                await over.wait()
                return "slow"

            return await inner.step(body)

        async def waiting(inner):
            await inner.wait(Duration.from_seconds(5))
            await inner.step(lambda step: over.set())
            return "waited"

        return (await ctx.parallel([waiting, slow])).get_results()

    world = World(handler, start_ms=1_700_000_000_000)
    world.link.edit = lambda call, answer: (world.clock.advance(6_000), answer)[1]
    world.run()
    assert world.value == ["waited", "slow"]
    assert world.invocations == 1


@pytest.mark.parametrize("depth", [1, 2])
def test_a_branch_goes_on_in_the_same_invocation_when_its_wait_is_due_sync(depth: int) -> None:
    """Its frames were unwound meanwhile; no thread was held."""

    def handler(event, ctx):
        over = threading.Event()
        held: list[int] = []

        def slow(inner):
            return inner.step(lambda step: over.wait(60) and "slow")

        def waiting(inner):
            held.append(threading.get_ident())
            inner.wait(Duration.from_seconds(5))
            inner.step(lambda step: over.set())
            return f"entered {len(held)} times"

        def around(inner):
            return inner.parallel([waiting]).get_results()[0]

        return ctx.parallel([slow, waiting if depth == 1 else around]).get_results()

    world = World(handler, start_ms=1_700_000_000_000)
    world.link.edit = lambda call, answer: (world.clock.advance(6_000), answer)[1]
    world.run()
    assert world.value == ["slow", "entered 2 times"]
    assert world.invocations == 1
    assert [] in [call.updates for call in world.link.calls if call.kind == "checkpoint"]


def test_a_retry_in_a_branch_is_due_while_a_sibling_runs_sync() -> None:
    def handler(event, ctx):
        over = threading.Event()

        def flaky(step):
            if step.attempt == 1:
                raise OSError
            over.set()
            return step.attempt

        result = ctx.parallel(
            [lambda inner: inner.step(lambda step: over.wait(60)), lambda inner: inner.step(flaky, config=RETRY)]
        )
        return result.get_results()

    world = World(handler, start_ms=1_700_000_000_000)
    world.link.edit = lambda call, answer: (world.clock.advance(6_000), answer)[1]
    world.run()
    assert world.value == [True, 2]
    assert world.invocations == 1


def test_a_suspended_map_holds_no_thread() -> None:
    def handler(event, ctx):
        def one(inner, item):
            if item < 200:
                inner.wait(Duration.from_days(1))
                return 0
            return inner.step(lambda step: busy_in_the_end())

        return max(ctx.map(range(201), one).get_results())

    def busy_in_the_end() -> int:
        """How many threads are left when the others have come to their waits."""
        pause = threading.Event()
        for _ in range(2000):
            busy = sum(map(is_busy, threading.enumerate()))
            if busy <= 2:
                break
            pause.wait(0.01)
        return busy

    def is_busy(thread: threading.Thread) -> bool:
        import sys

        frame = sys._current_frames().get(thread.ident or 0)
        while frame is not None:
            ours = Path(frame.f_code.co_filename).parent.name == "engine"
            if ours and (frame.f_code.co_name == "_work" or "run_branch" in frame.f_code.co_name):
                return True
            frame = frame.f_back
        return False

    world = run(handler)
    assert world.status == "SUCCEEDED"
    assert world.value <= 2
