"""What a decision was taken without: the branches of a batch that was complete early, those that have lost a race.

They are cut off wherever they are, so how far they have come is a matter of timing. Two runs of a program that is right
may differ in that. So it is with what the program has cancelled, and with what was still under way when the execution
ended (``ctx.complete``, a task that fails beside others).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from durably.engine.batch_policy import CompletionRecord
from durably.engine.cancellation import CANCELLED_TYPES
from durably.engine.combinators import SUB_TYPES
from durably.engine.operation import GIVE_UP, is_terminal
from durably.engine.timers import SUB_TYPE as TIMER
from durably.wire.shapes import Operation

__all__ = [
    "BATCHES",
    "DECISIONS",
    "OF_THE_ENGINE",
    "decided_by_time",
    "decision_in",
    "is_early",
    "left_to_timing",
    "undecided",
]

BATCHES: Final = frozenset({"Map", "Parallel"})
DECISIONS: Final = frozenset(SUB_TYPES.values())
OF_THE_ENGINE: Final = frozenset({GIVE_UP, TIMER})
"""Sub types of records that no call of the program stands for: see engine.combinators and engine.timers."""
_EARLY: Final = re.compile(r'"completionReason":"(?!ALL_COMPLETED)')


def decided_by_time(record: Operation) -> bool:
    """Whether ``record`` may be otherwise in a run that takes longer."""
    early = record.get("SubType") in BATCHES and is_early(record)
    open_or_late = not is_terminal(record) or record["Status"] in ("TIMED_OUT", "CANCELLED")
    return early or open_or_late or record.get("SubType") in DECISIONS or record.get("SubType") == TIMER


def is_early(batch: Operation) -> bool:
    """Whether a map or parallel was complete without all of its branches."""
    return _EARLY.search(batch.get("ContextDetails", {}).get("Result") or "") is not None


def undecided(batch: Operation) -> list[int]:
    """The branches that an early batch was decided without, as far as its record says."""
    text = batch.get("ContextDetails", {}).get("Result")
    decided = CompletionRecord.from_payload(text)
    if decided is not None:
        return sorted(decided.started_indexes)
    result: Any = json.loads(text or "null")
    items = result.get("v", {}).get("all") if isinstance(result, dict) and result.get("t") == "br" else None
    return [n for n, one in enumerate(items) if one.get("status") == "STARTED"] if isinstance(items, list) else []


def left_to_timing(first: Sequence[Operation], second: Sequence[Operation]) -> set[str]:
    """Ids of the operations of two runs of one program that may differ because of what was decided or cancelled in
    either, and of what the engine notes for itself."""
    runs = [{one["Id"]: one for one in records} for records in (first, second)]
    batches: set[str] = set()
    parents: set[str | None] = set()
    losers: set[str] = set()
    for records in runs:
        unfinished = {one.get("ParentId") for one in records.values() if not is_terminal(one)}
        for one in records.values():
            sub_type = one.get("SubType")
            if sub_type in BATCHES and one["Status"] == "SUCCEEDED":
                if one["Id"] in unfinished or is_early(one):
                    batches.add(one["Id"])
            elif sub_type in DECISIONS and one["Status"] == "SUCCEEDED":
                decision = decision_in(one)
                losers.update(decision.get("cancelled", ()))
                if decision.get("index") is not None:
                    parents.add(one.get("ParentId"))
    every = {**runs[1], **runs[0]}
    cut = set(losers)
    for op_id, one in every.items():
        parent = one.get("ParentId")
        if parent in batches or (parent in parents and one.get("SubType") == "RunInChildContext"):
            cut.add(op_id)
    cut = {op_id for op_id in cut if not all(op_id in records and is_terminal(records[op_id]) for records in runs)}
    cut.update(op_id for records in runs for op_id, one in records.items() if is_cancelled(one))
    cut.update(op_id for op_id, one in every.items() if one.get("SubType") in OF_THE_ENGINE)
    left = {op_id for op_id in every if _is_inside(op_id, every, cut)}
    return left | _abandoned(runs[0], runs[1], every)


def is_cancelled(record: Operation) -> bool:
    """Whether code has cancelled it, by a timer of its own or because something else was first."""
    details: Any = record.get("StepDetails") or record.get("ContextDetails") or {}
    return record["Status"] == "FAILED" and (details.get("Error") or {}).get("ErrorType") in CANCELLED_TYPES


def _abandoned(first: dict[str, Operation], second: dict[str, Operation], every: dict[str, Operation]) -> set[str]:
    """What has not ended in both, and was under way when ``first`` ended, or beside or inside of what was."""
    under_way = {op_id for op_id, one in first.items() if not is_terminal(one)}
    beside = {first[op_id].get("ParentId") for op_id in under_way}
    under_way |= {
        op_id
        for op_id, one in second.items()
        if op_id not in first and not is_terminal(one) and one.get("ParentId") in beside
    }
    return {
        op_id
        for op_id in every
        if not all(op_id in records and is_terminal(records[op_id]) for records in (first, second))
        and _is_inside(op_id, every, under_way)
    }


def decision_in(record: Operation) -> dict[str, Any]:
    try:
        decided = json.loads(record.get("StepDetails", {}).get("Result") or "{}")
    except ValueError:
        decided = None
    return decided if isinstance(decided, dict) else {}  # a step of the program's own may have such a sub type


def _is_inside(op_id: str | None, every: dict[str, Operation], cut: set[str]) -> bool:
    while op_id is not None and op_id not in cut:
        op_id = every[op_id].get("ParentId") if op_id in every else None
    return op_id is not None
