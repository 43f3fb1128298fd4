"""The processes of one function and the invocations that wait for them.

Processes are started when invocations wait, never more than do, and the one that was idle last works first. When
a process does not even start (its code does not import), what waits is answered with its error, and for a while,
longer each time, so is what comes: a broken file must not make a storm of processes.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import Final, Protocol

from durably.service.ports import InvocationResult

from .process import WorkerProcess
from .roles import Job, Launch

__all__ = ["FunctionPool", "Hall"]

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


class Hall(Protocol):
    """What all pools share."""

    def may_start(self, pool: FunctionPool) -> bool:
        """Room for one more process? If not, the pool is pumped again once there is."""
        ...

    def start(self, pool: FunctionPool, launch: Launch) -> WorkerProcess: ...

    def changed(self) -> None:
        """A process ended, or has become ready."""
        ...

    def pump_later(self, pool: FunctionPool, seconds: float) -> None: ...

    def deliver(self, job: Job, result: InvocationResult) -> None: ...

    def log(self, function_name: str, request_id: str | None, timestamp_ms: int, message: str) -> None: ...


class FunctionPool:
    def __init__(self, name: str, launch: Launch, concurrency: int, hall: Hall) -> None:
        self.name = name
        self._launch = launch
        self._concurrency = concurrency
        self._hall = hall
        self._processes: set[WorkerProcess] = set()
        self._idle: list[WorkerProcess] = []
        self._waiting: deque[Job] = deque()
        self._failures = 0
        self._paused_until = 0.0
        self._last_failure: InvocationResult | None = None

    @property
    def size(self) -> int:
        return len(self._processes)

    @property
    def serving(self) -> int:
        """Processes that are not on their way out."""
        return sum(not process.retiring for process in self._processes)

    @property
    def starting(self) -> int:
        return sum(not process.was_ready and not process.retiring for process in self._processes)

    def idle_longest(self) -> tuple[float, WorkerProcess] | None:
        """The process that has been idle longest, and since when."""
        if not self._idle:
            return None
        return self._idle[0].idle_since or 0.0, self._idle[0]

    def submit(self, job: Job) -> None:
        if self._last_failure is not None and not self.serving and time.monotonic() < self._paused_until:
            self._hall.deliver(job, self._last_failure)
            return
        self._waiting.append(job)
        self.pump()

    def pump(self) -> None:
        """Give waiting invocations to idle processes; start processes for the rest."""
        while self._waiting and self._idle:
            if self._idle.pop().run(self._waiting[0]):
                self._waiting.popleft()
        while len(self._waiting) > self.starting and self.serving < self._concurrency:
            pause = self._paused_until - time.monotonic()
            if pause > 0:
                self._hall.pump_later(self, pause)
                return
            if not self._hall.may_start(self):
                return
            self._processes.add(self._hall.start(self, self._launch))

    def replace(self, launch: Launch | None) -> None:
        """New code: idle processes go at once, busy ones when they have answered. None: the function is gone."""
        if launch is not None:
            self._launch = launch
        self._failures, self._paused_until, self._last_failure = 0, 0.0, None
        self._idle.clear()
        for process in list(self._processes):
            process.retire()
        if launch is not None:
            self.pump()

    def dismiss(self, result: InvocationResult) -> None:
        """Answer all that waits with ``result``."""
        while self._waiting:
            self._hall.deliver(self._waiting.popleft(), result)

    def drop(self, process: WorkerProcess) -> None:
        """End an idle process."""
        self._idle.remove(process)
        process.retire()

    def kill(self) -> None:
        self._waiting.clear()
        for process in list(self._processes):
            process.kill()

    # ---- roles.Owner ------------------------------------------------------------------------------------

    def ready(self, process: WorkerProcess) -> None:
        if process.retiring:
            process.kill()
            return
        self._failures, self._paused_until, self._last_failure = 0, 0.0, None
        self._idle.append(process)
        self.pump()
        self._hall.changed()

    def ended(self, process: WorkerProcess, init_failure: InvocationResult | None) -> None:
        self._processes.discard(process)
        if process in self._idle:
            self._idle.remove(process)
        if init_failure is not None and not process.retiring:
            self._failures += 1
            self._paused_until = time.monotonic() + min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
            self._last_failure = replace(init_failure, log="")
            if not self.serving:
                self.dismiss(init_failure)
        self.pump()
        self._hall.changed()

    def finished(self, job: Job, result: InvocationResult) -> None:
        self._hall.deliver(job, result)

    def log(self, request_id: str | None, timestamp_ms: int, message: str) -> None:
        self._hall.log(self.name, request_id, timestamp_ms, message)
