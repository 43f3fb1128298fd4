"""Plugins: code that watches executions, for timing, metrics, tracing or audit, and never changes them.

A program registers *factories*: ``@durable_execution(plugins=[MetricsFactory(registry)])``. For each invocation each
factory makes one plugin, whose hooks are called as things happen. Infos are views: a field is read out of the record
when a hook asks for it, and not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from durably.concurrency.error_object import ErrorObject
from durably.exceptions import PluginLoadError, TerminationReason
from durably.wire.names import OperationStatus, OperationType

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

__all__ = [
    "DurableInstrumentationPlugin",
    "DurableInstrumentationPluginFactory",
    "InvocationEndInfo",
    "InvocationInfo",
    "InvocationStartInfo",
    "InvocationStatus",
    "OperationChangeInfo",
    "OperationEndInfo",
    "OperationInfo",
    "OperationStartInfo",
    "OperationStatus",
    "OperationType",
    "PluginLoadError",
    "PropagationInput",
    "PropagationMetadata",
    "UserFunctionEndInfo",
    "UserFunctionOutcome",
    "UserFunctionStartInfo",
]

T = TypeVar("T")
Readers = Mapping[str, Callable[[Any], Any]]


class InvocationStatus(StrEnum):
    """How an invocation ended. RETRY: it raised, so that the service invokes again."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    PENDING = "PENDING"
    RETRY = "RETRY"


class UserFunctionOutcome(StrEnum):
    """INCOMPLETE: the function was left without a result or an error of its own, e.g. because it suspended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    INCOMPLETE = "INCOMPLETE"


# ---- views -----------------------------------------------------------------------------------------------------


def _none() -> None:
    return None


class _View:
    """A frozen dataclass some of whose fields are read out of ``_source`` when they are asked for."""

    _readers: ClassVar[Readers] = {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            known = self.__dict__
            reader = self._readers.get(name)
            if reader is None or "_source" not in known:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            value = known[name] = reader(known["_source"])
            return value

    def __getstate__(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]  # subclasses are


def view(cls: type[T], source: Any, **known: Any) -> T:
    """A ``cls`` with the fields that are ``known``; the others are read out of ``source``."""
    made = object.__new__(cls)
    made.__dict__["_source"] = source
    made.__dict__.update(known)
    return made


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DETAILS: Final = ("StepDetails", "CallbackDetails", "ChainedInvokeDetails", "ContextDetails")


def moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


def _detail(record: Mapping[str, Any], name: str) -> Any:
    for details in _DETAILS:
        value = (record.get(details) or {}).get(name)
        if value is not None:
            return value
    return None


def _error(record: Mapping[str, Any]) -> ErrorObject | None:
    error = _detail(record, "Error")
    return None if error is None else ErrorObject.from_dict(error)


@dataclass(frozen=True)
class OperationInfo(_View):
    """One operation.

    Attributes:
        sub_type: e.g. ``"Step"``, or what the program chose; None for the EXECUTION.
        parent_id: of the nearest context around it that has a record; None at the root.
        start_time: by the service's clock; None while the service has not been told.
        is_replayed: an earlier invocation has begun it.
        result: as it is recorded: serialized text.
        attempt: of a step: how many attempts it has taken; in the hooks of user functions the number of this one.
    """

    operation_id: str
    operation_type: OperationType
    sub_type: str | None
    name: str | None
    parent_id: str | None
    start_time: datetime | None
    is_replayed: bool
    status: OperationStatus
    end_time: datetime | None = field(default_factory=_none, kw_only=True)
    result: str | None = field(default_factory=_none, kw_only=True)
    error: ErrorObject | None = field(default_factory=_none, kw_only=True)
    attempt: int | None = field(default_factory=_none, kw_only=True)

    _readers: ClassVar[Readers] = {
        "operation_id": lambda record: record["Id"],
        "operation_type": lambda record: OperationType(record["Type"]),
        "sub_type": lambda record: record.get("SubType"),
        "name": lambda record: record.get("Name"),
        "parent_id": lambda record: record.get("ParentId"),
        "start_time": lambda record: moment(record.get("StartTimestamp")),
        "is_replayed": lambda record: False,
        "status": lambda record: OperationStatus(record["Status"]),
        "end_time": lambda record: moment(record.get("EndTimestamp")),
        "result": lambda record: _detail(record, "Result"),
        "error": _error,
        "attempt": lambda record: (record.get("StepDetails") or {}).get("Attempt"),
    }


@dataclass(frozen=True)
class OperationStartInfo(OperationInfo):
    """Of :meth:`DurableInstrumentationPlugin.on_operation_start`."""


@dataclass(frozen=True)
class OperationEndInfo(OperationInfo):
    """Of :meth:`DurableInstrumentationPlugin.on_operation_end`."""


@dataclass(frozen=True)
class UserFunctionStartInfo(OperationInfo):
    """Of one run of a step's, a condition's or a child context's function.

    Attributes:
        start_time: of this run, by the local clock.
        is_replay_children: the context has ended in an earlier invocation; its function runs once more to rebuild a
            result that is too large to be recorded.
    """

    is_replay_children: bool = False


@dataclass(frozen=True)
class UserFunctionEndInfo(OperationInfo):
    """The same run at its end; ``end_time`` by the local clock, ``error`` of this run."""

    is_replay_children: bool
    outcome: UserFunctionOutcome


def operation_infos(records: Sequence[Operation]) -> dict[str, OperationInfo]:
    return {record["Id"]: view(OperationInfo, record) for record in records}


@dataclass(frozen=True)
class OperationChangeInfo(_View):
    """What answers of the service have changed since the last of these hooks.

    Attributes:
        updated_operations: those whose status is another, as they are now, by id.
        operations: all of the execution's operations, by id. Reading it takes time in proportion to their number.
    """

    execution_arn: str | None
    updated_operations: dict[str, OperationInfo]
    operations: dict[str, OperationInfo]

    _readers: ClassVar[Readers] = {
        "updated_operations": lambda source: operation_infos(source[0]),
        "operations": lambda source: operation_infos(list(source[1].values())),
    }


class InvocationFacts:
    """What the views of an invocation are read out of. ``operations``: called for the records as they are then."""

    __slots__ = ("execution", "lambda_context", "operations", "reason", "updated")

    def __init__(
        self,
        execution: Mapping[str, Any],
        operations: Callable[[], Sequence[Operation]],
        updated: frozenset[str],
        lambda_context: Any,
        reason: Callable[[], TerminationReason | None] = _none,
    ) -> None:
        self.reason: Callable[[], TerminationReason | None] = reason
        self.execution: Mapping[str, Any] = execution
        self.operations: Callable[[], Sequence[Operation]] = operations
        self.updated: frozenset[str] = updated
        self.lambda_context: Any = lambda_context

    @property
    def input(self) -> Any:
        """A value of its own for whoever asks, so nobody else's input is changed by what is done to it."""
        payload = (self.execution.get("ExecutionDetails") or {}).get("InputPayload")
        try:
            return json.loads(payload) if payload and payload.strip() else {}
        except ValueError:
            return None  # the handler is about to fail with it


def _by_id(records: Sequence[Operation], wanted: frozenset[str]) -> list[Operation]:
    return [record for record in records if record["Id"] in wanted]


@dataclass(frozen=True)
class InvocationInfo(_View):
    """One invocation.

    Attributes:
        request_id: of the Lambda invocation.
        is_first_invocation: nothing but the execution itself had been recorded when it began.
        execution_input: the input, parsed from JSON; ``{}`` for an empty one.
        operations: what was recorded, by id, the EXECUTION included: at the beginning in the start hook, at the end in
            the end hook.

    The input and the operations are in neither ``repr`` nor ``==``: they may be large, or secret.
    """

    request_id: str | None
    execution_arn: str | None
    is_first_invocation: bool
    execution_start_time: datetime | None = field(default_factory=_none)
    execution_input: Any = field(default_factory=_none, kw_only=True, repr=False, compare=False)
    operations: dict[str, OperationInfo] = field(default_factory=dict, kw_only=True, repr=False, compare=False)

    _readers: ClassVar[Readers] = {
        "request_id": lambda facts: getattr(facts.lambda_context, "aws_request_id", None),
        "execution_start_time": lambda facts: moment(facts.execution.get("StartTimestamp")),
        "execution_input": lambda facts: facts.input,
        "operations": lambda facts: operation_infos(facts.operations()),
        "updated_operations": lambda facts: operation_infos(_by_id(facts.operations(), facts.updated)),
    }


@dataclass(frozen=True)
class InvocationStartInfo(InvocationInfo):
    """Of :meth:`DurableInstrumentationPlugin.on_invocation_start`.

    Attributes:
        updated_operations: those of ``operations`` that have changed since the invocation before: waits that have
            passed, callbacks that were answered, invokes that have ended.
    """

    updated_operations: dict[str, OperationInfo] = field(default_factory=dict, kw_only=True, repr=False, compare=False)


@dataclass(frozen=True)
class InvocationEndInfo(InvocationInfo):
    """Of :meth:`DurableInstrumentationPlugin.on_invocation_end`.

    Attributes:
        error: what the execution failed with, or what the invocation raised.
        execution_result: JSON text; ``""`` when it was too large for the answer and was recorded instead.
        termination_reason: why it ended; None if the execution succeeded.
    """

    status: InvocationStatus = field(kw_only=True)
    error: ErrorObject | None = field(default_factory=_none)
    execution_result: str | None = field(default_factory=_none, kw_only=True, repr=False, compare=False)
    termination_reason: TerminationReason | None = field(default_factory=_none, kw_only=True, repr=False, compare=False)

    _readers: ClassVar[Readers] = {**InvocationInfo._readers, "termination_reason": lambda facts: facts.reason()}


@dataclass(frozen=True)
class PropagationInput:
    """An invoke that is about to be recorded for the first time."""

    execution_arn: str
    operation_id: str
    target_function_name: str
    parent_operation_id: str | None = None


@dataclass(frozen=True)
class PropagationMetadata:
    """What the invoked function is to be given: the value of its ``X-Amzn-Trace-Id`` header."""

    x_amzn_trace_id: str | None = None


# ---- what a program writes -----------------------------------------------------------------------------------------


class DurableInstrumentationPlugin:
    """Base class of plugins: override the hooks you need; one that is not overridden costs nothing.

    Hooks are plain functions, called in the thread, and in async code in the task, that does what they tell of. That
    code waits for them, and context variables they set are seen by it. A coroutine function cannot be a hook: it is
    reported and left out. Slow work belongs into a thread of the plugin's own, to be joined in
    :meth:`on_invocation_end`.

    A plugin cannot change an outcome. What a hook raises, ``SystemExit`` included, is logged, once for each plugin and
    hook in an invocation, and goes no further; only ``KeyboardInterrupt`` is passed on, as that is not the plugin's
    doing. Each plugin gets infos of its own. A hook cannot use a durable context.

    An operation's hooks come in this order: operation start, then user function start and end for every run of its
    function, operation end; a child's end before its parent's. Operations that run side by side have their hooks side
    by side, in threads in sync code.
    """

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        """Before the handler is called."""

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        """When the answer of the invocation is final, after all other hooks; however it ended."""

    def on_operation_start(self, info: OperationStartInfo) -> None:
        """Before a new operation is recorded, or, with ``is_replayed``, when the code comes upon one that an earlier
        invocation began and that has not ended. Once for an operation in an invocation."""

    def on_operation_end(self, info: OperationEndInfo) -> None:
        """When an operation has ended and that is recorded, before the program goes on with its outcome.

        One that was ended from outside (a wait, a callback, an invoke) is told of when the program sees it; what ends
        without being seen, before the end of the invocation. It is not told of again in later invocations, but for
        contexts that run again in each: virtual ones, and those with a result too large to be recorded.
        """

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        """After answers of the service have changed the status of operations: one call may cover several answers."""

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        """Before the function of a step (each attempt), of a condition (each check), of a submitter, of a child
        context or of a branch runs; before the branches of a map or parallel, for that operation."""

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        """When that function has returned, raised, or been left to go on in a later run."""

    def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
        """Asked before an invoke is recorded. The first plugin that gives a value decides."""
        return None


class DurableInstrumentationPluginFactory(Protocol):
    """Makes the plugin of one invocation; lives as long as the function does.

    A class may declare ``__durable_registration_api__ = 1`` to have two more members looked at: ``exclusive_group``, a
    name that only one of a function's factories may have, and ``on_registration_result(registered)``, called with
    whether the function's plugins have been accepted.
    """

    def create_plugin(self, info: InvocationStartInfo, /) -> DurableInstrumentationPlugin:
        """The plugin for the invocation that ``info`` is of; its own ``on_invocation_start`` gets the same object."""
        ...
