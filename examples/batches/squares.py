"""Map: one child context for each item, at most three at a time, results in input order.

    durably dev examples/batches/squares.py
    durably invoke squares '[1, 2, 3, 4, 5]'

`all_successful` ends the map with the first failure; `get_results` gives the results, or raises when there was one.
"""

from durably import CompletionConfig, DurableContext, MapConfig, StepContext, durable_execution, durable_step

THREE = MapConfig[int](max_concurrency=3, completion_config=CompletionConfig.all_successful())


@durable_step
def square(step: StepContext, number: int) -> int:
    return number * number


def one(ctx: DurableContext, number: int) -> int:
    return ctx.step(square(number))


@durable_execution
def squares(numbers: list[int], ctx: DurableContext) -> list[int]:
    return ctx.map(numbers, one, name="squares", config=THREE).get_results()
