"""Suite ``plugin``: ordinary handlers, watched by plugins that print what they see."""

from __future__ import annotations

from typing import Never

from support import plugins
from support.plugins import Making
from support.retries import twice

from durably import (
    DurableContext,
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
def greet(step: StepContext, name: str) -> str:
    return f"Hello, {name}!"


@durable_step
def greet_aloud(step: StepContext, name: str) -> str:
    step.logger.info("Greeting step running for: %s", name)
    return f"Hello, {name}!"


@durable_step
def give(step: StepContext, value: str) -> str:
    return value


@durable_step
def fail(step: StepContext, message: str) -> Never:
    raise RuntimeError(message)


@durable_step
def fail_once(step: StepContext, value: str) -> str:
    if step.attempt == 1:
        raise RuntimeError("not the first time")
    return value


@durable_parallel_branch()
def giving(branch: DurableContext, value: str) -> str:
    return value


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
def invocation_hooks(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet_aloud(event))


@durable_execution(plugins=[Making(plugins.StepOperations)])
def operation_hooks(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.StepAttempts)])
def attempts(event: None, ctx: DurableContext) -> str:
    return ctx.step(fail_once("Operation succeeded"), config=TWICE)


@durable_execution(plugins=[Making(plugins.Faulty, "CONFPLUGIN-FAULTY")])
def faulty(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet(event))


@durable_execution(
    plugins=[Making(plugins.InvocationHooks, "CONFPLUGIN-A"), Making(plugins.InvocationHooks, "CONFPLUGIN-B")]
)
def two_plugins(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
def first_invocation(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
def failing(event: None, ctx: DurableContext) -> None:
    ctx.step(fail("this step always fails"), config=ONCE)


@durable_execution(plugins=[Making(plugins.StepChanges)])
def changes(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet(event))


@durable_execution(plugins=[Making(plugins.UpdatedWaits)])
def updated_outside(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.WaitOperations)])
def wait_operation(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2))


@durable_execution(plugins=[Making(plugins.EndsOfOperations)])
def nested(event: str, ctx: DurableContext) -> str:
    def inside(child: DurableContext) -> str:
        return child.step(greet(event))

    return ctx.run_in_child_context(inside)


@durable_execution(plugins=[Making(plugins.BranchFunctions)])
def branch_functions(event: None, ctx: DurableContext) -> list[str]:
    return ctx.parallel([giving("task-1"), giving("task-2")], name="parallel", config=IN_TURN).get_results()


@durable_execution(plugins=[Making(plugins.StepOperations)])
def replayed_starts(event: None, ctx: DurableContext) -> str:
    ctx.step(give("task-a"))
    return ctx.step(fail_once("Operation succeeded"), config=TWICE)


@durable_execution(plugins=[Making(plugins.StepEnds)])
def outcomes(event: None, ctx: DurableContext) -> None:
    ctx.step(give("task-a"))
    ctx.step(fail("boom"), config=ONCE)


@durable_execution(plugins=[Making(plugins.StepAttemptsAndEnds)])
def attempts_exhausted(event: None, ctx: DurableContext) -> None:
    ctx.step(fail("this step always fails"), config=TWICE)


@durable_execution(plugins=[Making(plugins.InvocationHooks)])
def suspended(event: None, ctx: DurableContext) -> None:
    ctx.wait(Duration.from_seconds(2))


@durable_execution(
    plugins=[Making(plugins.Faulty, "CONFPLUGIN-FAULTY"), Making(plugins.EveryHook, "CONFPLUGIN-HEALTHY")]
)
def faulty_and_healthy(event: str, ctx: DurableContext) -> str:
    return ctx.step(greet(event))


@durable_parallel_branch()
def pausing(branch: DurableContext, name: str, seconds: int) -> str:
    branch.wait(Duration.from_seconds(seconds), name=name)
    return f"{name}-done"


@durable_execution(plugins=[Making(plugins.WaitOperations)])
def pending_wait(event: None, ctx: DurableContext) -> list[str]:
    return ctx.parallel([pausing("short", 2), pausing("long", 8)], name="waits").get_results()


@durable_execution(plugins=[Making(plugins.InvocationDumps)])
def invocation_fields(event: str, ctx: DurableContext) -> str:
    ctx.wait(Duration.from_seconds(2))
    return f"done-{event}"


@durable_execution(plugins=[Making(plugins.StepDumps)])
def operation_fields(event: None, ctx: DurableContext) -> str:
    return ctx.step(give("task-a"), name="greet")


@durable_execution(plugins=[Making(plugins.AttemptDumps)])
def attempt_fields(event: None, ctx: DurableContext) -> str:
    return ctx.step(fail_once("ok"), name="flaky", config=TWICE)


@durable_execution(plugins=[Making(plugins.ChangeDumps)])
def change_fields(event: None, ctx: DurableContext) -> str:
    return ctx.step(give("task-a"), name="greet")


@durable_execution(plugins=[Making(plugins.ContextDumps)])
def context_fields(event: None, ctx: DurableContext) -> list[str]:
    def first(branch: DurableContext) -> str:
        branch.step(give("x"), name="inner")
        branch.wait(Duration.from_seconds(2))
        return "a-done"

    branches = [ParallelBranch(first, name="branch-a"), ParallelBranch(giving("b-done"), name="branch-b")]
    return ctx.parallel(branches, name="ctx", config=IN_TURN).get_results()
