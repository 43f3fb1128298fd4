"""An import of many rows: a page of them in each execution, recorded in batches.

    durably dev examples/bulk.py
    durably invoke load '{"rows": 2500}'

Each row is a step of its own: after a crash none that was recorded is loaded again. In the batched mode a thousand of
these steps cost four calls instead of a thousand; the price is that a crash repeats those that had not been sent yet,
so loading a row must be something that may happen twice (here: setting a key to a value). When a page is done the job
goes on as a fresh execution with the next page, so no history grows longer than a page.
"""

from dataclasses import dataclass

from durably import CheckpointConfig, CheckpointMode, DurableContext, StepContext, durable_execution, durable_step

PAGE = 1000
table: dict[int, str] = {}
"""Stands for the database."""


@dataclass(frozen=True)
class Job:
    rows: int
    first: int = 0
    loaded: int = 0


@dataclass(frozen=True)
class Report:
    loaded: int
    pages: int


@durable_step
def load_row(step: StepContext, row: int) -> bool:
    table[row] = f"row {row}"
    return row % 100 != 99  # every hundredth row is bad


@durable_execution(checkpointing=CheckpointConfig(CheckpointMode.BATCHED))
def load(job: Job, ctx: DurableContext) -> Report:
    end = min(job.first + PAGE, job.rows)
    loaded = job.loaded
    for row in range(job.first, end):
        loaded += ctx.step(load_row(row), name=f"row {row}")
    if end < job.rows:
        rest: Report = ctx.recurse(Job(job.rows, end, loaded), name="next page")
        return Report(rest.loaded, rest.pages + 1)
    return Report(loaded, 1)
