"""A child context whose result is too large to be stored: the history keeps a summary, a replay builds it again.

    durably dev examples/child_contexts/large_results.py
    durably invoke scan_archive '{"rolls": 3, "kilobytes": 100}'

Above 256 KiB the result of a child context is not stored. On replay its function runs again, over its recorded steps,
and comes to the same result. Nothing needs to be configured for that; the summary is for whoever reads the history.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import ChildConfig, DurableContext, StepContext, durable_execution, durable_step


@dataclass(frozen=True)
class Archive:
    rolls: int
    kilobytes: int


@durable_step
def scan(step: StepContext, roll: int, kilobytes: int) -> str:
    return str(roll) * (kilobytes * 1024)


def describe(scans: list[str]) -> str:
    return f"{len(scans)} scans, {sum(map(len, scans)):,} bytes"


@durable_execution
def scan_archive(archive: Archive, ctx: DurableContext) -> str:
    def all_rolls(inner: DurableContext) -> list[str]:
        return [inner.step(scan(roll, archive.kilobytes), name=f"roll {roll}") for roll in range(archive.rolls)]

    config = ChildConfig[list[str]](summary_generator=describe)
    scans = ctx.run_in_child_context(all_rolls, name="scans", config=config)
    ctx.wait(timedelta(hours=1), name="cool down")  # what follows is a replay
    return describe(scans)
