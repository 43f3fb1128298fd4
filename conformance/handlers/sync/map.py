"""Suite ``map``."""

from __future__ import annotations

from typing import Any

from support.batches import facts
from support.serdes import JoinedResults, Marked

from durably import (
    CompletionConfig,
    DurableContext,
    Duration,
    JsonSerDes,
    MapConfig,
    NestingType,
    StepContext,
    durable_execution,
    durable_step,
)

IN_TURN: MapConfig[Any] = MapConfig(max_concurrency=1)
WHOLE_RESULT: MapConfig[str] = MapConfig(max_concurrency=1, serdes=JoinedResults(), item_serdes=JsonSerDes())


def in_turn(completion: CompletionConfig) -> MapConfig[Any]:
    return MapConfig(max_concurrency=1, completion_config=completion)


@durable_step
def give(step: StepContext, value: str) -> str:
    return value


def greet(item_ctx: DurableContext, item: str) -> str:
    return item_ctx.step(give(f"Hello, {item}!"))


def same(item_ctx: DurableContext, item: str) -> str:
    return item


def in_step(item_ctx: DurableContext, item: str) -> str:
    return item_ctx.step(give(item))


def in_capitals(item_ctx: DurableContext, item: str) -> str:
    return item.upper()


def unless_bad(item_ctx: DurableContext, item: str) -> str:
    if item == "bad":
        raise RuntimeError("this item always fails")
    return item


def give_second_after_wait(item_ctx: DurableContext, item: str, index: int) -> str:
    if index == 1:
        item_ctx.wait(Duration.from_seconds(1))
    return item_ctx.step(give(item))


@durable_execution
def basic(event: list[str], ctx: DurableContext) -> list[str]:
    return ctx.map(event, greet, name="map", config=IN_TURN).get_results()


@durable_execution
def unnamed(event: list[int], ctx: DurableContext) -> list[int]:
    def double(item_ctx: DurableContext, item: int) -> int:
        return item * 2

    return ctx.map(event, double, config=IN_TURN).get_results()


@durable_execution
def indexed(event: list[int], ctx: DurableContext) -> list[int]:
    def add_index(item_ctx: DurableContext, item: int, index: int) -> int:
        return item + index

    return ctx.map(event, add_index, name="indexed", config=IN_TURN).get_results()


@durable_execution
def empty(event: list[str], ctx: DurableContext) -> list[str]:
    return ctx.map(event, same, name="empty").get_results()


@durable_execution
def fail_fast(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    return facts(ctx.map(["ok", "bad", "ok"], unless_bad, name="failfast", config=config))


@durable_execution
def rethrown(event: None, ctx: DurableContext) -> None:
    config = in_turn(CompletionConfig(tolerated_failure_count=0))
    ctx.map(["bad", "ok"], unless_bad, name="throwing", config=config).throw_if_error()


@durable_execution
def enough_succeeded(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(min_successful=2))
    result = ctx.map(["a", "b", "c", "d"], same, name="min-successful", config=config)
    return facts(result, "completionReason", "successCount", "totalCount")


@durable_execution
def failure_tolerated(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    return facts(ctx.map(["ok", "bad", "ok"], unless_bad, name="tolerated", config=config))


@durable_execution
def too_many_failures(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = ctx.map(["bad", "bad", "ok"], unless_bad, name="tolerated-exceeded", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
def too_large_a_share_failed(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_percentage=25))
    result = ctx.map(["bad", "bad", "ok", "ok"], unless_bad, name="tolerated-pct", config=config)
    return facts(result, "completionReason", "successCount", "failureCount", "totalCount")


@durable_execution
def concurrent(event: None, ctx: DurableContext) -> list[str]:
    config: MapConfig[str] = MapConfig(max_concurrency=2)
    return ctx.map(["r0", "r1", "r2"], same, name="concurrent", config=config).get_results()


@durable_execution
def flat(event: None, ctx: DurableContext) -> list[str]:
    config: MapConfig[str] = MapConfig(max_concurrency=1, nesting_type=NestingType.FLAT)
    return ctx.map(["fa", "fb"], in_step, name="flat", config=config).get_results()


@durable_execution
def items_named(event: list[int], ctx: DurableContext) -> list[int]:
    def times_ten(item_ctx: DurableContext, item: int) -> int:
        return item * 10

    config: MapConfig[int] = MapConfig(max_concurrency=1, item_namer=lambda item, index: f"item-{item}")
    return ctx.map(event, times_ten, name="named-items", config=config).get_results()


@durable_execution
def item_serdes(event: None, ctx: DurableContext) -> list[str]:
    config: MapConfig[str] = MapConfig(max_concurrency=1, item_serdes=Marked())
    return ctx.map(["x", "y"], in_capitals, name="serdes", config=config).get_results()


@durable_execution
def wait_inside(event: None, ctx: DurableContext) -> list[str]:
    return ctx.map(["r0", "r1"], give_second_after_wait, name="suspend", config=IN_TURN).get_results()


@durable_execution
def large_result(event: None, ctx: DurableContext) -> dict[str, str | int]:
    def blow_up(item_ctx: DurableContext, item: str) -> str:
        return item * 70_000

    result = ctx.map(["a", "b", "c", "d"], blow_up, name="large", config=IN_TURN)
    return facts(result, "successCount", "totalCount")


@durable_execution
def then_wait(event: None, ctx: DurableContext) -> list[str]:
    result = ctx.map(["a", "b"], in_capitals, name="then-wait", config=IN_TURN)
    ctx.wait(Duration.from_seconds(1))
    return result.get_results()


@durable_execution
def failure_then_wait(event: None, ctx: DurableContext) -> dict[str, str | int]:
    config = in_turn(CompletionConfig(tolerated_failure_count=1))
    result = ctx.map(["ok", "bad"], unless_bad, name="fail-then-wait", config=config)
    ctx.wait(Duration.from_seconds(1))
    return facts(result)


@durable_execution
def whole_result_serdes(event: None, ctx: DurableContext) -> list[str]:
    return ctx.map(["x", "y"], in_capitals, name="op-serde", config=WHOLE_RESULT).get_results()


@durable_execution
def whole_result_serdes_replayed(event: None, ctx: DurableContext) -> list[str]:
    result = ctx.map(["x", "y"], in_capitals, name="op-serde-replay", config=WHOLE_RESULT)
    ctx.wait(Duration.from_seconds(1))
    return result.get_results()
