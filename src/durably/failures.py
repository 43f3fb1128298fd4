"""What an error handler is told: the error that ends an execution, and how far each operation was.

    def report(error: Exception, failure: ExecutionFailure) -> Exception | None:
        alert(f"{failure.execution_arn.execution_name}: {error}", failure.describe())
        return OrderFailed(failure.execution_arn) if isinstance(error, StepError) else None

    @durable_execution(error_handler=report)

It is called when an exception of the handler is about to fail the execution, after everything is recorded: never for
a suspension, never for an invocation that is to be tried again, never for what the engine itself ends an execution with
(code that no longer matches its record, a refused checkpoint). What it returns, or raises, takes the error's place;
None leaves it. A crash between the call and the service's taking note makes it be called again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ._values import Value
from .ids import ExecutionArn, OperationId

if TYPE_CHECKING:
    from datetime import datetime

    from .concurrency.error_object import ErrorObject
    from .engine.run import Run
    from .wire.names import OperationStatus, OperationType
    from .wire.shapes import Operation

__all__ = ["ErrorHandler", "ExecutionFailure", "OperationNode", "operation_tree"]

_DETAILS = ("StepDetails", "CallbackDetails", "ChainedInvokeDetails", "ContextDetails")


class OperationNode(Value):
    """One recorded operation, and those inside it.

    Parameters:
        id, type, sub_type, name, status: as recorded.
        attempt: of a step: how many attempts it has taken, else None.
        error: what it failed with, or its latest attempt.
        result: serialized, as it is recorded.
        started_at, ended_at: by the service's clock, in UTC.
        children: in the order in which they were begun.
    """

    __slots__ = __match_args__ = _fields = (
        "id", "type", "sub_type", "name", "status", "attempt", "error", "result", "started_at", "ended_at", "children",
    )  # fmt: skip

    id: OperationId
    type: OperationType
    sub_type: str | None
    name: str | None
    status: OperationStatus
    attempt: int | None
    error: ErrorObject | None
    result: str | None
    started_at: datetime | None
    ended_at: datetime | None
    children: tuple[OperationNode, ...]

    def __init__(
        self,
        id: OperationId,
        type: OperationType,
        sub_type: str | None,
        name: str | None,
        status: OperationStatus,
        attempt: int | None,
        error: ErrorObject | None,
        result: str | None,
        started_at: datetime | None,
        ended_at: datetime | None,
        children: Sequence[OperationNode] = (),
    ) -> None:
        self._set(
            id=id,
            type=type,
            sub_type=sub_type,
            name=name,
            status=status,
            attempt=attempt,
            error=error,
            result=result,
            started_at=started_at,
            ended_at=ended_at,
            children=tuple(children),
        )

    def walk(self) -> Iterator[OperationNode]:
        """This operation and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def __str__(self) -> str:
        what = " ".join(filter(None, (self.sub_type or self.type.value, self.name and repr(self.name))))
        attempts = f", attempt {self.attempt}" if self.attempt and self.attempt > 1 else ""
        return f"{what}: {self.status.value}{attempts}" + (f" ({self.error})" if self.error is not None else "")


class ExecutionFailure:
    """How an execution stands that is about to fail.

    Attributes:
        execution_arn: of the execution.
        original_input: its input, JSON text.
        lambda_context: of the invocation in which it fails.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._tree: tuple[OperationNode, ...] | None = None
        execution: Any = run.execution or {}
        self.execution_arn: ExecutionArn = ExecutionArn._trusted(run.arn)
        self.original_input: str | None = execution.get("ExecutionDetails", {}).get("InputPayload")
        self.lambda_context: Any = run.lambda_context

    @property
    def operations(self) -> tuple[OperationNode, ...]:
        """The operations at the root; those inside them are their ``children``.

        What is inside a context that had ended before this invocation the service does not send again.
        """
        if self._tree is None:
            self._tree = operation_tree(list(self._run.ops.values()))
        return self._tree

    def walk(self) -> Iterator[OperationNode]:
        """Every operation, parents first."""
        for node in self.operations:
            yield from node.walk()

    def describe(self) -> str:
        """The tree, one operation a line."""
        return "\n".join(_lines(self.operations, ""))

    def __repr__(self) -> str:
        return f"<failure of {self.execution_arn}, {len(self._run.ops)} operations>"


ErrorHandler: TypeAlias = Callable[[Exception, ExecutionFailure], "Exception | Awaitable[Exception | None] | None"]
"""What ``error_handler=`` takes; a coroutine function only for a coroutine handler."""


def operation_tree(records: Sequence[Operation]) -> tuple[OperationNode, ...]:
    """The recorded operations as trees, each level in the order of their beginning; without the EXECUTION."""
    below: dict[str | None, list[Operation]] = {}
    ids = {record["Id"] for record in records if record["Type"] != "EXECUTION"}
    for record in sorted(records, key=lambda record: record.get("StartTimestamp") or 0):
        if record["Type"] != "EXECUTION":
            parent = record.get("ParentId")
            below.setdefault(parent if parent in ids else None, []).append(record)
    return _nodes(below, None)


def _nodes(below: dict[str | None, list[Operation]], parent: str | None) -> tuple[OperationNode, ...]:
    from .concurrency.error_object import ErrorObject
    from .replay_safe import timestamp_from_execution
    from .wire.names import OperationStatus, OperationType

    def time_of(milliseconds: int | None) -> datetime | None:
        return None if milliseconds is None else timestamp_from_execution(milliseconds)

    nodes: list[OperationNode] = []
    for record in below.get(parent, ()):
        details: dict[str, Any] = next((record[name] for name in _DETAILS if name in record), {})  # type: ignore[literal-required]
        error = details.get("Error")
        nodes.append(
            OperationNode(
                OperationId._trusted(record["Id"]),
                OperationType(record["Type"]),
                record.get("SubType"),
                record.get("Name"),
                OperationStatus(record["Status"]),
                details.get("Attempt"),
                None if error is None else ErrorObject.from_dict(error),
                details.get("Result"),
                time_of(record.get("StartTimestamp")),
                time_of(record.get("EndTimestamp")),
                _nodes(below, record["Id"]),
            )
        )
    return tuple(nodes)


def _lines(nodes: Sequence[OperationNode], indent: str) -> Iterator[str]:
    for node in nodes:
        yield f"{indent}{node}"
        yield from _lines(node.children, indent + "  ")
