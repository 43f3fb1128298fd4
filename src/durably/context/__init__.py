"""The contexts that durable functions receive, and the decorators that make functions fit their operations.

Names are resolved on first use: a program pays only for the world, sync or async, that it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .async_futures import AsyncDurableFuture
    from .asynchronous import AsyncCallback, AsyncDurableContext
    from .decorators import (
        durable_parallel_branch,
        durable_step,
        durable_wait_for_callback,
        durable_with_child_context,
    )
    from .operation_contexts import (
        ExecutionContext,
        OperationContext,
        StepContext,
        WaitForCallbackContext,
        WaitForConditionCheckContext,
    )
    from .sagas import AsyncSaga, Saga
    from .sync_futures import DurableFuture
    from .synchronous import Callback, DurableContext

__all__ = [
    "AsyncCallback",
    "AsyncDurableContext",
    "AsyncDurableFuture",
    "AsyncSaga",
    "Callback",
    "DurableContext",
    "DurableFuture",
    "ExecutionContext",
    "OperationContext",
    "Saga",
    "StepContext",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
    "durable_parallel_branch",
    "durable_step",
    "durable_wait_for_callback",
    "durable_with_child_context",
]

_HOME = {
    "AsyncCallback": "asynchronous",
    "AsyncDurableContext": "asynchronous",
    "AsyncDurableFuture": "async_futures",
    "AsyncSaga": "sagas",
    "Callback": "synchronous",
    "DurableContext": "synchronous",
    "DurableFuture": "sync_futures",
    "ExecutionContext": "operation_contexts",
    "OperationContext": "operation_contexts",
    "Saga": "sagas",
    "StepContext": "operation_contexts",
    "WaitForCallbackContext": "operation_contexts",
    "WaitForConditionCheckContext": "operation_contexts",
    "durable_parallel_branch": "decorators",
    "durable_step": "decorators",
    "durable_wait_for_callback": "decorators",
    "durable_with_child_context": "decorators",
}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is not None:
        value = getattr(import_module(f".{home}", __name__), name)
    elif name in import_module("durably").__all__:
        value = getattr(import_module("durably"), name)  # the official SDK's module has most of its names
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
