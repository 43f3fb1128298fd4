"""A plugin that measures: how long steps take, how often they are tried, how long an execution waited.

    durably dev examples/plugin_example.py
    durably invoke ship '{"id": "P7", "stops": 2}'

`ship` is an ordinary durable function; what is measured is printed, one line of JSON for each operation and invocation.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime

from durably import (
    DurableContext,
    DurableInstrumentationPlugin,
    Duration,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationEndInfo,
    StepConfig,
    StepContext,
    UserFunctionEndInfo,
    create_retry_strategy,
    durable_execution,
    durable_step,
)
from durably.retries import RetryStrategyConfig


@dataclass
class Metrics:
    """The factory: lives as long as the process, so it holds what is summed up over executions."""

    attempts: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def create_plugin(self, info: InvocationStartInfo) -> "Timing":
        return Timing(self)


class Timing(DurableInstrumentationPlugin):
    """The plugin of one invocation: may keep in attributes what belongs to that invocation."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.operations = 0

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        name = info.name or info.operation_id[:8]
        self.metrics.attempts[name] = self.metrics.attempts.get(name, 0) + 1
        took = lasted(info.start_time, info.end_time)
        self.metrics.seconds[name] = self.metrics.seconds.get(name, 0.0) + took

    def on_operation_end(self, info: OperationEndInfo) -> None:
        self.operations += 1
        tell("operation", name=info.name, status=info.status.value, seconds=lasted(info.start_time, info.end_time))

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        tell("invocation", status=info.status.value, first=info.is_first_invocation, operations=self.operations)


def lasted(start: datetime | None, end: datetime | None) -> float:
    return 0.0 if start is None or end is None else round((end - start).total_seconds(), 3)


def tell(what: str, **fields: object) -> None:
    print(json.dumps({"metric": what, **fields}), flush=True)


metrics = Metrics()


@dataclass(frozen=True)
class Parcel:
    id: str
    stops: int = 1


@durable_step
def scan(step: StepContext, parcel: Parcel, stop: int) -> str:
    if step.attempt == 1 and stop == 1:
        raise ConnectionError("the scanner does not answer")
    return f"{parcel.id}@{stop}"


SOON = StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(initial_delay=Duration.from_seconds(2))))


@durable_execution(plugins=[metrics])
def ship(parcel: Parcel, ctx: DurableContext) -> list[str]:
    scans = []
    for stop in range(1, parcel.stops + 1):
        ctx.wait(Duration.from_minutes(30), name=f"drive {stop}")
        scans.append(ctx.step(scan(parcel, stop), name=f"scan {stop}", config=SOON))
    return scans
