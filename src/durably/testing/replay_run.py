"""Runs that only look back: user code goes over a record, and nothing is executed, sent or recorded.

A protocol that comes to the end of what is recorded waits for ever, like one that waits for the service; so the
invocation ends as any does that has nothing left to do but wait. Async code runs on a loop whose clock jumps to
whatever is next, so a program that cancels its own operations after a time does so again at once.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, cast

from durably.checkpointing import CheckpointConfig
from durably.engine.async_run import AsyncRun
from durably.engine.envelope import from_verdict
from durably.engine.environment import Environment
from durably.engine.invocation import run_async, run_sync
from durably.engine.run import Run
from durably.engine.sync_run import SyncRun
from durably.engine.tasks import ParkFuture, install_task_factory
from durably.engine.timers import SUB_TYPE as TIMER
from durably.engine.timers import Timers, install_timers
from durably.wire.payloads import NO_TEXT
from durably.wire.shapes import InvocationOutput, Operation

from .replay_trace import Line, Observer, line_of_failure, trace, user_line

if TYPE_CHECKING:
    from durably.engine.async_group import Ending
    from durably.engine.branch import Branch
    from durably.engine.operation import Op
    from durably.engine.requests import Flush
    from durably.engine.run import Protocol
    from durably.engine.scope import Scope
    from durably.exceptions import NonDeterministicExecutionError
    from durably.execution import DurableFunction
    from durably.serdes import Codec
    from durably.wire.shapes import OperationUpdate

__all__ = ["PATIENCE", "Replayed", "run_over"]

_TOKEN: Final = "cmVwbGF5"
PATIENCE: Final = 60.0


class Replayed:
    """What became of one run over a record.

    Attributes:
        output: what the invocation would have answered; None if it raised.
        result: the handler's result as it would be written, if it returned.
        failure: what was raised, by the handler or out of the invocation.
        line: where in the user's code that came from.
        given_up: ids of operations that the program has given up.
        stuck: it did not end: it blocks, or goes round in circles.
    """

    def __init__(self) -> None:
        self.stuck = False
        self.output: InvocationOutput | None = None
        self.result: str | None = None
        self.failure: BaseException | None = None
        self.line: Line | None = None
        self.given_up: set[str] = set()

    @property
    def status(self) -> str:
        return "RAISED" if self.output is None else self.output["Status"]


def run_over(
    function: DurableFunction[Any, Any],
    arn: str,
    operations: list[Operation],
    updated: list[str],
    observer: Observer,
    *,
    to_failure: bool = False,
    patience: float = PATIENCE,
) -> Replayed:
    """One invocation of ``function`` that is given ``operations``, and can do nothing beyond them.

    ``patience``: real seconds without any sign of progress after which it is left behind, where it is.

    ``to_failure``: the record ends in a failure, so the function's error handler has its say about it. Otherwise it is
    not asked: it may have effects.
    """
    outcome = Replayed()
    facade = _Function(function, outcome)
    if to_failure:
        facade.error_handler = function.error_handler

    def run() -> None:
        try:
            if function.is_async:
                outcome.output = _on_own_loop(lambda: _run_async(facade, arn, operations, updated, observer, outcome))
            else:
                outcome.output = _run_sync(facade, arn, operations, observer, outcome)
        except Exception as error:
            outcome.failure, outcome.line = error, line_of_failure(error.__traceback__)

    line = _watched(run, observer.progress, patience)
    if line is None:
        return outcome
    stuck = Replayed()  # the other one belongs to the thread that is left behind
    stuck.stuck = True
    observer.stuck(*line)
    return stuck


def _run_sync(
    facade: _Function, arn: str, operations: list[Operation], observer: Observer, outcome: Replayed
) -> InvocationOutput:
    run = _SyncReplay(arn, operations, observer)
    try:
        output = run_sync(facade, run)
    finally:
        run.close()
        outcome.given_up = set(run.given_up or ())
    return output if run.verdict is None else from_verdict(run.verdict)


async def _run_async(
    facade: _Function,
    arn: str,
    operations: list[Operation],
    updated: list[str],
    observer: Observer,
    outcome: Replayed,
) -> InvocationOutput:
    loop = asyncio.get_running_loop()
    install_task_factory(loop)
    install_timers(loop)
    run = _AsyncReplay(arn, operations, observer)
    run.updated = frozenset(updated)
    try:
        output = await run_async(facade, run)
    finally:
        outcome.given_up = set(run.given_up or ())
    return output if run.verdict is None else from_verdict(run.verdict)


class _Function:
    """The function as the engine sees it: its contexts tell what is called, and it logs nothing."""

    def __init__(self, function: DurableFunction[Any, Any], outcome: Replayed) -> None:
        self._function = function
        self._outcome = outcome
        self.logger = _Silence()
        self.error_handler: Any = None
        self.checkpoints = CheckpointConfig()  # eager: nothing is kept back, so all of it is seen
        self.handler = self._noting(function.handler, function.is_async)

    def _noting(self, call: Callable[..., Any], is_async: bool) -> Callable[..., Any]:
        if is_async:

            async def handle_async(event: Any, context: Any) -> Any:
                try:
                    return await call(event, context)
                except Exception as error:
                    self._failed(error)
                    raise

            return handle_async

        def handle(event: Any, context: Any) -> Any:
            try:
                return call(event, context)
            except Exception as error:
                self._failed(error)
                raise

        return handle

    def _failed(self, error: Exception) -> None:
        self._outcome.failure, self._outcome.line = error, line_of_failure(error.__traceback__)

    @property
    def input_codec(self) -> Codec:
        return self._function.input_codec

    @property
    def output_codec(self) -> Codec:
        return _Noting(self._function.output_codec, self._outcome)  # type: ignore[return-value]

    def make_context(self, run: Run) -> Any:
        return trace(self._function.make_context(run))


class _Noting:
    """The output codec, noting what is written: an output that is too large would be recorded, not answered."""

    def __init__(self, codec: Codec, outcome: Replayed) -> None:
        self._codec = codec
        self._outcome = outcome

    def encode(self, value: Any) -> str:
        text = self._codec.encode(value)
        self._outcome.result = "null" if text is NO_TEXT else text
        return text

    def decode(self, text: str) -> Any:
        return self._codec.decode(text)


class _Silence:
    def _nothing(self, *args: Any, **kwargs: Any) -> None:
        pass

    debug = info = warning = error = exception = critical = log = _nothing


class _Journal(dict[str, Operation]):
    """The records, noting which of them are looked at."""

    def __init__(self, records: dict[str, Operation], met: set[str]) -> None:
        super().__init__(records)
        self._met = met

    def get(self, key: str, default: Any = None) -> Any:
        if key in self:
            self._met.add(key)
        return super().get(key, default)


class _Watched(Environment):
    """Threads that do what :func:`threading.setprofile` says of new ones: those borrowed here may have begun before."""

    def borrow(self, job: Callable[[], None]) -> None:
        def watched() -> None:
            kept = sys.getprofile()
            sys.setprofile(threading.getprofile())
            try:
                job()
            finally:
                sys.setprofile(kept)

        super().borrow(watched)


class _SyncReplay(SyncRun):
    def __init__(self, arn: str, operations: list[Operation], observer: Observer) -> None:
        super().__init__(arn, _TOKEN, operations, None)  # type: ignore[arg-type]  # it is never asked
        self.environment = _Watched()
        self.observer = observer
        self.ops = _Journal(self.ops, observer.met)

    def drive(self, protocol: Protocol, leave: Callable[[Flush], None] | None = None) -> Any:
        return super().drive(self.observer.watch(protocol, self))  # nothing is left behind: nothing is sent

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        with self.lock:
            self.refuse_if_ended(branch)
        self.observer.sends(update, self.ops, branch)
        return self.outbox.last + 1

    def refresh(self) -> None:
        pass

    def flush_rest(self) -> None:
        pass

    def check_return(self, scope: Scope) -> None:
        pass  # what the code does not come to is told when it is over

    def non_determinism(self, op: Op, record: Operation) -> NonDeterministicExecutionError:
        _mismatch(self.observer, op, record)
        return super().non_determinism(op, record)

    def fail_non_deterministic(self, message: str, op_id: str | None = None) -> NonDeterministicExecutionError:
        self.observer.refused(message, op_id)
        return super().fail_non_deterministic(message, op_id)


class _AsyncReplay(AsyncRun):
    def __init__(self, arn: str, operations: list[Operation], observer: Observer) -> None:
        super().__init__(arn, _TOKEN, operations, None)  # type: ignore[arg-type]
        self.observer = observer
        self.ops = _Journal(self.ops, observer.met)
        self.timers = _RecordedTimers(self)

    async def drive(self, protocol: Protocol, op: Op | None = None, ending: Ending | None = None) -> Any:
        return await super().drive(self.observer.watch(protocol, self), op, ending)

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        self.refuse_if_ended(branch)
        if update.get("SubType") == TIMER:
            return self.outbox.last + 1  # nothing that the program calls
        self.observer.sends(update, self.ops, branch)
        return self.outbox.last + 1

    def when_recorded(self, flush: Flush) -> ParkFuture:
        """Only timers ask that would strike where it is not recorded: see :class:`_RecordedTimers`."""
        future = ParkFuture(loop=self.loop)
        self._parks.setdefault(flush.op_id, []).append((None, future))
        self._check_soon()
        return future

    def forget_cancelled(self) -> None:
        """Operations that the program has cancelled are not under way, though no answer comes to show it."""
        for op_id, parked in list(self._parks.items()):
            self._parks[op_id] = [one for one in parked if not one[1].done()]
            if not self._parks[op_id]:
                del self._parks[op_id]

    def _refresh(self) -> None:
        pass

    async def flush_rest(self) -> None:
        pass

    def check_return(self, scope: Scope) -> None:
        pass  # what the code does not come to is told when it is over

    def non_determinism(self, op: Op, record: Operation) -> NonDeterministicExecutionError:
        _mismatch(self.observer, op, record)
        return super().non_determinism(op, record)

    def fail_non_deterministic(self, message: str, op_id: str | None = None) -> NonDeterministicExecutionError:
        self.observer.refused(message, op_id)
        return super().fail_non_deterministic(message, op_id)


class _RecordedTimers(Timers):
    """Timers that strike where the record says so.

    One that strikes while something else is under way is recorded (:mod:`durably.engine.timers`). Where the record does
    not have it, or not yet, something else came first that this run waits for without end, or never comes to: so the
    timer does not strike, however often the clock jumps, and whoever sleeps by it waits as for the service.
    """

    def decides(self, timer: Any) -> bool:
        cast("_AsyncReplay", self.run).forget_cancelled()
        decides = super().decides(timer)
        if decides:
            self.foretold.add(timer)
        return decides


def _mismatch(observer: Observer, op: Op, record: Operation) -> None:
    observer.calls[op.id] = op
    call = observer.call(op.id)
    assert call is not None
    observer.mismatch(call, record)


# ---- a loop without waiting ---------------------------------------------------------------------------------------


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits for time to pass: tells the loop by how much its clock is to jump."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready: Any = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.skipped += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return super().time() + self._jumps.skipped


def _on_own_loop(make: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=_JumpingLoop) as runner:
        return runner.run(make())


# ---- what does not end --------------------------------------------------------------------------------------------


def _watched(call: Callable[[], None], progress: Callable[[], int], patience: float) -> tuple[Line | None] | None:
    """Run ``call`` in a thread of its own. None if it ended; otherwise where the thread is."""
    failures: list[BaseException] = []
    context = copy_context()

    def work() -> None:
        try:
            context.run(call)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="durably-replay", daemon=True)
    thread.start()
    come = -1
    while thread.is_alive() and come != (come := progress()):
        thread.join(patience)
    if thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
        return (None if frame is None else user_line(frame),)
    if failures:
        raise failures[0]
    return None
