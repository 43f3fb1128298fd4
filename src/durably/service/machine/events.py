"""History events. Members: shapes Event and ``*Details`` of the service model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from durably.wire.shapes import ErrorObject, Event

__all__ = ["error", "event", "operation_event", "result", "without_data"]


def operation_event(kind: str, view: dict[str, Any], now: int, details: dict[str, Any]) -> Event:
    """An event of the operation ``view``. Its EventId is given when it is appended."""
    made: dict[str, Any] = {"EventType": kind, "EventId": 0, "EventTimestamp": now, "Id": view["Id"]}
    if "ParentId" in view:
        made["ParentId"] = view["ParentId"]
    if "Name" in view:
        made["Name"] = view["Name"]
    if "SubType" in view:
        made["SubType"] = view["SubType"]
    made[kind + "Details"] = details
    return cast(Event, made)


def event(kind: str, now: int, details: dict[str, Any], **members: str) -> Event:
    """An event that is not of an operation."""
    return cast(Event, {"EventType": kind, "EventId": 0, "EventTimestamp": now, **members, kind + "Details": details})


def result(payload: str | None) -> dict[str, Any]:
    """Shapes EventResult and EventInput."""
    return {"Truncated": False} if payload is None else {"Payload": payload, "Truncated": False}


def error(payload: ErrorObject | None) -> dict[str, Any]:
    """Shape EventError."""
    return {"Payload": payload or {}, "Truncated": False}


_PAYLOAD_HOLDERS: Final = ("Input", "Result", "Error", "Reason")


def without_data(full: Event) -> Event:
    """A copy of ``full`` without what users wrote (IncludeExecutionData=false)."""
    made: dict[str, Any] = dict(full)
    name = full["EventType"] + "Details"
    details = made.get(name)
    if isinstance(details, dict):
        made[name] = {
            key: {k: v for k, v in value.items() if k != "Payload"} if key in _PAYLOAD_HOLDERS else value
            for key, value in details.items()
        }
    return cast(Event, made)


EventMaker = Callable[[dict[str, Any], int], Event]
