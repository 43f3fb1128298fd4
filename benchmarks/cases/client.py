"""One checkpoint call of the client for AWS, on a connection that is open: processor time and round trip.

The service is a process of its own on the loopback. Each call carries the two updates of a small step and is
signed; boto3's and async-durable-execution's client are called with what their SDKs hand to them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from support.fake_service import ARN, step_updates
from support.loopback import serve
from support.model import Case, Measurement, Row, Settings, check
from support.timing import median, timed

Call = Callable[[str, list[dict[str, Any]]], Any]
WARM = 20


def measure(connect: Callable[[], Call], settings: Settings) -> Measurement:
    calls = settings.count(300, 50)
    measurement: Measurement = {}
    for scheme in ("http", "https"):
        with serve(tls=scheme == "https") as server:
            if server is None:
                continue
            os.environ.update(server.environment)
            processor, wall = _measure(connect(), calls)
            measurement |= {f"{scheme}_cpu_us": processor, f"{scheme}_wall_us": wall}
    return measurement


def _measure(call: Call, calls: int) -> tuple[float, float]:
    """Microseconds per call: (mean processor time, median round trip)."""
    token = "token+00000000"
    walls: list[float] = []
    processors: list[float] = []
    for updates in step_updates(WARM + calls):
        answer, wall, processor = timed(partial(call, token, updates))
        token = answer["CheckpointToken"]
        walls.append(wall * 1e6)
        processors.append(processor * 1e6)
        operation = answer["NewExecutionState"]["Operations"][0]
        check(operation["Id"] == updates[0]["Id"], "another operation was answered")
        check(operation["StepDetails"]["Result"] == updates[1]["Payload"], "another result was answered")
    check(token == f"token+{WARM + calls:08d}", f"the chain of tokens ended with {token}")
    return sum(processors[WARM:]) / calls, median(walls[WARM:])


def durably(settings: Settings) -> Measurement:
    def connect() -> Call:
        from durably.client import LambdaClient

        client = LambdaClient()
        return lambda token, updates: client.checkpoint(ARN, token, updates, None)

    return measure(connect, settings)


def durably_async(settings: Settings) -> Measurement:
    def connect() -> Call:
        from durably.client import LambdaClient

        client = LambdaClient()
        loop = asyncio.new_event_loop()
        return lambda token, updates: loop.run_until_complete(client.acheckpoint(ARN, token, updates, None))

    return measure(connect, settings)


def official(settings: Settings) -> Measurement:
    def connect() -> Call:
        import boto3

        client = boto3.client("lambda")
        return lambda token, updates: client.checkpoint_durable_execution(
            DurableExecutionArn=ARN, CheckpointToken=token, Updates=updates
        )

    return measure(connect, settings)


def async_sdk(settings: Settings) -> Measurement:
    def connect() -> Call:
        from async_durable_execution import create_default_sync_client

        client = create_default_sync_client()
        return lambda token, updates: client.checkpoint_durable_execution(
            DurableExecutionArn=ARN, CheckpointToken=token, Updates=updates
        )

    return measure(connect, settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=7,
    title="one call of the AWS client",
    programs={
        "durably": durably,
        "durably/async": durably_async,
        "official": official,
        "async": async_sdk,
    },
    rows=(
        Row("processor time", "http_cpu_us", "us", "durably", PEERS, target=150, digits=0),
        Row("processor time, awaited", "http_cpu_us", "us", "durably/async", PEERS, digits=0),
        Row("round trip", "http_wall_us", "us", "durably", PEERS, digits=0),
        Row("processor time, TLS", "https_cpu_us", "us", "durably", PEERS, digits=0),
        Row("round trip, TLS", "https_wall_us", "us", "durably", PEERS, digits=0),
    ),
    notes=(
        "A client only, no SDK around it: LambdaClient, boto3, and the botocore-based client of "
        "async-durable-execution. 'Awaited' drives an event loop for each call, all sides' blocking calls beside it. "
        "The round trips of async-durable-execution wait for delayed acknowledgements: its client sends head and body "
        "apart and leaves Nagle's algorithm on.",
    ),
)
