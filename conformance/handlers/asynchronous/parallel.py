"""Suite ``parallel``."""

from __future__ import annotations

from typing import Any, Never

from support.batches import facts
from support.serdes import Enveloped

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    Duration,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    StepContext,
    durable_execution,
    durable_parallel_branch,
    durable_step,
)

IN_TURN = ParallelConfig(max_concurrency=1)


def in_turn(completion: CompletionConfig) -> ParallelConfig:
    return ParallelConfig(max_concurrency=1, completion_config=completion)


@durable_step
async def give(step: StepContext, value: str) -> str:
    return value


@durable_parallel_branch()
async def giving(branch: AsyncDurableContext, value: str) -> str:
    return value


@durable_parallel_branch()
async def giving_in_step(branch: AsyncDurableContext, value: str) -> str:
    return await branch.step(give(value))


@durable_parallel_branch()
async def giving_after_wait(branch: AsyncDurableContext, value: str) -> str:
    await branch.wait(Duration.from_seconds(2))
    return value


@durable_parallel_branch()
async def failing(branch: AsyncDurableContext) -> Never:
    raise RuntimeError("this branch always fails")


@durable_execution
async def basic(event: None, ctx: AsyncDurableContext) -> list[str]:
    result = await ctx.parallel([giving_in_step("task-1"), giving_in_step("task-2")], name="parallel", config=IN_TURN)
    return result.get_results()


@durable_execution
async def unnamed(event: None, ctx: AsyncDurableContext) -> list[str]:
    return (await ctx.parallel([giving("alpha"), giving("beta")], config=IN_TURN)).get_results()


@durable_execution
async def branches_named(event: None, ctx: AsyncDurableContext) -> list[str]:
    async def one(branch: AsyncDurableContext) -> str:
        return "one"

    async def two(branch: AsyncDurableContext) -> str:
        return "two"

    branches = [ParallelBranch(one, name="first"), ParallelBranch(two, name="second")]
    return (await ctx.parallel(branches, name="named", config=IN_TURN)).get_results()


@durable_execution
async def of_several_types(event: None, ctx: AsyncDurableContext) -> list[Any]:
    async def text(branch: AsyncDurableContext) -> str:
        return "hello"

    async def number(branch: AsyncDurableContext) -> int:
        return 42

    async def mapping(branch: AsyncDurableContext) -> dict[str, str]:
        return {"k": "v"}

    return (await ctx.parallel([text, number, mapping], name="hetero", config=IN_TURN)).get_results()


@durable_execution
async def empty(event: None, ctx: AsyncDurableContext) -> list[str]:
    branches: list[ParallelBranch[str]] = []
    return (await ctx.parallel(branches, name="empty")).get_results()


@durable_execution
async def fail_fast(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    return facts(await ctx.parallel([giving("ok"), failing(), giving("ok")], name="failfast", config=config))


@durable_execution
async def rethrown(event: None, ctx: AsyncDurableContext) -> None:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    (await ctx.parallel([failing(), giving("ok")], name="throwing", config=config)).throw_if_error()


@durable_execution
async def enough_succeeded(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=2))
    result = await ctx.parallel([giving(value) for value in "abcd"], name="min-successful", config=config)
    return facts(result, "completionReason", "successCount", "totalCount")


@durable_execution
async def failure_tolerated(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    return facts(await ctx.parallel([giving("ok"), failing(), giving("ok")], name="tolerated", config=config))


@durable_execution
async def too_many_failures(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = await ctx.parallel([failing(), failing(), giving("ok")], name="tolerated-exceeded", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
async def concurrent(event: None, ctx: AsyncDurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=2)
    result = await ctx.parallel([giving("r0"), giving("r1"), giving("r2")], name="concurrent", config=config)
    return result.get_results()


@durable_execution
async def flat(event: None, ctx: AsyncDurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=1, nesting_type=NestingType.FLAT)
    return (await ctx.parallel([giving_in_step("fa"), giving_in_step("fb")], name="flat", config=config)).get_results()


@durable_execution
async def too_large_a_share_failed(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_percentage=25))
    branches = [failing(), failing(), giving("ok"), giving("ok")]
    result = await ctx.parallel(branches, name="tolerated-pct", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
async def replayed(event: None, ctx: AsyncDurableContext) -> list[str]:
    result = await ctx.parallel([giving_in_step("b0"), giving_after_wait("b1")], name="replay", config=IN_TURN)
    return result.get_results()


@durable_execution
async def item_serdes(event: None, ctx: AsyncDurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=1, item_serdes=Enveloped())
    return (await ctx.parallel([giving("x"), giving("y")], name="serde", config=config)).get_results()


@durable_execution
async def all_failed(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=3))
    return facts(await ctx.parallel([failing(), failing(), failing()], name="all-fail", config=config))


@durable_execution
async def too_few_succeeded(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=3))
    return facts(await ctx.parallel([giving("ok"), failing(), giving("ok")], name="min-not-reached", config=config))


@durable_execution
async def both_criteria(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=3, tolerated_failure_count=1))
    branches = [failing(), failing(), giving("ok"), giving("ok")]
    result = await ctx.parallel(branches, name="combined", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
async def invalid_concurrency(event: None, ctx: AsyncDurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=0)
    return (await ctx.parallel([giving("b0"), giving("b1")], name="bad-concurrency", config=config)).get_results()


@durable_execution
async def accessors(event: None, ctx: AsyncDurableContext) -> dict[str, bool | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = await ctx.parallel([giving("ok"), failing(), giving("ok")], name="accessors", config=config)
    return {
        "hasFailure": result.has_failure,
        "successCount": len(result.succeeded()),
        "failureCount": len(result.failed()),
        "errorCount": len(result.get_errors()),
    }


@durable_execution
async def nested(event: None, ctx: AsyncDurableContext) -> list[list[str]]:
    async def inner(branch: AsyncDurableContext) -> list[str]:
        result = await branch.parallel([giving_in_step("i1"), giving_in_step("i2")], name="inner", config=IN_TURN)
        return result.get_results()

    return (await ctx.parallel([inner], name="outer", config=IN_TURN)).get_results()


@durable_execution
async def share_at_the_limit_failed(event: None, ctx: AsyncDurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_percentage=25))
    branches = [failing(), giving("ok"), giving("ok"), giving("ok")]
    return facts(await ctx.parallel(branches, name="pct-boundary", config=config))
