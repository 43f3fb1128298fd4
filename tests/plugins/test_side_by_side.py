"""Hooks of what runs side by side: where they are called, what they hold up and what they do not."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from contextvars import ContextVar
from typing import Any

import pytest

from durably import AsyncDurableContext, CompletionConfig, DurableContext, Duration, MapConfig, WithRetryConfig
from durably.plugin import DurableInstrumentationPlugin
from engine.harness import Flavour, World

from .recorder import Recorder, RecorderFactory, watch, with_plugins


def test_many_branches_each_have_their_hooks_in_order(flavour: Flavour) -> None:
    def item(child, value, index, items):
        return (yield child.step(flavour(lambda step: value), name=f"s{value}"))

    def handler(event, ctx):
        result = yield ctx.map(range(60), flavour(item), name="all")
        return sum(result.get_results())

    world, seen = watch(flavour, handler)
    assert world.value == sum(range(60))
    for n in range(60):
        inner = [
            f"start s{n}",
            f"function-start s{n} 1",
            f"function-end s{n} 1 SUCCEEDED",
            f"end s{n} SUCCEEDED",
        ]
        name = f"map-item-{n}"
        outer = [f"start {name}", f"function-start {name}", f"function-end {name} SUCCEEDED", f"end {name} SUCCEEDED"]
        assert seen.story_of(f"s{n}") == inner
        assert [told for told in seen.story if told in {*inner, *outer}] == [*outer[:2], *inner, *outer[2:]]
    changed = [one.name for info in seen.of("change") for one in info.updated_operations.values()]
    assert {f"s{n}" for n in range(60)} <= set(changed)
    assert seen.story[-1] == "invocation-end SUCCEEDED"


def test_a_hook_runs_in_the_thread_of_what_it_tells_of() -> None:
    flavour = Flavour("sync")
    bodies: dict[str, int] = {}

    def item(child, value, index, items):
        def body(step):
            bodies[f"s{value}"] = threading.get_ident()

        yield child.step(body, name=f"s{value}")

    def handler(event, ctx):
        yield ctx.map(range(8), flavour(item), name="all")

    _, seen = watch(flavour, handler)
    for name, thread in bodies.items():
        assert {event.thread for event in seen.events if event.name == name} == {thread}


def test_a_slow_hook_holds_up_its_own_branch_only() -> None:
    """The hook of one branch waits for the body of another."""
    flavour = Flavour("sync")
    other_ran = threading.Event()

    class Patient(Recorder):
        def on_operation_start(self, info: Any) -> None:
            if info.name == "first":
                assert other_ran.wait(60)
            super().on_operation_start(info)

    def first(child):
        yield child.step(lambda step: None, name="first")

    def second(child):
        yield child.step(lambda step: other_ran.set(), name="second")

    def handler(event, ctx):
        yield ctx.parallel([flavour(first), flavour(second)], name="both")

    seen = RecorderFactory(Patient)
    world = with_plugins(flavour.world(handler), [seen])
    world.run()
    assert world.status == "SUCCEEDED"
    assert seen.story.index("end second SUCCEEDED") < seen.story.index("start first")


def test_branches_that_lose_are_not_told_of_after_the_end(flavour: Flavour) -> None:
    def item(child, value, index, items):
        if value:
            yield child.wait(Duration.from_days(value), name=f"w{value}")
        yield child.step(flavour(lambda step: value), name=f"s{value}")
        return value

    def handler(event, ctx):
        config = MapConfig(completion_config=CompletionConfig.first_successful())
        result = yield ctx.map(range(3), flavour(item), name="all", config=config)
        return result.get_results()

    world, seen = watch(flavour, handler)
    assert world.value == [0]
    assert seen.story_of("map-item-0")[-1] == "end map-item-0 SUCCEEDED"
    assert not [told for told in seen.story if told.startswith(("end map-item-1", "start s1"))]
    assert [event.hook for event in seen.events][-1] == "invocation-end"


def test_the_invocation_ends_after_every_hook_in_progress() -> None:
    """A branch that has lost is still in a hook when the handler returns."""
    flavour = Flavour("sync")
    in_hook, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    class Plugin(DurableInstrumentationPlugin):
        def on_user_function_start(self, info: Any) -> None:
            if info.name == "slow":
                in_hook.set()
                assert go_on.wait(60)
                order.append("hook over")

        def on_invocation_end(self, info: Any) -> None:
            order.append("invocation over")

    class Factory:
        def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
            return Plugin()

    def slow(child):
        yield child.step(lambda step: None, name="slow")

    def quick(child):
        assert in_hook.wait(60)
        return "quick"
        yield

    def handler(event, ctx):
        config = MapConfig(completion_config=CompletionConfig.first_successful())
        branches = [flavour(slow), flavour(quick)]
        yield ctx.map(branches, lambda child, branch: branch(child), name="both", config=config)
        threading.Thread(target=let_go, args=(threading.get_ident(),)).start()

    def let_go(handler_thread: int) -> None:
        """When the end waits for the hook; or has not waited for it."""
        while not order and sys._current_frames()[handler_thread].f_code is not threading.Condition.wait.__code__:
            os.sched_yield()
        go_on.set()

    world = with_plugins(flavour.world(handler), [Factory()])
    world.run()
    assert world.status == "SUCCEEDED"
    assert order == ["hook over", "invocation over"]


def test_gathered_steps_and_started_ones() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def one(n: int) -> int:
            value: int = await ctx.step(body(n), name=f"g{n}")
            await ctx.wait(Duration.from_seconds(5 + n), name=f"w{n}")
            return value

        def body(n: int) -> Any:
            async def run(step: Any) -> int:
                return n

            return run

        started = ctx.start(ctx.step, body(9), name="started")
        return [*(await asyncio.gather(*(one(n) for n in range(4)))), await started]

    seen = RecorderFactory()
    world = with_plugins(World(handler), [seen])
    world.run()
    assert world.value == [0, 1, 2, 3, 9]
    for name in ("g0", "g1", "g2", "g3", "started"):
        assert seen.story_of(name) == [
            f"start {name}",
            f"function-start {name} 1",
            f"function-end {name} 1 SUCCEEDED",
            f"end {name} SUCCEEDED",
        ]
    assert [seen.story_of(f"w{n}")[-1] for n in range(4)] == [f"end w{n} SUCCEEDED" for n in range(4)]


def test_a_step_that_the_program_cancels_ends_with_the_invocation() -> None:
    async def slow(step: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async def handler(event: Any, ctx: AsyncDurableContext) -> str:
        started = asyncio.ensure_future(ctx.step(slow, name="slow"))
        await asyncio.sleep(0)
        await ctx.step(lambda step: asyncio.sleep(0), name="other")
        started.cancel()
        await asyncio.wait([started])
        return "cancelled"

    seen = RecorderFactory()
    world = with_plugins(World(handler), [seen])
    world.run()
    assert world.value == "cancelled"
    assert seen.story_of("slow") == [
        "start slow",
        "function-start slow 1",
        "function-end slow 1 INCOMPLETE",
        "end slow FAILED",
    ]
    assert seen.story[-1] == "invocation-end SUCCEEDED"


def test_started_operations_of_sync_code_and_a_race() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        pause = ctx.start(ctx.wait, Duration.from_days(3), name="pause")
        quick = ctx.start(ctx.step, lambda step: "quick", name="quick")
        return ctx.race([pause, quick], name="decide")

    seen = RecorderFactory()
    world = with_plugins(World(handler), [seen])
    world.run()
    assert world.value == "quick"
    assert seen.story_of("quick")[-1] == "end quick SUCCEEDED"
    assert seen.story_of("decide") == ["start decide", "end decide SUCCEEDED"]
    assert seen.story_of("pause")[-1] == "end pause CANCELLED"


def test_compensations_are_contexts_like_others(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step_with_compensation(flavour(lambda step: 1), flavour(lambda child, value: None), name="book")
        yield ctx.run_compensations()

    world, seen = watch(flavour, handler)
    assert world.status == "SUCCEEDED"
    undone = [info for info in seen.of("end") if info.sub_type == "Compensation"]
    assert [(info.name, info.status.value) for info in undone] == [("book", "SUCCEEDED")]
    assert [info.name for info in seen.of("function-start") if info.sub_type == "Compensation"] == ["book"]


def test_the_waits_of_a_block_that_is_tried_again(flavour: Flavour) -> None:
    tries: list[int] = []

    def block(child, attempt):
        tries.append(attempt)
        if attempt < 2:
            raise ValueError("not yet")
        return (yield child.step(flavour(lambda step: attempt), name="inner"))

    def handler(event, ctx):
        return (yield ctx.with_retry(flavour(block), name="block", config=WithRetryConfig()))

    world, seen = watch(flavour, handler)
    assert world.value == 2
    assert seen.story_of("block-backoff-1") == ["start block-backoff-1", "end block-backoff-1 SUCCEEDED"]


# ---- context variables -----------------------------------------------------------------------------------------

SPAN: ContextVar[str] = ContextVar("span", default="none")


class Spans(DurableInstrumentationPlugin):
    def __init__(self) -> None:
        self.tokens: dict[str, Any] = {}

    def on_user_function_start(self, info: Any) -> None:
        self.tokens[info.operation_id] = SPAN.set(info.name)

    def on_user_function_end(self, info: Any) -> None:
        SPAN.reset(self.tokens.pop(info.operation_id))


class SpansFactory:
    def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
        return Spans()


def test_context_variables_set_by_a_hook_are_seen_by_the_function(
    flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    found: dict[str, list[str]] = {}

    def body(name: str) -> Any:
        def run(step: Any) -> None:
            found[name] = [SPAN.get()]

        return run

    def item(child, value, index, items):
        yield child.step(flavour(body(f"s{value}")), name=f"s{value}")
        found[f"s{value}"].append(SPAN.get())

    def handler(event, ctx):
        yield ctx.step(body("plain"), name="plain")  # in a coroutine: runs in a thread
        yield ctx.map(range(3), flavour(item), name="all")
        found["handler"] = [SPAN.get()]

    world = with_plugins(flavour.world(handler), [SpansFactory()])
    world.run()
    assert world.status == "SUCCEEDED"
    assert found == {
        "plain": ["plain"],
        "s0": ["s0", "map-item-0"],
        "s1": ["s1", "map-item-1"],
        "s2": ["s2", "map-item-2"],
        "handler": ["none"],
    }
    assert not caplog.records
