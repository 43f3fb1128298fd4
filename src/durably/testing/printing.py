"""An execution as text: the tree of its operations, with what each of them took and came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from durably.wire.shapes import ErrorObject

if TYPE_CHECKING:
    from .operations import Operations, RecordedOperation
    from .result import RunResult

__all__ = ["report", "span", "table", "tree"]

_SHOWN = 60
_MARKS = {
    "SUCCEEDED": "ok",
    "FAILED": "FAILED",
    "TIMED_OUT": "TIMED OUT",
    "STOPPED": "STOPPED",
    "CANCELLED": "cancelled",
    "STARTED": "open",
    "PENDING": "waits for its next attempt",
    "READY": "ready for its next attempt",
}


def report(result: RunResult[Any]) -> str:
    """What happened in a run: its outcome, then the table of its operations."""
    lines = [f"{result.function} {result.status} after {span(result.duration)}, {_count(result.invocations)}"]
    if result.error is not None:
        lines.append(f"  {one_line(result.error)}")
    elif result.payload is not None:
        lines.append(f"  result: {_clipped(result.payload)}")
    text = tree(result.operations)
    return "\n".join([*lines, text]) if text else "\n".join(lines)


def _count(invocations: Sequence[Any]) -> str:
    return f"{len(invocations)} invocation{'' if len(invocations) == 1 else 's'}"


def tree(operations: Operations) -> str:
    """One line for each operation, indented below its parent, in columns."""
    return table(_rows(operations, ""))


def _rows(operations: Operations, indent: str) -> Iterable[tuple[str, ...]]:
    siblings = list(operations)
    for number, operation in enumerate(siblings):
        last = number == len(siblings) - 1
        yield (
            f"{indent}{'└─' if last else '├─'} {operation.name or '-'}",
            operation.sub_type or operation.type,
            _MARKS.get(operation.status, operation.status),
            "" if operation.duration is None else span(operation.duration),
            _outcome(operation),
        )
        yield from _rows(operation.children, indent + ("   " if last else "│  "))


def _outcome(operation: RecordedOperation) -> str:
    from .operations import CallbackOperation, InvokeOperation, StepOperation, WaitOperation

    parts: list[str] = []
    if isinstance(operation, StepOperation) and operation.attempt > 1:
        parts.append(f"{operation.attempt} attempts")
    if isinstance(operation, WaitOperation):
        parts.append(f"for {span(timedelta(seconds=operation.seconds))}")
    if isinstance(operation, CallbackOperation) and operation.is_open:
        parts.append(f"id {operation.callback_id}")
    if isinstance(operation, InvokeOperation) and operation.function_name:
        parts.append(f"of {operation.function_name}")
    if operation.error is not None and operation.status != "SUCCEEDED":
        parts.append(one_line(operation.error))
    elif operation.payload is not None:
        parts.append(_clipped(operation.payload))
    return "; ".join(parts)


def table(rows: Iterable[Sequence[str]]) -> str:
    """``rows`` in columns, without space at the ends of lines."""
    cells = [tuple(row) for row in rows]
    if not cells:
        return ""
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def span(duration: timedelta) -> str:
    """As in ``2 d 3 h``, ``1.5 s`` or ``20 ms``."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:g} s"
    seconds = round(milliseconds / 1000)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2])


def one_line(error: ErrorObject) -> str:
    """``Type: message``."""
    message = _clipped(error.get("ErrorMessage", ""), 2 * _SHOWN)
    return f"{error.get('ErrorType', 'Error')}: {message}" if message else str(error.get("ErrorType", "Error"))


def _clipped(text: str, length: int = _SHOWN) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
