"""The lock of a sync run: one at a time, nobody forgotten, and interrupts leave it free."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from durably.engine.barging_lock import BargingLock

PATIENCE = 60


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads are switched as often as can be."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def together(count: int, work: Callable[[int], None]) -> None:
    """Run ``work(n)`` in so many threads until all are through."""
    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not [thread for thread in threads if thread.is_alive()], "somebody waits for a lock that is free"


@pytest.mark.parametrize("threads", [2, 8, 32])
def test_one_at_a_time_and_nobody_is_forgotten(hurried: None, threads: int) -> None:
    lock = BargingLock()
    inside: list[int] = []
    most = [0]
    count = [0]

    def work(n: int) -> None:
        for _ in range(4000 // threads):
            with lock:
                inside.append(n)
                most[0] = max(most[0], len(inside))
                count[0] += 1
                inside.pop()

    together(threads, work)
    assert most == [1]
    assert count == [4000 // threads * threads]
    assert not lock.is_held()


def test_those_who_wait_for_a_holder_that_does_not_run_all_get_it() -> None:
    lock = BargingLock()
    through: list[int] = []
    waiting = threading.Barrier(9)

    def work(n: int) -> None:
        waiting.wait(PATIENCE)
        with lock:
            through.append(n)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
    with lock:
        for thread in threads:
            thread.start()
        waiting.wait(PATIENCE)
        while len(lock._bells) < 8:
            threading.Event().wait(0.001)
        assert through == []
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(through) == list(range(8))


def test_a_release_leaves_it_to_whoever_runs() -> None:
    """That is the point of it: who has released it can take it again although another waits."""
    lock = BargingLock()
    through = threading.Event()

    def work() -> None:
        with lock:
            through.set()

    interval = sys.getswitchinterval()
    lock.acquire()
    threading.Thread(target=work, daemon=True).start()
    while not lock._bells:
        threading.Event().wait(0.001)
    sys.setswitchinterval(60)
    try:
        for _ in range(100):
            lock.release()
            lock.acquire()
        assert not through.is_set()
    finally:
        sys.setswitchinterval(interval)
        lock.release()
    assert through.wait(PATIENCE)


def test_an_interrupt_between_taking_it_and_coming_back_leaves_it_free() -> None:
    lock = BargingLock()
    take = lock._take

    def interrupted(blocking: bool) -> bool:
        assert take(blocking)
        raise KeyboardInterrupt

    lock._take = interrupted
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    lock._take = take
    together(1, lambda n: lock.acquire())


@pytest.mark.skipif(sys.platform == "win32", reason="signals do not reach a thread that waits for a lock")
def test_one_who_is_interrupted_while_waiting_is_not_waited_for() -> None:
    lock = BargingLock()
    held, go_on = threading.Event(), threading.Event()
    main = threading.main_thread().ident
    assert main is not None
    through: list[int] = []

    def hold() -> None:
        with lock:
            held.set()
            while not lock._bells:
                threading.Event().wait(0.001)
            threading.Event().wait(0.1)  # a signal that comes when it is just about to wait is noticed afterwards
            signal.pthread_kill(main, signal.SIGINT)
            assert go_on.wait(PATIENCE)

    holder = threading.Thread(target=hold, daemon=True)
    holder.start()
    assert held.wait(PATIENCE)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire()
    assert not lock._bells
    go_on.set()
    together(3, lambda n: _pass(lock, through))
    holder.join(PATIENCE)
    assert len(through) == 3


def test_one_who_has_been_told_to_try_again_and_is_interrupted_tells_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = BargingLock()
    through: list[int] = []
    interrupted: list[bool] = []
    first, other = threading.Event(), threading.Thread(target=lambda: _pass(lock, through), daemon=True)

    class Bell:
        """Of the one who is interrupted: at the moment at which it has been rung."""

        def __init__(self) -> None:
            self.rung = threading.Event()
            self.new = True

        def acquire(self) -> None:
            if self.new:
                self.new = False
                return
            first.set()
            assert self.rung.wait(PATIENCE)
            interrupted.append(True)
            raise KeyboardInterrupt

        def release(self) -> None:
            self.rung.set()

    def wait() -> None:
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()

    lock.acquire()
    monkeypatch.setattr("durably.engine.barging_lock.allocate_lock", Bell)
    one = threading.Thread(target=wait, daemon=True)
    one.start()
    assert first.wait(PATIENCE)
    monkeypatch.undo()
    other.start()
    while len(lock._bells) < 2:
        threading.Event().wait(0.001)
    lock.release()  # rings the first
    one.join(PATIENCE)
    other.join(PATIENCE)
    assert interrupted == [True]
    assert through == [1]


def test_what_an_interrupt_has_left_held_can_be_freed_by_its_thread_only() -> None:
    lock = BargingLock()
    lock.acquire()
    through: list[int] = []
    other = threading.Thread(target=lambda: _pass(lock, through), daemon=True)
    other.start()
    while not lock._bells:
        threading.Event().wait(0.001)
    together(1, lambda n: lock.free())
    assert lock.is_held()
    assert through == []
    lock.free()
    other.join(PATIENCE)
    assert through == [1]
    assert not lock.is_held()


def _pass(lock: BargingLock, through: list[int]) -> None:
    with lock:
        through.append(1)
