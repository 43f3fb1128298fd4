"""When a map or parallel is complete: five friends are asked for a lift, under five rules.

    durably dev examples/batches/completion.py
    durably invoke lift '"first"'

What is still running when the rule is met is not waited for, and records nothing any more.
"""

from datetime import timedelta
from itertools import pairwise

from durably import (
    CompletionConfig,
    CompletionDecision,
    CompletionStatus,
    DurableContext,
    MapConfig,
    RetryPresets,
    StepConfig,
    StepContext,
    complete_batch,
    continue_batch,
    durable_execution,
    durable_step,
)


def two_in_a_row(status: CompletionStatus) -> CompletionDecision:
    """Any function of how far the batch is may decide."""
    done = [item.status is not None and item.status.name == "SUCCEEDED" for item in status.items]
    return complete_batch() if any(a and b for a, b in pairwise(done)) else continue_batch()


RULES = {
    "first": CompletionConfig.first_successful(),
    "all": CompletionConfig.all_completed(),
    "two": CompletionConfig(min_successful=2),
    "one no is fine": CompletionConfig(tolerated_failure_count=1),
    "own": CompletionConfig(should_complete=two_in_a_row),
}
ANSWERS_AFTER = {"Ada": 3, "Bob": 1, "Cleo": 4, "Dora": 2, "Emil": 5}
NO_CAR = {"Bob", "Emil"}


@durable_step
def answer(step: StepContext, friend: str) -> str:
    if friend in NO_CAR:
        raise LookupError(f"{friend} has no car")
    return friend


def ask(ctx: DurableContext, friend: str) -> str:
    ctx.wait(timedelta(hours=ANSWERS_AFTER[friend]), name="no answer yet")
    return ctx.step(answer(friend), config=StepConfig(RetryPresets.none()))


@durable_execution
def lift(rule: str, ctx: DurableContext) -> str:
    config = MapConfig[str](completion_config=RULES[rule], item_namer=lambda friend, index: friend)
    asked = ctx.map(list(ANSWERS_AFTER), ask, name="friends", config=config)
    found = " and ".join(str(item.result) for item in asked.succeeded())
    return f"{found or 'nobody'} ({asked.failure_count} no, {asked.started_count} not answered)"
