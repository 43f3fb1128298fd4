"""Item batching: two hundred and fifty postcards in three branches, with a result for each of them.

    durably dev examples/batches/postcards.py
    durably invoke write_all 250

An `ItemBatcher` packs many small items into one branch, so that far fewer contexts are recorded: here at most a hundred
items, or 64 KiB of them. A card that fails does not keep the others of its batch from being written.
"""

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    ItemBatcher,
    MapConfig,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
)

BATCHED = MapConfig[int](
    item_batcher=ItemBatcher(max_items_per_batch=100, max_bytes_per_batch=64 * 1024),
    completion_config=CompletionConfig.all_completed(),
)


@durable_step
async def write(step: StepContext, number: int) -> int:
    if number == 13:
        raise ValueError("card 13 has no address")
    return number


async def one_card(ctx: AsyncDurableContext, number: int) -> int:
    return await ctx.step(write(number), config=StepConfig(RetryPresets.none()))


@durable_execution
async def write_all(count: int, ctx: AsyncDurableContext) -> str:
    cards = await ctx.map(range(count), one_card, name="cards", config=BATCHED)
    return f"{cards.success_count} written, not {[item.index for item in cards.failed()]}"
