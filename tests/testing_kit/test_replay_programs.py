"""Whatever happened to a program, its own code follows the record of it: random programs, schedules and crashes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably.testing import History, replay
from engine.programs import ORDERED, STEADY, Interpreter, Program, programs
from engine.test_programs import execute

NO_WORLD = SimpleNamespace(link=SimpleNamespace(dead=False))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(STEADY + ORDERED), st.integers(0, 1 << 20), st.booleans())
def test_a_program_follows_its_own_record(program: Program, seed: int, crashes: bool) -> None:
    world, _ = execute(program, seed, crashes=crashes)
    assert world.status == "SUCCEEDED"

    async def handler(event: Any, ctx: Any) -> Any:
        interpreter = Interpreter(NO_WORLD, lambda: 0, {})  # type: ignore[arg-type]  # no body runs that needs more
        return await interpreter.run(program, ctx)

    for operations in (None, list(world.operations.values())):
        report = replay(handler, History({"DurableExecutionArn": world.arn}, world.history, operations))
        assert report.ok, str(report)
