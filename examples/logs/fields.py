"""Logging: what a line carries by itself, fields of your own, and silence while replaying.

    durably dev examples/logs/fields.py
    durably invoke ferry '{"passengers": 3}'

Each line is written once, although the code runs again after the wait. `examples/logging_example.py` writes JSON lines.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import DurableContext, StepContext, durable_execution, durable_step, setup_logging


@dataclass(frozen=True)
class Crossing:
    passengers: int


@durable_step
def board(step: StepContext, passengers: int) -> int:
    step.logger.debug("checking the tickets")
    step.logger.info("on board", passengers=passengers)  # with operationId, operationName and attempt
    return passengers


@durable_execution
def ferry(crossing: Crossing, ctx: DurableContext) -> int:
    ctx.configure_logger(fields={"ship": "Aurora"})
    ctx.logger.info("boarding begins")
    passengers = ctx.step(board(crossing.passengers))
    ctx.wait(timedelta(minutes=20), name="cross")
    ctx.logger.warning("arrived with %d of %d", passengers, crossing.passengers)
    ctx.logger.error("the ramp is stuck", error_code="RAMP")
    return passengers


if __name__ == "__main__":
    setup_logging()
