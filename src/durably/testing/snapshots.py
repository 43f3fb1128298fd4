"""Snapshots: what an execution did, without what differs from run to run.

A *signature* is the tree of an execution's operations: type, subtype, name, status, order and nesting. Ids, times,
payloads and attempts are left out unless they are asked for. :func:`assert_matches_snapshot` compares it with a file
that is kept beside the tests, and shows the difference line by line; ``DURABLY_UPDATE_SNAPSHOTS=1`` writes the files
anew.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from durably.wire.ids import operation_id
from durably.wire.shapes import Operation

from .history import History, as_history

__all__ = ["EXTRAS", "SnapshotMismatch", "assert_matches_snapshot", "signature"]

EXTRAS: Final = frozenset({"attempts", "ids", "payloads", "times"})
"""What a signature can have besides."""
_UPDATE: Final = "DURABLY_UPDATE_SNAPSHOTS"
_VERSION: Final = 1
_DETAILS: Final = ("StepDetails", "ContextDetails", "CallbackDetails", "ChainedInvokeDetails")


class SnapshotMismatch(AssertionError):
    """An execution is not what its snapshot says."""


def signature(run: Any, *, include: Collection[str] = ()) -> dict[str, Any]:
    """The signature of an execution, as JSON has it.

    Parameters:
        run: the result of a run, a History, or the path of one.
        include: any of :data:`EXTRAS`: numbers of attempts, operation ids, results and errors, moments relative to
            the start (in milliseconds).
    """
    unknown = sorted(set(include) - EXTRAS)
    if unknown:
        raise ValueError(f"include has {unknown[0]!r}; what can be included is {', '.join(sorted(EXTRAS))}")
    history = as_history(run)
    shape: dict[str, Any] = {"DurablySnapshot": _VERSION, "Status": history.status}
    if include:
        shape["Include"] = sorted(include)
    if "payloads" in include:
        shape |= _present(
            Input=_parsed(history.input), Result=_parsed(history.result), Error=_error_shown(history.error)
        )
    shape["Operations"] = _Tree(history, include).below("")
    return shape


def assert_matches_snapshot(
    run: Any, path: str | os.PathLike[str], *, include: Collection[str] = (), update: bool | None = None
) -> None:
    """Raise SnapshotMismatch unless the signature of ``run`` is the one in the file ``path``.

    Parameters:
        run, include: of :func:`signature`.
        update: write the file instead. By default if DURABLY_UPDATE_SNAPSHOTS is set to anything but 0.
    """
    target = Path(path)
    found = signature(run, include=include)
    if os.environ.get(_UPDATE, "0") not in ("", "0") if update is None else update:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    if not target.exists():
        raise SnapshotMismatch(f"there is no snapshot {target} yet: run the test once with {_UPDATE}=1 and look at it")
    try:
        expected = json.loads(target.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SnapshotMismatch(f"{target} is not JSON ({error}): write it anew with {_UPDATE}=1") from error
    if expected == found:
        return
    lines = difflib.unified_diff(_lines(expected), _lines(found), str(target), "this run", n=3, lineterm="")
    raise SnapshotMismatch(
        "\n".join([f"the execution is not what {target} says:", *lines, f"If it is meant to be so: {_UPDATE}=1."])
    )


class _Tree:
    """Operations in the order in which the program calls them, wherever the ids tell it.

    The order of starts is not that: branches that run side by side start as threads and networks have it. An id tells
    the place of an operation in its context; what has none there (tasks of the program's own) stays behind what it
    started after.
    """

    def __init__(self, history: History, include: Collection[str]) -> None:
        self._include = include
        self._begun = history.events[0]["EventTimestamp"]
        known = {operation["Id"] for operation in history.operations}
        self._below: dict[str, list[Operation]] = {}
        for operation in history.operations:
            parent = operation.get("ParentId", "")
            self._below.setdefault(parent if parent in known else "", []).append(operation)

    def below(self, parent: str) -> list[dict[str, Any]]:
        return [self._shown(operation) for operation in self._in_order(parent)]

    def _in_order(self, parent: str) -> list[Operation]:
        found = self._below.get(parent, [])
        places = {operation_id(parent or None, n): n for n in range(2 * len(found) + 1)} if len(found) > 1 else {}
        last = -1
        order: list[tuple[int, int, Operation]] = []
        for number, operation in enumerate(found):
            last = places.get(operation["Id"], last)
            order.append((last, number, operation))
        return [operation for _, _, operation in sorted(order, key=lambda entry: entry[:2])]

    def _shown(self, operation: Operation) -> dict[str, Any]:
        shape: dict[str, Any] = _present(
            Type=operation["Type"],
            SubType=operation.get("SubType"),
            Name=operation.get("Name"),
            Status=operation["Status"],
        )
        details: Mapping[str, Any] = {}
        for member in _DETAILS:
            details = cast("Mapping[str, Any]", operation).get(member) or details
        if "ids" in self._include:
            shape["Id"] = operation["Id"]
        if "attempts" in self._include and "Attempt" in details:
            shape["Attempts"] = details["Attempt"]
        if "payloads" in self._include:
            shape |= _present(Result=_parsed(details.get("Result")), Error=_error_shown(details.get("Error")))
        if "times" in self._include:
            ended = operation.get("EndTimestamp")
            shape["Start"] = operation["StartTimestamp"] - self._begun
            shape |= _present(End=None if ended is None else ended - self._begun)
        inside = self.below(operation["Id"])
        if inside:
            shape["Operations"] = inside
        return shape


def _lines(shape: Any) -> list[str]:
    """A signature as lines to be compared: one for each operation."""
    if not isinstance(shape, Mapping):
        return [json.dumps(shape)]
    head = {key: value for key, value in shape.items() if key not in ("Operations", "DurablySnapshot")}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]

    def walk(operations: Any, depth: int) -> None:
        for one in operations if isinstance(operations, Sequence) else ():
            rest = {key: value for key, value in one.items() if key not in (*_IN_TITLE, "Operations")}
            name = f" {one['Name']!r}" if "Name" in one else ""
            title = f"{one.get('Type')} {one.get('SubType', '')}{name} {one.get('Status')}"
            lines.append("  " * depth + title + (f" {json.dumps(rest, ensure_ascii=False)}" if rest else ""))
            walk(one.get("Operations"), depth + 1)

    walk(shape.get("Operations"), 0)
    return lines


_IN_TITLE: Final = ("Type", "SubType", "Name", "Status")


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def _error_shown(error: Any) -> Any:
    """Without the stack trace, which names lines."""
    return {key: value for key, value in error.items() if key != "StackTrace"} if error else None
