"""Pages of operations, for the invocation event, GetDurableExecutionState and checkpoint responses.

Always the EXECUTION first, then by time of last change: an SDK hands recorded completions to user code in recorded
order, and milliseconds tie. A marker is the change number of the page's last operation. An operation that changes
between two pages moves behind the marker and is served again, so a reader that merges pages misses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from durably.service.config import ServiceConfig
from durably.wire.shapes import ExecutionState, Operation

from .checks import clipped, integer, invalid
from .model import Execution, Op, terminal

__all__ = ["changes_page", "execution_view", "first_page", "state_page"]

_MARKER: Final = re.compile(r"([sc])([0-9]{1,15})")


def execution_view(ex: Execution) -> dict[str, Any]:
    """The EXECUTION operation."""
    facts = ex.facts
    view: dict[str, Any] = {
        "Id": facts.id,
        "Name": facts.name,
        "Type": "EXECUTION",
        "StartTimestamp": facts.start_ms,
        "Status": ex.head.status if ex.ended else "STARTED",
        "ExecutionDetails": {"InputPayload": facts.input},
    }
    if ex.ended and ex.outcome is not None:
        view["EndTimestamp"] = ex.outcome.end_ms
    return view


def first_page(ex: Execution, config: ServiceConfig) -> ExecutionState:
    """What an invocation event carries."""
    return _page(ex, _visible(ex, 0), "s", config.page_operations, config.page_bytes, [execution_view(ex)])


def state_page(ex: Execution, marker: str | None, max_items: int | None, config: ServiceConfig) -> ExecutionState:
    """One page of GetDurableExecutionState."""
    limit = integer(max_items, "MaxItems", 0, 1000) if max_items is not None else 0
    limit = limit or 100
    if not marker:
        return _page(ex, _visible(ex, 0), "s", limit, config.page_bytes, [execution_view(ex)])
    found = _MARKER.fullmatch(marker)
    if found is None:
        invalid(f"Marker {clipped(marker)} was not given by this execution; use the NextMarker of the page before")
    after = int(found[2])
    ops = _visible(ex, after) if found[1] == "s" else iter(_changed_since(ex, after))
    return _page(ex, ops, found[1], limit, config.page_bytes, [])


def changes_page(ex: Execution, since: int, config: ServiceConfig) -> ExecutionState:
    """What a checkpoint response carries: all that changed after change number ``since``."""
    return _page(ex, iter(_changed_since(ex, since)), "c", config.page_operations, config.page_bytes, [])


def _page(
    ex: Execution, ops: Iterator[Op], kind: str, limit: int, room: int, views: list[dict[str, Any]]
) -> ExecutionState:
    last = 0
    for op in ops:
        room -= _size(op.view)
        if views and (len(views) >= limit or room < 0):
            return {"Operations": cast("list[Operation]", views), "NextMarker": f"{kind}{last}"}
        views.append(op.view)
        last = op.seq
    return {"Operations": cast("list[Operation]", views)}


def _changed_since(ex: Execution, since: int) -> list[Op]:
    found: list[Op] = []
    for op in reversed(ex.ops.values()):
        if op.seq <= since:
            break
        found.append(op)
    found.reverse()
    return found


def _visible(ex: Execution, after: int) -> Iterator[Op]:
    """Operations needed for replay: not those below a context that has ended, unless it asked for them."""
    ops = ex.ops
    hides: dict[str, bool] = {}

    def hidden(parent: str | None) -> bool:
        if parent is None:
            return False
        known = hides.get(parent)
        if known is None:
            context = ops[parent]
            view = context.view
            ended = terminal(context) and not view.get("ContextDetails", {}).get("ReplayChildren")
            known = hides[parent] = ended or hidden(view.get("ParentId"))
        return known

    for op in list(_changed_since(ex, after)):
        if not hidden(op.view.get("ParentId")):
            yield op


def _size(view: dict[str, Any]) -> int:
    """Roughly the bytes of an operation as JSON."""
    size = 400
    for key, part in view.items():
        if key.endswith("Details"):
            size += len(part.get("Result") or "")
            failure = part.get("Error")
            if failure:
                size += sum(len(value) for value in failure.values() if isinstance(value, str))
                size += sum(map(len, failure.get("StackTrace", ())))
    return size
