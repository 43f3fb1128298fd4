"""From the events of a history back to the operations that they are about.

An execution's history says more than its operations do: not only how each of them stands, but how it stood whenever
the function was invoked. :class:`StateBuilder` takes in one event after another and keeps, at every moment, what the
service would have handed to an invocation.

What a history does not say is whether a finished context's result has to be rebuilt from its children
(``ReplayChildren``). It shows where the stored text is none that a result can have: nothing, or the envelope of a map
or parallel (WIRE.md, Payloads).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from durably.wire.shapes import Event, Operation
from durably.wire.statuses import ENDED_STATUSES, TERMINAL_STATUSES

__all__ = [
    "InvocationState",
    "StateBuilder",
    "invocation_states",
    "is_made_by_function",
    "is_terminal",
    "must_rebuild",
    "operations_of",
    "shown",
]

_TYPES: Final = {
    "Step": "STEP",
    "Wait": "WAIT",
    "Callback": "CALLBACK",
    "ChainedInvoke": "CHAINED_INVOKE",
    "Context": "CONTEXT",
}
_DETAILS: Final = {
    "STEP": "StepDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
    "CONTEXT": "ContextDetails",
}
_VERBS: Final = {
    "Started": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Stopped": "STOPPED",
    "Cancelled": "CANCELLED",
    "Paused": "PAUSED",
    "Resumed": "RUNNING",
}
_BY_SERVICE: Final = frozenset(
    {"WaitSucceeded"}
    | {f"Callback{verb}" for verb in ("Succeeded", "Failed", "TimedOut")}
    | {f"ChainedInvoke{verb}" for verb in ("Succeeded", "Failed", "TimedOut", "Stopped")}
)
"""Events that no invocation makes: what was waited for has come."""
_ENVELOPES: Final = frozenset({"MapResult", "ParallelResult"})


class InvocationState(NamedTuple):
    """What one invocation was given.

    Attributes:
        number: of the invocation, from 1.
        operations: in the order of their last change; the EXECUTION first.
        updated: ids of those that changed since the invocation before.
        after: how many events had happened.
        is_last: no invocation followed.
    """

    number: int
    operations: list[Operation]
    updated: list[str]
    after: int
    is_last: bool


class StateBuilder:
    """What the events taken in so far come to.

    Attributes:
        operations: by id, in the order of their last change, without the EXECUTION.
        execution: the EXECUTION operation.
        status, result, error: of the execution.
    """

    def __init__(self, execution_id: str, name: str | None = None) -> None:
        self.execution: dict[str, Any] = {"Id": execution_id, "Type": "EXECUTION", "Status": "STARTED"}
        if name:
            self.execution["Name"] = name
        self.operations: dict[str, dict[str, Any]] = {}
        self.status: str = "RUNNING"
        self.result: str | None = None
        self.error: Any = None

    def take(self, event: Mapping[str, Any]) -> str | None:
        """Take in one event; the id of the operation it changes. Events of unknown types change nothing."""
        kind = str(event["EventType"])
        details: Mapping[str, Any] = event.get(kind + "Details") or {}
        for verb, status in _VERBS.items():
            if kind.endswith(verb):
                subject = kind.removesuffix(verb)
                if subject == "Execution":
                    self._take_execution(status, event, details)
                elif subject in _TYPES and event.get("Id"):
                    return self._take_operation(_TYPES[subject], status, event, details)
        return None

    def make_ready(self, now_ms: int) -> list[str]:
        """Steps whose next attempt is due at ``now_ms`` become READY; their ids."""
        due = [
            op_id
            for op_id, operation in self.operations.items()
            if operation["Status"] == "PENDING"
            and operation["StepDetails"].get("NextAttemptTimestamp", now_ms + 1) <= now_ms
        ]
        for op_id in due:
            operation = self.operations.pop(op_id)
            details = {k: v for k, v in operation["StepDetails"].items() if k != "NextAttemptTimestamp"}
            self.operations[op_id] = {**operation, "Status": "READY", "StepDetails": details}
        return due

    def snapshot(self) -> list[Operation]:
        return cast("list[Operation]", [self.execution, *self.operations.values()])

    def _take_execution(self, status: str, event: Mapping[str, Any], details: Mapping[str, Any]) -> None:
        if status == "STARTED":
            self.execution["StartTimestamp"] = event["EventTimestamp"]
            text = _payload(details, "Input")
            self.execution["ExecutionDetails"] = {} if text is None else {"InputPayload": text}
            return
        self.status = status
        if status in ENDED_STATUSES:
            self.result = _payload(details, "Result")
            self.error = _error(details)

    def _take_operation(
        self, op_type: str, status: str, event: Mapping[str, Any], details: Mapping[str, Any]
    ) -> str | None:
        op_id = str(event["Id"])
        at = event["EventTimestamp"]
        known = self.operations.pop(op_id, None)
        operation = _new(op_type, event) if known is None else {**known}
        own = dict(operation.get(_DETAILS[op_type]) or {})
        operation["Status"] = status
        if status == "STARTED":
            own.pop("NextAttemptTimestamp", None)
            for member in ("ScheduledEndTimestamp", "CallbackId"):
                if member in details:
                    own[member] = details[member]
        else:
            text, error = _payload(details, "Result"), _error(details)
            if text is not None:
                own["Result"] = text
            if error is not None and op_type != "WAIT":
                own["Error"] = error
            again = _take_attempt(own, details) if op_type == "STEP" else None
            if again:
                operation["Status"], own["NextAttemptTimestamp"] = "PENDING", at + again * 1000
            else:
                operation["EndTimestamp"] = at
                own.pop("NextAttemptTimestamp", None)
                if op_type == "STEP" and error is None:
                    own.pop("Error", None)
            if op_type == "CONTEXT":
                own["ReplayChildren"] = status == "SUCCEEDED" and must_rebuild(text)
        operation[_DETAILS[op_type]] = own
        self.operations[op_id] = operation
        return op_id


def operations_of(execution_id: str, events: Iterable[Mapping[str, Any]]) -> list[Operation]:
    """The operations as they stand after ``events``, in the order of their starts, without the EXECUTION."""
    builder = StateBuilder(execution_id)
    order: dict[str, None] = {}
    for event in events:
        op_id = builder.take(event)
        if op_id is not None:
            order.setdefault(op_id)
    return [cast(Operation, builder.operations[op_id]) for op_id in order]


def invocation_states(builder: StateBuilder, events: Sequence[Event]) -> list[InvocationState]:
    """The state that each invocation began with, the running one included.

    An invocation was given what happened until it began: the events before its own, and, as the moment of its beginning
    is known from its end, nothing later than that.
    """
    ends = [n for n, event in enumerate(events) if event["EventType"] == "InvocationCompleted"]
    begun = [_started_ms(events[n]) for n in ends]
    states: list[InvocationState] = []
    taken = 0
    changed: list[str] = []

    def take_until(limit: int) -> None:
        nonlocal taken
        for event in events[taken:limit]:
            op_id = builder.take(event)
            if op_id is not None:
                changed.append(op_id)
        taken = max(taken, limit)

    for number, began in enumerate([*begun, None]):
        first = 0 if number == 0 else ends[number - 1] + 1
        last_of_all = number == len(ends)
        take_until(first)
        changed.clear()
        until = _given_until(events, first, began)
        if last_of_all and until == len(events):
            break  # nothing was invoked any more
        take_until(until)
        if began is not None:
            changed += builder.make_ready(began)
        elif until < len(events):
            changed += builder.make_ready(events[until]["EventTimestamp"])
        states.append(InvocationState(number + 1, builder.snapshot(), list(dict.fromkeys(changed)), until, False))
    take_until(len(events))
    if states:
        states[-1] = states[-1]._replace(is_last=True)
    return states


def shown(operations: Iterable[Operation]) -> list[Operation]:
    """Those that an invocation is given: what happened inside a finished context is left out, unless its result is to
    be rebuilt from it. Source: GetDurableExecutionState."""
    found = list(operations)
    closed = {
        one["Id"]
        for one in found
        if one["Type"] == "CONTEXT" and is_terminal(one) and not one.get("ContextDetails", {}).get("ReplayChildren")
    }
    if not closed:
        return found
    parents = {one["Id"]: one.get("ParentId") for one in found}

    def is_inside(one: Operation) -> bool:
        parent = one.get("ParentId")
        while parent is not None:
            if parent in closed:
                return True
            parent = parents.get(parent)
        return False

    return [one for one in found if not is_inside(one)]


def must_rebuild(text: str | None) -> bool:
    """Whether the stored result of a context is only a summary: no result is written like this, or not at all."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return True
    return isinstance(value, dict) and value.get("type") in _ENVELOPES and "totalCount" in value


def is_made_by_function(event: Mapping[str, Any]) -> bool:
    """Whether an event is of an operation and comes from what the function recorded."""
    kind = event["EventType"]
    return kind not in _BY_SERVICE and kind != "InvocationCompleted" and not kind.startswith("Execution")


def is_terminal(operation: Mapping[str, Any]) -> bool:
    return operation["Status"] in TERMINAL_STATUSES


def _given_until(events: Sequence[Event], first: int, began: int | None) -> int:
    """The number of events that an invocation knew of which began after event number ``first``."""
    until = first
    for event in events[first:]:
        kind = event["EventType"]
        if kind.startswith("Execution"):
            if kind.removeprefix("Execution") not in ("Started", "Paused", "Resumed"):
                return until if until > first or began is not None else len(events)
        elif kind not in _BY_SERVICE or (began is not None and event["EventTimestamp"] > began):
            return until
        until += 1
    return until


def _started_ms(event: Mapping[str, Any]) -> int | None:
    details: Mapping[str, Any] = event.get("InvocationCompletedDetails") or {}
    return details.get("StartTimestamp")


def _new(op_type: str, event: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "Id": event["Id"],
        "Type": op_type,
        "Status": "STARTED",
        "StartTimestamp": event["EventTimestamp"],
    }
    for member in ("ParentId", "Name", "SubType"):
        if event.get(member):
            operation[member] = event[member]
    if op_type == "STEP":
        operation["StepDetails"] = {"Attempt": 0}
    return operation


def _take_attempt(own: dict[str, Any], details: Mapping[str, Any]) -> int | None:
    """Enter the number of the attempt that has ended; the seconds until the next, if there is one."""
    retry: Mapping[str, Any] = details.get("RetryDetails") or {}
    own["Attempt"] = retry.get("CurrentAttempt") or own.get("Attempt", 0) + 1
    again: int | None = retry.get("NextAttemptDelaySeconds")
    return again


def _payload(details: Mapping[str, Any], member: str) -> str | None:
    held = details.get(member)
    return held.get("Payload") if isinstance(held, Mapping) else None


def _error(details: Mapping[str, Any]) -> Any:
    """The error of an event, if it has one. Other tools' exports write it as JSON text."""
    held = details.get("Error")
    if not isinstance(held, Mapping):
        return None
    payload = held.get("Payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            payload = {"ErrorMessage": payload}
    return payload or {}
