"""In which order operations came to their ends, in a run with a crash and in the one without.

A crash takes time. What the process was doing begins again, what goes on without it (a callback, a wait, a retry's
delay) does not wait for that, and the timers of a coroutine start anew. So concurrent operations may end in another
order, and a program that goes by the order comes to something else. Code that has seen the same ends in the same order
and does something else all the same depends on the crash in another way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from durably.engine.operation import describe, is_terminal
from durably.engine.timers import SUB_TYPE as TIMER

from ._decisions import BATCHES, DECISIONS, decision_in, is_early, undecided

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .result import RunResult

__all__ = ["ANOTHER_ORDER", "other_course"]

ANOTHER_ORDER: Final = "another order"

_REMEDY: Final = (
    "A crash takes time, and a coroutine's timers start anew after it. Where the order decides, either outcome must be "
    "right; let the test keep apart what is not meant to be close: Answer(..., after=...), waits far from each other."
)


def other_course(baseline: RunResult[Any], run: RunResult[Any]) -> str | None:
    """What came otherwise or in another order than in ``baseline`` before ``run`` did anything else. None: nothing."""
    was, now = _ends(baseline), _ends(run)
    for op_id, record in now.items():
        before = _decided(was.get(op_id))
        if before is not None and before != _decided(record):
            by = _decided(record) or "by all"
            return f"decided otherwise: {_shown(record)} {by}, not {before}. {_REMEDY}"
    known = {one.id for one in baseline.operations.all}
    for first, second in zip(was.values(), now.values(), strict=False):
        if first["Id"] != second["Id"]:
            if second["Id"] not in known:
                return None  # the program has gone another way already
            return f"{ANOTHER_ORDER}: {_shown(second)} ended before {_shown(first)}, not after it. {_REMEDY}"
        if first["Status"] != second["Status"] or first.get("Name") != second.get("Name"):
            return None
    return None


def _ends(result: RunResult[Any]) -> dict[str, Operation]:
    """The operations that have ended, in the order in which they did."""
    ended = {one.id: one.record for one in result.operations.all if is_terminal(one.record)}
    last: dict[str, int] = {}
    for number, event in enumerate(result.history):
        if event.get("Id") in ended:
            last[event.get("Id", "")] = number
    return {op_id: ended[op_id] for op_id in sorted(last, key=last.__getitem__)}


def _decided(record: Operation | None) -> str | None:
    """What took the decision that ``record`` is; None if it is none."""
    if record is None or record["Status"] != "SUCCEEDED":
        return None
    sub_type = record.get("SubType")
    if sub_type in BATCHES and is_early(record):
        left = undecided(record)
        return f"without number {', '.join(map(str, left))}" if left else None
    index = decision_in(record).get("index") if sub_type in DECISIONS else None
    return None if index is None else f"by number {index}"


def _shown(record: Operation) -> str:
    if record.get("SubType") == TIMER:
        return "a timer of the program"
    return describe(record["Type"], record.get("SubType"), record.get("Name"))
