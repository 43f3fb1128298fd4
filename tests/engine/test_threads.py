"""The threads that runs of sync code share."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from durably.engine.threads import look_soon


def test_looks_that_come_while_one_is_made_are_made_after_it_in_order() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []
    threads: set[int] = set()

    def first() -> None:
        begun.set()
        go_on.wait()
        note(0)

    def note(number: int) -> None:
        seen.append(number)
        threads.add(threading.get_ident())

    look_soon(first)
    begun.wait()
    for number in range(1, 50):
        look_soon(lambda number=number: note(number))  # type: ignore[misc]
    look_soon(done.set)
    go_on.set()
    assert done.wait(60)
    assert seen == list(range(50))
    assert len(threads) == 1


def test_looks_of_many_threads_are_all_made() -> None:
    made: list[int] = []
    all_made = threading.Event()

    def look() -> None:
        made.append(1)
        if len(made) == 4000:
            all_made.set()

    def caller() -> None:
        for _ in range(500):
            look_soon(look)

    callers = [threading.Thread(target=caller) for _ in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert all_made.wait(60), f"{len(made)} of 4,000"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    program = """
import os, threading
from durably.engine.threads import borrow, look_soon
def both():
    looked, borrowed = threading.Event(), threading.Event()
    look_soon(looked.set)
    borrow(borrowed.set)
    return looked.wait(60) and borrowed.wait(60)
assert both()
child = os.fork()
if child == 0:
    os._exit(0 if both() else 1)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", program], timeout=120).returncode == 0
