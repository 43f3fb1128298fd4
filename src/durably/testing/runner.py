"""LocalRunner: a durable function, run to its end in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from durably.exceptions import SerDesError, ValidationError
from durably.execution import DurableFunction, durable_execution, durable_function_of
from durably.serdes import json_codec_for
from durably.workers._discover import is_durable_function

from . import _session
from ._durations import Span, as_ms
from ._runner_base import RunnerBase
from ._threads import Late, in_thread, in_time
from ._world import ExecutionRecord, World
from .callbacks import OpenCallback
from .calls import Interceptor
from .clock import VirtualClock
from .errors import ExecutionStuck, RunTimeout, TestingError
from .executions import AsyncLocalExecution, LocalExecution
from .faults import Faults
from .functions import Functions
from .handles import AsyncRunnerCallback, RunnerCallback
from .limits import Limits
from .printing import report
from .result import RunResult
from .stand_ins import Mock

if TYPE_CHECKING:
    from .signatures import Handler

__all__ = ["LocalRunner"]

In = TypeVar("In")
Out = TypeVar("Out")

_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


class LocalRunner(RunnerBase, Generic[In, Out]):
    """Runs a durable function on the embedded service, in memory and in virtual time.

    Nothing takes time but the function's own code: waits, retries, timeouts and backoff pass at once, in the order in
    which they fall due. Each run is an execution of its own; all of one runner share its service and its clock.

    Parameters:
        handler: a durable function, or a function of (input, context) that becomes one.
        functions: what it may invoke, by name: durable functions, functions of (event, context) or of the payload,
            :class:`Mock`, values and exceptions.
        callbacks: answers by the callback's name: a value, an exception, a function of the :class:`OpenCallback`,
            ``NEVER`` or an :class:`Answer`. Also as ``runner.callbacks[name] = ...`` at any time.
        steps: what stands in for steps, by name: a value, an exception, a function, ``TIMES_OUT`` or a :class:`Mock`.
            The step's own body is not run; the rest happens, and is recorded, as if it had. Also as
            ``runner.steps[name] = ...``.
        limits: of the service; those of AWS by default.
        faults: what goes wrong between the function and the service.
        interceptors: see every call between the function and the service; they may fail it, or kill the function.
        start_time: what the clock shows at first.
        real_time: by the wall clock instead: everything takes the time that it takes.
        execution_timeout: of executions, instead of the function's own.
        max_invocations: of one execution; more are taken for an endless loop.

    Attributes:
        clock: the virtual clock, for steps that need the time.
    """

    def __init__(
        self,
        handler: Handler[In, Out],
        *,
        functions: Mapping[str, Any] | None = None,
        callbacks: Mapping[str | None, Any] | None = None,
        steps: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        faults: Faults | None = None,
        interceptors: Sequence[Interceptor] = (),
        start_time: datetime = _START,
        real_time: bool = False,
        execution_timeout: Span | None = None,
        max_invocations: int = 1000,
    ) -> None:
        super().__init__(callbacks)
        self._settings: dict[str, Any] = {
            "functions": functions,
            "limits": limits,
            "start_time": start_time,
            "real_time": real_time,
            "execution_timeout": execution_timeout,
            "max_invocations": max_invocations,
        }
        self.handler: DurableFunction[In, Out] = _durable(handler)
        self.steps: dict[str, Any] = dict(steps or {})
        self._ambient = _session.interceptors()
        self.interceptors: list[Interceptor] = [*self._ambient, *interceptors]
        if faults is not None:
            self.interceptors.append(faults)
        overrides: dict[str, Any] = {}
        if execution_timeout is not None:
            overrides["execution_timeout_seconds"] = -(-as_ms(execution_timeout, "execution_timeout") // 1000)
        self._functions = Functions(self.handler, functions or {}, overrides)
        if start_time.tzinfo is None:
            raise ValidationError(f"start_time is {start_time!r}, without a time zone: add tzinfo=timezone.utc")
        self.world: World = World(
            self._functions,
            start_ms=None if real_time else round(start_time.timestamp() * 1000),
            config=limits or Limits(),
            answer_for=self._answer_for,
            steps=self.steps,
            interceptors=self.interceptors,
            max_invocations=max_invocations,
        )
        self.clock: VirtualClock = VirtualClock(self.world.scheduler)
        self._reports: list[str] | None = None
        _session.made(self)

    # ---- running -------------------------------------------------------------------------------------------

    def run(self, input: In | None = None, *, name: str | None = None, timeout: Span | None = None) -> RunResult[Out]:
        """Start an execution and let time pass until it has ended.

        Parameters:
            input: as the handler takes it, or the JSON that another program would send.
            name: of the execution.
            timeout: of real time, for code that may block; it then runs in a thread of its own.

        Raises:
            ExecutionStuck: it can never end; the message says what it waits for.
            RunTimeout: it has not ended within ``timeout``; the message says where it was.
            ApiError: the service refuses the input.
        """
        _refuse_loop("run", "arun")
        return self._run_in_time(input, name, timeout)

    async def arun(
        self, input: In | None = None, *, name: str | None = None, timeout: Span | None = None
    ) -> RunResult[Out]:
        """As :meth:`run`, for async tests. The run has a thread and an event loop (in virtual time) of its own."""
        return await in_thread(lambda: self._run_in_time(input, name, timeout))

    def _run_in_time(self, input: Any, name: str | None, timeout: Span | None) -> RunResult[Out]:
        if timeout is None:
            return self._run(input, name)
        seconds = as_ms(timeout, "timeout") / 1000
        try:
            return in_time(lambda: self._run(input, name), seconds)
        except Late:
            message = f"the run did not end within {seconds:g} s of real time\n{self.world.whereabouts()}"
            self.world.give_up("a run of this runner did not end in time; make another runner")
            raise RunTimeout(message) from None

    def _run(self, input: Any, name: str | None) -> RunResult[Out]:
        record = self._start(input, name)
        if not self.world.drive(lambda: record.ended):
            message = self.world.explain_stuck(record, by_hand=False)
            self.world.call("StopDurableExecution", DurableExecutionArn=record.arn)
            raise ExecutionStuck(message)
        return self._look(record)

    def start(self, input: In | None = None, *, name: str | None = None) -> LocalExecution[Out]:
        """Start an execution to be driven by hand, and let everything happen that can without time passing."""
        _refuse_loop("start", "astart")
        return self._begin(input, name)

    async def astart(self, input: In | None = None, *, name: str | None = None) -> AsyncLocalExecution[Out]:
        """As :meth:`start`, for async tests."""
        return AsyncLocalExecution(await in_thread(lambda: self._begin(input, name)))

    def _begin(self, input: Any, name: str | None) -> LocalExecution[Out]:
        execution = LocalExecution(self.world, self._start(input, name), self._look)
        execution.settle()
        return execution

    def _start(self, input: Any, name: str | None) -> ExecutionRecord:
        return self.world.start(self._functions.main, self._payload(input), name)

    def _payload(self, input: Any) -> str:
        try:
            return self.handler.input_codec.encode(input)
        except SerDesError:
            return json_codec_for().encode(input)  # as a caller that knows no Python would send it: the handler judges

    def _look(self, record: ExecutionRecord) -> RunResult[Out]:
        described = self.world.describe(record.arn)
        decode: Callable[[str], Out] = self.handler.output_codec.decode
        return RunResult(
            arn=record.arn,
            status=described["Status"],
            payload=described.get("Result"),
            error=described.get("Error"),
            records=self.world.operations(record.arn),
            events=list(record.events),
            decode=decode,
            started_ms=described["StartTimestamp"],
            ended_ms=described.get("EndTimestamp"),
            function=record.function,
        )

    def copy(self, *, interceptors: Sequence[Interceptor] = (), **changes: Any) -> LocalRunner[In, Out]:
        """A runner of the same settings, with a service, a clock and mocks of its own, and nothing run yet.

        Parameters:
            interceptors: besides those of this one.
            changes: of what the constructor takes.
        """
        settings: dict[str, Any] = {
            **self._settings,
            "functions": _fresh(self._settings["functions"]),
            "callbacks": self.callbacks,
            "steps": _fresh(self.steps),
            "interceptors": [*(one for one in self.interceptors if one not in self._ambient), *interceptors],
            **changes,
        }
        return LocalRunner(self.handler, **settings)

    def register_function(self, name: str, target: Any) -> None:
        """Let the function invoke ``target`` by that name, as one of ``functions``."""
        self._functions.add(name, target)

    # ---- callbacks -----------------------------------------------------------------------------------------

    def callback(self, name: str | None = None, index: int = 0) -> RunnerCallback:
        """The callback number ``index`` of those with this name, to be answered from another thread during a run.

        While it is open and has no answer, time stands still. For a run by hand see :meth:`start`.
        """
        return self.world.handles.take(name, index)

    def acallback(self, name: str | None = None, index: int = 0) -> AsyncRunnerCallback:
        """As :meth:`callback`, for another task than the one that awaits :meth:`arun`."""
        return AsyncRunnerCallback(self.callback(name, index))

    def open_callbacks(self) -> list[OpenCallback]:
        """Those that are open now, of all executions."""
        return self.world.open_callbacks()

    # ---- its life ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give up executions that are under way. Idempotent; only needed for those."""
        if self._reports is None and _session.session is not None:
            self._reports = self.reports()
        self.world.close()

    def reports(self) -> list[str]:
        """Every execution so far as text, those of invoked functions too."""
        if self._reports is not None:
            return self._reports
        return [report(self._look(record)) for record in self.world.executions.values()]

    def __repr__(self) -> str:
        return f"<LocalRunner of {self._functions.main}, at {self.clock.now():%Y-%m-%d %H:%M:%S}>"


def _fresh(targets: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: one.fresh() if isinstance(one, Mock) else one for name, one in (targets or {}).items()}


def _durable(handler: Any) -> Any:
    if is_durable_function(handler):
        function = durable_function_of(handler)
        if function is None:
            raise ValidationError(f"{handler!r} is not a durable function of durably")
        return function
    made = durable_execution(handler)
    if not isinstance(made, DurableFunction):
        raise ValidationError(f"{handler!r} is a method without its object: give the method of an object")
    return made


def _refuse_loop(method: str, instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise TestingError(f"an event loop is running in this thread: use `await runner.{instead}(...)`, not {method}()")
