"""Suite ``plugin``: ordinary handlers, watched by plugins that print what they see."""

from __future__ import annotations

from typing import Never

from support import plugins
from support.plugins import Making
from support.retries import twice

from durably import (
    AsyncDurableContext,
    Duration,
    ParallelBranch,
    ParallelConfig,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_parallel_branch,
    durable_step,
)

ONCE = StepConfig(retry_strategy=RetryPresets.none())
TWICE = StepConfig(retry_strategy=twice)
IN_TURN = ParallelConfig(max_concurrency=1)


@durable_step
async def greet(step: StepContext, name: str) -> str:
    return f"Hello, {name}!"


@durable_step
async def greet_aloud(step: StepContext, name: str) -> str:
    step.logger.info("Greeting step running for: %s", name)
    return f"Hello, {name}!"


@durable_step
async def give(step: StepContext, value: str) -> str:
    return value


@durable_step
async def fail(step: StepContext, message: str) -> Never:
    raise RuntimeError(message)


@durable_step
async def fail_once(step: StepContext, value: str) -> str:
    if step.attempt == 1:
        raise RuntimeError("not the first time")
    return value


@durable_parallel_branch()
async def giving(branch: AsyncDurableContext, value: str) -> str:
    return value


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
async def invocation_hooks(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet_aloud(event))


@durable_execution(plugins=[Making(plugins.StepOperations)])
async def operation_hooks(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.StepAttempts)])
async def attempts(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(fail_once("Operation succeeded"), config=TWICE)


@durable_execution(plugins=[Making(plugins.Faulty, "CONFPLUGIN-FAULTY")])
async def faulty(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_execution(
    plugins=[Making(plugins.InvocationHooks, "CONFPLUGIN-A"), Making(plugins.InvocationHooks, "CONFPLUGIN-B")]
)
async def two_plugins(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
async def first_invocation(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
async def failing(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.step(fail("this step always fails"), config=ONCE)


@durable_execution(plugins=[Making(plugins.StepChanges)])
async def changes(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.UpdatedWaits)])
async def updated_outside(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.WaitOperations)])
async def wait_operation(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.EndsOfOperations)])
async def nested(event: str, ctx: AsyncDurableContext) -> str:
    async def inside(child: AsyncDurableContext) -> str:
        return await child.step(greet(event))

    return await ctx.run_in_child_context(inside)


@durable_execution(plugins=[Making(plugins.BranchFunctions)])
async def branch_functions(event: None, ctx: AsyncDurableContext) -> list[str]:
    result = await ctx.parallel([giving("task-1"), giving("task-2")], name="parallel", config=IN_TURN)
    return result.get_results()


@durable_execution(plugins=[Making(plugins.StepOperations)])
async def replayed_starts(event: None, ctx: AsyncDurableContext) -> str:
    await ctx.step(give("task-a"))
    return await ctx.step(fail_once("Operation succeeded"), config=TWICE)


@durable_execution(plugins=[Making(plugins.StepEnds)])
async def outcomes(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.step(give("task-a"))
    await ctx.step(fail("boom"), config=ONCE)


@durable_execution(plugins=[Making(plugins.StepAttemptsAndEnds)])
async def attempts_exhausted(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.step(fail("this step always fails"), config=TWICE)


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
async def suspended(event: None, ctx: AsyncDurableContext) -> None:
    await ctx.wait(Duration.from_seconds(2))


@durable_execution(
    plugins=[Making(plugins.Faulty, "CONFPLUGIN-FAULTY"), Making(plugins.EveryHook, "CONFPLUGIN-HEALTHY")]
)
async def faulty_and_healthy(event: str, ctx: AsyncDurableContext) -> str:
    return await ctx.step(greet(event))


@durable_parallel_branch()
async def pausing(branch: AsyncDurableContext, name: str, seconds: int) -> str:
    await branch.wait(Duration.from_seconds(seconds), name=name)
    return f"{name}-done"


@durable_execution(plugins=[Making(plugins.WaitOperations)])
async def pending_wait(event: None, ctx: AsyncDurableContext) -> list[str]:
    result = await ctx.parallel([pausing("short", 2), pausing("long", 8)], name="waits")
    return result.get_results()


@durable_execution(plugins=[Making(plugins.InvocationDumps)])
async def invocation_fields(event: str, ctx: AsyncDurableContext) -> str:
    await ctx.wait(Duration.from_seconds(2))
    return f"done-{event}"


@durable_execution(plugins=[Making(plugins.StepDumps)])
async def operation_fields(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(give("task-a"), name="greet")


@durable_execution(plugins=[Making(plugins.AttemptDumps)])
async def attempt_fields(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(fail_once("ok"), name="flaky", config=TWICE)


@durable_execution(plugins=[Making(plugins.ChangeDumps)])
async def change_fields(event: None, ctx: AsyncDurableContext) -> str:
    return await ctx.step(give("task-a"), name="greet")


@durable_execution(plugins=[Making(plugins.ContextDumps)])
async def context_fields(event: None, ctx: AsyncDurableContext) -> list[str]:
    async def first(branch: AsyncDurableContext) -> str:
        await branch.step(give("x"), name="inner")
        await branch.wait(Duration.from_seconds(2))
        return "a-done"

    branches = [ParallelBranch(first, name="branch-a"), ParallelBranch(giving("b-done"), name="branch-b")]
    result = await ctx.parallel(branches, name="ctx", config=IN_TURN)
    return result.get_results()
