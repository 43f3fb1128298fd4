"""Logging: each line once, however often the handler is replayed, with the fields to find it by.

    durably dev examples/logging_example.py
    durably invoke parcel '{"id": "P7", "stops": 2}'

`parcel` prints JSON lines; `noisy_parcel` hands its lines to a function, those of level WARNING and above again on
every replay.
"""

from dataclasses import dataclass
from typing import Any

from durably import (
    DurableContext,
    Duration,
    ReplayLogging,
    StepContext,
    durable_execution,
    durable_step,
    json_logger,
    simple_logger,
)


@dataclass(frozen=True)
class Parcel:
    id: str
    stops: int = 1


@durable_step
def scan(step: StepContext, parcel: Parcel, stop: int) -> str:
    step.logger.info("scanned at stop %d", stop, extra={"stop": stop})  # with operationId, operationName and attempt
    return f"{parcel.id}@{stop}"


def travel(parcel: Parcel, ctx: DurableContext) -> list[str]:
    ctx.configure_logger(fields={"parcel": parcel.id})  # on every line of this execution from here on
    ctx.logger.info("on its way")
    scans = []
    for stop in range(1, parcel.stops + 1):
        ctx.wait(Duration.from_minutes(30), name=f"drive {stop}")
        scans.append(ctx.step(scan(parcel, stop)))
    ctx.logger.warning("arrived after %d stops", parcel.stops)
    ctx.wait(Duration.from_minutes(5), name="ring")
    ctx.logger.info("delivered")
    return scans


@durable_execution(logger=json_logger("parcels"))
def parcel(parcel: Parcel, ctx: DurableContext) -> list[str]:
    return travel(parcel, ctx)


def write(level: str, message: str, fields: dict[str, Any]) -> None:
    again = " (again)" if fields.get("isReplaying") else ""
    print(f"{level:8} {fields.get('parcel')}: {message}{again}")


@durable_execution(logger=simple_logger(write), replay_logging=ReplayLogging.WARNINGS_AND_ERRORS)
def noisy_parcel(parcel: Parcel, ctx: DurableContext) -> list[str]:
    return travel(parcel, ctx)
