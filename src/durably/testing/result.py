"""What a run came to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic, TextIO, TypeVar, cast

from durably.exceptions import DurableOperationError, ExecutionError
from durably.replay_safe import timestamp_from_execution
from durably.wire.shapes import ErrorObject, Event, Operation

from .operations import (
    CallbackOperation,
    ContextOperation,
    InvokeOperation,
    Operations,
    RecordedOperation,
    StepOperation,
    WaitOperation,
)
from .printing import report

__all__ = ["Invocation", "RunResult"]

Out_co = TypeVar("Out_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation of the function."""

    number: int
    start: datetime
    end: datetime
    request_id: str
    error: ErrorObject | None = None


class RunResult(Generic[Out_co]):
    """An execution as it stands, usually at its end.

    Parameters:
        arn: of the execution.
        status: ``SUCCEEDED``, ``FAILED``, ``TIMED_OUT``, ``STOPPED``; or ``RUNNING``, ``PAUSED``, ...
        payload: the result as JSON text.
        error: what it failed with.
        records: its operations as they stand.
        events: its history, oldest first; timestamps in milliseconds.
        decode: reads ``payload`` as the handler's result type says.
        started_ms, ended_ms: of the execution.
    """

    __test__ = False

    def __init__(
        self,
        *,
        arn: str,
        status: str,
        payload: str | None,
        error: ErrorObject | None,
        records: Sequence[Operation],
        events: Sequence[Event],
        decode: Callable[[str], Out_co],
        started_ms: int,
        ended_ms: int | None,
        function: str = "",
    ) -> None:
        self.execution_arn = arn
        self.status = status
        self.payload = payload
        self.error = error
        self.history = events
        self.function = function
        self._records = records
        self._decode = decode
        self._started_ms = started_ms
        self._ended_ms = ended_ms

    # ---- the outcome ---------------------------------------------------------------------------------------

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCEEDED"

    @cached_property
    def result(self) -> Out_co | None:
        """The handler's result; None without one. Raises nothing for a failed run: see :meth:`get_result`."""
        return self._decode(self.payload) if self.succeeded and self.payload is not None else None

    @property
    def value(self) -> Out_co:
        """As :meth:`get_result`."""
        return self.get_result()

    def get_result(self) -> Out_co:
        """The handler's result.

        Raises:
            DurableOperationError: the execution failed: the error's own class if it is one of durably's, with
                ``error_type``, ``message``, ``data`` and ``stack_trace`` of the original.
            ExecutionError: it timed out, was stopped, or has not ended.
        """
        if self.succeeded:
            return cast("Out_co", self.result)
        shown = f"\n\n{report(self)}"
        if self.status == "FAILED":
            raise self._failure(shown)
        raise ExecutionError(f"the execution is {self.status} and has no result{shown}")

    def _failure(self, shown: str) -> BaseException:
        error = self.error or {}
        failure = DurableOperationError.from_error_fields(
            error.get("ErrorType"), error.get("ErrorMessage"), error.get("ErrorData"), error.get("StackTrace")
        )
        failure.add_note(shown)
        return failure

    # ---- what happened -------------------------------------------------------------------------------------

    @cached_property
    def operations(self) -> Operations:
        """Its operations, as a tree."""
        return Operations.of(self._records, self.history)

    @cached_property
    def invocations(self) -> list[Invocation]:
        """Every finished invocation of the function."""
        found: list[Invocation] = []
        for event in self.history:
            if event["EventType"] == "InvocationCompleted":
                details: dict[str, Any] = cast("dict[str, Any]", event)["InvocationCompletedDetails"]
                found.append(
                    Invocation(
                        len(found) + 1,
                        timestamp_from_execution(details["StartTimestamp"]),
                        timestamp_from_execution(details["EndTimestamp"]),
                        details.get("RequestId", ""),
                        (details.get("Error") or {}).get("Payload"),
                    )
                )
        return found

    @property
    def start(self) -> datetime:
        return timestamp_from_execution(self._started_ms)

    @property
    def end(self) -> datetime | None:
        return None if self._ended_ms is None else timestamp_from_execution(self._ended_ms)

    @property
    def duration(self) -> timedelta:
        """From start to end; of one that has not ended, to its latest event."""
        ended = self._ended_ms
        if ended is None:
            ended = self.history[-1]["EventTimestamp"] if self.history else self._started_ms
        return timedelta(milliseconds=ended - self._started_ms)

    # ---- short ways ----------------------------------------------------------------------------------------

    def operation(self, name: str, index: int = 0) -> RecordedOperation:
        """The first operation of that name, wherever it is. Raises OperationNotFound."""
        return self.operations.get(name, index)

    def step(self, name: str, index: int = 0) -> StepOperation:
        return self.operations.step(name, index)

    def wait(self, name: str, index: int = 0) -> WaitOperation:
        return self.operations.wait(name, index)

    def callback(self, name: str, index: int = 0) -> CallbackOperation:
        return self.operations.callback(name, index)

    def invoke(self, name: str, index: int = 0) -> InvokeOperation:
        return self.operations.invoke(name, index)

    def context(self, name: str, index: int = 0) -> ContextOperation:
        return self.operations.context(name, index)

    # ---- to be read ----------------------------------------------------------------------------------------

    def print(self, file: TextIO | None = None) -> None:
        """Print the outcome and the tree of operations."""
        (file or sys.stdout).write(report(self) + "\n")

    def __str__(self) -> str:
        return report(self)

    def __repr__(self) -> str:
        return f"<RunResult\n{report(self)}\n>"
