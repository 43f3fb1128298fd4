"""Functions in this process: whatever one does, its own invocation is all it costs."""

from __future__ import annotations

import asyncio
import contextvars
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from durably.service.clock import ManualClock
from durably.service.ports import Invocation
from durably.workers.in_process import InProcessWorker

from .conftest import Answer, call, eventually, invocation, send

Make = Callable[..., InProcessWorker]


class Durable:
    """As small a durable function as satisfies the port."""

    def __init__(self, run: Callable[[Any, Any, Any], Any], is_async: bool = False) -> None:
        self.is_async = is_async
        self.__name__ = "durable"
        self._run = run

    def __call__(self, event: Any, context: Any) -> Any:
        raise AssertionError("in this process it is run through run_sync or run_async")

    def run_sync(self, event: Any, context: Any, *, client: Any = None) -> Any:
        return self._run(event, context, client)

    async def run_async(self, event: Any, context: Any, *, client: Any = None) -> Any:
        await asyncio.sleep(0)
        return self._run(event, context, client)


@pytest.fixture
def make() -> Iterator[Make]:
    made: list[InProcessWorker] = []

    def worker(functions: Mapping[str, Any], **options: Any) -> InProcessWorker:
        made.append(InProcessWorker(functions, client_factory=lambda: "the client", **options))
        return made[-1]

    yield worker
    for each in made:
        each.close()


def echo(event: Any, context: Any) -> Any:
    return event


async def async_echo(event: Any, context: Any) -> Any:
    await asyncio.sleep(0)
    return event


@pytest.mark.parametrize("function", [echo, async_echo])
@pytest.mark.parametrize("payload", ["{}", "null", '{"a": [1, 2.5, "ä", null, true]}', "12345678901234567890123"])
def test_plain(make: Make, function: Any, payload: str) -> None:
    result = call(make({"f": function}), "f", payload)
    assert result.kind == "returned"
    assert json.loads(result.payload or "") == json.loads(payload)


@pytest.mark.parametrize("is_async", [False, True])
def test_durable(make: Make, is_async: bool) -> None:
    seen: list[Any] = []

    def run(event: Any, context: Any, client: Any) -> Any:
        seen.append((event, context.aws_request_id, client))
        return {"Status": "SUCCEEDED", "Result": '"\ud83d"'}  # a lone surrogate survives

    result = call(make({"f": Durable(run, is_async)}), "f", '{"CheckpointToken": "t"}', request_id="r")
    assert seen == [({"CheckpointToken": "t"}, "r", "the client")]
    assert json.loads(result.payload or "") == {"Status": "SUCCEEDED", "Result": '"\ud83d"'}


@pytest.mark.parametrize("is_async", [False, True])
def test_raising(make: Make, is_async: bool) -> None:
    def fail(event: Any, context: Any, client: Any) -> Any:
        raise LookupError("what is sought is not there")

    result = call(make({"f": Durable(fail, is_async)}), "f")
    error = result.error or {}
    assert (result.kind, error.get("ErrorType")) == ("raised", "LookupError")
    assert error.get("ErrorMessage") == "what is sought is not there"
    stack = error.get("StackTrace") or []
    assert "in fail" in stack[-1]
    assert not any("durably/workers" in frame for frame in stack)


def test_an_error_that_cannot_be_told(make: Make) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def f(event: Any, context: Any) -> None:
        raise Mute

    assert "__str__ raised RuntimeError" in (call(make({"f": f}), "f").error or {}).get("ErrorMessage", "")


@pytest.mark.parametrize(
    "value", [{1, 2}, b"x", object(), float("nan"), [float("inf")], {("a",): 1}, Decimal("NaN"), Decimal("sNaN")]
)
def test_results_that_are_not_json(make: Make, value: Any) -> None:
    result = call(make({"f": lambda event, context: value}), "f")
    assert (result.kind, (result.error or {}).get("ErrorType")) == ("raised", "Runtime.MarshalError")


def test_decimals_are_numbers_as_on_lambda(make: Make) -> None:
    result = call(make({"f": lambda event, context: [Decimal("2"), Decimal("1.25")]}), "f")
    assert result.payload == "[2, 1.25]"


def test_input_that_is_not_json(make: Make) -> None:
    worker = make({"f": echo, "g": Durable(lambda *_: {})})
    for name in ("f", "g"):
        assert (call(worker, name, "{").error or {}).get("ErrorType") == "Runtime.UnmarshalError"


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("leave", "told"),
    [
        (lambda: sys.exit(), "Runtime exited without providing a reason"),
        (lambda: sys.exit(3), "Runtime exited with error: exit status 3"),
        (lambda: sys.exit("bye"), "Runtime exited with error: exit status 1"),
        (lambda: _raise(KeyboardInterrupt()), "KeyboardInterrupt"),
        (lambda: _raise(BaseException()), "BaseException"),
        (lambda: _raise(GeneratorExit()), "GeneratorExit"),
    ],
)
def test_exiting(make: Make, is_async: bool, leave: Callable[[], None], told: str) -> None:
    worker = make({"f": Durable(lambda *_: leave(), is_async), "echo": echo, "async_echo": async_echo})
    result = call(worker, "f", request_id="r-1")
    error = result.error or {}
    assert (result.kind, error.get("ErrorType")) == ("crashed", "Runtime.ExitError")
    assert error.get("ErrorMessage", "").startswith("RequestId: r-1 Error: ")
    assert told in error.get("ErrorMessage", "")
    assert call(worker, "echo", "1").payload == "1"
    assert call(worker, "async_echo", "1").payload == "1"


def _raise(error: BaseException) -> None:
    raise error


def test_a_spawned_task_that_exits_does_not_stop_the_loop(make: Make) -> None:
    async def leave() -> None:
        sys.exit(1)

    async def f(event: Any, context: Any) -> None:
        await asyncio.create_task(leave())

    worker = make({"f": f, "g": async_echo})
    assert call(worker, "f").kind == "crashed"
    assert call(worker, "g", "2").payload == "2"


# ---- timeouts ----------------------------------------------------------------------------------------------


def test_a_thread_that_hangs_is_left_behind(make: Make) -> None:
    release = threading.Event()
    ended = threading.Event()

    def hang(event: Any, context: Any) -> str:
        release.wait(60)
        ended.set()
        return "late"

    clock = ManualClock()
    worker = make({"hang": hang, "echo": echo}, concurrency=1, clock=clock)
    hanging = send(worker, "hang", timeout=0.05, now_ms=clock.now_ms(), request_id="r-2")
    waiting = send(worker, "echo", "1")  # its thread is taken, until it is replaced
    assert hanging.get().kind == "timed_out"
    assert hanging.get().error == {
        "ErrorType": "Sandbox.Timedout",
        "ErrorMessage": "RequestId: r-2 Error: Task timed out after 0.05 seconds",
    }
    assert waiting.get().payload == "1"
    release.set()
    assert ended.wait(60)
    assert call(worker, "echo", "2").payload == "2"
    assert len(hanging.results) == 1


def test_a_coroutine_is_cancelled_at_its_deadline(make: Make) -> None:
    cancelled = threading.Event()

    async def hang(event: Any, context: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    clock = ManualClock()
    worker = make({"hang": hang, "echo": async_echo}, clock=clock)
    assert call(worker, "hang", timeout=0.05, now_ms=clock.now_ms()).kind == "timed_out"
    assert cancelled.wait(60)
    assert call(worker, "echo", "1").payload == "1"


def test_a_coroutine_that_will_not_be_cancelled(make: Make) -> None:
    stop = False

    async def stubborn(event: Any, context: Any) -> str:
        while not stop:
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
        return "late"

    clock = ManualClock()
    worker = make({"f": stubborn, "echo": async_echo}, clock=clock)
    answer = send(worker, "f", timeout=0.02, now_ms=clock.now_ms())
    assert answer.get().kind == "timed_out"
    assert call(worker, "echo", "1").payload == "1"
    stop = True
    assert len(answer.results) == 1


def test_a_coroutine_that_blocks_the_loop_does_not_hold_up_others_for_ever(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("durably.workers.in_process._GRACE_SECONDS", 0.02)
    release = threading.Event()

    async def block(event: Any, context: Any) -> None:
        release.wait(60)

    clock = ManualClock()
    worker = make({"block": block, "echo": async_echo}, clock=clock)
    assert call(worker, "block", timeout=0.02, now_ms=clock.now_ms()).kind == "timed_out"
    eventually(lambda: "blocks the event loop" in caplog.text, "the loop was not left behind")
    assert call(worker, "echo", "1").payload == "1"
    release.set()


@pytest.mark.parametrize("waited_ms", [0, 100_000])
def test_waiting_for_a_thread_is_not_the_functions_time(make: Make, waited_ms: int) -> None:
    entered, release = threading.Event(), threading.Event()
    clock = ManualClock()

    def first(event: Any, context: Any) -> None:
        entered.set()
        release.wait(60)

    worker = make(
        {"first": first, "left": lambda event, context: context.get_remaining_time_in_millis()},
        concurrency=1,
        clock=clock,
    )
    busy = send(worker, "first", now_ms=clock.now_ms())
    assert entered.wait(60)
    queued = send(worker, "left", timeout=20, now_ms=clock.now_ms())
    clock.advance(waited_ms)
    release.set()
    assert busy.get().kind == "returned"
    assert queued.get().payload == "20000"


def test_no_timeout(make: Make) -> None:
    worker = make({"f": lambda event, context: context.get_remaining_time_in_millis()})
    assert int(call(worker, "f", timeout=None).payload or "0") > 86_400_000


# ---- what a function sees ------------------------------------------------------------------------------------


def test_the_lambda_context(make: Make) -> None:
    seen: list[Any] = []
    clock = ManualClock(1_000_000)
    worker = make({"f": lambda event, context: seen.append(context)}, clock=clock)
    asked = Invocation(
        "req", "f", "$LATEST", "arn:f", "{}", 1_005_000, None, "tenant", "Root=1",
        '{"client": {"app_title": "shop"}, "custom": {"a": 1}, "env": {"b": 2}}',
    )  # fmt: skip
    answer = Answer()
    worker.submit(asked, answer)
    assert answer.get().kind == "returned"
    (context,) = seen
    assert (context.aws_request_id, context.function_name, context.function_version) == ("req", "f", "$LATEST")
    assert (context.invoked_function_arn, context.memory_limit_in_mb, context.tenant_id) == ("arn:f", "128", "tenant")
    assert context.log_group_name == "/aws/lambda/f"
    assert "[$LATEST]" in context.log_stream_name
    assert context.identity.cognito_identity_id is None
    assert context.client_context.client.app_title == "shop"
    assert (context.client_context.custom, context.client_context.env) == ({"a": 1}, {"b": 2})
    assert 4_900 <= context.get_remaining_time_in_millis() <= 5_100
    clock.advance(60_000)
    assert context.get_remaining_time_in_millis() == 0


def test_the_client_context_as_the_header_has_it(make: Make) -> None:
    worker = make({"f": lambda event, context: context.client_context.custom})
    assert call(worker, "f", client_context="eyJjdXN0b20iOiB7ImEiOiAxfX0=").payload == '{"a": 1}'


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_invocations_do_not_share_context_variables(make: Make) -> None:
    def sync(event: Any, context: Any) -> str:
        before = variable.get()
        variable.set("set")
        return before

    async def coroutine(event: Any, context: Any) -> str:
        return sync(event, context)

    variable.set("the caller's")
    worker = make({"sync": sync, "coroutine": coroutine}, concurrency=1)
    assert [call(worker, name).payload for name in ("sync", "sync", "coroutine", "coroutine")] == ['"unset"'] * 4


# ---- many, and the end ---------------------------------------------------------------------------------------


def test_submit_never_blocks_and_concurrency_is_bounded(make: Make) -> None:
    lock, release = threading.Lock(), threading.Event()
    running: list[int] = []
    peak = 0

    def f(event: Any, context: Any) -> int:
        nonlocal peak
        with lock:
            running.append(event)
            peak = max(peak, len(running))
        release.wait(60)
        with lock:
            running.remove(event)
        return int(event)

    worker = make({"f": f}, concurrency=5)
    answers = [send(worker, "f", str(n)) for n in range(40)]
    eventually(lambda: len(running) == 5, "five should run")
    release.set()
    assert [answer.get().payload for answer in answers] == [str(n) for n in range(40)]
    assert peak == 5


def test_a_thousand_coroutines_at_once(make: Make) -> None:
    arrived = 0
    everyone = asyncio.Event()

    async def meet(event: Any, context: Any) -> int:
        nonlocal arrived
        arrived += 1
        if arrived == 1000:
            everyone.set()
        await everyone.wait()
        return arrived

    worker = make({"meet": meet})
    assert {answer.get().payload for answer in [send(worker, "meet") for _ in range(1000)]} == {"1000"}


def test_unknown_function(make: Make) -> None:
    result = call(make({"f": echo}), "g")
    assert result.kind == "unavailable"
    assert "Functions that exist: f" in (result.error or {}).get("ErrorMessage", "")


def test_replace(make: Make) -> None:
    worker = make({"f": lambda event, context: 1, "gone": echo})
    assert call(worker, "f").payload == "1"
    worker.replace({"f": lambda event, context: 2})
    assert call(worker, "f").payload == "2"
    assert set(worker.functions()) == {"f"}
    assert call(worker, "gone").kind == "unavailable"


def test_specs(make: Make) -> None:
    functions = make({"plain": echo, "durable": Durable(lambda *_: {})}).functions()
    assert {name: spec.durable for name, spec in functions.items()} == {"plain": False, "durable": True}


@pytest.mark.parametrize(
    ("functions", "options", "told"), [({"f": 1}, {}, "'f' is a int"), ({}, {"concurrency": 0}, "at least 1")]
)
def test_bad_arguments(functions: Any, options: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        InProcessWorker(functions, client_factory=lambda: None, **options)


def test_close_ends_its_threads_and_reports_nothing(make: Make) -> None:
    before = set(threading.enumerate())
    entered = threading.Event()

    async def hang(event: Any, context: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    worker = make({"hang": hang, "echo": echo})
    answer = send(worker, "hang")
    assert call(worker, "echo", "1").payload == "1"
    assert entered.wait(60)
    worker.close(60)
    worker.close()
    assert set(threading.enumerate()) <= before
    assert not answer.there  # it was not the function that ended it
    assert [call(worker, name).kind for name in ("hang", "echo")] == ["unavailable"] * 2


def test_a_listener_that_raises_does_no_harm(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    def bad(result: Any) -> None:
        raise RuntimeError("not mine")

    worker = make({"echo": echo}, concurrency=1)
    worker.submit(invocation("echo"), bad)
    assert call(worker, "echo", "1").payload == "1"
    assert "could not be delivered" in caplog.text
