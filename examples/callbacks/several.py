"""Several callbacks at once: a jury of three, whose votes come in any order; two of a kind decide.

    durably dev examples/callbacks/several.py
    durably invoke judge '{"recipe": "plum dumplings", "jury": ["Ada", "Grace", "Mary"]}'
    durably callback succeed ID '"delicious"'

Each member is a branch. With two votes the parallel is complete: nobody waits for the third.
"""

from collections import Counter
from dataclasses import dataclass

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    ParallelBranch,
    ParallelConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_with_child_context,
)


@dataclass(frozen=True)
class Recipe:
    recipe: str
    jury: list[str]


@durable_with_child_context
async def vote(ctx: AsyncDurableContext, member: str, recipe: str) -> str:
    async def ask(callback_id: str, context: WaitForCallbackContext) -> None:
        context.logger.info("%s, how are the %s? %s", member, recipe, callback_id)

    return str(await ctx.wait_for_callback(ask, name=member, result_type=str))


@durable_execution
async def judge(event: Recipe, ctx: AsyncDurableContext) -> list[tuple[str, int]]:
    branches = [ParallelBranch(vote(member, event.recipe), f"vote of {member}") for member in event.jury]
    two = ParallelConfig(completion_config=CompletionConfig(min_successful=2))
    votes = await ctx.parallel(branches, name="jury", config=two)
    return Counter(votes.get_results()).most_common()
