"""The durable execution service as every side sees it, in a hundred lines: no I/O, an optional latency.

It does what the contract asks of one execution: single-use checkpoint tokens in a chain (so two calls in flight
at once fail), at most 250 updates a call, legal transitions only, every changed operation in the answer, pages of
1,000. One core serves four faces, because each SDK has its own documented way to be given a client:

- ``BotoFace``        ``durable_execution(boto3_client=...)`` of the official SDK: blocking, keyword arguments,
                      timestamps as datetime, as botocore parses them;
- ``AsyncBotoFace``   the same with coroutine methods: ``durable_execution(boto3_client=...)`` of
                      async-durable-execution takes either and awaits these on its own loop, without a thread;
- ``DurablyFace``     ``durable_execution(client=...)`` of durably: blocking, timestamps as integer milliseconds;
- ``AsyncDurablyFace``  the same, awaitable.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any

ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench:$LATEST/durable-execution/bench/0001"
PAGE = 1000
MAX_UPDATES = 250


def root_id(n: int) -> str:
    """The id of the n-th operation at the root (the same in all three SDKs)."""
    return blake2b(str(n).encode()).hexdigest()[:64]


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


def utc_datetime() -> datetime:
    return datetime.now(UTC)


# What is kept of an operation is a plain tuple of texts and numbers, which Python's garbage collector need not look at:
# (Type, Status, start, end, Name, SubType, ParentId, payload, ReplayChildren).
Kept = tuple[str, str, Any, Any, str | None, str | None, str | None, str | None, bool]


def shown(op_id: str, kept: Kept) -> dict[str, Any]:
    """An operation as it is told to a client."""
    kind, status, started, ended, name, sub_type, parent, payload, rebuilt = kept
    operation: dict[str, Any] = {
        "Id": op_id,
        "Type": kind,
        "Status": status,
        "StartTimestamp": started,
    }
    if sub_type is not None:
        operation["SubType"] = sub_type
    if name is not None:
        operation["Name"] = name
    if parent is not None:
        operation["ParentId"] = parent
    if kind == "EXECUTION":
        operation["ExecutionDetails"] = {"InputPayload": payload}
    elif ended is None:
        if kind == "STEP":
            operation["StepDetails"] = {"Attempt": 0}
    else:
        operation["EndTimestamp"] = ended
        if kind == "STEP":
            operation["StepDetails"] = {"Attempt": 1, "Result": payload}
        else:
            operation["ContextDetails"] = {"Result": payload, "ReplayChildren": rebuilt}
    return operation


class FakeService:
    """One execution. ``stamp`` makes a timestamp in the form of the face in use."""

    def __init__(self, payload: Any, stamp: Callable[[], Any] = milliseconds) -> None:
        self._stamp = stamp
        self._token_number = 0
        self.calls = 0
        self.pages = 0
        self._ready: dict[str, tuple[list[dict[str, Any]], str]] = {}
        execution: Kept = ("EXECUTION", "STARTED", stamp(), None, None, None, None, json.dumps(payload), False)
        self._operations: dict[str, Kept] = {ARN.rsplit("/", 1)[-1]: execution}

    @property
    def token(self) -> str:
        return f"token+{self._token_number:08d}"

    def record_steps(self, results: Iterable[tuple[str, str]]) -> None:
        """Put finished steps into the history: (name, JSON text of the result), ids as the root hands them out."""
        for n, (name, result) in enumerate(results, 1):
            now = self._stamp()
            self._operations[root_id(n)] = ("STEP", "SUCCEEDED", now, now, name, "Step", None, result, False)

    def event(self) -> dict[str, Any]:
        """What Lambda hands to the handler: parsed JSON, timestamps in milliseconds, the first page of the history.

        The pages after it are made here too, so that no measurement contains their making.
        """
        page, marker = self._page("")
        following = marker
        while following:
            self._ready[following] = self._page(following)
            following = self._ready[following][1]
        for operation in page:
            for key in ("StartTimestamp", "EndTimestamp"):
                if isinstance(operation.get(key), datetime):
                    operation[key] = int(operation[key].timestamp() * 1000)
        return {
            "DurableExecutionArn": ARN,
            "CheckpointToken": self.token,
            "InitialExecutionState": {"Operations": page, "NextMarker": marker},
            "UpdatedOperationIds": [],
        }

    def page(self, marker: str) -> tuple[list[dict[str, Any]], str]:
        self.pages += 1
        return self._ready.pop(marker, None) or self._page(marker)

    def _page(self, marker: str) -> tuple[list[dict[str, Any]], str]:
        start = int(marker or 0)
        operations = list(self._operations.items())[start : start + PAGE]
        more = start + PAGE < len(self._operations)
        return [shown(op_id, kept) for op_id, kept in operations], str(start + PAGE) if more else ""

    def checkpoint(self, arn: str, token: str, updates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        if arn != ARN or token != self.token:
            raise AssertionError(f"invalid checkpoint token {token!r}: {self.token!r} is the one in force")
        if len(updates) > MAX_UPDATES:
            raise AssertionError(f"{len(updates)} updates in one call")
        self.calls += 1
        self._token_number += 1
        changed = {update["Id"]: self._apply(update) for update in updates}
        return [shown(op_id, kept) for op_id, kept in changed.items()]

    def _apply(self, update: Mapping[str, Any]) -> Kept:
        op_id, kind, action = update["Id"], update["Type"], update["Action"]
        known = self._operations.get(op_id)
        kept: Kept
        if kind not in ("STEP", "CONTEXT"):
            raise AssertionError(f"these benchmarks record steps and contexts only, got {kind}")
        if action == "START":
            if known is not None:
                raise AssertionError(f"{op_id} was started already")
            names = update.get("Name") or None, update.get("SubType") or None, update.get("ParentId") or None
            kept = (kind, "STARTED", self._stamp(), None, *names, None, False)
        elif action == "SUCCEED":
            if known is None or known[1] != "STARTED":
                raise AssertionError(f"{op_id} cannot succeed: {known}")
            rebuilt = kind == "CONTEXT" and bool((update.get("ContextOptions") or {}).get("ReplayChildren"))
            payload = update["Payload"] if kind == "STEP" else update.get("Payload")
            kept = (kind, "SUCCEEDED", known[2], self._stamp(), known[4], known[5], known[6], payload, rebuilt)
        else:
            raise AssertionError(f"no operation of a benchmark may {action}: {update}")
        self._operations[op_id] = kept
        return kept

    def count(self, sub_type: str) -> int:
        """How many operations of that subtype have succeeded."""
        return sum(kept[1] == "SUCCEEDED" and kept[5] == sub_type for kept in self._operations.values())

    def step_results(self) -> list[str | None]:
        """The recorded results, in the order of the ids 1, 2, 3, ... (fails if one is missing or not finished)."""
        results: list[str | None] = []
        for n in range(1, len(self._operations)):
            operation = self._operations[root_id(n)]
            if operation[1] != "SUCCEEDED":
                raise AssertionError(f"operation {n} is {operation[1]}")
            results.append(operation[7])
        return results


# ---- latency ------------------------------------------------------------------------------------------


def sleep_exactly(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)


async def asleep_exactly(seconds: float) -> None:
    """Sleep without blocking the loop. asyncio's timers are up to a millisecond late (epoll counts in
    milliseconds), so the last part is spent yielding to the loop until the moment has come."""
    if seconds:
        deadline = time.perf_counter() + seconds
        await asyncio.sleep(max(0.0, seconds - 0.002))
        while time.perf_counter() < deadline:  # noqa: ASYNC110 - what is waited for is the clock
            await asyncio.sleep(0)


# ---- the faces ------------------------------------------------------------------------------------------


class Face:
    """A client whose execution can be replaced, so that one handler, warmed up, serves many executions."""

    stamp: Callable[[], Any] = staticmethod(milliseconds)

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.service = FakeService(None)

    def new_execution(self, payload: Any) -> FakeService:
        self.service = FakeService(payload, self.stamp)
        return self.service


class BotoFace(Face):
    stamp = staticmethod(utc_datetime)

    def checkpoint_durable_execution(self, **parameters: Any) -> dict[str, Any]:
        sleep_exactly(self.latency)
        return self._checkpoint(parameters)

    def get_durable_execution_state(self, **parameters: Any) -> dict[str, Any]:
        sleep_exactly(self.latency)
        return self._get_state(parameters)

    def _checkpoint(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        changed = self.service.checkpoint(
            parameters["DurableExecutionArn"], parameters["CheckpointToken"], parameters["Updates"]
        )
        return {"CheckpointToken": self.service.token, "NewExecutionState": {"Operations": changed}}

    def _get_state(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        operations, marker = self.service.page(parameters.get("Marker", ""))
        return {"Operations": operations, "NextMarker": marker}


class AsyncBotoFace(BotoFace):
    async def checkpoint_durable_execution(self, **parameters: Any) -> dict[str, Any]:
        await asleep_exactly(self.latency)
        return self._checkpoint(parameters)

    async def get_durable_execution_state(self, **parameters: Any) -> dict[str, Any]:
        await asleep_exactly(self.latency)
        return self._get_state(parameters)


class DurablyFace(Face):
    def checkpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        sleep_exactly(self.latency)
        return self._checkpoint(arn, token, updates)

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = PAGE) -> Any:
        sleep_exactly(self.latency)
        return self._get_state(marker)

    def _checkpoint(self, arn: str, token: str, updates: Sequence[Any]) -> Any:
        changed = self.service.checkpoint(arn, token, updates)
        return {"CheckpointToken": self.service.token, "NewExecutionState": {"Operations": changed}}

    def _get_state(self, marker: str | None) -> Any:
        operations, following = self.service.page(marker or "")
        return {"Operations": operations, "NextMarker": following}


class AsyncDurablyFace(DurablyFace):
    async def checkpoint(self, arn: str, token: str, updates: Sequence[Any], client_token: str | None) -> Any:
        await asleep_exactly(self.latency)
        return self._checkpoint(arn, token, updates)

    async def get_state(self, arn: str, token: str, marker: str | None, max_items: int = PAGE) -> Any:
        await asleep_exactly(self.latency)
        return self._get_state(marker)


def lambda_context() -> Any:
    """Lambda's context object: the members the three SDKs look at."""
    return SimpleNamespace(
        aws_request_id="5f0c0b4e-0000-4000-8000-000000000001",
        function_name="bench",
        function_version="$LATEST",
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:bench:$LATEST",
        memory_limit_in_mb=128,
        log_group_name="/aws/lambda/bench",
        log_stream_name="bench",
        tenant_id=None,
        client_context=None,
        identity=None,
        get_remaining_time_in_millis=lambda: 900_000,
    )


def call_client(face: Face, steps: int) -> None:
    """Call a face as an SDK would, without the SDK: START and SUCCEED of one step a call."""
    if isinstance(face, (AsyncBotoFace, AsyncDurablyFace)):
        asyncio.run(_acall_client(face, steps))
        return
    for updates in step_updates(steps):
        if isinstance(face, BotoFace):
            face.checkpoint_durable_execution(
                DurableExecutionArn=ARN, CheckpointToken=face.service.token, Updates=updates
            )
        elif isinstance(face, DurablyFace):
            face.checkpoint(ARN, face.service.token, updates, None)


async def _acall_client(face: AsyncBotoFace | AsyncDurablyFace, steps: int) -> None:
    for updates in step_updates(steps):
        if isinstance(face, AsyncBotoFace):
            await face.checkpoint_durable_execution(
                DurableExecutionArn=ARN, CheckpointToken=face.service.token, Updates=updates
            )
        else:
            await face.checkpoint(ARN, face.service.token, updates, None)


def step_updates(steps: int) -> Iterable[list[dict[str, Any]]]:
    for n in range(1, steps + 1):
        step = {"Id": root_id(n), "Type": "STEP", "SubType": "Step", "Name": "add"}
        yield [step | {"Action": "START"}, step | {"Action": "SUCCEED", "Payload": str(n)}]
