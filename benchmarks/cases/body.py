"""A step body of 105 ms against a service that takes 20 ms to answer: START may travel while the body runs."""

from __future__ import annotations

from collections.abc import Callable

from support import programs
from support.model import Case, Measurement, Row, Settings
from support.timing import timed

LATENCY = 0.020
BODY = 0.105


def measure(program: programs.Program, settings: Settings) -> Measurement:
    steps = settings.count(10, 2)
    program.verify(program.prepare(1)(), 1)
    output, wall, _ = timed(program.prepare(steps))
    calls = program.verify(output, steps).calls
    return {"ms_per_step": wall / steps * 1e3, "calls_per_step": calls / steps}


def of(build: Callable[..., programs.Program]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(build(latency=LATENCY, body=BODY), settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=3,
    title="105 ms step body, 20 ms per call, 10 steps",
    programs={
        "durably/sync": of(programs.durably_sync),
        "durably/async": of(programs.durably_async),
        "official": of(programs.official),
        "async": of(programs.async_sdk),
    },
    rows=(
        Row("per step, sync", "ms_per_step", "ms", "durably/sync", PEERS, target=126),
        Row("per step, async", "ms_per_step", "ms", "durably/async", PEERS, target=126),
        Row("calls per step, sync", "calls_per_step", "", "durably/sync", PEERS, digits=2),
        Row("calls per step, async", "calls_per_step", "", "durably/async", PEERS, digits=2),
    ),
)
