"""A map whose items run one step each, against a service that answers at once: per item, at 1,000 and at 10,000.

Each process measures three invocations and keeps the best: the others were disturbed by other programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from support.fake_service import ARN, AsyncBotoFace, AsyncDurablyFace, BotoFace, DurablyFace, Face, lambda_context
from support.model import Case, Measurement, Row, Settings, check
from support.timing import timed

REPEATS = 3

Build = Callable[[Face], Callable[[Any, Any], Any]]


def official(face: Face) -> Callable[[Any, Any], Any]:
    from aws_durable_execution_sdk_python import DurableContext, StepContext, durable_execution, durable_step

    @durable_step
    def add(step: StepContext, number: int) -> int:
        return number + 1

    def one(context: DurableContext, item: int, index: int, items: Any) -> int:
        return context.step(add(item))

    @durable_execution(boto3_client=face)
    def handler(event: dict[str, int], context: DurableContext) -> int:
        return sum(context.map(list(range(event["items"])), one).get_results())

    return handler


def async_sdk(face: Face) -> Callable[[Any, Any], Any]:
    from async_durable_execution import durable_callable, durable_execution, map, step

    @durable_callable
    async def add(number: int) -> int:
        return number + 1

    async def one(item: int) -> int:
        return await step(add(item))

    @durable_execution(boto3_client=face)
    async def handler(event: dict[str, int]) -> int:
        return sum((await map(one, list(range(event["items"])))).get_results())

    return handler


def durably_sync(face: Face) -> Callable[[Any, Any], Any]:
    from durably import DurableContext, StepContext, durable_execution, durable_step

    @durable_step
    def add(step: StepContext, number: int) -> int:
        return number + 1

    def one(context: DurableContext, item: int) -> int:
        return context.step(add(item))

    @durable_execution(client=face)
    def handler(event: dict[str, int], context: DurableContext) -> int:
        return sum(context.map(list(range(event["items"])), one).get_results())

    return handler


def durably_async(face: Face) -> Callable[[Any, Any], Any]:
    from durably import AsyncDurableContext, StepContext, durable_execution, durable_step

    @durable_step
    async def add(step: StepContext, number: int) -> int:
        return number + 1

    async def one(context: AsyncDurableContext, item: int) -> int:
        return await context.step(add(item))

    @durable_execution(client=face)
    async def handler(event: dict[str, int], context: AsyncDurableContext) -> int:
        return sum((await context.map(list(range(event["items"])), one)).get_results())

    return handler


def invoke(face: Face, handler: Callable[[Any, Any], Any], items: int) -> tuple[float, float]:
    """One execution of a map of so many items: wall and processor time in microseconds an item."""
    service = face.new_execution({"items": items})
    event, context = service.event(), lambda_context()
    output, wall, processor = timed(lambda: handler(event, context))
    expected = {"Status": "SUCCEEDED", "Result": str(items * (items + 1) // 2)}
    check(dict(output) == expected, f"answered {output}, expected {expected}")
    check(service.count("Step") == items, f"{service.count('Step')} steps were recorded, expected {items}")
    check(service.count("MapIteration") == items, f"{service.count('MapIteration')} items were recorded")
    return wall / items * 1e6, processor / items * 1e6


def of(build: Build, face: type[Face], full: int) -> Callable[[Settings], Measurement]:
    def measure(settings: Settings) -> Measurement:
        made = face()
        handler = build(made)
        items = settings.count(full, 50)
        invoke(made, handler, 20)  # warm
        found = [invoke(made, handler, items) for _ in range(REPEATS)]
        return {"us_per_item": min(wall for wall, _ in found), "cpu_us_per_item": min(cpu for _, cpu in found)}

    return measure


def alone(settings: Settings) -> Measurement:
    """The fake client, given the four updates of each item, 250 a call: what no SDK can save."""
    items = settings.count(1000, 50)
    updates: list[dict[str, Any]] = []
    for number in range(items):
        context = {"Id": f"c{number}", "Type": "CONTEXT", "SubType": "MapIteration", "Name": f"map-item-{number}"}
        step = {"Id": f"s{number}", "Type": "STEP", "SubType": "Step", "Name": "add", "ParentId": f"c{number}"}
        updates += [{**context, "Action": "START"}, {**step, "Action": "START"}]
        updates += [{**one, "Action": "SUCCEED", "Payload": str(number)} for one in (step, context)]
    walls: list[float] = []
    for _ in range(REPEATS):
        face = DurablyFace()
        service = face.new_execution({"items": items})

        def send(face: DurablyFace = face) -> None:
            for start in range(0, len(updates), 248):
                face.checkpoint(ARN, face.service.token, updates[start : start + 248], None)

        _, wall, _ = timed(send)
        check(service.count("MapIteration") == items, "the client did not record every item")
        walls.append(wall / items * 1e6)
    return {"us_per_item": min(walls)}


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=12,
    title="map, one step an item, client without latency",
    programs={
        "durably/sync": of(durably_sync, DurablyFace, 1000),
        "durably/async": of(durably_async, AsyncDurablyFace, 1000),
        "official": of(official, BotoFace, 1000),
        "async": of(async_sdk, AsyncBotoFace, 1000),
        "durably/client": alone,
        "durably/sync-10000": of(durably_sync, DurablyFace, 10_000),
        "durably/async-10000": of(durably_async, AsyncDurablyFace, 10_000),
    },
    rows=(
        Row("per item of 1,000, sync", "us_per_item", "us", "durably/sync", PEERS, target=80),
        Row("per item of 1,000, async", "us_per_item", "us", "durably/async", PEERS, target=40),
        Row("per item of 10,000, sync", "us_per_item", "us", "durably/sync-10000", target=80),
        Row("per item of 10,000, async", "us_per_item", "us", "durably/async-10000", target=40),
        Row("processor time per item of 1,000, sync", "cpu_us_per_item", "us", "durably/sync", PEERS),
        Row("processor time per item of 1,000, async", "cpu_us_per_item", "us", "durably/async", PEERS),
        Row("the fake client alone, per item", "us_per_item", "us", "durably/client"),
    ),
    notes=("What the fake service itself costs is in it: four updates an item.",),
)
