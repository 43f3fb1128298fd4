"""What a cold start costs over a bare interpreter: SDK imported, handler decorated and client made; and until the
first step is recorded, so that nothing is cheap because it is put off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from support.loopback import CREDENTIALS, serve
from support.model import Case, Measurement, Row, Settings, check
from support.timing import median

REPEATS = 5

READY = """
import os, time
def ready():
    processor = time.process_time()
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    os.write(1, f"{processor} {peak.split()[1]}\\n".encode())
"""

OFFICIAL = """
from aws_durable_execution_sdk_python import DurableContext, durable_execution, durable_step
@durable_step
def one(step): return 1
@durable_execution
def handler(event, context):
    result = context.step(one())
    ready()
    return result
"""
OFFICIAL_CLIENT = """
from aws_durable_execution_sdk_python.lambda_service import LambdaClient
client = LambdaClient.initialize_client()
"""
ASYNC = """
from async_durable_execution import durable_callable, durable_execution, step
@durable_callable
async def one(): return 1
@durable_execution
async def handler(event):
    result = await step(one())
    ready()
    return result
"""
ASYNC_CLIENT = """
from async_durable_execution import create_default_sync_client
client = create_default_sync_client()
"""
DURABLY_SYNC = """
from durably import DurableContext, durable_execution, durable_step
@durable_step
def one(step): return 1
@durable_execution
def handler(event, context: DurableContext):
    result = context.step(one())
    ready()
    return result
"""
DURABLY_ASYNC = """
import asyncio
from durably import AsyncDurableContext, durable_execution, durable_step
@durable_step
async def one(step): return 1
@durable_execution
async def handler(event, context: AsyncDurableContext):
    result = await context.step(one())
    ready()
    return result
"""
DURABLY_CLIENT = """
from durably.client import LambdaClient
client = LambdaClient()
"""
INVOKE = """
import json, types
with open("EVENT") as file:
    event = json.load(file)
context = types.SimpleNamespace(
    aws_request_id="5f0c0b4e-0000-4000-8000-000000000001", function_name="bench", function_version="$LATEST",
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench:$LATEST", memory_limit_in_mb=128,
    log_group_name="bench", log_stream_name="bench", tenant_id=None, client_context=None, identity=None,
    get_remaining_time_in_millis=lambda: 900000)
answer = handler(event, context)
assert dict(answer) == {"Status": "SUCCEEDED", "Result": "1"}, answer
"""


def start(script: str, environment: dict[str, str]) -> tuple[float, float, float]:
    """(milliseconds until the script says ready, those of processor time, its peak resident megabytes by then)."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=dict(os.environ) | environment
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    elapsed = time.perf_counter() - began
    process.stdout.close()
    check(process.wait() == 0, "the program failed")
    processor, peak = line.split()
    return elapsed * 1e3, float(processor) * 1e3, int(peak) / 1024


def over_bare(script: str, environment: dict[str, str], repeats: int) -> tuple[float, float, float]:
    """Medians of the differences to a bare interpreter started just before."""
    start(script, environment)  # byte code written, files in the page cache
    differences: list[tuple[float, ...]] = []
    for _ in range(repeats):
        bare = start(READY + "ready()", environment)
        differences.append(tuple(a - b for a, b in zip(start(script, environment), bare, strict=True)))
    milliseconds, processor, megabytes = (median(list(column)) for column in zip(*differences, strict=True))
    return milliseconds, processor, megabytes


def measure(handler: str, client: str, settings: Settings) -> Measurement:
    repeats = settings.count(REPEATS, 1)
    ms, cpu, mb = over_bare(READY + handler + client + "ready()", CREDENTIALS, repeats)
    measurement = {"ready_ms": ms, "ready_cpu_ms": cpu, "ready_mb": mb}
    with tempfile.TemporaryDirectory() as directory, serve(tls=True) as server:
        if server is not None:
            event = Path(directory) / "event.json"
            event.write_text(json.dumps(_event()))
            invoke = INVOKE.replace("EVENT", str(event))
            ms, cpu, mb = over_bare(READY + handler + invoke, server.environment, repeats)
            measurement |= {"first_step_ms": ms, "first_step_cpu_ms": cpu, "first_step_mb": mb}
    return measurement


def _event() -> dict[str, object]:
    from support.fake_service import FakeService

    return FakeService({"steps": 1}).event()


def of(handler: str, client: str) -> Callable[[Settings], Measurement]:
    return lambda settings: measure(handler, client, settings)


PEERS = {"official": "official", "async": "async"}

CASE = Case(
    number=6,
    title="cold start, over a bare interpreter",
    programs={
        "durably/sync": of(DURABLY_SYNC, DURABLY_CLIENT),
        "durably/async": of(DURABLY_ASYNC, DURABLY_CLIENT),
        "official": of(OFFICIAL, OFFICIAL_CLIENT),
        "async": of(ASYNC, ASYNC_CLIENT),
    },
    rows=(
        Row("import and client ready, sync", "ready_ms", "ms", "durably/sync", PEERS, target=60, digits=0),
        Row("import and client ready, async", "ready_ms", "ms", "durably/async", PEERS, target=60, digits=0),
        Row("its processor time, sync", "ready_cpu_ms", "ms", "durably/sync", PEERS, digits=0),
        Row("its processor time, async", "ready_cpu_ms", "ms", "durably/async", PEERS, digits=0),
        Row("peak memory, sync", "ready_mb", "MB", "durably/sync", PEERS, target=25),
        Row("peak memory, async", "ready_mb", "MB", "durably/async", PEERS, target=25),
        Row("first step recorded over TLS, sync", "first_step_ms", "ms", "durably/sync", PEERS, digits=0),
        Row("first step recorded over TLS, async", "first_step_ms", "ms", "durably/async", PEERS, digits=0),
        Row("its processor time, sync", "first_step_cpu_ms", "ms", "durably/sync", PEERS, digits=0),
        Row("its processor time, async", "first_step_cpu_ms", "ms", "durably/async", PEERS, digits=0),
        Row("its peak memory, sync", "first_step_mb", "MB", "durably/sync", PEERS),
        Row("its peak memory, async", "first_step_mb", "MB", "durably/async", PEERS),
    ),
    notes=(
        "Credentials are in the environment, as on Lambda. The asynchronous program of durably imports asyncio itself, "
        "as its user's would.",
    ),
)
