"""The service with its writer thread: callers on threads and loops, wake-ups, closing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably.service.kernel import Service
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.service.store.sqlite import SqliteStore
from durably.wire.api_errors import ApiError

from .conftest import invoke, step, wait

Done = Callable[[InvocationResult], None]


class ThreadWorker:
    """Runs each invocation of ``function(service, event)`` on a thread of its own."""

    def __init__(self, function: Callable[[Service, dict[str, Any]], str]) -> None:
        self.function = function
        self.service: Service
        self.threads: list[threading.Thread] = []

    def functions(self) -> dict[str, FunctionSpec]:
        return {"order": FunctionSpec("order"), "plain": FunctionSpec("plain", durable=False)}

    def submit(self, invocation: Invocation, done: Done) -> None:
        def run() -> None:
            if invocation.execution_arn is None:
                done(InvocationResult("returned", payload=invocation.payload))
                return
            try:
                answer = self.function(self.service, json.loads(invocation.payload))
            except ApiError:  # the service was closed meanwhile
                done(InvocationResult("crashed"))
            else:
                done(InvocationResult("returned", payload=answer))

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def close(self) -> None:
        for thread in self.threads:
            thread.join()


def checkpoint(service: Service, arn: str, token: str, *updates: Any) -> dict[str, Any]:
    replies: list[Any] = []
    answered = threading.Event()

    def reply(answer: Any) -> None:
        replies.append(answer)
        answered.set()

    service.submit_checkpoint(arn, token, list(updates), None, reply)
    assert answered.wait(60)
    if isinstance(replies[0], ApiError):
        raise replies[0]
    answer: dict[str, Any] = replies[0]
    return answer


def steps_then_invoke(service: Service, event: dict[str, Any]) -> str:
    arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
    ops = {o["Id"]: o for o in event["InitialExecutionState"]["Operations"]}
    if "i" not in ops:
        for n in range(20):
            answer = checkpoint(service, arn, token, step(f"s{n}"), step(f"s{n}", "SUCCEED", Payload=str(n)))
            token = answer["CheckpointToken"]
        checkpoint(service, arn, token, invoke("i", "plain", "5"))
        return '{"Status":"PENDING"}'
    if ops["i"]["Status"] == "STARTED":
        return '{"Status":"PENDING"}'
    return json.dumps({"Status": "SUCCEEDED", "Result": ops["i"]["ChainedInvokeDetails"]["Result"]})


def test_many_executions_at_once(tmp_path: Path) -> None:
    worker = ThreadWorker(steps_then_invoke)
    with Service(SqliteStore(tmp_path / "s.db"), worker) as service:
        worker.service = service
        answers: list[dict[str, Any]] = []

        def caller() -> None:
            answers.append(service.call("Invoke", FunctionName="order:$LATEST"))

        callers = [threading.Thread(target=caller) for _ in range(16)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
        assert [answer["Payload"] for answer in answers] == ["5"] * 16
        for answer in answers:
            history = service.call("GetDurableExecutionHistory", DurableExecutionArn=answer["DurableExecutionArn"])
            assert [e["EventId"] for e in history["Events"]] == list(range(1, len(history["Events"]) + 1))
            assert len(history["Events"]) == 46
        worker.close()


def test_timers_wake_the_writer() -> None:
    def one_wait(service: Service, event: dict[str, Any]) -> str:
        if len(event["InitialExecutionState"]["Operations"]) > 1:
            return '{"Status":"SUCCEEDED","Result":"1"}'
        checkpoint(service, event["DurableExecutionArn"], event["CheckpointToken"], wait("w", 1))
        return '{"Status":"PENDING"}'

    worker = ThreadWorker(one_wait)
    with Service(MemoryStore(), worker) as service:
        worker.service = service
        answer = service.call("Invoke", FunctionName="order:$LATEST")
        found = service.call("GetDurableExecution", DurableExecutionArn=answer["DurableExecutionArn"])
        assert found["EndTimestamp"] - found["StartTimestamp"] >= 1000
        worker.close()


def test_awaitable_calls() -> None:
    worker = ThreadWorker(steps_then_invoke)

    async def main(service: Service) -> None:
        answers = await asyncio.gather(*(service.acall("Invoke", FunctionName="order:$LATEST") for _ in range(5)))
        assert [answer["Payload"] for answer in answers] == ["5"] * 5
        with pytest.raises(ApiError):
            await service.acall("GetDurableExecution", DurableExecutionArn="nonsense")
        hung = asyncio.ensure_future(service.acall("Invoke", FunctionName="order:$LATEST"))
        await asyncio.sleep(0)
        hung.cancel()

    with Service(MemoryStore(), worker) as service:
        worker.service = service
        asyncio.run(main(service))
        worker.close()


def test_a_checkpoint_on_a_loop_is_not_carried_out_on_it() -> None:
    events: list[dict[str, Any]] = []
    seen: list[str] = []

    class Recording:
        def functions(self) -> dict[str, FunctionSpec]:
            return {"order": FunctionSpec("order")}

        def submit(self, invocation: Invocation, done: Done) -> None:
            events.append(json.loads(invocation.payload))
            begun.set()

        def close(self) -> None: ...

    begun = threading.Event()

    async def main(service: Service, arn: str, token: str) -> str:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def reply(answer: Any) -> None:
            seen.append(threading.current_thread().name)
            loop.call_soon_threadsafe(future.set_result, answer)

        service.submit_checkpoint(arn, token, [step("a")], None, reply)
        answer = await future
        found: str = answer["CheckpointToken"]
        return found

    with Service(MemoryStore(), Recording()) as service:
        service.call("Invoke", FunctionName="order:$LATEST", InvocationType="Event")
        assert begun.wait(60)
        arn, token = events[0]["DurableExecutionArn"], events[0]["CheckpointToken"]
        asyncio.run(main(service, arn, token))
    assert seen == ["durably-service"]


def test_replies_may_ask_again(tmp_path: Path) -> None:
    """A reply that hands in the next command, on whatever thread, neither recurses nor gets lost."""
    worker = ThreadWorker(lambda service, event: '{"Status":"SUCCEEDED"}')
    with Service(SqliteStore(tmp_path / "s.db"), worker) as service:
        worker.service = service
        left = [500]
        done = threading.Event()

        def reply(answer: Any) -> None:
            assert isinstance(answer, ApiError)
            left[0] -= 1
            if left[0]:
                service.submit_checkpoint("nonsense", "t", [], None, reply)
            else:
                done.set()

        service.submit_checkpoint("nonsense", "t", [], None, reply)
        assert done.wait(60)


def test_closing() -> None:
    def hangs(service: Service, event: dict[str, Any]) -> str:
        released.wait()
        return '{"Status":"PENDING"}'

    released = threading.Event()
    worker = ThreadWorker(hangs)
    service = worker.service = Service(MemoryStore(), worker)
    assert "new" in repr(service)
    with pytest.raises(ApiError, match="not running"):
        service.call("GetDurableExecution", DurableExecutionArn="x")
    service.start()
    with pytest.raises(RuntimeError, match="make another"):
        service.start()
    replies: list[Any] = []
    service.submit("Invoke", {"FunctionName": "order:$LATEST"}, replies.append)
    service.call("ListDurableExecutionsByFunction", FunctionName="order")
    service.close()
    service.close()
    assert isinstance(replies[0], ApiError)
    assert "closed" in replies[0].message
    with pytest.raises(ApiError, match="closed"):
        service.call("ListDurableExecutionsByFunction", FunctionName="order")
    late: list[Any] = []
    service.submit_checkpoint("a", "t", [], None, late.append)
    service.submit_get_state("a", "t", None, 100, late.append)
    assert all(isinstance(answer, ApiError) for answer in late)
    assert len(late) == 2
    released.set()
    worker.close()


def test_call_in_virtual_time_says_when_time_must_move() -> None:
    service = Service(MemoryStore())
    service.start(thread=False)
    worker = ThreadWorker(lambda service, event: "")
    service.attach(worker)
    answer = service.call("ListDurableExecutionsByFunction", FunctionName="order")
    assert answer == {"DurableExecutions": []}
    assert service.in_flight == 0
    assert service.step() is False
    assert service.step(timeout=0.001) is False
    worker.service = service
    worker.function = lambda service, event: '{"Status":"SUCCEEDED","Result":"1"}'
    assert service.call("Invoke", FunctionName="order:$LATEST")["Payload"] == "1", "it waits for running functions"
    worker.function = lambda service, event: "junk"
    assert service.call("Invoke", FunctionName="order:$LATEST")["FunctionError"] == "Unhandled"
    worker.close()
    service.close()


def test_call_for_what_only_time_can_answer() -> None:
    from durably.service.clock import ManualClock

    service = Service(MemoryStore(), clock=ManualClock())
    service.start(thread=False)

    class Crashing:
        def functions(self) -> dict[str, FunctionSpec]:
            return {"order": FunctionSpec("order")}

        def submit(self, invocation: Invocation, done: Done) -> None:
            done(InvocationResult("crashed"))

        def close(self) -> None: ...

    service.attach(Crashing())
    with pytest.raises(RuntimeError, match="clock must move"):
        service.call("Invoke", FunctionName="order:$LATEST")
    service.close()


def test_a_listener_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def bad(arn: str, events: list[Any]) -> None:
        raise ValueError("listener")

    worker = ThreadWorker(steps_then_invoke)
    with Service(MemoryStore(), worker) as service:
        worker.service = service
        service.subscribe(bad)
        assert service.call("Invoke", FunctionName="order:$LATEST")["Payload"] == "5"
        worker.close()
    assert "listener" in caplog.text
