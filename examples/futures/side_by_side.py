"""Futures: operations that are started now and asked for later, in a plain function too.

    durably dev examples/futures/side_by_side.py
    durably invoke dinner '4'

Ids are taken when an operation is started, so they do not depend on what is ready first.
"""

from datetime import timedelta

from durably import DurableContext, StepContext, durable_execution, durable_step


@durable_step
def set_table(step: StepContext, guests: int) -> str:
    return f"table for {guests}"


def soup(ctx: DurableContext) -> str:
    ctx.wait(timedelta(minutes=45), name="simmer")
    return ctx.step(lambda step: "soup", name="taste")


@durable_execution
def dinner(guests: int, ctx: DurableContext) -> list[str]:
    cooking = ctx.start(ctx.run_in_child_context, soup, name="soup")
    rising = ctx.start(ctx.wait, timedelta(hours=1), name="dough rises")
    table = ctx.step(set_table(guests))  # meanwhile
    first = cooking.result()
    rising.result()
    return [table, first, ctx.step(lambda step: "bread", name="bake")]
