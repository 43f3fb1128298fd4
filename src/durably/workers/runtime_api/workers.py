"""A worker whose functions run in processes of their own, through the unmodified Lambda runtime client.

All sockets, pipes and processes belong to one event loop on one thread. A function runs exactly as on Lambda: one
invocation at a time per process, killed at its timeout; whatever happens to a process, no other is touched.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from durably.service.clock import Clock, SystemClock
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.workers._errors import unavailable, unknown_function
from durably.workers._loop_thread import LoopThread
from durably.workers.loader import LoadedApp

from .environment import Surroundings
from .launch import FunctionLaunch, RuntimeFunction, runtime_functions
from .pool import FunctionPool
from .process import WorkerProcess
from .roles import Job, Launch

__all__ = ["LambdaWorkers", "LogListener", "RuntimeFunction"]

_log: Final = logging.getLogger("durably.workers")

LogListener = Callable[[str, str | None, int, str], None]
"""Gets (function name, request id or None before the first invocation, epoch milliseconds, message)."""


class LambdaWorkers:
    """Runs functions in processes of their own.

    Parameters:
        functions: what :func:`~durably.workers.loader.load_functions` takes or returns, or single functions.
        endpoint_url: URL of the service, ``AWS_ENDPOINT_URL_LAMBDA`` of the processes; may be set later, but
            before the first invocation.
        concurrency: processes per function, at most; invocations beyond that wait.
        max_processes: of all functions together; an idle process of one makes room for another's.
        environment: variables for all processes, on top of this process's own.
        command: of functions that have none of their own, see :class:`RuntimeFunction`.
        init_timeout: seconds a process may take until it asks for its first invocation.
        idle_seconds: after which an idle process is ended.
        on_log: gets every message of every process, on the worker's thread; must not block.
    """

    def __init__(
        self,
        functions: str | LoadedApp | Iterable[RuntimeFunction],
        *,
        endpoint_url: str | None = None,
        concurrency: int = 8,
        max_processes: int = 32,
        region: str = "us-east-1",
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
        log_format: Literal["JSON", "Text"] = "JSON",
        log_level: str = "INFO",
        init_timeout: float = 60.0,
        idle_seconds: float = 300.0,
        on_log: LogListener | None = None,
        clock: Clock | None = None,
    ) -> None:
        for name, value in (("concurrency", concurrency), ("max_processes", max_processes)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if os.name != "posix":
            raise RuntimeError("worker processes need a POSIX system; use InProcessWorker here")
        self.endpoint_url = endpoint_url
        self._concurrency = concurrency
        self._max_processes = max_processes
        self._region = region
        self._environment = dict(environment or {})
        self._command = list(command) if command is not None else None
        self._log_format: Literal["JSON", "Text"] = log_format
        self._log_level = log_level
        self._init_timeout = init_timeout
        self._idle_seconds = idle_seconds
        self._on_log = on_log
        self._clock = clock or SystemClock()
        self._pools: dict[str, FunctionPool] = {}
        self._leaving: set[FunctionPool] = set()
        self._hungry: dict[FunctionPool, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._empty = threading.Event()
        wanted = runtime_functions(functions, self._command)
        self._specs = {function.spec.name: function.spec for function in wanted}
        self._thread = LoopThread("durably-runtime-api")
        self._thread.call(self._install, wanted)
        self._thread.call(self._reap_idle)

    # ---- Worker --------------------------------------------------------------------------------------------

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._specs

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        if self._closing or not self._thread.call(self._submit, Job(invocation, done, self._clock.now_ms())):
            done(unavailable("ServiceException", "The worker is closed."))

    def replace(self, functions: str | LoadedApp | Iterable[RuntimeFunction]) -> None:
        """New code: serve these functions from now on. What runs is answered by the old processes; what waits and
        what comes goes to new ones."""
        wanted = runtime_functions(functions, self._command)
        self._specs = {function.spec.name: function.spec for function in wanted}
        self._thread.call(self._install, wanted)

    def close(self, timeout: float = 5.0) -> None:
        """Kill all processes and release ports, pipes and the thread. Idempotent."""
        if not self._closing:
            self._closing = True
            if self._thread.call(self._kill_all):
                self._empty.wait(timeout)
            self._thread.close(1.0)

    # ---- in the loop -----------------------------------------------------------------------------------------

    def _submit(self, job: Job) -> None:
        pool = self._pools.get(job.invocation.function_name)
        if pool is None:
            self.deliver(job, unknown_function(job.invocation.function_name, list(self._pools)))
        else:
            pool.submit(job)

    def _install(self, wanted: Sequence[RuntimeFunction]) -> None:
        by_name = {function.spec.name: function for function in wanted}
        for name in [name for name in self._pools if name not in by_name]:
            pool = self._pools.pop(name)
            pool.replace(None)
            pool.dismiss(unknown_function(name, list(by_name)))
            if pool.size:
                self._leaving.add(pool)
        for name, function in by_name.items():
            launch = self._launch(function)
            if name in self._pools:
                self._pools[name].replace(launch)
            else:
                self._pools[name] = FunctionPool(name, launch, self._concurrency, self)

    def _kill_all(self) -> None:
        self._hungry.clear()
        for pool in self._all_pools():
            pool.kill()
        self.changed()

    def _all_pools(self) -> list[FunctionPool]:
        return [*self._pools.values(), *self._leaving]

    def _reap_idle(self) -> None:
        if self._closing:
            return
        for pool in self._pools.values():
            while (idle := pool.idle_longest()) and time.monotonic() - idle[0] >= self._idle_seconds:
                pool.drop(idle[1])
        self._thread.loop.call_later(min(5.0, max(0.02, self._idle_seconds / 4)), self._reap_idle)

    # ---- pool.Hall -------------------------------------------------------------------------------------------

    def may_start(self, pool: FunctionPool) -> bool:
        if self._closing:
            return False
        pools = self._all_pools()
        if sum(other.starting for other in pools) < max(2, os.cpu_count() or 2):
            if sum(other.size for other in pools) < self._max_processes:
                return True
            idle = [(*found, other) for other in pools if (found := other.idle_longest())]
            if idle and sum(other.serving for other in pools) >= self._max_processes:
                _, process, other = min(idle, key=lambda entry: entry[0])
                other.drop(process)
        self._hungry[pool] = None
        return False

    def start(self, pool: FunctionPool, launch: Launch) -> WorkerProcess:
        process = WorkerProcess(self._thread.loop, pool, launch)
        task = self._thread.loop.create_task(process.start())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return process

    def changed(self) -> None:
        self._leaving = {pool for pool in self._leaving if pool.size}
        if self._closing:
            if not any(pool.size for pool in self._all_pools()):
                self._empty.set()
            return
        hungry, self._hungry = list(self._hungry), {}
        for pool in hungry:
            pool.pump()

    def pump_later(self, pool: FunctionPool, seconds: float) -> None:
        self._thread.loop.call_later(seconds, pool.pump)

    def deliver(self, job: Job, result: InvocationResult) -> None:
        if self._closing:
            return
        try:
            job.done(result)
        except Exception:
            _log.exception("the result of %s could not be delivered", job.invocation.request_id)

    def log(self, function_name: str, request_id: str | None, timestamp_ms: int, message: str) -> None:
        if self._on_log is not None:
            try:
                self._on_log(function_name, request_id, timestamp_ms, message)
            except Exception:
                _log.exception("the listener to the log raised")

    # ---- configuration ---------------------------------------------------------------------------------------

    def _launch(self, function: RuntimeFunction) -> FunctionLaunch:
        return FunctionLaunch(function, self._command, self._init_timeout, self._clock, self._surroundings)

    def _surroundings(self) -> Surroundings:
        return Surroundings(self.endpoint_url, self._region, self._log_format, self._log_level, self._environment)
