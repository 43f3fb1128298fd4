"""Threads of sync branches: how many there are, whom an answer wakes, what is left behind, and how it all ends."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from durably import (
    ChildConfig,
    CompletionConfig,
    Duration,
    InvocationError,
    MapConfig,
)
from durably.engine.environment import Environment, Waiter
from durably.engine.operation import Op
from durably.engine.requests import Park
from durably.engine.staff import MAX_THREADS
from durably.engine.sync_run import SyncRun
from durably.wire.api_errors import ApiError

from .harness import Call, World

PATIENCE = 60
"""Seconds after which something that must come is missed."""
ANY = CompletionConfig(tolerated_failure_count=1000)


class Unhurried(Environment):
    """Where the moment in which it shows whether more threads are needed is a long one."""

    def waiter(self) -> Waiter:
        return _Unhurried(super().waiter())


class _Unhurried:
    def __init__(self, inner: Waiter) -> None:
        self._inner = inner
        self.wake = inner.wake

    def wait(self, timeout: float | None = None) -> bool:
        return self._inner.wait(PATIENCE if timeout is not None and timeout < 0.01 else timeout)


class Threads:
    """A world of real threads, and what its client and its bodies wait for."""

    def __init__(self, handler: Callable[[Any, Any], Any], *, few: bool = False) -> None:
        self.world = World(handler)
        if few:
            self.world.link.environment = Unhurried()  # type: ignore[attr-defined]

    def run(self) -> Any:
        return self.world.run().value

    def before(self, fault: Callable[[Call], BaseException | None]) -> None:
        self.world.link.before = fault


def completed(call: Call, kind: str = "CONTEXT") -> list[str]:
    """The names of what the call completes."""
    return [one.get("Name", "") for one in call.updates if one["Type"] == kind and one["Action"] in ("SUCCEED", "FAIL")]


def until(ready: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.001)


# ---- how many -------------------------------------------------------------------------------------------------------


def test_slow_branches_get_all_threads() -> None:
    together = threading.Barrier(MAX_THREADS)

    def handler(event, ctx):
        def one(inner, item, *rest):
            return inner.step(lambda step: together.wait(PATIENCE) >= 0)

        return ctx.map(range(MAX_THREADS), one).get_results()

    assert Threads(handler).run() == [True] * MAX_THREADS


def test_a_few_branches_run_side_by_side_at_once() -> None:
    """Not after a moment."""
    together = threading.Barrier(3)

    def handler(event, ctx):
        def one(inner, item, *rest):
            return inner.step(lambda step: together.wait(PATIENCE / 2) >= 0)

        return ctx.map(range(3), one).get_results()

    assert Threads(handler, few=True).run() == [True] * 3


def test_quick_branches_make_do_with_few_threads() -> None:
    threads: set[int] = set()

    def handler(event, ctx):
        def one(inner, item, *rest):
            return inner.step(lambda step: threads.add(threading.get_ident()))

        return ctx.map(range(300), one).success_count

    assert Threads(handler, few=True).run() == 300
    assert len(threads) <= 4


@pytest.mark.parametrize("few", [False, True])
def test_groups_in_groups_never_run_out_of_threads(few: bool) -> None:
    def handler(event, ctx):
        def level(depth):
            def one(inner, item, *rest):
                if depth == 0:
                    return inner.step(lambda step: item)
                return sum(inner.map(range(6), level(depth - 1)).get_results())

            return one

        return sum(ctx.map(range(6), level(2)).get_results())

    assert Threads(handler, few=few).run() == 15 * 36


def test_branches_that_wait_get_the_threads_of_those_that_have_lost() -> None:
    """Nobody waits for them: the code that has started them works."""
    gate, begun, last = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def blocked(step):
        begun.release()
        gate.acquire(timeout=PATIENCE)

    def handler(event, ctx):
        futures = [ctx.start(ctx.step, blocked) for _ in range(MAX_THREADS)]
        for _ in futures:
            assert begun.acquire(timeout=PATIENCE)
        late = ctx.start(ctx.step, lambda step: last.set())
        for future in futures:
            future.cancel()
        found = last.wait(PATIENCE)
        late.result()
        return found

    try:
        assert Threads(handler).run() is True
    finally:
        gate.release(MAX_THREADS)


def test_what_has_not_begun_when_the_handler_returns_never_does() -> None:
    gate, begun = threading.Event(), threading.Semaphore(0)
    bodies: list[int] = []

    def handler(event, ctx):
        def body(inner):  # without a record of its own, so that nothing else refuses it
            bodies.append(1)
            begun.release()
            gate.wait(PATIENCE)

        for _ in range(100):
            ctx.start(ctx.run_in_child_context, body, config=ChildConfig(is_virtual=True))
        for _ in range(MAX_THREADS):
            assert begun.acquire(timeout=PATIENCE)
        runs.append(ctx.run)
        return "done"

    runs: list[Any] = []
    threads = Threads(handler)
    assert threads.run() == "done"
    calls = len(threads.world.link.calls)
    gate.set()
    until(lambda: runs[0]._crew.staff.hired == 0)
    assert len(bodies) == MAX_THREADS
    assert not runs[0]._crew.staff._looking
    assert len(threads.world.link.calls) == calls, "law R6: nothing is sent by an invocation that has ended"


# ---- whom an answer wakes ------------------------------------------------------------------------------------------


def test_an_acknowledgement_does_not_wait_for_what_others_have_sent_since() -> None:
    other_is_done, went_on = threading.Event(), threading.Event()

    def handler(event, ctx):
        def one(inner):
            inner.step(lambda step: None, name="a1")
            inner.step(lambda step: went_on.set(), name="a2")
            return True

        def other(inner):
            assert calling.wait(PATIENCE)
            inner.step(lambda step: other_is_done.set(), name="b1")
            return True

        return ctx.parallel([one, other]).get_results()

    calling = threading.Event()
    found: list[bool] = []

    def before(call: Call) -> None:
        done = completed(call, "STEP")
        if "a1" in done:
            calling.set()
            assert other_is_done.wait(PATIENCE)
            until(lambda: threads.world.link.in_flight == 1)
        elif "b1" in done and "a2" not in done:
            found.append(went_on.wait(PATIENCE))

    threads = Threads(handler)
    threads.before(before)
    assert threads.run() == [True, True]
    assert found in ([True], [])


def test_many_threads_and_a_slow_client_share_calls() -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            return [inner.step(lambda step, n=n: n) for n in range(4)]

        return ctx.map(range(60), one).success_count

    threads = Threads(handler)
    threads.before(lambda call: time.sleep(0.002))
    assert threads.run() == 60
    updates, calls = len(threads.world.updates), len(threads.world.link.calls)
    assert updates == 60 * (4 * 2 + 2) + 2
    assert calls < updates / 4


@pytest.mark.parametrize("failure", [ApiError("ServiceException", "oops"), OSError("cut"), SystemExit(3)])
def test_an_error_of_the_client_wakes_everybody(failure: BaseException) -> None:
    """Those who wait for that call, those who are to make the next, those who wait for branches."""
    tries: list[Call] = []

    def handler(event, ctx):
        def one(inner, item, *rest):
            inner.map(range(3), lambda deeper, *rest: deeper.step(lambda step: 1, name="inside"))
            return item

        return ctx.map(range(20), one).success_count

    def before(call: Call) -> BaseException | None:
        if "inside" in completed(call, "STEP"):
            tries.append(call)
            if len(tries) == 3:
                time.sleep(0.05)  # others come to wait
                return failure
        return None

    threads = Threads(handler)
    threads.before(before)
    if isinstance(failure, SystemExit):
        with pytest.raises(SystemExit):
            threads.run()
        return
    assert threads.run() == 20
    assert threads.world.invocations == 2


def test_an_answer_that_makes_no_sense_wakes_everybody() -> None:
    """And the program does not see what is wrong with it."""
    seen: list[Exception] = []

    class Odd:
        def __getitem__(self, member: str) -> Any:
            return {"Operations": []}

    def handler(event, ctx):
        def one(inner, item, *rest):
            try:
                return inner.step(lambda step: 1, name="inside")
            except Exception as error:
                seen.append(error)
                raise

        return ctx.map(range(20), one).success_count

    def edit(call: Call, answer: Any) -> Any:
        if world.invocations == 1 and "inside" in completed(call, "STEP"):
            time.sleep(0.05)  # others come to wait
            return Odd()
        return answer

    threads = Threads(handler)
    world = threads.world
    world.link.edit = edit
    assert threads.run() == 20
    assert [type(one) for one in world.outputs] == [AttributeError, dict]
    assert seen == []


def test_a_verdict_ends_the_invocation_although_every_branch_is_busy() -> None:
    """The call fails that carries what nobody waits for."""
    begun, release = threading.Semaphore(0), threading.Event()

    def handler(event, ctx):
        def body(step):
            if world.invocations == 1:
                begun.release()
                waited.append(release.wait(PATIENCE))

        return ctx.map(range(4), lambda inner, *rest: inner.step(body, name="busy")).success_count

    def before(call: Call) -> BaseException | None:
        if world.invocations > 1:
            return None
        assert all(begun.acquire(timeout=PATIENCE) for _ in range(4))
        return OSError("cut")

    waited: list[bool] = []
    ended_first: list[bool] = []
    threads = Threads(handler)
    world = threads.world
    threads.before(before)
    real = world._call

    def call(event: Any) -> Any:
        try:
            return real(event)
        finally:
            ended_first.append(waited == [])
            release.set()

    world._call = call  # type: ignore[method-assign]
    assert threads.run() == 4
    assert isinstance(world.outputs[0], OSError)
    assert ended_first[0]


# ---- what is left behind --------------------------------------------------------------------------------------------


def test_a_thread_goes_on_before_its_branch_is_recorded_and_that_is_recorded_all_the_same() -> None:
    """The next branch of every thread is a long one, and has begun in an earlier invocation: nothing else is sent."""
    next_ones, recorded = threading.Semaphore(0), threading.Event()
    went_on: list[bool] = []

    def handler(event, ctx):
        def one(inner, item, *rest):
            inner.wait(Duration.from_seconds(1))
            if item < 4:
                return item
            next_ones.release()
            return recorded.wait(PATIENCE)

        return ctx.map(range(8), one).get_results()

    def before(call: Call) -> None:
        if completed(call) and not went_on:
            went_on.append(all(next_ones.acquire(timeout=PATIENCE) for _ in range(4)))

    def after(call: Call) -> None:
        if len([name for one in threads.world.link.calls for name in completed(one)]) >= 4:
            recorded.set()

    threads = Threads(handler, few=True)
    threads.before(before)
    threads.world.link.after = after  # type: ignore[assignment]
    assert threads.run() == [0, 1, 2, 3] + [True] * 4
    assert went_on == [True]


def test_the_record_of_a_branch_shares_a_call_with_the_beginning_of_the_next() -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            return inner.step(lambda step: item)

        return ctx.map(range(200), one).success_count

    threads = Threads(handler, few=True)
    threads.before(lambda call: time.sleep(0.0005))
    assert threads.run() == 200
    shared = [call for call in threads.world.link.calls if completed(call) and _begun(call)]
    assert len(shared) > 40


def _begun(call: Call) -> list[str]:
    return [one["Id"] for one in call.updates if one["Type"] == "CONTEXT" and one["Action"] == "START"]


def test_the_error_of_a_branch_that_was_left_behind_arrives() -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            if item % 3 == 0:
                raise LookupError(f"no {item}")
            return item

        result = ctx.map(range(60), one, config=MapConfig(completion_config=ANY))
        return [[item.index, item.error.message] for item in result.failed()]

    threads = Threads(handler, few=True)
    assert threads.run() == [[n, f"no {n}"] for n in range(0, 60, 3)]
    assert threads.world.invocations == 1


def test_outcomes_arrive_in_the_order_of_the_record() -> None:
    """All those of one call, too: the first five of them decide."""

    def handler(event, ctx):
        config = MapConfig(completion_config=CompletionConfig(min_successful=5))
        result = ctx.map(range(60), lambda inner, item, *rest: item, config=config)
        return sorted(item.index for item in result.all if item.status.name == "SUCCEEDED")

    threads = Threads(handler, few=True)
    threads.before(lambda call: time.sleep(0.005))
    found = threads.run()
    ids = [one["Id"] for one in threads.world.updates if one["Type"] == "CONTEXT" and one["Action"] == "SUCCEED"]
    started = [one["Id"] for one in threads.world.updates if one["Type"] == "CONTEXT" and one["Action"] == "START"]
    assert len(found) == 5
    names = {one["Id"]: one["Name"] for one in threads.world.updates if one["Action"] == "START" and "Name" in one}
    assert started
    first = [names[one] for one in ids[:5]]
    assert sorted(int(name.rsplit("-", 1)[-1]) for name in first) == found


def test_a_branch_that_is_given_up_while_it_is_being_recorded_is_not_delivered() -> None:
    cancelled, ended = threading.Event(), threading.Event()

    def handler(event, ctx):
        def inside(inner):
            inner.map(range(12), lambda deeper, item, *rest: item, name="given up")
            inner.step(lambda step: threads.world.effect("after"))

        future = ctx.start(ctx.run_in_child_context, inside)
        assert ended.wait(PATIENCE)
        future.cut()
        cancelled.set()
        future.cancel()
        return ctx.step(lambda step: "done")

    def before(call: Call) -> None:
        if completed(call) and not ended.is_set():
            ended.set()
            assert cancelled.wait(PATIENCE)

    threads = Threads(handler, few=True)
    threads.before(before)
    assert threads.run() == "done"
    assert threads.world.effects == []
    assert threads.world.named("given up")["Status"] == "STARTED"


# ---- the end --------------------------------------------------------------------------------------------------------

SIGNALS = pytest.mark.skipif(sys.platform == "win32", reason="signals do not reach a thread that waits for a lock")


def interrupt() -> None:
    """Once the main thread waits. A signal that comes when it is just about to is noticed when that is over."""
    main = threading.main_thread().ident
    assert main is not None
    time.sleep(0.1)
    signal.pthread_kill(main, signal.SIGINT)


@SIGNALS
def test_an_interrupt_during_a_map_ends_the_invocation() -> None:
    begun, release, through = threading.Barrier(4, action=interrupt), threading.Event(), threading.Semaphore(0)

    def handler(event, ctx):
        def body(step):
            begun.wait(PATIENCE)
            release.wait(PATIENCE)
            through.release()

        return ctx.map(range(4), lambda inner, *rest: inner.step(body)).success_count

    threads = Threads(handler)
    with pytest.raises(KeyboardInterrupt):
        threads.run()
    calls = len(threads.world.link.calls)
    assert not release.is_set()
    release.set()
    for _ in range(4):
        assert through.acquire(timeout=PATIENCE)
    assert len(threads.world.link.calls) == calls, "law R6: nothing is recorded after the end"


@SIGNALS
def test_an_interrupt_of_one_who_waits_for_a_call_leaves_the_others_somebody_to_lead() -> None:
    """The handler goes on, although it has been interrupted: that is its own affair."""

    interrupted: list[bool] = []

    def before(call: Call) -> None:
        if not seen and threading.current_thread() is not threading.main_thread():
            seen.append(call)
            until(lambda: bool(runs[0]._waiting))
            interrupt()
            until(lambda: bool(interrupted))

    seen: list[Call] = []
    runs: list[Any] = []

    def handler(event, ctx):
        runs.append(ctx.run)

        def quick(inner):
            return inner.step(lambda step: True, name="by another thread")

        future = ctx.start(ctx.run_in_child_context, quick)
        until(lambda: bool(seen))
        try:
            ctx.step(lambda step: None, name="mine")
        except KeyboardInterrupt:
            interrupted.append(True)
        return future.result()

    threads = Threads(handler)
    threads.before(before)
    assert threads.run() is True
    assert interrupted == [True]


def test_an_interrupt_right_before_a_call_ends_the_invocation_even_if_it_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lead = SyncRun._lead
    interrupted: list[bool] = []

    def interrupted_lead(run: SyncRun, batch: list[Any]) -> None:
        if threading.current_thread() is threading.main_thread() and not interrupted:
            interrupted.append(True)
            raise KeyboardInterrupt
        lead(run, batch)

    monkeypatch.setattr(SyncRun, "_lead", interrupted_lead)

    def handler(event, ctx):
        try:
            ctx.step(lambda step: 1)
        except KeyboardInterrupt:
            pass
        return ctx.step(lambda step: 2)

    threads = Threads(handler)
    assert threads.run() == 2
    assert [type(one) for one in threads.world.outputs] == [InvocationError, dict]


@SIGNALS
def test_an_interrupt_right_before_a_call_does_not_keep_the_end_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted_lead(run: SyncRun, batch: list[Any]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SyncRun, "_lead", interrupted_lead)
    with pytest.raises(KeyboardInterrupt):
        Threads(lambda event, ctx: ctx.step(lambda step: 1)).run()


def test_exit_in_a_branch_ends_the_invocation() -> None:
    release = threading.Event()

    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == 2:
                raise SystemExit(7)
            return inner.step(lambda step: release.wait(PATIENCE))

        return ctx.map(range(4), one).success_count

    with pytest.raises(SystemExit):
        Threads(handler).run()
    assert not release.is_set()
    release.set()


def test_a_process_without_another_thread_tries_the_invocation_again() -> None:
    class Full(Environment):
        full = True

        def borrow(self, job: Callable[[], None]) -> None:
            if self.full:
                self.full = False
                raise RuntimeError("can't start new thread")
            super().borrow(job)

    threads = Threads(lambda event, ctx: ctx.map(range(3), lambda inner, item, *rest: item).get_results())
    threads.world.link.environment = Full()  # type: ignore[attr-defined]
    assert threads.run() == [0, 1, 2]
    assert [type(one) for one in threads.world.outputs] == [RuntimeError, dict]


def test_a_change_that_comes_while_a_branch_is_about_to_wait_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to another branch's call brings the callback's result when this one has just found it open."""

    def handler(event, ctx):
        def waits(inner):
            callback = inner.create_callback(name="asked")
            callbacks.append(callback.callback_id)
            answer = callback.result()
            inner.step(lambda step: threads.world.effect(threads.world.invocations))
            return answer

        def others(inner):
            assert asked.wait(PATIENCE)
            inner.step(lambda step: None)
            return inner.wait(Duration.from_hours(1))

        return ctx.parallel([waits, others]).get_results()

    def late_park(op: Op, due_ms: int | None = None) -> Park:
        record = op.record()
        with threads.world.lock:
            request = {"CallbackId": callbacks[0], "Result": "yes"}
            threads.world.service.submit("SendDurableExecutionCallbackSuccess", request, lambda answer: None)
            threads.world.service.drain()
        asked.set()
        until(lambda: op.record() is not record)
        return Park(op, due_ms)

    monkeypatch.setattr("durably.engine.callback.Park", late_park)
    asked = threading.Event()
    callbacks: list[str] = []
    threads = Threads(handler)
    assert threads.run() == ["yes", None]
    assert threads.world.effects == [1], "it goes on at once, and not only in the next invocation"
    assert threads.world.outputs[0] == {"Status": "PENDING"}
    assert json.loads(threads.world.outputs[-1]["Result"]) == ["yes", None]
