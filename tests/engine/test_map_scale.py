"""Many branches: bounded threads, real concurrency up to the limit, linear numbers of calls, no deadlock."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import Any

import pytest

from durably import CompletionConfig, Duration, MapConfig, NestingType, ParallelConfig
from durably.engine.staff import MAX_THREADS

from .harness import Flavour, World, run

SECOND = Duration.from_seconds(1)
FIRST = ParallelConfig(completion_config=CompletionConfig.first_successful())


def linear(world: World, per_item: int, items: int) -> None:
    """Each update was made once, and calls were not made more often than updates."""
    keys = [(update["Id"], update["Action"]) for update in world.updates]
    assert len(keys) == len(set(keys)) == per_item * items + 2
    assert len(world.link.calls) <= len(keys)


@pytest.mark.parametrize("items", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_wide_map_of_steps(flavour: Flavour, items: int) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            most[0] = max(most[0], threading.active_count())
            return (yield inner.step(flavour(lambda step: item)))

        result = yield ctx.map(range(items), flavour(one))
        return [result.success_count, result.get_results() == list(range(items))]

    most = [0]
    before = threading.active_count()
    world = flavour.run(handler)
    assert world.value == [items, True]
    linear(world, 4, items)
    assert most[0] <= before + (0 if flavour.is_async else MAX_THREADS + 2)
    if flavour.is_async:
        assert len(world.link.calls) <= 2 + 4 * items // 150  # 250 updates a call, if they are there


@pytest.mark.parametrize("items", [500, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_wide_map_of_waits(flavour: Flavour, items: int) -> None:
    """Every branch is parked at the same time: in sync code none of them holds a thread."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(SECOND)
            return (yield inner.step(flavour(lambda step: item)))

        result = yield ctx.map(range(items), flavour(one))
        return [result.success_count, result.get_results() == list(range(items))]

    before = threading.active_count()
    world = flavour.world(handler)
    world.run()
    assert world.value == [items, True]
    assert world.outputs[0] == {"Status": "PENDING"}
    linear(world, 5, items)
    assert threading.active_count() <= before + MAX_THREADS + 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_wide_map_of_parallels_that_wait(flavour: Flavour) -> None:
    items = 2_000

    def handler(event, ctx):
        def leaf(inner):
            yield inner.wait(SECOND)
            return 1

        def one(inner, item, *rest):
            return len((yield inner.parallel([flavour(leaf), flavour(leaf)])).get_results())

        return sum((yield ctx.map(range(items), flavour(one))).get_results())

    before = threading.active_count()
    world = flavour.run(handler)
    assert world.value == 2 * items
    linear(world, 2 + 2 + 2 * 3, items)
    assert threading.active_count() <= before + 4 * MAX_THREADS


def test_blocking_branches_run_side_by_side() -> None:
    """As many as there are threads: each waits for all the others."""
    barrier = threading.Barrier(MAX_THREADS, timeout=60)

    def handler(event, ctx):
        def one(inner, item):
            return inner.step(lambda step: barrier.wait() * 0 + item)

        return ctx.map(range(MAX_THREADS), one).get_results()

    assert run(handler).value == list(range(MAX_THREADS))


def test_max_concurrency_bounds_what_runs_at_once() -> None:
    running, most = [0], [0]
    lock = threading.Lock()

    def handler(event, ctx):
        def body(step):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            gate.wait(0.01)
            with lock:
                running[0] -= 1

        ctx.map(range(40), lambda inner, item: inner.step(body), config=MapConfig(max_concurrency=5))

    gate = threading.Event()
    assert run(handler).status == "SUCCEEDED"
    assert most[0] <= 5


@pytest.mark.parametrize("nesting", NestingType)
def test_groups_in_groups_in_groups_do_not_run_out_of_threads(flavour: Flavour, nesting: NestingType) -> None:
    """More branches wait for inner ones than there are threads."""

    def handler(event, ctx):
        def leaf(inner, item, *rest):
            return (yield inner.step(flavour(lambda step: item)))

        def middle(inner, item, *rest):
            return sum((yield inner.map([item, item], flavour(leaf), config=config)).get_results())

        def outer(inner, item, *rest):
            return sum((yield inner.map([item, item, item], flavour(middle), config=config)).get_results())

        return sum((yield ctx.map(range(100), flavour(outer), config=config)).get_results())

    config: MapConfig[Any] = MapConfig(nesting_type=nesting)
    assert flavour.run(handler).value == 6 * sum(range(100))


def test_losers_that_never_end_do_not_use_up_the_threads() -> None:
    """As many losers as there are threads go on blocking; the next parallel runs all the same."""
    gate, blocked = threading.Event(), threading.Semaphore(0)

    def handler(event, ctx):
        def loser(inner):
            blocked.release()
            gate.wait(60)

        def winner(inner):
            for _ in range(MAX_THREADS - 1):
                blocked.acquire(timeout=60)
            return "won"

        first = ctx.parallel([*[loser] * (MAX_THREADS - 1), winner], config=FIRST)
        second = ctx.map(range(2 * MAX_THREADS), lambda inner, item: inner.step(lambda step: item))
        return [first.get_results(), second.success_count]

    world = World(handler)
    try:
        world.run()
        assert world.value == [["won"], 2 * MAX_THREADS]
    finally:
        gate.set()


def test_a_loser_that_waits_for_an_inner_group_lets_go_of_its_thread() -> None:
    gate, inside, unwound = threading.Event(), threading.Event(), threading.Event()

    def handler(event, ctx):
        def blocking(deepest):
            inside.set()
            gate.wait(60)

        def loser(inner):
            try:
                inner.parallel([blocking, blocking])
            finally:
                unwound.set()

        def winner(inner):
            assert inside.wait(60)
            return "won"

        result = ctx.parallel([loser, winner], config=FIRST)
        assert unwound.wait(60), "its frames are unwound although the inner branches block"
        return result.get_results()

    world = World(handler)
    try:
        world.run()
        assert world.value == ["won"]
    finally:
        gate.set()


REQUEST: ContextVar[str] = ContextVar("request", default="none")


def test_branches_see_the_context_variables_of_the_code_that_opened_them(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            found = REQUEST.get()
            REQUEST.set(f"changed by {item}")
            return (yield inner.step(flavour(lambda step: [found, REQUEST.get()])))

        REQUEST.set("r1")
        results = (yield ctx.map([1, 2], flavour(one))).get_results()
        return [*results, REQUEST.get()]

    assert flavour.run(handler).value == [["r1", "changed by 1"], ["r1", "changed by 2"], "r1"]


class Ended(BaseException):
    pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, Ended])
@pytest.mark.parametrize("depth", [1, 2])
def test_what_is_no_exception_ends_the_invocation(flavour: Flavour, kind: type[BaseException], depth: int) -> None:
    def handler(event, ctx):
        def leaf(inner):
            raise kind("stop")
            yield

        def around(inner):
            yield inner.parallel([flavour(leaf)])

        def other(inner):
            yield inner.wait(SECOND)

        try:
            yield ctx.parallel([flavour(other), flavour(leaf if depth == 1 else around)])
        except Exception:
            return "caught"

    world = flavour.world(handler)
    with pytest.raises(kind, match="stop"):
        world.run()
    assert all(view["Status"] != "FAILED" for view in world.operations.values())
