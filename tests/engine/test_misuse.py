"""A context used where it does not belong is refused, says what to do instead, and records nothing."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from durably import ContextMisuseError, Duration

from .harness import Answer, Flavour, World

SECOND = Duration.from_seconds(1)

OPERATIONS = {
    "step": lambda ctx: ctx.step(lambda step: 1),
    "wait": lambda ctx: ctx.wait(SECOND),
    "create_callback": lambda ctx: ctx.create_callback(),
    "wait_for_callback": lambda ctx: ctx.wait_for_callback(lambda callback_id, context: None),
    "invoke": lambda ctx: ctx.invoke("other", 1),
    "run_in_child_context": lambda ctx: ctx.run_in_child_context(lambda inner: 1),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_context_inside_a_step(flavour: Flavour, operation) -> None:
    def handler(event, ctx):
        def body(step):
            try:
                operation(ctx)
            except ContextMisuseError as error:
                return str(error)

        return (yield ctx.step(flavour(body), name="outer"))

    world = flavour.run(handler)
    assert "inside step 'outer'" in world.value.lower()
    assert "run_in_child_context()" in world.value
    assert [view.get("Name") for view in world.operations.values()] == ["outer"]


def test_a_context_inside_a_submitter(flavour: Flavour) -> None:
    def handler(event, ctx):
        def submit(callback_id, context):
            try:
                ctx.wait(SECOND)
            except ContextMisuseError as error:
                world.effects.append(str(error))

        return (yield ctx.wait_for_callback(flavour(submit), name="approval"))

    world = flavour.world(handler, callbacks={"approval create callback id": Answer("ok")})
    world.run()
    assert world.value == "ok"
    assert "approval submitter" in world.effects[0]


def test_a_context_in_a_thread_of_an_async_step() -> None:
    async def handler(event, ctx):
        def blocking(step):
            try:
                ctx.wait(SECOND)
            except ContextMisuseError as error:
                return str(error)

        return await ctx.step(blocking)

    world = World(handler)
    world.run()
    assert "thread" in world.value
    assert len(world.operations) == 1


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_a_context_in_a_foreign_thread(flavour: Flavour, operation, copied) -> None:
    """Also where the thread runs in a copy of the handler's context variables."""

    def handler(event, ctx):
        def foreign():
            try:
                operation(ctx)
            except ContextMisuseError as error:
                world.effects.append(str(error))

        run = contextvars.copy_context().run if copied else lambda function: function()
        thread = threading.Thread(target=run, args=(foreign,))
        thread.start()
        thread.join()
        return "ok"
        yield

    world = flavour.world(handler)
    world.run()
    assert world.value == "ok"
    assert "thread" in world.effects[0]
    assert "inside a step" in world.effects[0]
    assert world.updates == []


def test_a_context_in_to_thread() -> None:
    async def handler(event, ctx):
        def foreign():
            try:
                ctx.step(lambda step: 1)
            except ContextMisuseError as error:
                return str(error)

        return await asyncio.to_thread(foreign)

    world = World(handler)
    world.run()
    assert "thread" in world.value
    assert world.updates == []


def test_a_context_of_an_earlier_invocation(flavour: Flavour) -> None:
    kept = []

    def handler(event, ctx):
        kept.append(ctx)
        yield ctx.wait(SECOND)
        if world.invocations == 2:
            try:
                yield kept[0].step(lambda step: 1)
            except ContextMisuseError as error:
                return str(error)

    world = flavour.world(handler)
    world.run()
    assert "another invocation" in world.value
    assert "globals" in world.value
    assert len(world.operations) == 1


def test_a_callback_of_an_earlier_invocation(flavour: Flavour) -> None:
    kept = []

    def handler(event, ctx):
        kept.append((yield ctx.create_callback()))
        yield ctx.wait(SECOND)
        try:
            yield kept[0].result()
        except ContextMisuseError as error:
            return str(error)

    assert "another invocation" in flavour.run(handler).value


def test_a_context_after_its_invocation_outside_of_everything(flavour: Flavour) -> None:
    kept = []

    def handler(event, ctx):
        kept.append(ctx)
        return 1
        yield

    world = flavour.run(handler)
    with pytest.raises(ContextMisuseError, match="does not belong"):
        kept[0].step(lambda step: 1)
    assert world.updates == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_the_outer_context_inside_a_child(flavour: Flavour, operation) -> None:
    def handler(event, ctx):
        def child(inner):
            try:
                yield operation(ctx)
            except ContextMisuseError as error:
                return str(error)

        return (yield ctx.run_in_child_context(flavour(child), name="child"))

    world = flavour.run(handler)
    assert "context of its own" in world.value
    assert "'child'" in world.value
    assert len(world.operations) == 1


def test_a_childs_context_after_the_child(flavour: Flavour) -> None:
    kept = []

    def handler(event, ctx):
        def child(inner):
            kept.append(inner)
            return 1
            yield

        yield ctx.run_in_child_context(flavour(child), name="child")
        try:
            yield kept[0].step(lambda step: 1)
        except ContextMisuseError as error:
            return str(error)

    world = flavour.run(handler)
    assert "Use the context" in world.value
    assert len(world.operations) == 1


def test_a_childs_context_in_a_sibling_child() -> None:
    async def handler(event, ctx):
        kept = asyncio.get_running_loop().create_future()
        tried = asyncio.Event()

        async def one(inner):
            kept.set_result(inner)
            await tried.wait()

        async def two(inner):
            other = await kept
            try:
                await other.step(lambda step: 1)
            except ContextMisuseError as error:
                return str(error)
            finally:
                tried.set()

        return (await asyncio.gather(ctx.run_in_child_context(one), ctx.run_in_child_context(two)))[1]

    world = World(handler)
    world.run()
    assert "context of its own" in world.value
    assert len(world.operations) == 2


def test_a_context_in_a_callback_of_the_loop_belongs_to_who_set_it_up() -> None:
    """call_soon runs in the caller's context: an operation may be called there, and is numbered like the caller's."""

    async def handler(event, ctx):
        called: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: called.set_result(ctx.step(lambda step: "called back")))
        return await (await called)

    world = World(handler)
    world.run()
    assert world.value == "called back"


def test_is_replaying(flavour: Flavour) -> None:
    def handler(event, ctx):
        log = [ctx.is_replaying()]
        yield ctx.step(flavour(lambda step: 1))
        log.append(ctx.is_replaying())
        yield ctx.wait(SECOND)
        log.append(ctx.is_replaying())
        yield ctx.step(flavour(lambda step: 1))
        log.append(ctx.is_replaying())
        world.effects.append(log)
        yield ctx.wait(SECOND)
        world.effects.append(ctx.is_replaying())

    world = flavour.world(handler)
    world.run()
    assert world.status == "SUCCEEDED"
    assert world.effects == [[True, True, False, False], [True, True, True, True], False]


def test_an_operation_that_nobody_awaits_says_what_it_is() -> None:
    def forgets(event: Any, ctx: Any) -> int:
        ctx.step(lambda step: 1, name="forgotten")
        return 1

    async def handler(event: Any, ctx: Any) -> int:
        return forgets(event, ctx)

    with pytest.warns(RuntimeWarning, match=r"await ctx\.step\(\.\.\.\)`' was never awaited"):
        assert World(handler).run().value == 1
