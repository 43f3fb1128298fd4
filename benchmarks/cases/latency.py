"""Sequential steps against a service that takes 20 ms to answer."""

from __future__ import annotations

from collections.abc import Callable

from support import programs
from support.fake_service import AsyncBotoFace, AsyncDurablyFace, BotoFace, DurablyFace, Face, call_client
from support.model import Case, Measurement, Row, Settings
from support.timing import timed

LATENCY = 0.020


def measure(program: programs.Program, settings: Settings) -> Measurement:
    steps = settings.count(50, 5)
    program.verify(program.prepare(2)(), 2)
    output, wall, processor = timed(program.prepare(steps))
    calls = program.verify(output, steps).calls
    return {
        "ms_per_step": wall / steps * 1e3,
        "calls_per_step": calls / steps,
        "cpu_ms_per_step": processor / steps * 1e3,
    }


def measure_client(face: Face, settings: Settings) -> Measurement:
    steps = settings.count(50, 5)
    face.new_execution({"steps": steps})
    _, wall, _ = timed(lambda: call_client(face, steps))
    return {"ms_per_step": wall / steps * 1e3}


def of(build: Callable[..., programs.Program]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(build(latency=LATENCY), settings)


def of_client(face: type[Face]) -> Callable[[Settings], Measurement]:
    return lambda settings: measure_client(face(LATENCY), settings)


PEERS = {"official": "official", "async": "async"}
CLIENTS = {"official": "official/client", "async": "async/client"}

CASE = Case(
    number=2,
    title="50 sequential steps, 20 ms per call",
    programs={
        "durably/sync": of(programs.durably_sync),
        "durably/async": of(programs.durably_async),
        "official": of(programs.official),
        "async": of(programs.async_sdk),
        "durably/client": of_client(DurablyFace),
        "durably/aclient": of_client(AsyncDurablyFace),
        "official/client": of_client(BotoFace),
        "async/client": of_client(AsyncBotoFace),
    },
    rows=(
        Row("per step, sync", "ms_per_step", "ms", "durably/sync", PEERS, target=20.2, digits=2),
        Row("per step, async", "ms_per_step", "ms", "durably/async", PEERS, target=20.2, digits=2),
        Row("calls per step, sync", "calls_per_step", "", "durably/sync", PEERS, target=1, digits=2),
        Row("calls per step, async", "calls_per_step", "", "durably/async", PEERS, target=1, digits=2),
        Row("the client alone, per call, sync", "ms_per_step", "ms", "durably/client", CLIENTS, digits=2),
        Row("the client alone, per call, async", "ms_per_step", "ms", "durably/aclient", CLIENTS, digits=2),
    ),
    notes=(
        "The client sleeps: a blocking client blocks its thread, an async one awaits without blocking the loop "
        "(its last 2 ms are spent yielding, for asyncio's timers are up to 1 ms late). "
        "The official SDK is given a blocking client, async-durable-execution an async one.",
    ),
)
