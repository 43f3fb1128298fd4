"""Replay: an invocation that finds every one of its steps recorded. The event carries the first 1,000 operations,
the rest comes in pages of 1,000, parsed before the clock starts on every side: Lambda's runtime and the client do
that before the SDK sees the operations."""

from __future__ import annotations

from collections.abc import Callable

from support import programs
from support.model import Case, Measurement, Row, Settings, check
from support.timing import timed

REPEATS = 3


def per_operation(program: programs.Program, steps: int) -> tuple[float, float]:
    """Microseconds (wall, processor), the best of some invocations: the others were disturbed by other programs."""
    walls: list[float] = []
    processors: list[float] = []
    for _ in range(REPEATS):
        output, wall, processor = timed(program.prepare(steps, recorded=steps))
        service = program.verify(output, steps, recorded=steps)
        check(service.calls == 0, f"a replay made {service.calls} checkpoint calls")
        check(service.pages == steps // 1000, f"{service.pages} pages were fetched, expected {steps // 1000}")
        walls.append(wall / steps * 1e6)
        processors.append(processor / steps * 1e6)
    return min(walls), min(processors)


def measure(program: programs.Program, settings: Settings) -> Measurement:
    small, large = settings.count(1000, 1000), settings.count(10_000, 2000)
    program.verify(program.prepare(20, recorded=20)(), 20, recorded=20)
    at_small, cpu_small = per_operation(program, small)
    at_large, cpu_large = per_operation(program, large)
    return {
        "us_small": at_small,
        "us_large": at_large,
        "cpu_us_small": cpu_small,
        "cpu_us_large": cpu_large,
        "growth": cpu_large / cpu_small,
    }


def of(build: Callable[..., programs.Program]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(build(), settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=4,
    title="replay of recorded steps",
    programs={
        "durably/sync": of(programs.durably_sync),
        "durably/async": of(programs.durably_async),
        "official": of(programs.official),
        "async": of(programs.async_sdk),
    },
    rows=(
        Row("10,000 steps, per operation, sync", "us_large", "us", "durably/sync", PEERS, target=4, digits=2),
        Row("10,000 steps, per operation, async", "us_large", "us", "durably/async", PEERS, target=4, digits=2),
        Row("its processor time, sync", "cpu_us_large", "us", "durably/sync", PEERS, digits=2),
        Row("its processor time, async", "cpu_us_large", "us", "durably/async", PEERS, digits=2),
        Row("1,000 steps, per operation, sync", "us_small", "us", "durably/sync", PEERS, digits=2),
        Row("1,000 steps, per operation, async", "us_small", "us", "durably/async", PEERS, digits=2),
        Row(
            "processor time per operation, 10,000 over 1,000, sync",
            "growth",
            "",
            "durably/sync",
            PEERS,
            1.25,
            digits=2,
            compare=False,
        ),
        Row(
            "processor time per operation, 10,000 over 1,000, async",
            "growth",
            "",
            "durably/async",
            PEERS,
            1.25,
            digits=2,
            compare=False,
        ),
    ),
    notes=("Linear means that the cost per operation is the same at 10,000 as at 1,000; 1.25 allows for caches.",),
)
