"""What can be asked about executions: GetDurableExecution, its history, and the list of a function."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from durably.wire import limits
from durably.wire.api_errors import ApiError
from durably.wire.names import ExecutionStatus
from durably.wire.shapes import Event

from .config import ServiceConfig
from .functions import LATEST, function_arn, split_name
from .machine.checks import clipped, integer, invalid, text
from .machine.env import Env, Target
from .machine.events import without_data
from .machine.model import Execution
from .store.base import MAX_REVISION, ListQuery, Store

__all__ = ["describe", "history", "list_executions"]

_PAUSE_CAP_MS: Final = limits.MAX_EXECUTION_TIMEOUT_SECONDS * 1000
_HISTORY_MARKER: Final = re.compile(r"([0-9]{1,8})\.([0-9]{1,9})")
_LIST_MARKER: Final = re.compile(r"([0-9]{1,15})\.([0-9]{1,15})")
_events: Final = msgspec.json.Decoder(list[dict[str, Any]])


def describe(ex: Execution, config: ServiceConfig, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetDurableExecution."""
    facts, head, outcome = ex.facts, ex.head, ex.outcome
    include = _flag(params, "IncludeExecutionData", True)
    answer: dict[str, Any] = {
        "DurableExecutionArn": facts.arn,
        "DurableExecutionName": facts.name,
        "FunctionArn": function_arn(config, facts.function, facts.version),
        "StartTimestamp": facts.start_ms,
        "Status": head.status,
        "Version": facts.version,
        "ExecutionDataIncluded": include,
        "DurableConfig": {
            "ExecutionTimeout": facts.execution_timeout_s,
            "RetentionPeriodInDays": facts.retention_days,
        },
    }
    if facts.trace_id is not None:
        answer["TraceHeader"] = {"XAmznTraceId": facts.trace_id}
    if include:
        answer["InputPayload"] = facts.input
    if ex.ended and outcome is not None:
        answer["EndTimestamp"] = outcome.end_ms
        if include and outcome.result is not None:
            answer["Result"] = outcome.result
        if include and outcome.status != "SUCCEEDED":
            answer["Error"] = outcome.error or {}
        return answer
    answer["ExpectedExecutionTimeoutTimestamp"] = head.timeout_at
    if head.pause is not None:
        details: dict[str, Any] = {
            "PauseRequestTimestamp": head.pause.requested_ms,
            "ExecutionTimeoutPaused": head.pause.stops_timeout,
        }
        if include and head.pause.reason is not None:
            details["Reason"] = head.pause.reason
        answer["PauseDetails"] = details
    return answer


def history(store: Store, ex: Execution, params: Mapping[str, Any]) -> dict[str, Any]:
    """GetDurableExecutionHistory. A marker names the row and the event with which the next page begins."""
    limit = _limit(params)
    include = _flag(params, "IncludeExecutionData", True)
    newest_first = _flag(params, "ReverseOrder", False)
    revision, event_id = (MAX_REVISION, MAX_REVISION << 8) if newest_first else (0, 0)
    marker = params.get("Marker")
    if marker:
        found = _HISTORY_MARKER.fullmatch(text(marker, "Marker"))
        if found is None:
            invalid(f"Marker {clipped(marker)} is not a NextMarker of this history")
        revision, event_id = int(found[1]), int(found[2])
    page: list[Any] = []
    while True:
        rows = store.events(ex.key, revision, min(limit - len(page) + 1, 200), descending=newest_first)
        for revision, blob in rows:
            recorded = _events.decode(blob)
            for event in reversed(recorded) if newest_first else recorded:
                if event["EventId"] > event_id if newest_first else event["EventId"] < event_id:
                    continue
                if len(page) == limit:
                    return {"Events": page, "NextMarker": f"{revision}.{event['EventId']}"}
                page.append(_shown(event, include))
        if not rows:
            return {"Events": page}
        revision += -1 if newest_first else 1
        if revision < 0:
            return {"Events": page}


def _shown(event: Any, include: bool) -> Event:
    return event if include else without_data(event)


def list_executions(store: Store, env: Env, params: Mapping[str, Any]) -> dict[str, Any]:
    """ListDurableExecutionsByFunction: newest first, unless ReverseOrder."""
    name, own = split_name(params.get("FunctionName"))
    qualifier = params.get("Qualifier") or own
    if qualifier is not None:
        meant = env.resolve(f"{name}:{text(qualifier, 'Qualifier')}")
        qualifier = meant.version if isinstance(meant, Target) else qualifier
    wanted = params.get("DurableExecutionName")
    if wanted is not None:
        text(wanted, "DurableExecutionName")
    statuses = params.get("Statuses")
    if statuses is not None:
        if not isinstance(statuses, (list, tuple)) or not 1 <= len(statuses) <= 10:
            invalid(f"Statuses must be a list of 1 to 10 statuses, not {clipped(statuses)}")
        for status in statuses:
            if status not in set(ExecutionStatus):
                invalid(f"Statuses holds {clipped(status)}, which is none of {', '.join(ExecutionStatus)}")
    limit = _limit(params)
    after: tuple[int, int] | None = None
    marker = params.get("Marker")
    if marker:
        found = _LIST_MARKER.fullmatch(text(marker, "Marker"))
        if found is None:
            invalid(f"Marker {clipped(marker)} is not a NextMarker of this list")
        after = int(found[1]), int(found[2])
    query = ListQuery(
        function=name,
        version=qualifier,
        name=wanted,
        statuses=statuses,
        started_after_ms=_moment(params, "StartedAfter"),
        started_before_ms=_moment(params, "StartedBefore"),
        oldest_first=_flag(params, "ReverseOrder", False),
        after=after,
        limit=limit + 1,
    )
    found_entries = store.search(query)
    if not found_entries and not store.search(ListQuery(function=name, limit=1)):
        known = env.resolve(f"{name}:{LATEST}")
        if isinstance(known, ApiError):
            raise known
    entries: list[dict[str, Any]] = []
    for entry in found_entries[:limit]:
        shown: dict[str, Any] = {
            "DurableExecutionArn": entry.arn,
            "DurableExecutionName": entry.name,
            "FunctionArn": function_arn(env.config, entry.function, entry.version or LATEST),
            "Status": entry.status,
            "StartTimestamp": entry.start_ms,
        }
        if entry.end_ms is not None:
            shown["EndTimestamp"] = entry.end_ms
        entries.append(shown)
    answer: dict[str, Any] = {"DurableExecutions": entries}
    if len(found_entries) > limit:
        last = found_entries[limit - 1]
        answer["NextMarker"] = f"{last.start_ms}.{last.key}"
    return answer


def _limit(params: Mapping[str, Any]) -> int:
    given = params.get("MaxItems")
    return (integer(given, "MaxItems", 0, 1000) if given is not None else 0) or 100


def _flag(params: Mapping[str, Any], member: str, default: bool) -> bool:
    given = params.get(member)
    if given is None:
        return default
    if not isinstance(given, bool):
        invalid(f"{member} must be true or false, not {clipped(given)}")
    return given


def _moment(params: Mapping[str, Any], member: str) -> int | None:
    given = params.get(member)
    return None if given is None else integer(given, member, 0, 1 << 52)
