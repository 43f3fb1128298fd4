"""Suspension cannot be swallowed (laws R6 and R7).

Each handler does its worst with exceptions around an operation that suspends. The invocation answers PENDING,
records nothing more, and no code goes on as if it had a result.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading

import anyio
import pytest

from durably import ContextMisuseError, Duration

from .harness import World

HOUR = Duration.from_hours(1)


class Stuck:
    """Runs a handler that suspends on a callback nobody answers, and says what became of it."""

    def __init__(self, handler) -> None:
        self.world = World(handler)
        self.world.run()

    def check(self, batches: int = 1) -> None:
        assert self.world.outputs == [{"Status": "PENDING"}]
        assert self.world.status == "WAITING"
        assert "went on" not in self.world.effects
        assert len(self.world.batches) == batches
        assert all(view["Status"] != "FAILED" for view in self.world.operations.values())


def suspend_sync(ctx) -> None:
    ctx.create_callback(name="never").result()


async def suspend_async(ctx) -> None:
    await (await ctx.create_callback(name="never")).result()


# ---- sync -----------------------------------------------------------------------------------------------


def test_sync_except_exception() -> None:
    def handler(event, ctx):
        try:
            suspend_sync(ctx)
        except Exception:
            stuck_effects.append("went on")
            return "swallowed"

    stuck_effects: list[str] = []
    Stuck(handler).check()
    assert stuck_effects == []


def test_sync_except_base_exception_and_more_operations() -> None:
    effects = []

    def handler(event, ctx):
        for _ in range(3):
            try:
                suspend_sync(ctx)
                effects.append("went on")
            except BaseException:
                pass
        try:
            ctx.step(lambda step: effects.append("went on"))
        except BaseException:
            pass
        return "swallowed"

    Stuck(handler).check()
    assert effects == []


def test_sync_bare_except_then_another_error() -> None:
    def handler(event, ctx):
        try:
            suspend_sync(ctx)
        except:  # noqa: E722
            raise ValueError("instead") from None

    Stuck(handler).check()


def test_sync_finally_with_operations_and_return() -> None:
    effects = []

    def handler(event, ctx):
        try:
            suspend_sync(ctx)
        finally:
            try:
                ctx.step(lambda step: effects.append("went on"), name="cleanup")
            finally:
                return "swallowed"  # noqa: B012

    Stuck(handler).check()
    assert effects == []


def test_sync_context_manager_that_suppresses() -> None:
    def handler(event, ctx):
        with contextlib.suppress(BaseException):
            suspend_sync(ctx)
        return "swallowed"

    Stuck(handler).check()


def test_sync_inside_a_child_nothing_of_the_child_is_recorded() -> None:
    def handler(event, ctx):
        def child(inner):
            try:
                suspend_sync(inner)
            except BaseException:
                return "swallowed"

        try:
            return ctx.run_in_child_context(child, name="child")
        except BaseException:
            return "swallowed too"

    stuck = Stuck(handler)
    stuck.check()
    assert stuck.world.named("child")["Status"] == "STARTED"


def test_sync_suspended_in_a_callback_for_another_thread_of_control() -> None:
    """A generator that is left suspended and closed later."""

    def handler(event, ctx):
        def generator():
            try:
                suspend_sync(ctx)
                yield 1
            except BaseException:
                yield 2

        return list(generator())

    Stuck(handler).check()


# ---- async ----------------------------------------------------------------------------------------------


def swallow_directly(kind):
    async def handler(event, ctx):
        if kind == "except Exception":
            try:
                await suspend_async(ctx)
            except Exception:
                return "swallowed"
        elif kind == "except BaseException":
            try:
                await suspend_async(ctx)
            except BaseException:
                return "swallowed"
        elif kind == "suppress":
            with contextlib.suppress(BaseException):
                await suspend_async(ctx)
            return "swallowed"
        elif kind == "finally return":
            try:
                await suspend_async(ctx)
            finally:
                return "swallowed"  # noqa: B012
        elif kind == "another error":
            try:
                await suspend_async(ctx)
            except BaseException:
                raise ValueError("instead") from None
        elif kind == "timeout":
            async with asyncio.timeout(1000):
                await suspend_async(ctx)
        elif kind == "timeout that swallows":
            try:
                async with asyncio.timeout(1000):
                    await suspend_async(ctx)
            except BaseException:
                return "swallowed"
        elif kind == "wait_for":
            try:
                await asyncio.wait_for(suspend_async(ctx), 1000)
            except BaseException:
                return "swallowed"
        elif kind == "gather":
            await asyncio.gather(suspend_async(ctx), suspend_async(ctx), return_exceptions=True)
            return "swallowed"
        elif kind == "nested gather":
            await asyncio.gather(
                asyncio.gather(suspend_async(ctx), return_exceptions=True),
                asyncio.gather(suspend_async(ctx), return_exceptions=True),
                return_exceptions=True,
            )
            return "swallowed"
        elif kind == "wait":
            tasks = [asyncio.create_task(suspend_async(ctx)) for _ in range(3)]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            return [repr(task) for task in done]
        elif kind == "wait with a timeout":
            tasks = [asyncio.create_task(suspend_async(ctx)) for _ in range(3)]
            await asyncio.wait(tasks, timeout=1000)
            return "swallowed"
        elif kind == "as_completed":
            for one in asyncio.as_completed([suspend_async(ctx), suspend_async(ctx)]):
                with contextlib.suppress(BaseException):
                    await one
            return "swallowed"
        elif kind == "TaskGroup":
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(suspend_async(ctx))
                    group.create_task(suspend_async(ctx))
            except BaseException:
                return "swallowed"
        elif kind == "TaskGroup, caught inside":

            async def deaf():
                with contextlib.suppress(BaseException):
                    await suspend_async(ctx)
                return "swallowed"

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(deaf()) for _ in range(2)]
            return [task.result() for task in tasks]
        elif kind == "shield":
            try:
                await asyncio.shield(suspend_async(ctx))
            except BaseException:
                return "swallowed"
        elif kind == "anyio":
            try:
                async with anyio.create_task_group() as group:
                    group.start_soon(suspend_async, ctx)
                    group.start_soon(suspend_async, ctx)
            except BaseException:
                return "swallowed"
        elif kind == "anyio shielded":
            with anyio.CancelScope(shield=True):
                await suspend_async(ctx)
            return "swallowed"
        elif kind == "anyio timeout":
            with anyio.move_on_after(1000):
                await suspend_async(ctx)
            return "swallowed"
        elif kind == "background task, result looked at":
            task = asyncio.create_task(suspend_async(ctx))
            while not task.done():
                await asyncio.wait({task})
            return "swallowed"
        elif kind == "child":

            async def child(inner):
                with contextlib.suppress(BaseException):
                    await suspend_async(inner)
                return "swallowed"

            return await ctx.run_in_child_context(child)
        elif kind == "queue between tasks":
            queue: asyncio.Queue[int] = asyncio.Queue()

            async def producer():
                await suspend_async(ctx)
                await queue.put(1)

            task = asyncio.create_task(producer())
            value = await queue.get()
            await task
            return value
        elif kind == "event between tasks":
            ready = asyncio.Event()

            async def setter():
                await suspend_async(ctx)
                ready.set()

            async with asyncio.TaskGroup() as group:
                group.create_task(setter())
                group.create_task(ready.wait())
        elif kind == "lock between tasks":
            lock = asyncio.Lock()

            async def holder():
                async with lock:
                    await suspend_async(ctx)

            await asyncio.gather(holder(), holder(), holder())
        elif kind == "semaphore between tasks":
            semaphore = asyncio.Semaphore(2)

            async def holder():
                async with semaphore:
                    await suspend_async(ctx)

            await asyncio.gather(*[holder() for _ in range(5)])
        elif kind == "condition between tasks":
            condition = asyncio.Condition()

            async def notifier():
                await suspend_async(ctx)
                async with condition:
                    condition.notify_all()

            async def waiter():
                async with condition:
                    await condition.wait()

            await asyncio.gather(waiter(), notifier())
        elif kind == "a future made by hand":
            future = asyncio.get_running_loop().create_future()

            async def setter():
                await suspend_async(ctx)
                future.set_result(1)

            task = asyncio.create_task(setter())
            await future
            await task
        else:
            raise AssertionError(kind)

    return handler


KINDS = [
    "except Exception",
    "except BaseException",
    "suppress",
    "finally return",
    "another error",
    "timeout",
    "timeout that swallows",
    "wait_for",
    "gather",
    "nested gather",
    "wait",
    "wait with a timeout",
    "as_completed",
    "TaskGroup",
    "TaskGroup, caught inside",
    "shield",
    "anyio",
    "anyio shielded",
    "anyio timeout",
    "background task, result looked at",
    "child",
    "queue between tasks",
    "event between tasks",
    "lock between tasks",
    "semaphore between tasks",
    "condition between tasks",
    "a future made by hand",
]


@pytest.mark.parametrize("kind", KINDS)
def test_async_suspension_cannot_be_swallowed(kind: str) -> None:
    Stuck(swallow_directly(kind)).check()


@pytest.mark.parametrize("kind", KINDS)
def test_operations_during_the_unwinding_record_nothing(kind: str) -> None:
    """R6: whatever code does while it is being cancelled."""
    effects = []
    source = swallow_directly(kind)

    async def handler(event, ctx):
        async def guarded():
            try:
                return await source(event, ctx)
            finally:
                for _ in range(3):
                    with contextlib.suppress(BaseException):
                        await ctx.step(lambda step: effects.append("step"), name="cleanup")
                with contextlib.suppress(BaseException):
                    await ctx.wait(HOUR, name="cleanup wait")
                with contextlib.suppress(BaseException):
                    await asyncio.gather(ctx.step(lambda step: effects.append("gathered")))

        return await guarded()

    Stuck(handler).check()
    assert effects == []


def test_a_handler_that_resists_its_end_for_a_while() -> None:
    """Cancelled several times before it gives in."""

    async def handler(event, ctx):
        for _ in range(4):
            with contextlib.suppress(BaseException):
                await suspend_async(ctx)
            with contextlib.suppress(BaseException):
                await asyncio.sleep(0)
        return "swallowed"

    Stuck(handler).check()


# ---- what is waited for before suspending ---------------------------------------------------------------


def test_a_step_that_runs_while_a_sibling_suspends_finishes_and_is_recorded_once() -> None:
    released = threading.Event()

    async def handler(event, ctx):
        async def slow(step):
            world.effects.append("slow")
            for _ in range(50):
                await asyncio.sleep(0)
            return "slow"

        def blocking(step):
            world.effects.append("blocking")
            released.wait(0.05)
            return "blocking"

        return await asyncio.gather(ctx.wait(HOUR), ctx.step(slow), ctx.step(blocking))

    world = World(handler)
    world.run()
    assert world.value == [None, "slow", "blocking"]
    assert sorted(world.effects) == ["blocking", "slow"]
    assert world.invocations == 2


def flow_that_sends_the_answer(kind):
    """A callback whose answer is sent by plain code of a sibling task: were the invocation to end before that code
    has run, the answer would never come."""

    async def handler(event, ctx):
        world = event_world[0]
        callback = await ctx.create_callback(name="cb")

        def answer():
            world.service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback.callback_id, Result="sent")

        loop = asyncio.get_running_loop()

        async def send():
            if kind == "sleep":
                await asyncio.sleep(0.02)
            elif kind == "thread":
                await asyncio.to_thread(threading.Event().wait, 0.02)
            elif kind == "executor":
                await loop.run_in_executor(None, threading.Event().wait, 0.02)
            elif kind == "executor in gather":
                await asyncio.gather(loop.run_in_executor(None, threading.Event().wait, 0.02))
            elif kind == "executor in wait_for":
                await asyncio.wait_for(loop.run_in_executor(None, threading.Event().wait, 0.02), 100)
            elif kind == "executor in wait":
                await asyncio.wait([loop.run_in_executor(None, threading.Event().wait, 0.02)])
            elif kind == "executor in as_completed":
                for one in asyncio.as_completed([loop.run_in_executor(None, threading.Event().wait, 0.02)]):
                    await one
            elif kind == "executor in shield":
                await asyncio.shield(loop.run_in_executor(None, threading.Event().wait, 0.02))
            elif kind == "executor in timeout":
                async with asyncio.timeout(100):
                    await loop.run_in_executor(None, threading.Event().wait, 0.02)
            elif kind == "sleep in a task":
                await asyncio.create_task(asyncio.sleep(0.02))
            elif kind == "sleep in wait_for":
                await asyncio.wait_for(asyncio.sleep(0.02), 100)
            elif kind == "anyio thread":
                await anyio.to_thread.run_sync(threading.Event().wait, 0.02)
            elif kind == "anyio sleep":
                await anyio.sleep(0.02)
            elif kind == "socket":
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                host, port = server.sockets[0].getsockname()
                reader, writer = await asyncio.open_connection(host, port)
                assert await reader.read() == b"hello"
                writer.close()
                await writer.wait_closed()
                server.close()
                await server.wait_closed()
            elif kind == "subprocess":
                process = await asyncio.create_subprocess_exec("true")
                await process.wait()
            answer()

        async def serve(reader, writer):
            await asyncio.sleep(0.01)
            writer.write(b"hello")
            writer.close()
            await writer.wait_closed()

        async with asyncio.TaskGroup() as group:
            if not world.effects:
                world.effects.append("sending")
                group.create_task(send())
            else:
                group.create_task(asyncio.sleep(0))
            result = group.create_task(callback.result())
        return result.result()

    event_world: list[World] = []
    world = World(handler)
    event_world.append(world)
    return world


@pytest.mark.parametrize(
    "kind",
    [
        "sleep",
        "thread",
        "executor",
        "executor in gather",
        "executor in wait_for",
        "executor in wait",
        "executor in as_completed",
        "executor in shield",
        "executor in timeout",
        "sleep in a task",
        "sleep in wait_for",
        "anyio thread",
        "anyio sleep",
        "socket",
        "subprocess",
    ],
)
def test_plain_work_of_a_sibling_is_waited_for(kind: str) -> None:
    world = flow_that_sends_the_answer(kind)
    world.run()
    assert world.value == "sent"


def test_a_step_that_is_due_while_a_sibling_runs_goes_on_in_the_same_invocation() -> None:
    """The service's clock stands in the past here, so everything is due as far as the engine can see."""

    async def handler(event, ctx):
        over = asyncio.Event()

        async def slow(step):
            await over.wait()
            return "slow"

        async def waiting():
            await ctx.wait(Duration.from_seconds(5))
            over.set()
            return "waited"

        async def time_passes():
            while not world.operations:  # noqa: ASYNC110 - turns of the loop, not time
                await asyncio.sleep(0)
            world.clock.advance(6_000)

        results = await asyncio.gather(ctx.step(slow), waiting(), time_passes())
        return results[:2]

    world = World(handler, start_ms=1_700_000_000_000)
    world.run()
    assert world.value == ["slow", "waited"]
    assert world.invocations == 1
    assert [] in [call.updates for call in world.link.calls]


def test_a_retry_that_is_due_while_a_sibling_runs_goes_on_in_the_same_invocation() -> None:
    async def handler(event, ctx):
        over = asyncio.Event()

        async def slow(step):
            await over.wait()

        async def flaky(step):
            if step.attempt == 1:
                world.clock.advance(10_000)
                raise ValueError
            over.set()
            return step.attempt

        return (await asyncio.gather(ctx.step(slow), ctx.step(flaky)))[1]

    world = World(handler, start_ms=1_700_000_000_000)

    def edit(call, answer):
        world.clock.advance(10_000)
        return answer

    world.link.edit = edit
    world.run()
    assert world.value == 2
    assert world.invocations == 1


def test_suspending_does_not_wait_for_tasks_of_the_programs_own() -> None:
    """A client library's task, made inside a step, outlives the invocation and does not hold it up."""
    tasks = []

    async def handler(event, ctx):
        async def body(step):
            if not tasks:
                tasks.append(asyncio.create_task(asyncio.Event().wait()))
            return tasks[0].done()

        before = await ctx.step(body)
        await ctx.wait(HOUR)
        return [before, await ctx.step(body)]

    world = World(handler)
    world.run()
    assert world.value == [False, False]
    assert not tasks[0].done()
    loop = tasks[0].get_loop()
    tasks[0].cancel()
    loop.run_until_complete(asyncio.wait(tasks))


def test_a_context_is_still_refused_in_a_step_while_suspending() -> None:
    async def handler(event, ctx):
        async def slow(step):
            for _ in range(20):
                await asyncio.sleep(0)
            with pytest.raises(ContextMisuseError):
                await ctx.wait(HOUR)
            return 1

        return await asyncio.gather(ctx.step(slow), ctx.wait(HOUR))

    world = World(handler)
    world.run()
    assert world.value == [1, None]
