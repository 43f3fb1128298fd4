"""Types that programs name in annotations, under the official SDK's module name.

Contexts, the protocols that stand for them in helpers, the functions that operations take, and what can be recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from ._values import Value
from .context.operation_contexts import (
    OperationContext,
    StepContext,
    WaitForCallbackContext,
    WaitForConditionCheckContext,
)
from .ids import CallbackId, ExecutionArn, OperationId

if TYPE_CHECKING:
    from ._configs import SummaryGenerator
    from ._durable_value import DurableValue
    from ._logging.options import LoggerInterface
    from .concurrency.models import BatchResult
    from .context import AsyncCallback, AsyncDurableContext, Callback, DurableContext
    from .context.protocols import (
        AsyncCallbackProtocol,
        AsyncDurableContextProtocol,
        CallbackProtocol,
        DurableContextProtocol,
    )

__all__ = [
    "AsyncCallback",
    "AsyncCallbackProtocol",
    "AsyncChildFunction",
    "AsyncDurableContext",
    "AsyncDurableContextProtocol",
    "AsyncStepFunction",
    "BatchResult",
    "Callback",
    "CallbackId",
    "CallbackProtocol",
    "ChildFunction",
    "DurableContext",
    "DurableContextProtocol",
    "DurableExecutionArn",
    "DurableValue",
    "ExecutionArn",
    "LambdaContext",
    "LoggerInterface",
    "OperationContext",
    "OperationId",
    "StepContext",
    "StepFunction",
    "Submitter",
    "SummaryGenerator",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
]

T = TypeVar("T")

StepFunction: TypeAlias = Callable[[StepContext], T]
"""What ``DurableContext.step`` takes, and ``durable_step`` makes."""
AsyncStepFunction: TypeAlias = Callable[[StepContext], Awaitable[T]]
"""What ``AsyncDurableContext.step`` takes, besides plain functions."""
ChildFunction: TypeAlias = Callable[["DurableContext"], T]
"""What ``run_in_child_context`` and ``parallel`` take."""
AsyncChildFunction: TypeAlias = Callable[["AsyncDurableContext"], Awaitable[T]]
"""The same of an async context."""
Submitter: TypeAlias = Callable[[CallbackId, WaitForCallbackContext], Any]
"""What ``wait_for_callback`` takes: hands the callback id to whoever is to answer."""


class LambdaContext(Protocol):
    """What AWS Lambda passes beside the event: ``ctx.lambda_context``."""

    aws_request_id: str
    log_group_name: str | None
    log_stream_name: str | None
    function_name: str | None
    memory_limit_in_mb: str | None
    function_version: str | None
    invoked_function_arn: str | None
    tenant_id: str | None
    client_context: Any
    identity: Any

    def get_remaining_time_in_millis(self) -> int: ...

    def log(self, msg: Any) -> None: ...


class DurableExecutionArn(Value):
    """Parts of an execution's ARN under the official SDK's names; :class:`ExecutionArn` has them all."""

    __slots__ = ("execution_name", "function_name", "invocation_id")
    __match_args__ = _fields = ("function_name", "execution_name", "invocation_id")

    function_name: str
    execution_name: str
    invocation_id: str

    def __init__(self, function_name: str, execution_name: str, invocation_id: str) -> None:
        self._set(function_name=function_name, execution_name=execution_name, invocation_id=invocation_id)

    @classmethod
    def from_arn(cls, arn: str) -> DurableExecutionArn | None:
        """The parts of ``arn``; None if it is none."""
        try:
            parts = ExecutionArn(arn)
        except ValueError:
            return None
        return cls(parts.function_name, parts.execution_name, parts.execution_id)


_HOME = {
    "AsyncCallback": "context",
    "AsyncCallbackProtocol": "context.protocols",
    "AsyncDurableContext": "context",
    "AsyncDurableContextProtocol": "context.protocols",
    "BatchResult": "concurrency.models",
    "Callback": "context",
    "CallbackProtocol": "context.protocols",
    "DurableContext": "context",
    "DurableContextProtocol": "context.protocols",
    "DurableValue": "_durable_value",
    "LoggerInterface": "_logging.options",
    "SummaryGenerator": "_configs",
}


def __getattr__(name: str) -> Any:
    """A program that names the types of a step need not load contexts."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"durably.{home}"), name)
    globals()[name] = value
    return value
