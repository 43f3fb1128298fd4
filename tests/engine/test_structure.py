"""asyncio's tools around durable operations and around coroutines that each run several (laws R2 and R9)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading

import anyio
import pytest

from durably import ContextMisuseError, Duration, StepError, durable_execution
from durably.wire.ids import operation_id

from .harness import Answer, World, identities

SECOND = Duration.from_seconds(1)


async def flow(ctx, world, label, pause=1):
    """Two steps around a wait."""

    async def body(step, part):
        for _ in range(len(label) % 3):
            await asyncio.sleep(0)
        world.effect(f"{label}.{part}")
        return f"{label}.{part}"

    one = await ctx.step(lambda step: body(step, 1), name=f"{label}.1")
    await ctx.wait(Duration.from_seconds(pause), name=f"{label}.wait")
    two = await ctx.step(lambda step: body(step, 2), name=f"{label}.2")
    return [one, two]


def expected(*labels):
    return [[f"{label}.1", f"{label}.2"] for label in labels]


LABELS = ["a", "bb", "ccc", "dddd"]


async def by_gather(ctx, world):
    return await asyncio.gather(*[flow(ctx, world, label, n + 1) for n, label in enumerate(LABELS)])


async def by_task_group(ctx, world):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(flow(ctx, world, label, 4 - n)) for n, label in enumerate(LABELS)]
    return [task.result() for task in tasks]


async def by_create_task(ctx, world):
    tasks = [asyncio.create_task(flow(ctx, world, label)) for label in LABELS]
    return [await task for task in reversed(tasks)][::-1]


async def by_wait(ctx, world):
    tasks = [asyncio.create_task(flow(ctx, world, label)) for label in LABELS]
    await asyncio.wait(tasks)
    return [task.result() for task in tasks]


async def by_as_completed(ctx, world):
    found = [await one for one in asyncio.as_completed([flow(ctx, world, label) for label in LABELS])]
    return sorted(found)


async def by_wait_for(ctx, world):
    return [await asyncio.wait_for(flow(ctx, world, label), 1000) for label in LABELS]


async def by_timeout(ctx, world):
    found = []
    for label in LABELS:
        async with asyncio.timeout(1000):
            found.append(await flow(ctx, world, label))
    return found


async def by_shield(ctx, world):
    return [await asyncio.shield(flow(ctx, world, label)) for label in LABELS]


async def by_nested_gathers(ctx, world):
    async def pair(one, two):
        return await asyncio.gather(flow(ctx, world, one), flow(ctx, world, two))

    first, second = await asyncio.gather(pair(*LABELS[:2]), pair(*LABELS[2:]))
    return [*first, *second]


async def by_anyio(ctx, world):
    found = {}

    async def keep(label):
        found[label] = await flow(ctx, world, label)

    async with anyio.create_task_group() as group:
        for label in LABELS:
            group.start_soon(keep, label)
    return [found[label] for label in LABELS]


async def by_children(ctx, world):
    def child(label):
        async def inside(inner):
            return await flow(inner, world, label)

        return inside

    return await asyncio.gather(*[ctx.run_in_child_context(child(label), name=label) for label in LABELS])


async def by_gather_of_operations(ctx, world):
    async def body(step, text):
        world.effect(text)
        return text

    firsts = await asyncio.gather(*[ctx.step(lambda step, label=label: body(step, f"{label}.1")) for label in LABELS])
    await asyncio.gather(*[ctx.wait(Duration.from_seconds(n + 1)) for n in range(4)])
    seconds = await asyncio.gather(*[ctx.step(lambda step, label=label: body(step, f"{label}.2")) for label in LABELS])
    return [list(pair) for pair in zip(firsts, seconds, strict=True)]


async def by_tasks_of_tasks(ctx, world):
    async def spawn(label):
        return await asyncio.create_task(flow(ctx, world, label))

    return await asyncio.gather(*[spawn(label) for label in LABELS])


async def by_async_generator(ctx, world):
    async def flows():
        for label in LABELS:
            yield await flow(ctx, world, label)

    return [one async for one in flows()]


async def by_exit_stack(ctx, world):
    async with contextlib.AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(flow(ctx, world, label)) for label in LABELS]
    return [task.result() for task in tasks]


STRUCTURES = {name: value for name, value in list(globals().items()) if name.startswith("by_")}


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_every_structure_gives_its_result_and_runs_each_step_once(structure) -> None:
    async def handler(event, ctx):
        found = await structure(ctx, world)
        await ctx.wait(SECOND)
        return found

    world = World(handler)
    world.run()
    assert world.value == expected(*LABELS)
    assert sorted(world.effects) == sorted(f"{label}.{n}" for label in LABELS for n in (1, 2))
    assert world.invocations >= 3


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_ids_do_not_depend_on_timing(structure) -> None:
    """R2: with a client of any speed, the same operations under the same ids."""
    found = []
    for turns in (0, 1, 7):

        async def handler(event, ctx):
            return await structure(ctx, world)  # noqa: B023 - it runs in this turn of the loop

        world = World(handler)
        world.link.turns = lambda turns=turns: turns
        world.run()
        assert world.value == expected(*LABELS)
        found.append(identities(world))
    assert found[0] == found[1] == found[2]


def test_ids_of_tasks_come_from_the_order_of_their_creation() -> None:
    async def handler(event, ctx):
        async def one(name):
            await ctx.step(lambda step: 1, name=f"{name} first")
            await ctx.step(lambda step: 1, name=f"{name} second")

        await ctx.step(lambda step: 1, name="root")
        await asyncio.gather(one("a"), one("b"))
        await ctx.step(lambda step: 1, name="root again")

    world = World(handler)
    world.run()
    assert {view["Name"]: op_id for op_id, view in world.operations.items()} == {
        "root": operation_id(None, 1),
        "a first": operation_id("t1", 1),
        "a second": operation_id("t1", 2),
        "b first": operation_id("t2", 1),
        "b second": operation_id("t2", 2),
        "root again": operation_id(None, 2),
    }
    assert all("ParentId" not in view for view in world.operations.values())


def test_operations_take_their_ids_when_they_are_called() -> None:
    """Not when they are awaited: the order of awaiting does not matter."""

    async def handler(event, ctx):
        first = ctx.step(lambda step: "first", name="first")
        second = ctx.step(lambda step: "second", name="second")
        return [await second, await first]

    world = World(handler)
    world.run()
    assert world.value == ["second", "first"]
    assert world.named("first")["Id"] == operation_id(None, 1)


# ---- what has no order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [set, iter], ids=["set", "iterator"])
def test_as_completed_over_something_without_an_order_is_refused(make) -> None:
    async def handler(event, ctx):
        errors = []
        for one in asyncio.as_completed(make([flow(ctx, world, "a"), flow(ctx, world, "b")])):
            try:
                await one
            except ContextMisuseError as error:
                errors.append(str(error))
        return errors

    world = World(handler)
    world.run()
    assert len(world.value) == 2
    assert "Pass it a list" in world.value[0]
    assert world.updates == []


def test_as_completed_over_a_set_of_coroutines_without_operations_is_fine() -> None:
    async def handler(event, ctx):
        async def plain(n):
            await asyncio.sleep(0)
            return n

        return sorted([await one for one in asyncio.as_completed({plain(1), plain(2)})])

    world = World(handler)
    world.run()
    assert world.value == [1, 2]


def test_as_completed_over_a_set_of_tasks_is_fine() -> None:
    """They were numbered when they were created."""

    async def handler(event, ctx):
        tasks = [asyncio.create_task(flow(ctx, world, label)) for label in LABELS]
        return sorted([await one for one in asyncio.as_completed(set(tasks))])

    world = World(handler)
    world.run()
    assert world.value == expected(*LABELS)


# ---- the order of completions (R9) ----------------------------------------------------------------------


def racing(order):
    """Steps that finish in ``order``; the handler says in which order it saw them, on every run."""
    seen = []

    def make(observe):
        async def handler(event, ctx):
            gates = [asyncio.Event() for _ in order]
            gates[order[0]].set()

            async def body(n):
                await gates[n].wait()
                return n

            def opened(call, answer):
                for operation in answer["NewExecutionState"]["Operations"]:
                    if operation["Type"] == "STEP" and operation["Status"] == "SUCCEEDED":
                        place = order.index(int(operation["StepDetails"]["Result"]))
                        if place + 1 < len(order):
                            gates[order[place + 1]].set()
                return answer

            world.link.edit = opened
            steps = [ctx.step(lambda step, n=n: body(n), name=f"s{n}") for n in range(len(order))]
            seen.append(await observe(steps))
            await ctx.wait(SECOND)
            await ctx.wait(SECOND)
            return seen[-1]

        world = World(handler)
        world.run()
        return world, seen

    return make


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
def test_as_completed_repeats_itself(order) -> None:
    async def observe(steps):
        return [await one for one in asyncio.as_completed(steps)]

    world, seen = racing(order)(observe)
    assert world.value == order
    assert seen == [order] * 3


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_first_completed_is_the_same_on_every_replay(order) -> None:
    async def observe(steps):
        tasks = [asyncio.create_task(step) for step in steps]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = [task.result() for task in done]
        await asyncio.gather(*pending)
        return first

    world, seen = racing(order)(observe)
    assert world.value == [order[0]]
    assert seen == [[order[0]]] * 3


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_callbacks_and_shared_state_see_the_same_order(order) -> None:
    async def observe(steps):
        log = []

        async def keep(step):
            log.append(await step)
            await asyncio.sleep(0)
            log.append("then")

        await asyncio.gather(*[keep(step) for step in steps])
        return log

    _, seen = racing(order)(observe)
    assert seen == [[order[0], "then", order[1], "then", order[2], "then"]] * 3


def test_the_loser_of_a_race_is_cancelled_again_on_replay() -> None:
    outcomes = []

    async def handler(event, ctx):
        async def quick(step):
            return "quick"

        async def slow(step):
            world.effect("slow began")
            await asyncio.Event().wait()

        tasks = [asyncio.create_task(ctx.step(slow)), asyncio.create_task(ctx.step(quick))]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.wait(pending)
        outcomes.append([task.result() for task in done] + [task.cancelled() for task in pending])
        await ctx.wait(SECOND)
        return outcomes[-1]

    world = World(handler)
    world.run()
    assert world.value == ["quick", True]
    assert outcomes == [["quick", True]] * 2
    assert world.effects == ["slow began"]


def test_a_task_group_with_a_failing_child_cancels_its_siblings_identically() -> None:
    outcomes = []

    async def handler(event, ctx):
        async def fails(step):
            raise ValueError("no")

        async def slow(step):
            world.effect("slow began")
            await asyncio.Event().wait()

        async def sibling():
            try:
                await ctx.step(slow)
            except asyncio.CancelledError:
                log.append("sibling cancelled")
                raise

        async def waiting():
            try:
                await ctx.wait(Duration.from_hours(1))
            except asyncio.CancelledError:
                log.append("waiting cancelled")
                raise

        log: list[str] = []
        from durably import RetryPresets, StepConfig

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(sibling())
                group.create_task(waiting())
                group.create_task(ctx.step(fails, config=StepConfig(retry_strategy=RetryPresets.none())))
        except* StepError as errors:
            log.append(*[str(error) for error in errors.exceptions])
        outcomes.append(sorted(log))  # a TaskGroup keeps its tasks in a set: it cancels them in no order
        await ctx.wait(SECOND)
        await ctx.wait(Duration.from_hours(2))

    world = World(handler)
    world.run()
    assert world.status == "SUCCEEDED"
    assert outcomes == [["no", "sibling cancelled", "waiting cancelled"]] * world.invocations
    assert world.invocations > 2
    assert world.effects == ["slow began"]


def test_a_timeout_around_a_step_repeats_itself() -> None:
    outcomes = []

    async def handler(event, ctx):
        async def slow(step):
            world.effect("slow began")
            await asyncio.Event().wait()

        try:
            async with asyncio.timeout(0.01):
                await ctx.step(slow)
        except TimeoutError:
            outcomes.append("timeout")
        await ctx.wait(SECOND)
        return outcomes[-1]

    world = World(handler)
    world.run()
    assert world.value == "timeout"
    assert outcomes == ["timeout"] * 2
    assert world.effects == ["slow began"]


def test_a_cancelled_step_that_is_awaited_without_being_cancelled_is_non_determinism() -> None:
    async def handler(event, ctx):
        async def slow(step):
            await asyncio.Event().wait()

        task = asyncio.create_task(ctx.step(slow, name="slow"))
        await asyncio.sleep(0.005)
        if world.invocations == 1:
            task.cancel()
        with contextlib.suppress(BaseException):
            await task
        await ctx.wait(SECOND)
        return "went on"

    world = World(handler)
    world.run()
    assert world.error["errorType"] == "durably.NonDeterministicExecutionError"
    assert "cancelled" in world.error["errorMessage"]
    assert "'slow'" in world.error["errorMessage"]


def test_completions_of_one_answer_are_seen_one_at_a_time() -> None:
    """Two steps recorded by one call: what follows the first is done before the second is seen; so it is on replay."""
    logs = []

    async def handler(event, ctx):
        log = []

        async def one(name):
            log.append(await ctx.step(lambda step: name, name=name))
            for n in range(3):
                await asyncio.sleep(0)
                log.append(f"{name}{n}")

        await asyncio.gather(one("a"), one("b"), one("c"))
        logs.append(log)
        await ctx.wait(SECOND)

    world = World(handler)
    world.run()
    assert len(world.batches[0]) == 6
    assert logs[0] == logs[1] == ["a", "a0", "a1", "a2", "b", "b0", "b1", "b2", "c", "c0", "c1", "c2"]


# ---- the life of tasks and loops ------------------------------------------------------------------------


def test_no_task_of_a_finished_invocation_is_alive_in_the_next() -> None:
    alive = []

    async def handler(event, ctx):
        alive.append(len(asyncio.all_tasks()))

        async def forever():
            await (await ctx.create_callback()).result()

        async def deaf():
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                    if world.invocations == 2:
                        return
                    raise asyncio.CancelledError

        background = [asyncio.create_task(forever()) for _ in range(3)]
        background.append(asyncio.create_task(asyncio.sleep(0)))
        await ctx.wait(SECOND)
        return len(background)

    world = World(handler)
    world.run()
    assert world.value == 4
    assert alive[0] == alive[1] == 2  # the invocation's and the handler's


def test_one_event_loop_serves_all_invocations_of_a_process() -> None:
    """Clients that a program keeps in globals are bound to a loop."""
    loops = []

    async def handler(event, ctx):
        loops.append(asyncio.get_running_loop())
        await ctx.wait(SECOND)

    World(handler).run()
    World(handler).run()
    assert len(loops) == 4
    assert len(set(map(id, loops))) == 1


def test_invocations_in_several_threads_at_once() -> None:
    """Each on a loop of its own."""
    barrier = threading.Barrier(4, timeout=60)
    values = []

    def one(n):
        async def handler(event, ctx):
            if world.invocations == 1:
                await asyncio.to_thread(barrier.wait)
            found = await asyncio.gather(*[flow(ctx, world, label) for label in LABELS])
            return [n, found]

        world = World(handler)
        world.run()
        values.append(world.value)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(values) == [[n, expected(*LABELS)] for n in range(4)]


def test_many_executions_on_one_loop_at_once() -> None:
    """run_async within a loop of somebody else's, as a server would."""

    async def main():
        async def one(n):
            async def handler(event, ctx):
                found = await asyncio.gather(*[ctx.step(lambda step, k=k: [n, k], name=f"{k}") for k in range(5)])
                ours = asyncio.current_task()
                assert ours is not None
                return found

            world = World(handler)
            function = durable_execution(client=world.link)(handler)
            world.service.start(thread=False)
            world.service.submit("Invoke", {"FunctionName": "under_test:$LATEST", "Payload": "null"}, world._ended)
            world.service.drain()
            invocation, _ = world.waiting.popleft()
            import json

            output = await function.run_async(json.loads(invocation.payload), None)
            return json.loads(output["Result"])

        return await asyncio.gather(*[one(n) for n in range(10)])

    with asyncio.Runner() as runner:
        assert runner.run(main()) == [[[n, k] for k in range(5)] for n in range(10)]


def test_calling_a_handler_inside_a_running_loop_says_what_to_do() -> None:
    async def handler(event, ctx):
        return 1

    function = durable_execution(handler)

    async def main():
        with pytest.raises(ValueError, match="run_async"):
            function({}, None)

    with asyncio.Runner() as runner:
        runner.run(main())


def test_an_invocation_that_is_cancelled_from_outside_records_nothing_more() -> None:
    """R6, for the timeout of whoever runs the invocation."""

    async def main():
        reached = asyncio.Event()

        async def handler(event, ctx):
            async def body(step):
                return 1

            async def later():
                await ctx.step(body, name="first")

            task = asyncio.create_task(later())
            try:
                reached.set()
                await asyncio.sleep(3600)
            finally:
                with contextlib.suppress(BaseException):
                    await ctx.step(body, name="late")
                task.cancel()

        world = World(handler)
        world.link.turns = lambda: 20
        world.service.start(thread=False)
        world.service.submit("Invoke", {"FunctionName": "under_test:$LATEST", "Payload": "null"}, world._ended)
        world.service.drain()
        invocation, _ = world.waiting.popleft()
        import json

        task = asyncio.create_task(world.function.run_async(json.loads(invocation.payload), None))
        await reached.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        calls = len(world.link.calls)
        assert world.link.in_flight == 0
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(world.link.calls) == calls
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner() as runner:
        runner.run(main())


def test_a_handler_that_cancels_itself_fails() -> None:
    async def handler(event, ctx):
        raise asyncio.CancelledError("by mistake")

    world = World(handler)
    world.max_invocations = 3
    world.run()
    assert "CancelledError" in world.error["errorMessage"]
    assert world.invocations == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_eager_tasks(structure) -> None:
    def loop_factory():
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
        return loop

    async def handler(event, ctx):
        return await structure(ctx, world)

    world = World(handler, loop_factory=loop_factory)
    world.run()
    assert world.value == expected(*LABELS)
    assert sorted(world.effects) == sorted(f"{label}.{n}" for label in LABELS for n in (1, 2))


def test_a_task_factory_of_the_programs_own_keeps_creating_tasks() -> None:
    created = []

    def loop_factory():
        loop = asyncio.new_event_loop()

        def factory(loop, coro, **options):
            created.append(coro)
            return asyncio.Task(coro, loop=loop, **options)

        loop.set_task_factory(factory)
        return loop

    async def handler(event, ctx):
        return await by_gather(ctx, world)

    world = World(handler, loop_factory=loop_factory)
    world.run()
    assert world.value == expected(*LABELS)
    assert created


def test_a_task_factory_that_is_replaced_during_an_invocation_is_refused() -> None:
    async def handler(event, ctx):
        asyncio.get_running_loop().set_task_factory(None)
        return await by_gather(ctx, world)

    world = World(handler, loop_factory=asyncio.new_event_loop)
    world.run()
    assert world.error["errorType"] == "durably.ContextMisuseError"
    assert "before the invocation begins" in world.error["errorMessage"]
    assert world.updates == []


def test_callbacks_of_several_flows_answered_in_any_order() -> None:
    async def handler(event, ctx):
        async def one(n):
            callback = await ctx.create_callback(name=f"cb{n}")
            return await callback.result()

        return await asyncio.gather(*[one(n) for n in range(5)])

    world = World(handler, callbacks={f"cb{n}": Answer(f"{n}") for n in (3, 1, 4, 0, 2)})
    world.run()
    assert world.value == ["0", "1", "2", "3", "4"]
