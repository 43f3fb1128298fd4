"""The ways an async run reaches its client: coroutines, blocking calls in threads, callbacks of a service in this
process. Whatever the client, the handler's loop is never blocked by it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from durably import AsyncDurableContext, Boto3Client, DurableContext, durable_execution
from durably.client import InProcessClient
from durably.engine.scope import CURRENT
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker


class Blocking:
    """A client of the sync world only."""

    def __init__(self, service: Service) -> None:
        self._client = InProcessClient(service)
        self.threads: set[int] = set()

    def checkpoint(self, *args: Any) -> Any:
        self.threads.add(threading.get_ident())
        return self._client.checkpoint(*args)

    def get_state(self, *args: Any) -> Any:
        return self._client.get_state(*args)


class Coroutines:
    """A client of the async world only, under the plain names."""

    def __init__(self, service: Service) -> None:
        self._client = InProcessClient(service)

    async def checkpoint(self, *args: Any) -> Any:
        return await self._client.acheckpoint(*args)

    async def get_state(self, *args: Any) -> Any:
        return await self._client.aget_state(*args)


class Direct:
    """A client that says which service of this process it talks to."""

    def __init__(self, service: Service) -> None:
        self.port = service


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service(MemoryStore())
    service.start()
    yield service
    service.close()


def invoke(service: Service, handler: Any, client: Any) -> Any:
    worker = InProcessWorker({"handler": durable_execution(handler)}, client_factory=lambda: client)
    service.attach(worker)
    try:
        answer = service.call("Invoke", FunctionName="handler:$LATEST", Payload="null")
        assert "FunctionError" not in answer, answer
        return json.loads(answer["Payload"])
    finally:
        worker.close()


async def concurrent(event: Any, ctx: AsyncDurableContext) -> Any:
    async def one(n: int) -> int:
        value = await ctx.step(lambda step: n, name=f"{n}")
        assert await ctx.run_in_child_context(lambda inner: inner.step(lambda step: "in")) == "in"
        return value

    return await asyncio.gather(*[one(n) for n in range(5)])


@pytest.mark.parametrize("client", [InProcessClient, Blocking, Coroutines, Direct])
def test_every_kind_of_client_serves_an_async_handler(service: Service, client: Any) -> None:
    made = client(service)
    assert invoke(service, concurrent, made) == [0, 1, 2, 3, 4]
    if isinstance(made, Blocking):
        assert threading.get_ident() not in made.threads


@pytest.mark.parametrize("client", [InProcessClient, Blocking])
def test_and_a_sync_handler(service: Service, client: Any) -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        return [ctx.step(lambda step, n=n: n, name=f"{n}") for n in range(20)]

    assert invoke(service, handler, client(service)) == list(range(20))


def test_a_call_is_made_in_a_task_of_its_own(service: Service) -> None:
    """Client libraries ask for the current task; what they spawn is none of the handler's."""
    seen: list[tuple[asyncio.Task[Any] | None, Any]] = []

    class Asking(Coroutines):
        async def checkpoint(self, *args: Any) -> Any:
            seen.append((asyncio.current_task(), CURRENT.get()))
            await asyncio.create_task(asyncio.sleep(0))
            async with asyncio.timeout(10):
                return await super().checkpoint(*args)

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        for n in range(3):
            await ctx.step(lambda step, n=n: n)
        return seen.append((asyncio.current_task(), None))

    assert invoke(service, handler, Asking(service)) is None
    tasks = [task for task, _ in seen]
    assert None not in tasks
    assert len(set(tasks)) == len(tasks) == 4
    assert [scope for _, scope in seen] == [None] * 4


def test_a_program_that_cancels_all_other_tasks(service: Service) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        async def body(step: Any) -> int:
            for task in asyncio.all_tasks() - {asyncio.current_task(), *outside}:
                task.cancel()
            return 1

        outside = asyncio.all_tasks() - {asyncio.current_task()}
        return [await ctx.step(body) for _ in range(3)]

    assert invoke(service, handler, Coroutines(service)) == [1, 1, 1]


class Boto3Shaped:
    """What boto3's Lambda client answers: seconds, and only what the service model has."""

    def __init__(self, service: Service) -> None:
        self._client = InProcessClient(service)

    def checkpoint_durable_execution(self, **members: Any) -> Any:
        arn, token, updates = members["DurableExecutionArn"], members["CheckpointToken"], members["Updates"]
        return self._client.checkpoint(arn, token, updates, members.get("ClientToken"))

    def get_durable_execution_state(self, **members: Any) -> Any:
        raise AssertionError("the state has one page")


def test_a_boto3_client_in_an_async_handler(service: Service) -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        return sorted(await asyncio.gather(*[ctx.step(lambda step, n=n: n) for n in range(5)]))

    assert invoke(service, handler, Boto3Client(Boto3Shaped(service))) == [0, 1, 2, 3, 4]


def test_a_loop_that_is_closed_before_the_answer_comes(service: Service) -> None:
    """The answer is dropped; nobody waits for it any more."""

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        await ctx.step(lambda step: 1)

    released = threading.Event()
    asked = threading.Event()

    class Slow(Blocking):
        def checkpoint(self, *args: Any) -> Any:
            asked.set()
            released.wait(60)
            return super().checkpoint(*args)

    client = Slow(service)
    state = {"Operations": [{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}]}
    event = {"DurableExecutionArn": "arn:x", "CheckpointToken": "t", "InitialExecutionState": state}
    loop = asyncio.new_event_loop()
    task = loop.create_task(durable_execution(handler).run_async(event, None, client=client))

    async def until_asked() -> None:
        while not asked.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.001)

    loop.run_until_complete(until_asked())
    assert not task.done()
    task.cancel()
    released.set()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
