"""Random programs of plain functions on real threads (laws R1, R2, R4 to R6): see ``sync_torture``."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from random import Random
from types import FrameType
from typing import Any

import pytest

from .sync_torture import InvocationLink, execute, faults_of, make_program

USUAL = 0.005
"""Seconds after which CPython lets another thread run."""


@pytest.fixture
def switching() -> Iterator[Any]:
    interval = sys.getswitchinterval()
    yield sys.setswitchinterval
    sys.setswitchinterval(interval)


def check(seeds: range, interrupt: Any = None) -> None:
    for seed in seeds:
        world = execute(make_program(seed), seed, interrupt=interrupt and interrupt(seed))
        assert faults_of(world) == [], f"program {seed}"


@pytest.mark.parametrize("interval", [USUAL, 1e-5])
def test_a_few_programs(switching: Any, interval: float) -> None:
    switching(interval)
    check(range(15))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("interval", [USUAL, 1e-5])
@pytest.mark.parametrize("first", [1_000, 2_000])
def test_programs_thoroughly(switching: Any, interval: float, first: int) -> None:
    switching(interval)
    check(range(first, first + 250))


class Interrupts:
    """KeyboardInterrupts at any moment of the code under test in the main thread, but not of the world around it."""

    def __init__(self) -> None:
        self.link: InvocationLink | None = None
        self.struck = 0

    def __call__(self, seed: int) -> Any:
        dice = Random(seed)

        def arm(link: InvocationLink) -> None:
            self.link = link if dice.random() < 0.7 and link.torture.invocations < 8 else None
            signal.setitimer(signal.ITIMER_REAL, dice.choice([0.0003, 0.001, 0.003, 0.01]) * (0.1 + dice.random()))

        return arm

    def strike(self, number: int, frame: FrameType | None) -> None:
        link = self.link
        if link is None or link.over_at is not None:
            return
        if not _is_engine(frame):
            signal.setitimer(signal.ITIMER_REAL, 0.0007)
            return
        self.link = None
        self.struck += 1
        raise KeyboardInterrupt


_SPARED = frozenset({"ask", "_make", "_fault", "begins", "close", "gc_callback"})
"""Functions of the world around; the last is called by the garbage collector, where an exception gets lost."""


def _is_engine(frame: FrameType | None) -> bool:
    """Whether what runs is part of an invocation, and neither the service nor the end of one."""
    inside = False
    while frame is not None:
        code = frame.f_code
        if "/durably/service/" in code.co_filename or code.co_name in _SPARED:
            return False
        inside = inside or code.co_name == "invoke_sync"
        frame = frame.f_back
    return inside


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no setitimer")
def test_interrupts_at_any_moment_leave_nothing_behind_that_blocks() -> None:
    assert threading.current_thread() is threading.main_thread()
    interrupts = Interrupts()
    usual = signal.signal(signal.SIGALRM, interrupts.strike)
    try:
        check(range(5_000, 5_250), interrupts)
    finally:
        interrupts.link = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, usual)
    assert interrupts.struck > 100
