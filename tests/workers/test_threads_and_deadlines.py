"""The pool that can give up on a thread, and the deadlines that are mostly cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import SimpleNamespace

import pytest

from durably.workers._deadlines import Deadlines
from durably.workers._loop_thread import LoopThread
from durably.workers._threads import Seat, ThreadPool

from .conftest import eventually


@pytest.fixture
def deadlines() -> Iterator[Deadlines]:
    made = Deadlines("test-deadlines")
    yield made
    made.close()


@contextmanager
def at_one_moment() -> Iterator[None]:
    """Time stands still for deadlines."""
    now = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("durably.workers._deadlines.time", SimpleNamespace(monotonic=lambda: now))
        yield


def test_deadlines_come_in_order_whatever_the_order_of_setting(deadlines: Deadlines) -> None:
    seen: list[int] = []
    all_there = threading.Event()
    with at_one_moment():
        deadlines.add(0.06, lambda: (seen.append(3), all_there.set()))  # type: ignore[func-returns-value]
        deadlines.add(0.02, lambda: seen.append(1))
        deadlines.add(0.04, lambda: seen.append(2))
    assert all_there.wait(60)
    assert seen == [1, 2, 3]


def test_a_cancelled_deadline_never_comes_and_takes_no_room(deadlines: Deadlines) -> None:
    for deadline in [deadlines.add(1000, lambda: None) for _ in range(10_000)]:
        deadline.cancel()
        deadline.cancel()
    assert len(deadlines._heap) < 200
    seen: list[str] = []
    with at_one_moment():
        deadlines.add(0.01, lambda: seen.append("cancelled")).cancel()
    there = threading.Event()
    deadlines.add(0.03, there.set)
    assert there.wait(60)
    assert seen == []


def test_a_deadline_that_raises_does_not_stop_the_others(
    deadlines: Deadlines, caplog: pytest.LogCaptureFixture
) -> None:
    there = threading.Event()
    deadlines.add(0, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    deadlines.add(0.01, there.set)
    assert there.wait(60)
    assert "ZeroDivisionError" in caplog.text


def test_closed_deadlines_take_no_more() -> None:
    deadlines = Deadlines("test-deadlines")
    deadlines.add(1000, lambda: None)
    deadlines.close()
    deadlines.close()
    deadlines.add(0, lambda: None).cancel()
    assert not any(thread.name == "test-deadlines" for thread in threading.enumerate())


def test_threads_are_kept_and_the_last_one_idle_works_next() -> None:
    pool = ThreadPool(4, "test-pool")
    used: list[str] = []
    for _ in range(10):
        done = threading.Event()
        pool.submit(lambda seat, done=done: (used.append(threading.current_thread().name), done.set()))  # type: ignore[misc, func-returns-value]
        assert done.wait(60)
        eventually(lambda: len(pool._idle) == len(pool._seats), "it should become idle")
    assert set(used) == {"test-pool-1"}
    pool.close(5)


def test_idle_threads_end_after_a_while() -> None:
    pool = ThreadPool(4, "test-pool", idle_seconds=0.02)
    there = threading.Barrier(4)
    for _ in range(3):
        pool.submit(lambda seat: there.wait(60) and None)  # type: ignore[func-returns-value]
    there.wait(60)
    eventually(lambda: not any(t.name.startswith("test-pool") for t in threading.enumerate()), "threads stay")
    done = threading.Event()
    assert pool.submit(lambda seat: done.set())
    assert done.wait(60)
    pool.close(5)
    assert not pool.submit(lambda seat: None)


def test_an_abandoned_thread_makes_room_and_ends_with_its_job() -> None:
    pool = ThreadPool(1, "test-pool")
    seats: list[Seat] = []
    release, second = threading.Event(), threading.Event()

    def hang(seat: Seat) -> None:
        seats.append(seat)
        release.wait(60)

    pool.submit(hang)
    eventually(lambda: bool(seats), "it should run")
    pool.submit(lambda seat: second.set())
    assert not second.is_set()
    pool.abandon(seats[0])
    pool.abandon(seats[0])
    assert second.wait(60)
    release.set()
    thread = seats[0].thread
    assert thread is not None
    thread.join(60)
    assert not thread.is_alive()
    pool.close(5)


def test_a_loop_thread_makes_every_call_in_a_context_of_its_own() -> None:
    thread = LoopThread("test-loop")
    variable: ContextVar[int] = ContextVar("variable", default=-1)
    reported: list[object] = []
    seen: list[int] = []
    done = threading.Event()

    def call(n: int) -> None:
        seen.append(variable.get())
        variable.set(n)
        if n % 10 == 0:
            raise LookupError(n)

    thread.call(thread.loop.set_exception_handler, lambda _, context: reported.append(context["exception"]))
    for n in range(100):
        assert thread.call(call, n)
    thread.call(done.set)
    assert done.wait(60)
    thread.close(1)
    assert seen == [-1] * 100
    assert [str(error) for error in reported] == [str(n) for n in range(0, 100, 10)]
    assert not thread.call(call, 1), "the loop is closed"
