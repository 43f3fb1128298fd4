"""An execution that the test drives by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from durably.wire.shapes import ErrorObject

from ._durations import Span, as_ms
from ._threads import in_thread
from .callbacks import OpenCallback, error_of, not_ready
from .errors import ExecutionStuck

if TYPE_CHECKING:
    from ._world import ExecutionRecord, World
    from .operations import Operations
    from .result import RunResult

__all__ = ["AsyncCallbackHandle", "AsyncLocalExecution", "CallbackHandle", "LocalExecution"]

Out = TypeVar("Out")


class LocalExecution(Generic[Out]):
    """A started execution. Made by :meth:`LocalRunner.start`.

    Everything that can happen at this moment of virtual time has happened; time stands still until the test lets it
    pass, with :meth:`advance` or :meth:`result`.
    """

    def __init__(
        self, world: World, record: ExecutionRecord, look: Callable[[ExecutionRecord], RunResult[Out]]
    ) -> None:
        self._world = world
        self._record = record
        self._look = look

    @property
    def arn(self) -> str:
        return self._record.arn

    @property
    def status(self) -> str:
        """``RUNNING``, ``SUCCEEDED``, ``FAILED``, ``TIMED_OUT``, ``STOPPED``, ..."""
        return str(self._world.describe(self.arn)["Status"])

    @property
    def ended(self) -> bool:
        return self._record.ended

    @property
    def operations(self) -> Operations:
        """As they stand."""
        return self.snapshot().operations

    def snapshot(self) -> RunResult[Out]:
        """The execution as it stands."""
        return self._look(self._record)

    # ---- going on ------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything happen that can at this moment. Other methods do that by themselves."""
        self._world.drive(lambda: self.ended, self._world.now_ms(), inline=False)

    def advance(self, span: Span) -> None:
        """Let virtual time pass, with everything that happens in it: Duration, timedelta or seconds."""
        self._advance_to(self._world.now_ms() + as_ms(span, "advance()"))

    def advance_to(self, moment: datetime) -> None:
        """Let virtual time pass until ``moment``."""
        self._advance_to(round(moment.timestamp() * 1000))

    def _advance_to(self, moment_ms: int) -> None:
        self._world.drive(lambda: False, moment_ms, inline=False)

    def result(self) -> RunResult[Out]:
        """Let time pass until the execution has ended.

        Raises:
            ExecutionStuck: it never will; the message says what it waits for. It stays as it is.
        """
        if not self._world.drive(lambda: self.ended, inline=False):
            raise ExecutionStuck(self._world.explain_stuck(self._record, by_hand=True))
        return self.snapshot()

    def stop(self, error: BaseException | ErrorObject | str | None = None) -> RunResult[Out]:
        """Stop it from outside, as StopDurableExecution does."""
        members = {} if error is None else {"Error": error_of(error)}
        self._world.call("StopDurableExecution", DurableExecutionArn=self.arn, **members)
        return self.snapshot()

    def pause(self) -> None:
        """Pause it from outside. What is under way in it records nothing more."""
        self._world.call("PauseDurableExecution", DurableExecutionArn=self.arn)
        self.settle()

    def resume(self) -> None:
        """Let a paused execution go on."""
        self._world.call("ResumeDurableExecution", DurableExecutionArn=self.arn)
        self.settle()

    # ---- callbacks -----------------------------------------------------------------------------------------

    def callback(self, name: str | None = None, index: int = 0) -> CallbackHandle:
        """The callback number ``index`` (from 0) of those with this name, which need not be open yet."""
        return CallbackHandle(self, name, index)

    def __repr__(self) -> str:
        from .printing import report

        return f"<LocalExecution\n{report(self.snapshot())}\n>"


class CallbackHandle:
    """One callback of an execution, by name; without a name, any."""

    def __init__(self, execution: LocalExecution[Any], name: str | None, index: int) -> None:
        self._execution = execution
        self._name = name
        self._index = index

    def wait(self) -> CallbackHandle:
        """Let time pass until it is open and its submitter has handed the id out.

        Raises:
            CallbackNotReady: that never happens.
        """
        execution = self._execution
        world = execution._world
        if not world.drive(lambda: execution.ended or self._found() is not None, inline=False) or not self._found():
            why = "the execution has ended" if execution.ended else "the execution waits for something else"
            raise not_ready(self._name, f"{why}\n{execution.snapshot()}")
        return self

    @property
    def is_open(self) -> bool:
        """Whether it can be answered now."""
        return self._found() is not None

    @property
    def callback_id(self) -> str:
        """Waits for it, as :meth:`wait` does."""
        return self._ready().callback_id

    def succeed(self, value: Any = None) -> None:
        """Answer with ``value`` (text as it is, anything else as JSON), and let the execution go on."""
        self._ready().succeed(value)
        self._execution.settle()

    def fail(self, error: BaseException | ErrorObject | str) -> None:
        """Answer with a failure, and let the execution go on."""
        self._ready().fail(error)
        self._execution.settle()

    def heartbeat(self) -> None:
        """Say that the answer is still being worked on."""
        self._ready().heartbeat()

    def _ready(self) -> OpenCallback:
        found = self._found()
        if found is None:
            self.wait()
            found = self._found()
        assert found is not None
        return found

    def _found(self) -> OpenCallback | None:
        arn = self._execution.arn
        return self._execution._world.listener.find(arn, self._name, self._index)

    def __repr__(self) -> str:
        return f"<CallbackHandle {self._name!r} {'open' if self.is_open else 'not open'}>"


class AsyncLocalExecution(Generic[Out]):
    """As :class:`LocalExecution`, to be awaited. Made by :meth:`LocalRunner.astart`."""

    def __init__(self, execution: LocalExecution[Out]) -> None:
        self._execution = execution

    @property
    def arn(self) -> str:
        return self._execution.arn

    @property
    def status(self) -> str:
        return self._execution.status

    @property
    def ended(self) -> bool:
        return self._execution.ended

    @property
    def operations(self) -> Operations:
        return self._execution.operations

    def snapshot(self) -> RunResult[Out]:
        return self._execution.snapshot()

    async def settle(self) -> None:
        await in_thread(self._execution.settle)

    async def advance(self, span: Span) -> None:
        await in_thread(lambda: self._execution.advance(span))

    async def advance_to(self, moment: datetime) -> None:
        await in_thread(lambda: self._execution.advance_to(moment))

    async def result(self) -> RunResult[Out]:
        return await in_thread(self._execution.result)

    async def pause(self) -> None:
        await in_thread(self._execution.pause)

    async def resume(self) -> None:
        await in_thread(self._execution.resume)

    async def stop(self, error: BaseException | ErrorObject | str | None = None) -> RunResult[Out]:
        return await in_thread(lambda: self._execution.stop(error))

    def callback(self, name: str | None = None, index: int = 0) -> AsyncCallbackHandle:
        return AsyncCallbackHandle(self._execution.callback(name, index))

    def __repr__(self) -> str:
        return repr(self._execution)


class AsyncCallbackHandle:
    """As :class:`CallbackHandle`, to be awaited."""

    def __init__(self, handle: CallbackHandle) -> None:
        self._handle = handle

    async def wait(self) -> AsyncCallbackHandle:
        await in_thread(self._handle.wait)
        return self

    @property
    def is_open(self) -> bool:
        return self._handle.is_open

    async def callback_id(self) -> str:
        return await in_thread(lambda: self._handle.callback_id)

    async def succeed(self, value: Any = None) -> None:
        await in_thread(lambda: self._handle.succeed(value))

    async def fail(self, error: BaseException | ErrorObject | str) -> None:
        await in_thread(lambda: self._handle.fail(error))

    async def heartbeat(self) -> None:
        await in_thread(self._handle.heartbeat)

    def __repr__(self) -> str:
        return repr(self._handle)
