"""What a replay found, side by side: the operations that are recorded and those that the code calls now."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from durably.engine.operation import describe

from .history import History

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .replay_trace import Call, Difference, Line

__all__ = ["ReplayReport"]

_AROUND: Final = 12
"""Rows that are shown before and after the first difference."""
_WIDEST: Final = 48
_DIFFERENCES: Final = 5
_ADVICE: Final = (
    "An execution that has begun like this one would fail, or end otherwise, with this code. Keep the old calls for",
    "executions that are under way, or deploy the change as a version of its own and let the old one finish.",
)


class _Row(NamedTuple):
    mark: str
    depth: int
    recorded: Operation | None
    call: Call | None


class ReplayReport:
    """Whether a handler follows a history; ``print`` it for the side-by-side.

    Attributes:
        history: that was replayed.
        function: name of the handler.
        runs: how often the handler was run over the record.
        differences: found, in the order of the record.
        goes_on: the operation that an execution which has not ended would begin next.
    """

    def __init__(self, history: History, function: str) -> None:
        self.history = history
        self.function = function
        self.runs = 0
        self.differences: list[Difference] = []
        self.goes_on: Call | None = None
        self._rows: list[_Row] = []

    @property
    def ok(self) -> bool:
        """Whether the code follows the record."""
        return not self.differences

    @property
    def exit_code(self) -> int:
        """0: it follows; 1: it does not."""
        return 0 if self.ok else 1

    @property
    def first(self) -> Difference | None:
        """The first difference."""
        return self.differences[0] if self.differences else None

    def finish(self, calls: Mapping[str, Call], met: set[str]) -> None:
        """All runs are done: put what was found in order."""
        position = {operation["Id"]: n for n, operation in enumerate(self.history.operations)}
        last = len(position)

        def place(one: Difference) -> tuple[int, int]:
            at = position.get(one.operation_id or "", last)
            return (at, one.invocation if one.invocation is not None else 1 << 30)

        unique: dict[tuple[str, str | None], Difference] = {}
        for one in sorted(self.differences, key=place):
            unique.setdefault((one.kind, one.operation_id), one)
        self.differences = list(unique.values())
        self._rows = self._make_rows(calls, met)

    # ---- for people --------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return self.text()

    def text(self, *, everything: bool = False, advice: bool = True) -> str:
        """The report; long tables are cut to the rows around the first difference unless ``everything`` is wanted.

        ``advice``: also what a difference means for executions that are under way.
        """
        history = self.history
        count = len(history.operations)
        lines = [
            f"{history.function_name} {history.name} ({history.status}): {_many(count, 'operation')}, "
            f"{_many(history.invocations, 'invocation')}, replayed by {self.function}",
            "",
            *self._table(everything),
            "",
        ]
        if self.ok:
            lines.append(f"FOLLOWS the record ({_many(self.runs, 'run')} over it, nothing was executed).")
            if self.goes_on is not None:
                where = f" ({self.goes_on.line})" if self.goes_on.line is not None else ""
                lines.append(f"It would go on with {self.goes_on.describe()}{where}.")
        lines += self._told(everything)
        if advice and not self.ok:
            lines += _ADVICE
        return "\n".join(lines)

    def _told(self, everything: bool) -> list[str]:
        """The differences; those that read alike once."""
        alike: dict[tuple[str, Line | None], list[Difference]] = {}
        for one in self.differences:
            alike.setdefault((one.message, one.line), []).append(one)
        lines: list[str] = []
        for number, group in enumerate(alike.values()):
            if number == _DIFFERENCES and not everything:
                lines.append(f"and {_many(len(alike) - number, 'more difference')}")
                break
            first = group[0]
            where = "" if first.invocation is None else f" (in invocation {first.invocation})"
            often = f", {len(group):,} times" if len(group) > 1 else ""
            lines.append(f"{'DIFFERS' if number == 0 else 'also'}: {first.message}{where}{often}")
            lines += _source(first.line)
        return lines

    def print(self, *, everything: bool = False) -> None:
        sys.stdout.write(self.text(everything=everything) + "\n")

    def _table(self, everything: bool) -> list[str]:
        rows = self._rows
        hit = next((n for n, row in enumerate(rows) if row.mark not in ("=", " ")), None)
        first, last = 0, len(rows)
        if not everything and len(rows) > 2 * _AROUND + 1:
            if hit is None:
                last = 2 * _AROUND
            else:
                first, last = max(0, hit - _AROUND), min(len(rows), hit + _AROUND + 1)
        cells = [_cells(row) for row in rows[first:last]]
        left = max([len("RECORDED"), *(len(cell[1]) for cell in cells)])
        status = max([0, *(len(cell[2]) for cell in cells)])
        right = max([len("NOW"), *(len(cell[3]) for cell in cells)])
        lines = [f"  {'RECORDED':<{left}}  {'':<{status}}  {'NOW':<{right}}".rstrip()] if cells else []
        if first:
            lines.append(f"  … {_many(first, 'row')} before")
        lines += [
            f"{mark} {was:<{left}}  {how:<{status}}  {now:<{right}}  {line}".rstrip()
            for mark, was, how, now, line in cells
        ]
        if last < len(rows):
            lines.append(f"  … {_many(len(rows) - last, 'row')} after")
        return lines

    # ---- for programs ------------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "Follows": self.ok,
            "DurableExecutionArn": self.history.arn,
            "Status": self.history.status,
            "Function": self.function,
            "Runs": self.runs,
            "Differences": [
                {
                    "Kind": one.kind,
                    "Message": one.message,
                    "OperationId": one.operation_id,
                    "Invocation": one.invocation,
                    "Line": None if one.line is None else str(one.line),
                }
                for one in self.differences
            ],
            "GoesOnWith": None if self.goes_on is None else self.goes_on.describe(),
            "Operations": [
                {
                    "Mark": row.mark,
                    "Depth": row.depth,
                    "Recorded": None if row.recorded is None else _named(row.recorded),
                    "Status": None if row.recorded is None else row.recorded["Status"],
                    "Now": None if row.call is None else row.call.describe(),
                    "Line": None if row.call is None or row.call.line is None else str(row.call.line),
                }
                for row in self._rows
            ],
        }

    # ---- inside ------------------------------------------------------------------------------------------------

    def _make_rows(self, calls: Mapping[str, Call], met: set[str]) -> list[_Row]:
        marks = {one.operation_id: "-" if one.kind == "missing" else "≠" for one in self.differences}
        below: dict[str, list[Operation]] = {}
        known = {operation["Id"] for operation in self.history.operations}
        for operation in self.history.operations:
            parent = operation.get("ParentId", "")
            below.setdefault(parent if parent in known else "", []).append(operation)
        added: dict[str, list[Call]] = {}
        new = [one.call for one in self.differences if one.recorded is None and one.call is not None]
        for call in [*new, *([self.goes_on] if self.goes_on is not None else ())]:
            parent = call.identity.get("ParentId") or ""
            added.setdefault(parent if parent in known else "", []).append(call)
        rows: list[_Row] = []
        waiting: list[tuple[str, int]] = [("", 0)]

        def walk(parent: str, depth: int) -> None:
            for operation in below.get(parent, ()):
                op_id = operation["Id"]
                mark = marks.get(op_id) or ("=" if op_id in met or op_id in calls else " ")
                rows.append(_Row(mark, depth, operation, calls.get(op_id)))
                walk(op_id, depth + 1)
            rows.extend(_Row("+" if call in new else ">", depth, None, call) for call in added.get(parent, ()))

        for parent, depth in waiting:
            walk(parent, depth)
        return rows


def _cells(row: _Row) -> tuple[str, str, str, str, str]:
    indent = "  " * row.depth
    was = "" if row.recorded is None else indent + _named(row.recorded)
    how = "" if row.recorded is None else row.recorded["Status"]
    now = line = ""
    if row.call is not None:
        now = indent + row.call.describe()
        line = str(row.call.line or "")
    elif row.mark == "=" and row.recorded is not None:
        now = was  # it was met, by a call that the engine makes itself
    return row.mark, _cut(was), how, _cut(now), line


def _named(operation: Operation) -> str:
    return describe(operation["Type"], operation.get("SubType"), operation.get("Name"))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _source(line: Line | None) -> list[str]:
    if line is None:
        return []
    text = linecache.getline(line.file, line.number).strip()
    return [f"    {line}", *([f"        {text}"] if text else [])]


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
