"""Whatever a synchronous program does on threads, its own code follows the record of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably import CompletionConfig, DurableContext, MapConfig, ParallelConfig, StepConfig, StepError
from durably.retries import FixedDelay, NoRetry
from durably.testing import NEVER, History, LocalRunner, replay

LEAVES = st.sampled_from(["step", "flaky", "failing", "wait", "callback", "large"])
TREES = st.recursive(
    LEAVES,
    lambda below: st.tuples(
        st.sampled_from(
            ["seq", "child", "map", "flat", "first", "parallel", "race", "any", "all", "start", "lost", "retry"]
        ),
        st.lists(below, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
ONCE = StepConfig(retry_strategy=NoRetry())
FLAKY = StepConfig(retry_strategy=FixedDelay(timedelta(seconds=3), max_attempts=3))


def perform(tree: Any, ctx: DurableContext) -> Any:
    if isinstance(tree, str):
        return leaf(tree, ctx)
    kind, below = tree
    functions = [lambda inner, one=one: perform(one, inner) for one in below]
    if kind == "seq":
        return [perform(one, ctx) for one in below]
    if kind == "child":
        return ctx.run_in_child_context(lambda inner: [perform(one, inner) for one in below], name="child")
    if kind == "map":
        config = MapConfig[Any](completion_config=CompletionConfig.all_completed(), max_concurrency=2)
        return len(ctx.map(below, lambda inner, one: perform(one, inner), "map", config).all)
    if kind == "flat":
        from durably import NestingType

        config = MapConfig[Any](completion_config=CompletionConfig.all_completed(), nesting_type=NestingType.FLAT)
        return len(ctx.map(below, lambda inner, one: perform(one, inner), "flat", config).all)
    if kind == "first":
        first = ParallelConfig(completion_config=CompletionConfig.first_successful())
        return len(ctx.parallel(functions, "first", first).all)
    if kind == "parallel":
        return len(ctx.parallel(functions, "parallel").all)
    if kind in ("race", "any", "all"):
        try:
            return getattr(ctx, kind)(functions, kind)
        except Exception as error:
            return type(error).__name__
    if kind in ("start", "lost"):
        futures = [ctx.start(ctx.run_in_child_context, function, name="future") for function in functions]
        return [future.result() for future in futures] if kind == "start" else None
    return ctx.with_retry(lambda inner, attempt: [perform(one, inner) for one in below], "retry")


def leaf(kind: str, ctx: DurableContext) -> Any:
    if kind == "wait":
        return ctx.wait(timedelta(seconds=5), name="wait")
    if kind == "callback":
        return ctx.wait_for_callback(lambda callback_id, step: None, name="callback")
    if kind == "large":
        return len(ctx.run_in_child_context(lambda inner: inner.step(lambda step: "x", name="x") * 300_000, "large"))

    def body(step: Any) -> str:
        if kind == "failing" or (kind == "flaky" and step.attempt < 2):
            raise ValueError(kind)
        return kind

    try:
        return ctx.step(body, name=kind, config=FLAKY if kind == "flaky" else ONCE)
    except StepError:
        return "failed"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TREES, min_size=1, max_size=3))
def test_a_program_follows_its_own_record(trees: list[Any]) -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        return [perform(tree, ctx) for tree in trees]

    runner: LocalRunner[Any, Any] = LocalRunner(handler, callbacks={"callback": "yes", "never": NEVER})  # type: ignore[arg-type]
    history = History.of_run(runner.run())
    for record in (history, History({"DurableExecutionArn": history.arn}, history.events)):
        report = replay(handler, record)
        assert report.ok, str(report)
