"""Handing invocations to the worker, and its reports back to the writer.

An invocation that finds no worker waits here, so its time runs from when it is handed over. A worker that is replaced
need not report any more: what it ran is given up then. A durable execution's invocation counts as interrupted, and the
one that follows fences it off with its new token; a plain function is simply run again.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

from . import functions
from .clock import Clock
from .config import ServiceConfig
from .core import Command, Core, Reply
from .invoke import InvokeRequest, function_error
from .machine.env import Target
from .machine.finished import failure_of, invocation_finished
from .machine.model import Execution
from .machine.signals import child_done
from .ports import FunctionSpec, Invocation, InvocationResult, Worker

__all__ = ["Dispatcher"]

_log: Final = logging.getLogger("durably.service")

_Done = Callable[[InvocationResult], None]


class _Handed:
    """An invocation in the hands of a worker. Whoever claims it, its report or the worker's replacement, ends it."""

    __slots__ = ("_once", "done", "invocation")

    def __init__(self, invocation: Invocation, done: _Done) -> None:
        self._once = threading.Lock()
        self.invocation = invocation
        self.done = done

    def claim(self) -> bool:
        return self._once.acquire(blocking=False)


class Dispatcher:
    """Between the core and the worker. Dispatches on the writer's thread; reports come on any thread."""

    core: Core

    def __init__(self, config: ServiceConfig, clock: Clock, put: Callable[[Command], None]) -> None:
        self._config = config
        self._clock = clock
        self._put = put
        self.worker: Worker | None = None
        self._lock = threading.Lock()
        self._unattended: list[tuple[Invocation, _Done]] = []
        self._handed: set[_Handed] = set()
        self._logs: dict[int, str] = {}

    @property
    def in_flight(self) -> int:
        return len(self._handed)

    def attach(self, worker: Worker) -> None:
        with self._lock:
            given_up = [] if worker is self.worker else list(self._handed)
            self.worker = worker
            waiting, self._unattended = self._unattended, []
        for handed in given_up:
            if handed.claim():
                self._give_up(handed)
        for invocation, done in waiting:
            self._submit(invocation, done)

    def _give_up(self, handed: _Handed) -> None:
        invocation = handed.invocation
        if invocation.execution_arn is None:
            self._submit(invocation, handed.done)
        else:
            message = "the worker was replaced while the function was running"
            error: ErrorObject = {
                "ErrorType": "Runtime.ExitError",
                "ErrorMessage": f"RequestId: {invocation.request_id} Error: {message}",
            }
            handed.done(InvocationResult("interrupted", error=error))
        self._forget(handed)

    def resolve(self, function_name: object, qualifier: object = None) -> Target:
        return functions.resolve(self.worker, self._config, function_name, qualifier)

    # ---- durable functions ------------------------------------------------------------------------------

    def dispatch(self, ex: Execution, data: dict[str, Any]) -> None:
        """Run one invocation of a durable execution."""
        facts, key, request_id = ex.facts, ex.key, data["request_id"]
        invocation = Invocation(
            request_id=request_id,
            function_name=facts.function,
            function_version=facts.version,
            invoked_function_arn=functions.function_arn(self._config, facts.function, facts.version),
            payload=data["payload"],
            execution_arn=facts.arn,
            tenant_id=facts.tenant_id,
            trace_id=facts.trace_id,
        )

        def done(result: InvocationResult) -> None:
            self._put(self.report(key, request_id, result))

        self._submit(invocation, done)

    def report(self, key: int, request_id: str, result: InvocationResult) -> Command:
        """The command that takes in how an invocation ended."""
        rescue = partial(self._report_failed, key, request_id)
        return Command(self._finished, (key, request_id, result), rescue=rescue)

    def _report_failed(self, key: int, request_id: str, bug: Exception) -> None:
        """What the worker reported cannot be applied. As after a crash, the function is tried again, or has failed."""
        message = f"the service could not take in the end of the invocation: {type(bug).__name__}: {bug}"
        error: ErrorObject = {
            "ErrorType": "ServiceException",
            "ErrorMessage": f"RequestId: {request_id} Error: {_plain(message)}",
        }
        result = InvocationResult("crashed", error=error)
        rescue = partial(self._cannot_end, key, request_id)
        self.core.run_one(Command(self._finished, (key, request_id, result), rescue=rescue))

    def _cannot_end(self, key: int, request_id: str, bug: Exception) -> None:
        _log.error("invocation %s cannot be ended; it will be when the service starts again", request_id)
        failure = ApiError("ServiceException", f"internal error: {type(bug).__name__}: {_plain(str(bug))}")
        self.core.tell_waiters(key, failure)

    def _finished(self, key: int, request_id: str, result: InvocationResult) -> None:
        core = self.core
        ex = core.execution(key)
        if ex is None:
            return
        if key in self._logs:
            core.after_commit(self._add_log, key, result.log)
        invocation_finished(ex, core.env, request_id, result)
        core.changed(ex)

    # ---- plain functions -----------------------------------------------------------------------------------

    def call_chained(self, key: int, op_id: str, data: dict[str, Any]) -> None:
        """Run a plain function as the target of a chained invoke."""
        name, _ = functions.split_name(data["function"])
        request_id = f"{key}-{op_id[:16]}"
        invocation = Invocation(
            request_id=request_id,
            function_name=name,
            function_version=functions.LATEST,
            invoked_function_arn=functions.function_arn(self._config, name, functions.LATEST),
            payload=data.get("payload") or "{}",
            tenant_id=data.get("tenant"),
            trace_id=data.get("trace"),
        )

        def done(result: InvocationResult) -> None:
            rescue = partial(self._chained_failed, key, op_id, request_id)
            self._put(Command(self._chained_done, (key, op_id, request_id, result), rescue=rescue))

        self._submit(invocation, done)

    def _chained_failed(self, key: int, op_id: str, request_id: str, bug: Exception) -> None:
        message = f"the service could not take in the result: {type(bug).__name__}: {_plain(str(bug))}"
        result = InvocationResult("crashed", error={"ErrorType": "ServiceException", "ErrorMessage": message})
        self.core.run_one(Command(self._chained_done, (key, op_id, request_id, result)))

    def _chained_done(self, key: int, op_id: str, request_id: str, result: InvocationResult) -> None:
        core = self.core
        ex = core.execution(key)
        if ex is None:
            return
        failure: ErrorObject | None = None
        status = "SUCCEEDED"
        if result.kind != "returned":
            failure = failure_of(result, request_id)
            status = "TIMED_OUT" if result.kind == "timed_out" else "FAILED"
        child_done(ex, core.env, op_id, status, result.payload, failure)
        core.changed(ex)

    def call_function(self, request: InvokeRequest, request_id: str, reply: Reply) -> None:
        """Invoke of a plain function. Not durable: an Event that is under way is lost with the process."""
        target = request.target
        invocation = Invocation(
            request_id=request_id,
            function_name=target.spec.name,
            function_version=target.version,
            invoked_function_arn=target.arn,
            payload=request.payload,
            tenant_id=request.tenant_id,
            trace_id=request.trace_id,
            client_context=request.client_context,
        )

        def done(result: InvocationResult) -> None:
            answer: dict[str, Any] = {"StatusCode": 200, "ExecutedVersion": target.version}
            if result.kind == "returned":
                answer["Payload"] = result.payload if result.payload is not None else "null"
            else:
                answer["FunctionError"] = "Unhandled"
                answer["Payload"] = function_error(failure_of(result, request_id))
            if request.tail:
                answer["LogResult"] = base64.b64encode(result.log.encode()[-4096:]).decode()
            reply(answer)

        if request.kind == "Event":
            reply({"StatusCode": 202, "ExecutedVersion": target.version})
            self._submit(invocation, lambda result: None)
        else:
            self._submit(invocation, done)

    # ---- the worker ----------------------------------------------------------------------------------------

    def _submit(self, invocation: Invocation, done: _Done) -> None:
        with self._lock:
            worker = self.worker
            if worker is None:
                self._unattended.append((invocation, done))
                return
            handed = _Handed(invocation, done)
            self._handed.add(handed)

        def reported(result: InvocationResult) -> None:
            if handed.claim():
                done(result)
                self._forget(handed)

        try:
            spec = worker.functions().get(invocation.function_name)
            if spec is None:
                raise LookupError(f"no function named {invocation.function_name} is served")
            worker.submit(replace(invocation, deadline_ms=self._deadline(spec)), reported)
        except Exception as failure:
            _log.warning("invocation of %s could not be started: %s", invocation.function_name, failure)
            error: ErrorObject = {"ErrorType": "Runtime.Unavailable", "ErrorMessage": str(failure)}
            reported(InvocationResult("unavailable", error=error))

    def _deadline(self, spec: FunctionSpec) -> int | None:
        if spec.timeout_seconds is None:
            return None
        return self._clock.now_ms() + round(spec.timeout_seconds * 1000)

    def _forget(self, handed: _Handed) -> None:
        with self._lock:
            self._handed.discard(handed)

    def _add_log(self, key: int, log: str) -> None:
        self._logs[key] += log

    def keep_log(self, key: int) -> None:
        self._logs.setdefault(key, "")

    def take_log(self, key: int) -> str | None:
        return self._logs.pop(key, None)


def _plain(text: str) -> str:
    """``text`` as it can be written whatever it holds."""
    return text.encode("ascii", "backslashreplace").decode()[:1000]
