"""The contexts that durable functions receive, and the decorators that make functions fit their operations."""

from __future__ import annotations

from .async_futures import AsyncDurableFuture
from .asynchronous import AsyncCallback, AsyncDurableContext
from .base import StepContext, WaitForCallbackContext, WaitForConditionCheckContext
from .decorators import durable_parallel_branch, durable_step, durable_wait_for_callback, durable_with_child_context
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
    "Saga",
    "StepContext",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
    "durable_parallel_branch",
    "durable_step",
    "durable_wait_for_callback",
    "durable_with_child_context",
]
