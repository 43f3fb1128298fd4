"""On which thread a commit is made: a loop waits for one only if it is the service's own and has nothing else to do."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from durably import AsyncDurableContext, StepContext, durable_execution, durable_step
from durably.client import InProcessClient
from durably.service.kernel import Service
from durably.service.ports import Invocation, InvocationResult
from durably.service.store.base import WriteBatch
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker


class NotingStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []

    def commit(self, batch: WriteBatch) -> None:
        self.threads.append(threading.current_thread().name)
        super().commit(batch)


@durable_step
async def where(step: StepContext) -> str:
    return threading.current_thread().name


@durable_execution
async def alone(event: Any, ctx: AsyncDurableContext) -> str:
    names = [await ctx.step(where()) for _ in range(20)]
    return names[-1]


barriers: list[asyncio.Barrier] = []


@durable_execution
async def meeting(event: Any, ctx: AsyncDurableContext) -> int:
    """Runs beside others from its first step to its last."""
    await barriers[0].wait()
    for _ in range(5):
        await ctx.step(where())
    await barriers[0].wait()
    return 5


@pytest.fixture
def store() -> NotingStore:
    return NotingStore()


@pytest.fixture
def service(store: NotingStore) -> Iterator[Service]:
    barriers[:] = [asyncio.Barrier(2)]
    with Service(store) as service:
        worker = InProcessWorker({"alone": alone, "meeting": meeting}, client_factory=lambda: InProcessClient(service))
        service.attach(worker)
        try:
            yield service
        finally:
            worker.close()


def test_a_function_alone_makes_its_commits_itself(service: Service, store: NotingStore) -> None:
    answer = service.call("Invoke", FunctionName="alone:$LATEST", Payload="{}")
    loop_thread = answer["Payload"].strip('"')
    assert store.threads.count(loop_thread) >= 20
    assert store.threads.count("durably-service") <= len(store.threads) - 20


def test_functions_side_by_side_leave_commits_to_the_writer(service: Service, store: NotingStore) -> None:
    answers: list[Any] = []
    answered = threading.Semaphore(0)

    def reply(answer: Any) -> None:
        answers.append(answer)
        answered.release()

    for _ in range(2):
        service.submit("Invoke", {"FunctionName": "meeting:$LATEST", "Payload": "{}"}, reply)
    for _ in range(2):
        assert answered.acquire(timeout=60)
    assert [answer["Payload"] for answer in answers] == ["5", "5"]
    assert "durably-async-functions" not in store.threads


def test_the_loop_of_a_program_never_waits_for_a_commit(service: Service, store: NotingStore) -> None:
    """A program may run functions on its own event loop, with a client of the service."""
    loops: list[str] = []

    async def program() -> None:
        handed: asyncio.Queue[tuple[Invocation, Callable[[InvocationResult], None]]] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        class Here(InProcessWorker):
            def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
                loop.call_soon_threadsafe(handed.put_nowait, (invocation, done))

        worker = Here({"alone": alone}, client_factory=lambda: InProcessClient(service))
        service.attach(worker)
        call = asyncio.ensure_future(service.acall("Invoke", FunctionName="alone:$LATEST", Payload="{}"))
        invocation, done = await handed.get()
        answer = await alone.run_async(json.loads(invocation.payload), None, client=InProcessClient(service))
        loops.append(json.loads(answer.get("Result", "")))
        done(InvocationResult("returned", json.dumps(answer)))
        await call
        worker.close()

    before = len(store.threads)
    asyncio.run(program())
    assert loops == [threading.current_thread().name], "the steps ran here"
    assert set(store.threads[before:]) == {"durably-service"}
    assert len(store.threads) - before >= 20
