from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durably.service.clock import ManualClock, SequentialIds
from durably.service.config import ServiceConfig
from durably.service.kernel import Service
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.service.store.base import Store
from durably.service.store.memory import MemoryStore
from durably.service.store.sqlite import SqliteStore
from durably.wire.api_errors import ApiError

FUNCTION = "order"


class ScriptedWorker:
    """The function side, played by the test: it sees each invocation and answers when the test says so."""

    def __init__(self) -> None:
        self.specs: dict[str, FunctionSpec] = {
            FUNCTION: FunctionSpec(FUNCTION),
            "child": FunctionSpec("child", retention_days=1),
            "plain": FunctionSpec("plain", durable=False),
        }
        self.running: list[tuple[Invocation, Callable[[InvocationResult], None]]] = []

    def functions(self) -> dict[str, FunctionSpec]:
        return self.specs

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        self.running.append((invocation, done))

    def close(self) -> None:
        self.running.clear()


class Run:
    """One invocation, as the function sees it."""

    def __init__(self, world: World, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        self.world = world
        self.invocation = invocation
        self._done = done
        self.event: dict[str, Any] = json.loads(invocation.payload)
        if invocation.execution_arn is not None:
            self.arn: str = self.event["DurableExecutionArn"]
            self.token: str = self.event["CheckpointToken"]

    @property
    def operations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.event["InitialExecutionState"]["Operations"]
        return found

    def checkpoint(self, *updates: dict[str, Any], client_token: str | None = None) -> dict[str, Any]:
        answer = self.world.call(
            "CheckpointDurableExecution",
            DurableExecutionArn=self.arn,
            CheckpointToken=self.token,
            Updates=list(updates),
            ClientToken=client_token,
        )
        self.token = answer.get("CheckpointToken", "")
        return answer

    def refused(self, *updates: dict[str, Any]) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.checkpoint(*updates)
        return caught.value

    def end(self, result: InvocationResult) -> None:
        self._done(result)
        self.world.service.drain()

    def returns(self, payload: str) -> None:
        self.end(InvocationResult("returned", payload=payload))

    def succeeds(self, result: str | None = "null") -> None:
        self.returns(json.dumps({"Status": "SUCCEEDED", "Result": result}))

    def fails(self, **error: Any) -> None:
        self.returns(json.dumps({"Status": "FAILED", "Error": error}))

    def suspends(self) -> None:
        self.returns('{"Status":"PENDING"}')

    def suspends_in_vain(self) -> None:
        """PENDING although nothing is pending: three times in a row, and the execution has failed (law 12)."""
        run, world = self, self.world
        for delay in (0.25, 0.5):
            run.suspends()
            assert world.status(run.arn) == "RUNNING"
            assert world.idle
            world.advance(delay)
            run = world.next_run()
        run.suspends()
        error = world.get(run.arn)["Error"]
        assert error["ErrorType"] == "InvalidParameterValueException"
        assert "nothing is pending" in error["ErrorMessage"]
        completed = [e for e in world.history(run.arn) if e["EventType"] == "InvocationCompleted"][-3:]
        assert [e["InvocationCompletedDetails"]["Error"]["Payload"] for e in completed] == [error] * 3

    def crashes(self) -> None:
        self.end(InvocationResult("crashed"))


class World:
    """A service in virtual time and the functions it runs."""

    def __init__(self, store: Store, config: ServiceConfig | None = None, **config_changes: Any) -> None:
        self.store = store
        self.clock = ManualClock()
        self.ids = SequentialIds()
        self.config = replace(config or ServiceConfig(), **config_changes)
        self.worker = ScriptedWorker()
        self.service = self._new()

    def _new(self) -> Service:
        service = Service(self.store, self.worker, clock=self.clock, ids=self.ids, config=self.config)
        service.start(thread=False)
        service.drain()
        return service

    def reopen(self) -> None:
        """Another service on the same store, as after a crash: whatever ran is gone."""
        self.service.close()
        self.worker.running.clear()
        self.service = self._new()

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        answer = self.service.call(action, **params)
        self.service.drain()
        return answer

    def refused(self, action: str, **params: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            self.call(action, **params)
        return caught.value

    def start(self, payload: str = '{"id":7}', function: str = f"{FUNCTION}:$LATEST", **params: Any) -> Run:
        self.call("Invoke", FunctionName=function, InvocationType="Event", Payload=payload, **params)
        return self.next_run()

    def next_run(self) -> Run:
        assert self.worker.running, "no invocation was begun"
        return Run(self, *self.worker.running.pop(0))

    @property
    def idle(self) -> bool:
        return not self.worker.running

    def advance(self, seconds: float) -> None:
        """Move time, stopping at each timer on the way."""
        until = self.clock.now_ms() + round(seconds * 1000)
        while (due := self.service.next_timer_ms()) is not None and due <= until:
            self.clock.advance_to(due)
            self.service.drain()
        self.clock.advance_to(until)
        self.service.drain()

    def get(self, arn: str, **params: Any) -> dict[str, Any]:
        return self.call("GetDurableExecution", DurableExecutionArn=arn, **params)

    def status(self, arn: str) -> str:
        found: str = self.get(arn)["Status"]
        return found

    def history(self, arn: str, **params: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self.call(
            "GetDurableExecutionHistory", DurableExecutionArn=arn, MaxItems=1000, **params
        )["Events"]
        return events

    def kinds(self, arn: str) -> list[str]:
        return [event["EventType"] for event in self.history(arn)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "store.db")


@pytest.fixture
def world(store: Store) -> Iterator[World]:
    made = World(store)
    yield made
    made.service.close()


@pytest.fixture
def memory_world() -> Iterator[World]:
    made = World(MemoryStore())
    yield made
    made.service.close()


def step(op_id: str, action: str = "START", **more: Any) -> dict[str, Any]:
    return {"Id": op_id, "Type": "STEP", "SubType": "Step", "Action": action, **more}


def context(op_id: str, action: str = "START", **more: Any) -> dict[str, Any]:
    return {"Id": op_id, "Type": "CONTEXT", "SubType": "RunInChildContext", "Action": action, **more}


def wait(op_id: str, seconds: int = 5, **more: Any) -> dict[str, Any]:
    return {
        "Id": op_id,
        "Type": "WAIT",
        "SubType": "Wait",
        "Action": "START",
        "WaitOptions": {"WaitSeconds": seconds},
        **more,
    }


def callback(op_id: str, timeout: int = 0, heartbeat: int = 0, **more: Any) -> dict[str, Any]:
    options = {"TimeoutSeconds": timeout, "HeartbeatTimeoutSeconds": heartbeat}
    return {
        "Id": op_id,
        "Type": "CALLBACK",
        "SubType": "Callback",
        "Action": "START",
        "CallbackOptions": options,
        **more,
    }


def invoke(op_id: str, function: str, payload: str | None = "1", **more: Any) -> dict[str, Any]:
    options = {"FunctionName": function, **more}
    return {
        "Id": op_id,
        "Type": "CHAINED_INVOKE",
        "SubType": "ChainedInvoke",
        "Action": "START",
        "Payload": payload,
        "ChainedInvokeOptions": options,
    }


def retry(op_id: str, seconds: int = 3, **more: Any) -> dict[str, Any]:
    return step(op_id, "RETRY", StepOptions={"NextAttemptDelaySeconds": seconds}, **more)
