"""An execution as its history tells it: the tree of its operations, built event by event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["ExecutionTree", "Node"]

_ENDINGS: Final = {
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Stopped": "STOPPED",
    "Cancelled": "CANCELLED",
}
_KINDS: Final = {
    "Step": "step",
    "Wait": "wait",
    "Callback": "callback",
    "ChainedInvoke": "invoke",
    "Context": "context",
    "RunInChildContext": "child context",
    "WaitForCallback": "wait for callback",
    "WaitForCondition": "wait for condition",
    "Map": "map",
    "MapIteration": "map item",
    "Parallel": "parallel",
    "ParallelBranch": "branch",
    "Compensation": "compensation",
}


@dataclass(slots=True)
class Node:
    """One operation. Times are epoch milliseconds."""

    id: str
    type: str
    kind: str
    name: str
    parent: Node | None
    started: int
    status: str = "STARTED"
    ended: int | None = None
    attempt: int = 1
    until: int | None = None
    """When a wait ends or a step is tried again."""
    callback_id: str | None = None
    target: str | None = None
    target_arn: str | None = None
    input: str | None = None
    result: str | None = None
    error: Any = None
    children: list[Node] = field(default_factory=list["Node"])

    @property
    def depth(self) -> int:
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def label(self) -> str:
        """The name, or the kind of a nameless one."""
        name = self.name
        if self.parent is not None and self.parent.kind == "wait for callback":
            # The two operations inside are named after the one the user wrote.
            name = name.removesuffix("create callback id").rstrip() or self.parent.name
        return name or self.kind


class ExecutionTree:
    """What :meth:`apply` has been told so far. Unknown events change nothing."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.roots: list[Node] = []
        self.status: str = "RUNNING"
        self.started: int | None = None
        self.ended: int | None = None
        self.input: str | None = None
        self.result: str | None = None
        self.error: Any = None

    def apply(self, event: Any) -> Node | None:
        """Take in one event; returns the operation it is about."""
        kind = str(event["EventType"])
        details = event.get(kind + "Details") or {}
        if kind == "InvocationCompleted":
            return None
        for verb, status in (("Started", "STARTED"), *_ENDINGS.items(), ("Paused", "PAUSED"), ("Resumed", "RUNNING")):
            if kind.endswith(verb):
                subject = kind.removesuffix(verb)
                if subject == "Execution":
                    self._execution(status, event, details)
                    return None
                return self._operation(subject, status, event, details)
        return None

    def walk(self) -> Iterator[Node]:
        """All operations, parents first, in the order of their starts."""
        waiting = list(reversed(self.roots))
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def open(self) -> list[Node]:
        """The operations that hold the execution up: unfinished ones without unfinished children."""
        return [
            node
            for node in self.nodes.values()
            if node.ended is None and not any(child.ended is None for child in node.children)
        ]

    def _execution(self, status: str, event: Any, details: Any) -> None:
        at = event["EventTimestamp"]
        if status == "STARTED":
            self.started = at
            self.input = (details.get("Input") or {}).get("Payload")
            return
        self.status = status
        if status not in ("PAUSED", "RUNNING"):
            self.ended = at
            self.result = (details.get("Result") or {}).get("Payload")
            self.error = (details.get("Error") or {}).get("Payload")

    def _operation(self, subject: str, status: str, event: Any, details: Any) -> Node:
        node = self.nodes.get(event.get("Id", ""))
        if node is None:
            node = self._add(subject, event)
        at = event["EventTimestamp"]
        if status == "STARTED":
            node.status, node.until = "STARTED", details.get("ScheduledEndTimestamp")
            node.callback_id = details.get("CallbackId") or node.callback_id
            node.target = details.get("FunctionName") or node.target
            node.target_arn = details.get("DurableExecutionArn") or node.target_arn
            node.input = (details.get("Input") or {}).get("Payload")
            return node
        retry = details.get("RetryDetails") or {}
        node.attempt = retry.get("CurrentAttempt") or node.attempt
        node.result = (details.get("Result") or {}).get("Payload")
        node.error = (details.get("Error") or {}).get("Payload")
        again = retry.get("NextAttemptDelaySeconds")
        if again:
            node.status, node.until = "PENDING", at + again * 1000
        else:
            node.status, node.until, node.ended = status, None, at
        return node

    def _add(self, subject: str, event: Any) -> Node:
        subtype = event.get("SubType") or subject
        parent = self.nodes.get(event.get("ParentId") or "")
        node = Node(
            id=event.get("Id", ""),
            type=subject,
            kind=_KINDS.get(subtype, subtype),
            name=event.get("Name") or "",
            parent=parent,
            started=event["EventTimestamp"],
        )
        self.nodes[node.id] = node
        (self.roots if parent is None else parent.children).append(node)
        return node
