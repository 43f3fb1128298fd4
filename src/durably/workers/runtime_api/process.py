"""One worker process: its Runtime API, its output, its life.

It is started, asks for an invocation (``ready``), gets one, answers it, asks again. It ends by itself, or is killed
with its whole process group: at a function's timeout, when its code is replaced, when it has long been idle. Its
exit is seen before it is reaped, so that its process group can be killed without risk of meeting a recycled id;
what it wrote is then in the pipes and belongs to the invocation it was running.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Final

from durably.service.ports import InvocationResult
from durably.workers import _errors
from durably.workers._json import is_json

from .http import MAX_RESPONSE_BYTES, Connection
from .messages import ReportedError, invocation_headers, read_error
from .output import Channel, Frames, Lines, Tail
from .roles import Job, Launch, Owner

__all__ = ["WorkerProcess"]

_CHILD: Final = str(Path(__file__).with_name("child.py"))


class WorkerProcess:
    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner[WorkerProcess], launch: Launch) -> None:
        self._loop = loop
        self._owner = owner
        self._launch = launch
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._server: asyncio.Server | None = None
        self._waiting: Connection | None = None
        self._connections: set[Connection] = set()
        self._tail = Tail()
        self._channels = (Channel(Lines(), self._wrote), Channel(Frames(), self._wrote))
        self._timer: asyncio.TimerHandle | None = None
        self._timed_out: float | None = None
        self._init_error: ReportedError | None = None
        self._ended = False
        self._killed = False
        self.job: Job | None = None
        self.was_ready: bool = False
        self.retiring: bool = False
        self.idle_since: float | None = None

    # ---- life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        try:
            self._server = await self._loop.create_server(self._connect, "127.0.0.1", 0)
            if self._killed:
                self._end(None)
                return
            port: int = self._server.sockets[0].getsockname()[1]
            self._spawn(f"127.0.0.1:{port}")
        except OSError as exc:
            program = self._launch.command[1]
            what = f"Could not start {program!r} in {self._launch.cwd}: {exc.strerror or exc}."
            self._end(_errors.unavailable("Runtime.InvalidEntrypoint", what))

    def _spawn(self, runtime_api: str) -> None:
        lines, frames = self._channels
        environment = self._launch.environment(runtime_api, frames.write_end)
        self._check_program(environment.get("PATH"))
        self._process = subprocess.Popen(
            [sys.executable, _CHILD, str(os.getpid()), *self._launch.command],
            cwd=self._launch.cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=lines.write_end,
            stderr=lines.write_end,
            pass_fds=(frames.write_end,),
            start_new_session=True,
        )
        for channel in self._channels:
            channel.close_write_end()
            self._loop.add_reader(channel.read_end, self._readable, channel)
        self._watch_exit(self._process)
        self._timer = self._loop.call_later(self._launch.init_timeout, self._init_timed_out)

    def _check_program(self, path: str | None) -> None:
        """A program that cannot be started is told of here: past the fork it would be a mere exit status."""
        kind, program, *_ = self._launch.command
        if (
            kind == "--"
            and shutil.which(self._launch.cwd / program if os.sep in program else program, path=path) is None
        ):
            raise FileNotFoundError(errno.ENOENT, "no such program")

    def _watch_exit(self, process: subprocess.Popen[bytes]) -> None:
        if hasattr(os, "pidfd_open"):
            self._pidfd = os.pidfd_open(process.pid)
            self._loop.add_reader(self._pidfd, self._exited)
        else:
            threading.Thread(target=self._wait_for_exit, args=(process,), daemon=True).start()

    def _wait_for_exit(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(self._exited)

    def kill(self) -> None:
        """Kill it and all it has started. :meth:`Owner.ended` follows."""
        self._killed = True
        if self._process is not None and not self._ended:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def retire(self) -> None:
        """Kill it as soon as it has answered what it is running."""
        self.retiring = True
        if self.job is None:
            self.kill()

    def _exited(self) -> None:
        if self._ended or self._process is None:
            return
        self.kill()
        returncode = self._process.wait()
        for channel in self._channels:
            channel.read()
            channel.flush()
        init_failure = None
        reason = _errors.exit_reason(returncode)
        if self.job is not None:
            self._lost(self.job, reason)
        elif not self.was_ready:
            init_failure = self._failed_to_start(reason)
        self._end(init_failure)

    def _lost(self, job: Job, reason: str) -> None:
        request_id = job.invocation.request_id
        if self._timed_out is None:
            result = _errors.crashed(request_id, reason)
        else:
            result = _errors.timed_out(request_id, self._launch.timeout_seconds, self._timed_out)
        error = result.error or {}
        self._wrote(None, error.get("ErrorMessage", ""))
        self._finish(InvocationResult(result.kind, error=result.error, log=self._tail.take()))

    def _failed_to_start(self, reason: str) -> InvocationResult:
        error = self._init_error
        if error is None and self._timed_out is not None:
            error = ReportedError(_errors.TIMED_OUT, f"Init timed out after {self._timed_out:.2f} seconds", [])
        if error is None:
            told = f"Runtime exited with error: {reason}" if reason else "Runtime exited without providing a reason"
            error = ReportedError(_errors.EXIT_ERROR, told, [])
        return _errors.unavailable(error.type, error.message, error.stack, self._tail.take())

    def _end(self, init_failure: InvocationResult | None) -> None:
        self._ended = True
        self._stop_timer()
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
        for channel in self._channels:
            self._loop.remove_reader(channel.read_end)
            channel.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()
        self._owner.ended(self, init_failure)

    # ---- invocations -------------------------------------------------------------------------------------

    def run(self, job: Job) -> bool:
        """Hand ``job`` to the waiting runtime. False: it waits no longer."""
        connection, self._waiting = self._waiting, None
        if connection is None or self._killed:
            return False
        self.job = job
        self.idle_since = None
        invocation = job.invocation
        now_ms, deadline_ms = self._launch.now_ms(), None
        if job.left_ms is not None:
            deadline_ms, seconds = now_ms + job.left_ms, job.left_ms / 1000
            self._timer = self._loop.call_later(max(0.0, seconds), self._function_timed_out, seconds)
        connection.send(
            HTTPStatus.OK,
            invocation_headers(invocation, deadline_ms, now_ms),
            invocation.payload.encode("utf-8", "replace"),
        )
        return True

    def _finish(self, result: InvocationResult) -> None:
        job, self.job = self.job, None
        self._stop_timer()
        if job is not None:
            self._owner.finished(job, result)

    def _answered(self, request_id: str, make: Callable[[str], InvocationResult]) -> bool:
        if self.job is None or self.job.invocation.request_id != request_id or self._timed_out is not None:
            return False
        for channel in self._channels:
            channel.read()
            channel.flush()
        self._finish(make(self._tail.take()))
        if self.retiring:
            self._loop.call_soon(self.kill)
        else:
            # It must ask again; one that hangs instead is of no use.
            self._timer = self._loop.call_later(self._launch.init_timeout, self.kill)
        return True

    def _function_timed_out(self, seconds: float) -> None:
        self._timed_out = seconds
        self.kill()

    def _init_timed_out(self) -> None:
        self._timed_out = self._launch.init_timeout
        self.kill()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- the Runtime API (see http.Endpoint) ---------------------------------------------------------------

    def _connect(self) -> Connection:
        connection = Connection(self)
        self._connections.add(connection)
        return connection

    def next(self, connection: Connection) -> None:
        if self.job is not None:
            # A runtime that asks for more without having answered has forgotten its invocation.
            message = "The runtime asked for the next invocation before it answered this one."
            self._finish(_errors.raised("Runtime.NoResponse", message, log=self._tail.take()))
        self._stop_timer()
        asked_before, self._waiting = self._waiting is not None, connection
        if asked_before:
            return
        self.was_ready = True
        self.idle_since = time.monotonic()
        self._owner.ready(self)

    def gone(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None
            self.idle_since = None
            self.kill()

    def response(self, request_id: str, body: bytes, too_long: bool) -> bool:
        def make(log: str) -> InvocationResult:
            if too_long:
                message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes)."
                return _errors.raised("Function.ResponseSizeTooLarge", message, log=log)
            try:
                text = body.decode()
            except UnicodeDecodeError as exc:
                return _errors.raised(_errors.MARSHAL_ERROR, f"The response is not UTF-8: {exc}", log=log)
            if not is_json(body):
                return _errors.raised(_errors.MARSHAL_ERROR, f"The response is not JSON: {text[:200]}", log=log)
            return InvocationResult("returned", text, log=log)

        return self._answered(request_id, make)

    def error(self, request_id: str, body: bytes, error_type: str) -> bool:
        def make(log: str) -> InvocationResult:
            error = read_error(body, error_type)
            return _errors.raised(error.type, error.message, error.stack, log)

        return self._answered(request_id, make)

    def init_error(self, body: bytes, error_type: str) -> None:
        self._init_error = read_error(body, error_type)
        # A client ends by itself after this; one that does not is of no use.
        self._loop.call_later(1.0, self.kill)

    # ---- output --------------------------------------------------------------------------------------------

    def _readable(self, channel: Channel) -> None:
        if not channel.read(4):
            self._loop.remove_reader(channel.read_end)

    def _wrote(self, timestamp_ms: int | None, message: str) -> None:
        self._tail.add(message)
        request_id = self.job.invocation.request_id if self.job is not None else None
        self._owner.log(request_id, timestamp_ms or self._launch.now_ms(), message)
