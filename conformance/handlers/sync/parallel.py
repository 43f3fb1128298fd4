"""Suite ``parallel``."""

from __future__ import annotations

from typing import Any, Never

from support.batches import facts
from support.serdes import Enveloped

from durably import (
    CompletionConfig,
    DurableContext,
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
def give(step: StepContext, value: str) -> str:
    return value


@durable_parallel_branch()
def giving(branch: DurableContext, value: str) -> str:
    return value


@durable_parallel_branch()
def giving_in_step(branch: DurableContext, value: str) -> str:
    return branch.step(give(value))


@durable_parallel_branch()
def giving_after_wait(branch: DurableContext, value: str) -> str:
    branch.wait(Duration.from_seconds(2))
    return value


@durable_parallel_branch()
def failing(branch: DurableContext) -> Never:
    raise RuntimeError("this branch always fails")


@durable_execution
def basic(event: None, ctx: DurableContext) -> list[str]:
    return ctx.parallel(
        [giving_in_step("task-1"), giving_in_step("task-2")], name="parallel", config=IN_TURN
    ).get_results()


@durable_execution
def unnamed(event: None, ctx: DurableContext) -> list[str]:
    return ctx.parallel([giving("alpha"), giving("beta")], config=IN_TURN).get_results()


@durable_execution
def branches_named(event: None, ctx: DurableContext) -> list[str]:
    def one(branch: DurableContext) -> str:
        return "one"

    def two(branch: DurableContext) -> str:
        return "two"

    branches = [ParallelBranch(one, name="first"), ParallelBranch(two, name="second")]
    return ctx.parallel(branches, name="named", config=IN_TURN).get_results()


@durable_execution
def of_several_types(event: None, ctx: DurableContext) -> list[Any]:
    def text(branch: DurableContext) -> str:
        return "hello"

    def number(branch: DurableContext) -> int:
        return 42

    def mapping(branch: DurableContext) -> dict[str, str]:
        return {"k": "v"}

    return ctx.parallel([text, number, mapping], name="hetero", config=IN_TURN).get_results()


@durable_execution
def empty(event: None, ctx: DurableContext) -> list[str]:
    branches: list[ParallelBranch[str]] = []
    return ctx.parallel(branches, name="empty").get_results()


@durable_execution
def fail_fast(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    return facts(ctx.parallel([giving("ok"), failing(), giving("ok")], name="failfast", config=config))


@durable_execution
def rethrown(event: None, ctx: DurableContext) -> None:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    ctx.parallel([failing(), giving("ok")], name="throwing", config=config).throw_if_error()


@durable_execution
def enough_succeeded(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=2))
    result = ctx.parallel([giving(value) for value in "abcd"], name="min-successful", config=config)
    return facts(result, "completionReason", "successCount", "totalCount")


@durable_execution
def failure_tolerated(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    return facts(ctx.parallel([giving("ok"), failing(), giving("ok")], name="tolerated", config=config))


@durable_execution
def too_many_failures(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = ctx.parallel([failing(), failing(), giving("ok")], name="tolerated-exceeded", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
def concurrent(event: None, ctx: DurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=2)
    return ctx.parallel([giving("r0"), giving("r1"), giving("r2")], name="concurrent", config=config).get_results()


@durable_execution
def flat(event: None, ctx: DurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=1, nesting_type=NestingType.FLAT)
    return ctx.parallel([giving_in_step("fa"), giving_in_step("fb")], name="flat", config=config).get_results()


@durable_execution
def too_large_a_share_failed(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_percentage=25))
    branches = [failing(), failing(), giving("ok"), giving("ok")]
    result = ctx.parallel(branches, name="tolerated-pct", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
def replayed(event: None, ctx: DurableContext) -> list[str]:
    return ctx.parallel([giving_in_step("b0"), giving_after_wait("b1")], name="replay", config=IN_TURN).get_results()


@durable_execution
def item_serdes(event: None, ctx: DurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=1, item_serdes=Enveloped())
    return ctx.parallel([giving("x"), giving("y")], name="serde", config=config).get_results()


@durable_execution
def all_failed(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=3))
    return facts(ctx.parallel([failing(), failing(), failing()], name="all-fail", config=config))


@durable_execution
def too_few_succeeded(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=3))
    return facts(ctx.parallel([giving("ok"), failing(), giving("ok")], name="min-not-reached", config=config))


@durable_execution
def both_criteria(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=3, tolerated_failure_count=1))
    branches = [failing(), failing(), giving("ok"), giving("ok")]
    result = ctx.parallel(branches, name="combined", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
def invalid_concurrency(event: None, ctx: DurableContext) -> list[str]:
    config = ParallelConfig(max_concurrency=0)
    return ctx.parallel([giving("b0"), giving("b1")], name="bad-concurrency", config=config).get_results()


@durable_execution
def accessors(event: None, ctx: DurableContext) -> dict[str, bool | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = ctx.parallel([giving("ok"), failing(), giving("ok")], name="accessors", config=config)
    return {
        "hasFailure": result.has_failure,
        "successCount": len(result.succeeded()),
        "failureCount": len(result.failed()),
        "errorCount": len(result.get_errors()),
    }


@durable_execution
def nested(event: None, ctx: DurableContext) -> list[list[str]]:
    def inner(branch: DurableContext) -> list[str]:
        return branch.parallel([giving_in_step("i1"), giving_in_step("i2")], name="inner", config=IN_TURN).get_results()

    return ctx.parallel([inner], name="outer", config=IN_TURN).get_results()


@durable_execution
def share_at_the_limit_failed(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_percentage=25))
    branches = [failing(), giving("ok"), giving("ok"), giving("ok")]
    return facts(ctx.parallel(branches, name="pct-boundary", config=config))
