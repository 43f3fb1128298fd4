"""An invocation whose handler does nothing: what the SDK adds to every invocation, and when it ends."""

from __future__ import annotations

from collections.abc import Callable

from support import programs
from support.model import Case, Measurement, Row, Settings
from support.timing import median, timed


def measure(program: programs.Program, settings: Settings) -> Measurement:
    invocations = settings.count(20, 3)
    _, first, _ = timed(program.prepare(0))
    walls: list[float] = []
    for _ in range(invocations):
        output, wall, _ = timed(program.prepare(0))
        program.verify(output, 0)
        walls.append(wall * 1e3)
    return {"ms": median(walls), "worst_ms": max(walls), "first_ms": first * 1e3}


def of(build: Callable[..., programs.Program]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(build(), settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=5,
    title="invocation with nothing to do",
    programs={
        "durably/sync": of(programs.durably_sync),
        "durably/async": of(programs.durably_async),
        "official": of(programs.official),
        "async": of(programs.async_sdk),
    },
    rows=(
        Row("warm, sync", "ms", "ms", "durably/sync", PEERS, target=1, digits=3),
        Row("warm, async", "ms", "ms", "durably/async", PEERS, target=1, digits=3),
        Row("first in its process, sync", "first_ms", "ms", "durably/sync", PEERS, digits=2),
        Row("first in its process, async", "first_ms", "ms", "durably/async", PEERS, digits=2),
    ),
)
