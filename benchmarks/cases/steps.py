"""1,000 sequential steps in one invocation, against a service that answers at once.

Each process measures three invocations and keeps the best: the others were disturbed by other programs."""

from __future__ import annotations

from collections.abc import Callable

from support import programs
from support.fake_service import AsyncBotoFace, BotoFace, DurablyFace, Face, call_client
from support.model import Case, Measurement, Row, Settings, check
from support.timing import timed

REPEATS = 3


def measure(program: programs.Program, settings: Settings) -> Measurement:
    steps = settings.count(1000, 100)
    program.verify(program.prepare(20)(), 20)  # warm: imports, caches and loops made by the first invocation
    walls: list[float] = []
    processors: list[float] = []
    calls = 0
    for _ in range(REPEATS):
        output, wall, processor = timed(program.prepare(steps))
        calls = program.verify(output, steps).calls
        walls.append(wall / steps * 1e6)
        processors.append(processor / steps * 1e6)
    return {"us_per_step": min(walls), "cpu_us_per_step": min(processors), "calls_per_step": calls / steps}


def measure_client(face: Face, settings: Settings) -> Measurement:
    """The fake client alone, given the two updates of a step a thousand times: what no SDK can save."""
    steps = settings.count(1000, 100)
    walls: list[float] = []
    for _ in range(REPEATS):
        service = face.new_execution({"steps": steps})
        _, wall, _ = timed(lambda: call_client(face, steps))
        check(len(service.step_results()) == steps, "the client did not record every step")
        walls.append(wall / steps * 1e6)
    return {"us_per_step": min(walls)}


def of(build: Callable[[], programs.Program]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(build(), settings)


def of_client(face: type[Face]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure_client(face(), settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=1,
    title="1,000 sequential steps, client without latency",
    programs={
        "durably/sync": of(programs.durably_sync),
        "durably/async": of(programs.durably_async),
        "official": of(programs.official),
        "async": of(programs.async_sdk),
        "durably/client": of_client(DurablyFace),
        "official/client": of_client(BotoFace),
        "async/client": of_client(AsyncBotoFace),
    },
    rows=(
        Row("per step, sync", "us_per_step", "us", "durably/sync", PEERS, target=30),
        Row("per step, async", "us_per_step", "us", "durably/async", PEERS, target=30),
        Row("processor time per step, sync", "cpu_us_per_step", "us", "durably/sync", PEERS),
        Row("processor time per step, async", "cpu_us_per_step", "us", "durably/async", PEERS),
        Row("calls per step, sync", "calls_per_step", "", "durably/sync", PEERS, target=1, digits=2),
        Row("calls per step, async", "calls_per_step", "", "durably/async", PEERS, target=1, digits=2),
        Row(
            "the fake client alone, per call",
            "us_per_step",
            "us",
            "durably/client",
            {"official": "official/client", "async": "async/client"},
        ),
    ),
)
