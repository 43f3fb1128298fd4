"""Results that no answer of a function can carry are recorded, and come back whole."""

from __future__ import annotations

import json

import pytest

from durably import AsyncDurableContext, DurableContext, durable_execution
from durably.client.in_process import InProcessClient
from durably.service.config import ServiceConfig
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError
from durably.workers.in_process import InProcessWorker

MIB = 1024 * 1024


@durable_execution
def large(event: int, ctx: DurableContext) -> str:
    return "x" * event


@durable_execution
async def async_large(event: int, ctx: AsyncDurableContext) -> str:
    return "x" * event


@pytest.fixture
def service():  # type: ignore[no-untyped-def]
    service = Service(MemoryStore(), config=ServiceConfig(retry_attempts=1))
    worker = InProcessWorker(
        {"large": large, "async_large": async_large}, client_factory=lambda: InProcessClient(service)
    )
    service.attach(worker)
    service.start()
    yield service
    worker.close()
    service.close()


@pytest.mark.parametrize("name", ["large", "async_large"])
@pytest.mark.parametrize("size", [6 * MIB - 52, 6 * MIB, 7 * MIB, 16 * MIB - 2])
def test_a_large_result(service: Service, name: str, size: int) -> None:
    answer = service.call("Invoke", FunctionName=f"{name}:$LATEST", Payload=str(size))
    assert "FunctionError" not in answer, answer["Payload"][:300]
    assert json.loads(answer["Payload"]) == "x" * size
    described = service.call("GetDurableExecution", DurableExecutionArn=answer["DurableExecutionArn"])
    assert described["Status"] == "SUCCEEDED"
    assert len(described["Result"]) == size + 2


def test_beyond_the_services_limit(service: Service) -> None:
    answer = service.call("Invoke", FunctionName="large:$LATEST", Payload=str(16 * MIB))
    assert answer["FunctionError"]
    assert "16,777,218 bytes long, more than the 16,777,216 allowed" in answer["Payload"]


def test_the_limit_of_asynchronous_executions_stays(service: Service) -> None:
    arn = service.call("Invoke", FunctionName="large:$LATEST", InvocationType="Event", Payload=str(7 * MIB))[
        "DurableExecutionArn"
    ]
    while (found := service.call("GetDurableExecution", DurableExecutionArn=arn))["Status"] == "RUNNING":
        pass
    assert found["Status"] == "FAILED"
    assert "more than the 1,048,576 allowed" in found["Error"]["ErrorMessage"]


def test_inputs_are_held_to_the_model(service: Service) -> None:
    with pytest.raises(ApiError, match="6,291,456"):
        service.call("Invoke", FunctionName="large:$LATEST", Payload='"' + "x" * 7 * MIB + '"')
