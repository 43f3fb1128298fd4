"""A recorded execution as one document: what it was, what happened in it, and what its operations came to.

Histories are made from an execution anywhere (:mod:`durably.testing.export`), kept in files, compared with snapshots
(:mod:`durably.testing.snapshots`) and replayed against today's code (:mod:`durably.testing.replaying`).

A file is JSON::

    {"DurablyHistory": 1, "Execution": {...}, "Events": [...], "Operations": [...]}

with the service model's shapes (GetDurableExecution, Event, Operation); timestamps are integer milliseconds. Other
tools' exports can be read too: the answer of GetDurableExecutionHistory as the ``aws`` command prints it, or a bare
list of its events, timestamps in seconds or ISO 8601.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from durably.wire.ids import ExecutionArn
from durably.wire.shapes import ErrorObject, Event, Operation
from durably.wire.statuses import ENDED_STATUSES
from durably.wire.timestamps import TIMESTAMP_MEMBERS, to_millis

from .errors import TestingError
from .history_state import StateBuilder, operations_of

if TYPE_CHECKING:
    from .result import RunResult

__all__ = ["History", "HistoryError", "as_history"]

_VERSION: Final = 1
_LATEST_SECONDS: Final = 100_000_000_000
"""A number above this is in milliseconds: in seconds it would be the year 5138."""
_UNKNOWN_ARN: Final = "arn:aws:lambda:us-east-1:000000000000:function:{}:$LATEST/durable-execution/{}/{}"


class HistoryError(TestingError):
    """A history cannot be read, or does not hold what it is asked for; the message says what to do."""


class History:
    """One recorded execution.

    Parameters:
        execution: as GetDurableExecution describes it; what is missing is taken from the events.
        events: from ExecutionStarted on, oldest first.
        operations: as they stand; by default what the events come to. Given ones also say which results are only
            summaries, which the events do not.

    Attributes:
        execution, events, operations: the same, timestamps in milliseconds; operations in the order of their starts,
            without the EXECUTION.
    """

    def __init__(
        self,
        execution: Mapping[str, Any],
        events: Iterable[Mapping[str, Any]],
        operations: Iterable[Mapping[str, Any]] | None = None,
    ) -> None:
        self.events: list[Event] = cast("list[Event]", [dict(event) for event in events])
        if not self.events or self.events[0]["EventType"] != "ExecutionStarted":
            first = self.events[0]["EventType"] if self.events else "nothing"
            raise HistoryError(
                f"a history begins with ExecutionStarted, this one with {first}: export the whole history, oldest first"
            )
        self.execution: dict[str, Any] = _completed(execution, self.events)
        if operations is None:
            self.operations: list[Operation] = operations_of(self.execution_id, self.events)
        else:
            begun = {event.get("Id"): n for n, event in reversed(list(enumerate(self.events)))}
            kept = [dict(operation) for operation in operations if operation["Type"] != "EXECUTION"]
            kept.sort(key=lambda operation: begun.get(operation["Id"], len(begun)))
            self.operations = cast("list[Operation]", kept)

    # ---- what it says ---------------------------------------------------------------------------------------

    @property
    def arn(self) -> str:
        return str(self.execution["DurableExecutionArn"])

    @property
    def execution_id(self) -> str:
        """The id of the EXECUTION operation: the last part of the ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def name(self) -> str:
        """The execution's name."""
        return str(self.execution["DurableExecutionName"])

    @property
    def function_name(self) -> str:
        return ExecutionArn.parse(self.arn).function

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, STOPPED, PAUSED, ..."""
        return str(self.execution["Status"])

    @property
    def is_ended(self) -> bool:
        return self.status in ENDED_STATUSES

    @property
    def input(self) -> str | None:
        """The execution's input, JSON text."""
        return self.execution.get("InputPayload")

    @property
    def result(self) -> str | None:
        """The execution's result, JSON text; None if it has none (yet)."""
        return self.execution.get("Result")

    @property
    def error(self) -> ErrorObject | None:
        """What the execution failed with."""
        return self.execution.get("Error")

    @property
    def invocations(self) -> int:
        """How many invocations have ended."""
        return sum(event["EventType"] == "InvocationCompleted" for event in self.events)

    def missing_data(self) -> str | None:
        """What keeps the history from being replayed: payloads that were left out or cut short. None: nothing."""
        if self.execution.get("ExecutionDataIncluded") is False:
            return "it was exported without the execution's data (IncludeExecutionData=false)"
        for event in self.events:
            details = cast("Mapping[str, Any]", event).get(event["EventType"] + "Details") or {}
            for member in ("Input", "Result", "Error"):
                held = details.get(member)
                if isinstance(held, Mapping) and held.get("Truncated"):
                    return f"event {event['EventId']} ({event['EventType']}) holds only the beginning of its {member}"
        if self.input is None and not _input_shown(self.events[0]):
            return "its ExecutionStarted event does not hold the execution's input"
        return None

    # ---- files -----------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The document that :meth:`save` writes."""
        return {
            "DurablyHistory": _VERSION,
            "Execution": self.execution,
            "Events": self.events,
            "Operations": self.operations,
        }

    def save(self, path: str | os.PathLike[str], *, stack_traces: bool = True) -> Path:
        """Write the document to ``path``; makes the directory if it has to. Returns the path.

        ``stack_traces`` False leaves them out: they name files of the machine that the execution ran on.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        document = self.to_dict() if stack_traces else _without_traces(self.to_dict())
        target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> History:
        """Read a file that :meth:`save` wrote, or another tool's export. Raises HistoryError."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HistoryError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
        try:
            document = json.loads(text)
        except ValueError as error:
            raise HistoryError(f"{path} is not JSON: {error}") from error
        try:
            return cls.from_dict(document)
        except HistoryError as error:
            raise HistoryError(f"{path}: {error}") from error

    @classmethod
    def of_run(cls, result: RunResult[Any]) -> History:
        """The history of an execution in a test: what :class:`LocalRunner` and :class:`CloudRunner` give."""
        execution: dict[str, Any] = {"DurableExecutionArn": result.execution_arn, "Status": result.status}
        if result.payload is not None:
            execution["Result"] = result.payload
        if result.error is not None:
            execution["Error"] = result.error
        return cls(execution, result.history, [operation.record for operation in result.operations.all])

    @classmethod
    def from_dict(cls, document: Any) -> History:
        """The history in a parsed document. Raises HistoryError for what is none."""
        if isinstance(document, list):
            document = {"Events": document}
        if not isinstance(document, Mapping) or not isinstance(document.get("Events"), list):
            raise HistoryError(
                'this is no history: it needs "Events", as `durably history EXECUTION --export FILE` and the aws '
                "command's get-durable-execution-history write them"
            )
        version = document.get("DurablyHistory", _VERSION)
        if not isinstance(version, int) or version > _VERSION:
            raise HistoryError(
                f"it has format {version!r}, and this durably reads up to {_VERSION}: upgrade durably to read it"
            )
        if document.get("NextMarker"):
            raise HistoryError("it is one page of several (NextMarker): fetch all pages and put their Events together")
        try:
            whole = _in_millis(document)
            execution = dict(whole.get("Execution") or {})
            if "DurableExecutionArn" in whole:
                execution.setdefault("DurableExecutionArn", whole["DurableExecutionArn"])
            return cls(execution, whole["Events"], whole.get("Operations"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise HistoryError(f"its events are not those of an execution: {what}") from error

    def __repr__(self) -> str:
        return f"<History of {self.function_name} {self.name}: {self.status}, {len(self.events)} events>"


def as_history(given: Any) -> History:
    """A History, the file of one, the result of a run, or a parsed document, as a History. Raises TypeError."""
    if isinstance(given, History):
        return given
    if isinstance(given, (str, os.PathLike)):
        return History.load(given)
    if hasattr(given, "execution_arn") and hasattr(given, "operations"):
        return History.of_run(given)
    if isinstance(given, (Mapping, list)):
        return History.from_dict(given)
    raise TypeError(f"{given!r} is no history: pass a History, a path, or the result of a run")


def _completed(given: Mapping[str, Any], events: Sequence[Event]) -> dict[str, Any]:
    """The description of the execution, as far as ``given`` and the events have it."""
    first = cast("dict[str, Any]", events[0])
    execution = dict(given)
    arn = execution.get("DurableExecutionArn")
    if arn is None:
        op_id, name = first.get("Id") or "unknown", first.get("Name") or "unknown"
        arn = execution["DurableExecutionArn"] = _UNKNOWN_ARN.format("unknown", name, op_id)
    try:
        parsed = ExecutionArn.parse(arn)
    except ValueError as error:
        raise HistoryError(f"{error}") from error
    execution.setdefault("DurableExecutionName", first.get("Name") or parsed.name)
    execution.setdefault("StartTimestamp", first["EventTimestamp"])
    builder = StateBuilder(parsed.id)
    for event in events:
        if event["EventType"].startswith("Execution"):
            builder.take(event)
    execution.setdefault("Status", builder.status)
    started: Mapping[str, Any] = builder.execution.get("ExecutionDetails") or {}
    found = {"InputPayload": started.get("InputPayload"), "Result": builder.result, "Error": builder.error}
    for member, value in found.items():
        if value is not None:
            execution.setdefault(member, value)
    return execution


def _input_shown(first: Event) -> bool:
    details = cast("Mapping[str, Any]", first).get("ExecutionStartedDetails") or {}
    return "Input" not in details or "Payload" in details["Input"]


def _without_traces(shape: Any) -> Any:
    if isinstance(shape, Mapping):
        return {key: _without_traces(value) for key, value in shape.items() if key != "StackTrace"}
    return [_without_traces(value) for value in shape] if isinstance(shape, list) else shape


def _in_millis(shape: Any) -> Any:
    """A copy of a document with every timestamp in milliseconds, whatever form it was in."""
    if isinstance(shape, Mapping):
        return {
            key: _millis(value) if key in TIMESTAMP_MEMBERS and value is not None else _in_millis(value)
            for key, value in shape.items()
        }
    if isinstance(shape, list):
        return [_in_millis(value) for value in shape]
    return shape


def _millis(value: Any) -> int:
    if isinstance(value, (int, float)) and value > _LATEST_SECONDS:
        return round(value)
    return to_millis(value)
