"""create_callback: an id first, other work meanwhile, and the answer when it is needed.

    durably dev examples/callbacks/two_phase.py
    durably invoke print_book '{"title": "On Engines", "copies": 3}'
    durably callback succeed ID '"OE-1843"'

Hand the id out in a step. Between the operations code runs again on every replay: a mail sent there would be sent
again.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import AsyncDurableContext, CallbackConfig, StepContext, durable_execution, durable_step


@dataclass(frozen=True)
class Job:
    title: str
    copies: int


@durable_step
async def mail_printer(step: StepContext, job: Job, callback_id: str) -> str:
    return f"print {job.copies} copies of {job.title!r} and answer to {callback_id}"


@durable_step
async def typeset(step: StepContext, job: Job) -> int:
    return len(job.title) * 10


@durable_execution
async def print_book(job: Job, ctx: AsyncDurableContext) -> str:
    printed = await ctx.create_callback("printed", CallbackConfig(timeout=timedelta(days=30)), result_type=str)
    await ctx.step(mail_printer(job, printed.callback_id))
    pages = await ctx.step(typeset(job))  # while the printer has it
    return f"{job.title}, {pages} pages, number {await printed.result()}"
