"""``tracing=``: a context manager around every invocation and every run of a step's, condition's or child's function.

    @durable_execution(tracing=lambda span: tracer.start_as_current_span(span.name))

It is entered in the thread, or in the task, in which the function runs, so what it sets in context variables is seen
there. A run that is cut short by a suspension is left like one that went well. What it raises is reported and changes
nothing. Finer hooks, with results, errors and changes of state, have plugins: :mod:`durably.plugin`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

from ._config_checks import takes
from ._values import Value
from .exceptions import ValidationError
from .ids import ExecutionArn, OperationId
from .plugin import DurableInstrumentationPlugin

if TYPE_CHECKING:
    from .concurrency.error_object import ErrorObject
    from .plugin import (
        InvocationEndInfo,
        InvocationStartInfo,
        UserFunctionEndInfo,
        UserFunctionStartInfo,
    )

__all__ = ["TraceSpan", "Tracing", "TracingFactory"]


class TraceSpan(Value):
    """What a context manager of ``tracing=`` is around.

    Parameters:
        kind: ``"invocation"``, or the operation's subtype: ``"Step"``, ``"RunInChildContext"``, ``"Map"`` ...
        name: the operation's name, else its kind; of an invocation the name of the function.
        execution_arn: of the execution.
        operation_id: None for an invocation.
        attempt: of a step or a check, from 1; else None.
        is_replay: an invocation that is not the execution's first, or a context whose function runs once more to
            rebuild its result.
    """

    __slots__ = ("attempt", "execution_arn", "is_replay", "kind", "name", "operation_id")
    __match_args__ = _fields = ("kind", "name", "execution_arn", "operation_id", "attempt", "is_replay")

    kind: str
    name: str
    execution_arn: ExecutionArn
    operation_id: OperationId | None
    attempt: int | None
    is_replay: bool

    def __init__(
        self,
        kind: str,
        name: str,
        execution_arn: ExecutionArn,
        operation_id: OperationId | None,
        attempt: int | None,
        is_replay: bool,
    ) -> None:
        self._set(
            kind=kind,
            name=name,
            execution_arn=execution_arn,
            operation_id=operation_id,
            attempt=attempt,
            is_replay=is_replay,
        )


Tracing: TypeAlias = Callable[[TraceSpan], AbstractContextManager[Any]]


class TracingFactory:
    """A plugin factory of a ``tracing`` function."""

    def __init__(self, tracing: Tracing, function_name: str) -> None:
        if not callable(tracing) or not takes(tracing, 1):
            raise ValidationError(
                f"tracing is {tracing!r}, and must be a function of a TraceSpan that gives a context manager"
            )
        self._tracing = tracing
        self._function_name = function_name

    def create_plugin(self, info: InvocationStartInfo) -> _TracingPlugin:
        return _TracingPlugin(self._tracing, self._function_name, info.execution_arn or "")


class _TracingPlugin(DurableInstrumentationPlugin):
    def __init__(self, tracing: Tracing, function_name: str, arn: str) -> None:
        self._tracing = tracing
        self._function_name = function_name
        self._arn = ExecutionArn._trusted(arn)
        self._invocation: AbstractContextManager[Any] | None = None
        self._open: dict[tuple[str, int | None], AbstractContextManager[Any]] = {}

    def _enter(self, span: TraceSpan) -> AbstractContextManager[Any]:
        manager = self._tracing(span)
        manager.__enter__()
        return manager

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        again = not info.is_first_invocation
        self._invocation = self._enter(TraceSpan("invocation", self._function_name, self._arn, None, None, again))

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        manager, self._invocation = self._invocation, None
        if manager is not None:
            _leave(manager, info.error)

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        kind = info.sub_type or info.operation_type.value
        operation_id = OperationId._trusted(info.operation_id)
        span = TraceSpan(kind, info.name or kind, self._arn, operation_id, info.attempt, info.is_replay_children)
        self._open[info.operation_id, info.attempt] = self._enter(span)

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        manager = self._open.pop((info.operation_id, info.attempt), None)
        if manager is not None:
            _leave(manager, info.error)


def _leave(manager: AbstractContextManager[Any], error: ErrorObject | None) -> None:
    """Leave ``manager``, with an exception that stands for ``error`` if there was one."""
    if error is None:
        manager.__exit__(None, None, None)
        return
    stand_in = error.to_durable_operation_error()
    manager.__exit__(type(stand_in), stand_in, None)
