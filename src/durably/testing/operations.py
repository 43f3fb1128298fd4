"""The operations of an execution, to be looked at in a test: a tree, in the order in which they were started.

Made from what the service says (the operations as they stand, and the history's events), so they are the same for an
execution in a test, on the embedded service and on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypeVar, cast, overload

from durably.replay_safe import timestamp_from_execution
from durably.serdes import codec_for
from durably.wire.shapes import ErrorObject, Event, Operation
from durably.wire.statuses import TERMINAL_STATUSES

from .errors import OperationNotFound

if TYPE_CHECKING:
    from typing_extensions import TypeForm

__all__ = [
    "Attempt",
    "CallbackOperation",
    "ContextOperation",
    "InvokeOperation",
    "Operations",
    "RecordedOperation",
    "StepOperation",
    "WaitOperation",
]

T = TypeVar("T")
_ClassOf: TypeAlias = type[T]  # operations have a property of that name
_Kind = TypeVar("_Kind", bound="RecordedOperation")


class RecordedOperation:
    """One operation as it is recorded.

    Attributes:
        record: the service model's Operation (timestamps in milliseconds).
        events: its events of the history, oldest first.
        parent: the context that it is in; None at the root.
    """

    __test__ = False
    _details: ClassVar[str] = ""

    def __init__(self, record: Operation, events: Sequence[Event]) -> None:
        self.record = record
        self.events = events
        self.parent: RecordedOperation | None = None
        self._children: list[RecordedOperation] = []

    @property
    def id(self) -> str:
        return self.record["Id"]

    @property
    def name(self) -> str | None:
        return self.record.get("Name")

    @property
    def type(self) -> str:
        """``STEP``, ``WAIT``, ``CALLBACK``, ``CHAINED_INVOKE`` or ``CONTEXT``."""
        return self.record["Type"]

    @property
    def sub_type(self) -> str | None:
        """Which call made it: ``Step``, ``Map``, ``WaitForCallback``, ..."""
        return self.record.get("SubType")

    @property
    def status(self) -> str:
        """One of STARTED, PENDING, READY, SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, STOPPED."""
        return self.record["Status"]

    @property
    def parent_id(self) -> str | None:
        return self.record.get("ParentId")

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.status not in TERMINAL_STATUSES

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCEEDED"

    @property
    def start(self) -> datetime:
        return timestamp_from_execution(self.record["StartTimestamp"])

    @property
    def end(self) -> datetime | None:
        ended = self.record.get("EndTimestamp")
        return None if ended is None else timestamp_from_execution(ended)

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None while it is open."""
        ended = self.record.get("EndTimestamp")
        return None if ended is None else timedelta(milliseconds=ended - self.record["StartTimestamp"])

    @property
    def details(self) -> dict[str, Any]:
        """The record's details for its type, e.g. StepDetails; empty if there are none."""
        return cast("dict[str, Any]", self.record.get(self._details) or {})

    @property
    def payload(self) -> str | None:
        """The recorded result as text."""
        return self.details.get("Result")

    @cached_property
    def result(self) -> Any:
        """The recorded result; None without one.

        The record of a typed result is plain JSON, and it is what comes back here: see :meth:`result_as`.
        """
        return None if self.payload is None else _decoded(self.payload)

    @overload
    def result_as(self, annotation: _ClassOf[T]) -> T | None: ...
    @overload
    def result_as(self, annotation: TypeForm[T]) -> T | None: ...
    def result_as(self, annotation: Any) -> Any:
        """The recorded result, read as ``annotation`` says, e.g. as the return annotation of the step's function."""
        return None if self.payload is None else codec_for(annotation).decode(self.payload)

    @property
    def error(self) -> ErrorObject | None:
        """The recorded error; None without one."""
        return self.details.get("Error")

    @property
    def children(self) -> Operations:
        """The operations inside it, if it is a context."""
        return Operations(self._children)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {self.name!r}"
        return f"<{self.sub_type or self.type}{name} {self.status}>"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a step's body, or of a condition's check.

    Attributes:
        number: from 1.
        start: when it began, as far as that was recorded.
        end: None while it runs, or when it was interrupted.
        error: what it failed with.
        delay: until the next one; None if there is none.
    """

    number: int
    start: datetime | None
    end: datetime | None = None
    error: ErrorObject | None = None
    delay: timedelta | None = None


class StepOperation(RecordedOperation):
    """A step, or a wait_for_condition."""

    _details = "StepDetails"

    @property
    def attempt(self) -> int:
        """How many attempts have finished."""
        return int(self.details.get("Attempt") or 0)

    @property
    def next_attempt(self) -> datetime | None:
        """When the next attempt is due, while it waits for that."""
        due = self.details.get("NextAttemptTimestamp")
        return None if due is None else timestamp_from_execution(due)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Every attempt, from the history."""
        found: list[Attempt] = []
        began: int | None = None
        running = False
        for event in self.events:
            kind = event["EventType"]
            if kind == "StepStarted":
                began, running = event["EventTimestamp"], True
            elif kind in ("StepSucceeded", "StepFailed"):
                details: dict[str, Any] = cast("dict[str, Any]", event).get(f"{kind}Details") or {}
                delay = (details.get("RetryDetails") or {}).get("NextAttemptDelaySeconds")
                error = (details.get("Error") or {}).get("Payload") if kind == "StepFailed" else None
                found.append(
                    Attempt(
                        len(found) + 1,
                        None if began is None else timestamp_from_execution(began),
                        timestamp_from_execution(event["EventTimestamp"]),
                        error,
                        None if delay is None else timedelta(seconds=delay),
                    )
                )
                began, running = None, False
        if running and began is not None:
            found.append(Attempt(len(found) + 1, timestamp_from_execution(began)))
        return found


class WaitOperation(RecordedOperation):
    """A wait."""

    _details = "WaitDetails"

    @property
    def seconds(self) -> int:
        """How long it was to last."""
        due = self.details.get("ScheduledEndTimestamp")
        return 0 if due is None else int(due - self.record["StartTimestamp"]) // 1000

    @property
    def due(self) -> datetime | None:
        due = self.details.get("ScheduledEndTimestamp")
        return None if due is None else timestamp_from_execution(due)


class CallbackOperation(RecordedOperation):
    """A callback: what create_callback makes, also the one inside a wait_for_callback."""

    _details = "CallbackDetails"

    @property
    def callback_id(self) -> str:
        return str(self.details.get("CallbackId", ""))


class InvokeOperation(RecordedOperation):
    """An invocation of another function."""

    _details = "ChainedInvokeDetails"

    @property
    def function_name(self) -> str | None:
        """The target, as the program named it."""
        return self._started.get("FunctionName")

    @property
    def execution_arn(self) -> str | None:
        """The target's own execution, if it is durable and has been started."""
        return self._started.get("DurableExecutionArn")

    @property
    def input(self) -> Any:
        """What the target was given."""
        text = (self._started.get("Input") or {}).get("Payload")
        return None if text is None else _decoded(text)

    @property
    def _started(self) -> dict[str, Any]:
        for event in self.events:
            if event["EventType"] == "ChainedInvokeStarted":
                return cast("dict[str, Any]", event).get("ChainedInvokeStartedDetails") or {}
        return {}


class ContextOperation(RecordedOperation):
    """A child context: of run_in_child_context, map, parallel, their branches, wait_for_callback, ..."""

    _details = "ContextDetails"

    @property
    def replays_children(self) -> bool:
        """The result was too large to be stored: it is rebuilt from the children."""
        return bool(self.details.get("ReplayChildren"))


_KINDS: dict[str, type[RecordedOperation]] = {
    "STEP": StepOperation,
    "WAIT": WaitOperation,
    "CALLBACK": CallbackOperation,
    "CHAINED_INVOKE": InvokeOperation,
    "CONTEXT": ContextOperation,
}


class Operations:
    """Operations side by side, each with its children. Lookups by name look at the whole tree.

    ``operations[0]`` is the first at this level, ``operations["charge"]`` the first of that name at any depth.
    """

    __test__ = False

    def __init__(self, roots: Sequence[RecordedOperation]) -> None:
        self._roots = roots

    @classmethod
    def of(cls, records: Sequence[Operation], events: Sequence[Event] = ()) -> Operations:
        """The tree of ``records``, as GetDurableExecutionState has them; ``events`` give the order and the attempts."""
        by_id: dict[str, list[Event]] = {}
        for event in events:
            op_id = event.get("Id")
            if op_id is not None:
                by_id.setdefault(op_id, []).append(event)
        order = {op_id: number for number, op_id in enumerate(by_id)}
        wanted = [record for record in records if record["Type"] != "EXECUTION"]
        wanted.sort(key=lambda record: (order.get(record["Id"], len(order)), record["StartTimestamp"]))
        made = {
            record["Id"]: _KINDS.get(record["Type"], RecordedOperation)(record, by_id.get(record["Id"], ()))
            for record in wanted
        }
        roots: list[RecordedOperation] = []
        for operation in made.values():
            parent = made.get(operation.parent_id or "")
            operation.parent = parent
            (roots if parent is None else parent._children).append(operation)
        return cls(roots)

    # ---- one of them ---------------------------------------------------------------------------------------

    @overload
    def __getitem__(self, which: int | str) -> RecordedOperation: ...
    @overload
    def __getitem__(self, which: slice) -> Operations: ...
    def __getitem__(self, which: int | str | slice) -> RecordedOperation | Operations:
        if isinstance(which, slice):
            return Operations(self._roots[which])
        if isinstance(which, str):
            return self.get(which)
        try:
            return self._roots[which]
        except IndexError:
            raise OperationNotFound(f"there is no operation number {which} here; {self._shown()}") from None

    def get(self, name: str, index: int = 0) -> RecordedOperation:
        """The operation number ``index`` (from 0) of those named ``name``. Raises OperationNotFound."""
        return self._get(RecordedOperation, "operation", name, index)

    def by_id(self, op_id: str) -> RecordedOperation:
        """Raises OperationNotFound."""
        for operation in self.all:
            if operation.id == op_id:
                return operation
        raise OperationNotFound(f"there is no operation with the id {op_id!r}; {self._shown()}")

    def step(self, name: str, index: int = 0) -> StepOperation:
        """A step, or a wait_for_condition."""
        return self._get(StepOperation, "step", name, index)

    def wait(self, name: str, index: int = 0) -> WaitOperation:
        return self._get(WaitOperation, "wait", name, index)

    def callback(self, name: str, index: int = 0) -> CallbackOperation:
        """A callback; under the name of its wait_for_callback, if it belongs to one."""
        inside = [
            child
            for context in self.named(name)
            if context.sub_type == "WaitForCallback"
            for child in context.children
            if isinstance(child, CallbackOperation)
        ]
        if inside:
            return _pick(inside, index, f"callback named {name!r}", self)
        return self._get(CallbackOperation, "callback", name, index)

    def invoke(self, name: str, index: int = 0) -> InvokeOperation:
        return self._get(InvokeOperation, "invoke", name, index)

    def context(self, name: str, index: int = 0) -> ContextOperation:
        """A child context, map, parallel, branch or wait_for_callback."""
        return self._get(ContextOperation, "context", name, index)

    def _get(self, kind: type[_Kind], what: str, name: str, index: int) -> _Kind:
        found = [one for one in self.named(name) if isinstance(one, kind)]
        return _pick(found, index, f"{what} named {name!r}", self)

    # ---- several -------------------------------------------------------------------------------------------

    @property
    def all(self) -> list[RecordedOperation]:
        """Every operation, parents before their children."""
        found: list[RecordedOperation] = []
        left = list(reversed(self._roots))
        while left:
            operation = left.pop()
            found.append(operation)
            left.extend(reversed(operation._children))
        return found

    def named(self, name: str | None) -> list[RecordedOperation]:
        """All of that name, at any depth; without a name, those that have none."""
        return [operation for operation in self.all if operation.name == name]

    def of_type(self, kind: str) -> list[RecordedOperation]:
        """All of a type (``STEP``) or subtype (``MapIteration``)."""
        return [operation for operation in self.all if kind in (operation.type, operation.sub_type)]

    def with_status(self, *statuses: str) -> list[RecordedOperation]:
        return [operation for operation in self.all if operation.status in statuses]

    def where(self, wanted: Callable[[RecordedOperation], bool]) -> list[RecordedOperation]:
        return [operation for operation in self.all if wanted(operation)]

    @property
    def open(self) -> list[RecordedOperation]:
        """Those that have not ended."""
        return [operation for operation in self.all if operation.is_open]

    @property
    def names(self) -> list[str | None]:
        """Of this level, in order."""
        return [operation.name for operation in self._roots]

    def __iter__(self) -> Iterator[RecordedOperation]:
        return iter(self._roots)

    def __len__(self) -> int:
        return len(self._roots)

    def __contains__(self, item: object) -> bool:
        """``"charge" in operations``: whether any has that name."""
        return bool(self.named(item)) if isinstance(item, str) else item in self._roots

    def __repr__(self) -> str:
        from .printing import tree

        return tree(self) or "<no operations>"

    def _shown(self) -> str:
        names = [f"{one.sub_type or one.type} {one.name!r}" if one.name else str(one.sub_type) for one in self.all]
        if not names:
            return "the execution has no operations"
        return f"there are: {', '.join(names[:40])}" + (", ..." if len(names) > 40 else "")


def _pick(found: Sequence[_Kind], index: int, what: str, tree: Operations) -> _Kind:
    try:
        return found[index]
    except IndexError:
        if found:
            raise OperationNotFound(f"there are {len(found)} of {what}, so none has the index {index}") from None
        raise OperationNotFound(f"there is no {what}; {tree._shown()}") from None


def _decoded(text: str) -> Any:
    try:
        return codec_for().decode(text)
    except Exception:
        return text  # as somebody sent it
