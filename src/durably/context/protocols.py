"""What a helper may ask of a context, whichever it is: a handler's, a child's, or one made for a test.

A helper that takes ``DurableContextProtocol`` (or its async sibling) works with the real contexts and with every
stand-in that has these methods; the type checker holds both sides to it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload, runtime_checkable

if TYPE_CHECKING:
    from datetime import timedelta

    from durably._logging.options import LoggerInterface
    from durably.concurrency.models import BatchResult
    from durably.config import (
        CallbackConfig,
        ChildConfig,
        Duration,
        InvokeConfig,
        MapConfig,
        ParallelBranch,
        ParallelConfig,
        StepConfig,
        WaitForCallbackConfig,
    )
    from durably.ids import CallbackId
    from durably.waits import WaitForConditionConfig

    from .operation_contexts import StepContext, WaitForCallbackContext, WaitForConditionCheckContext

__all__ = ["AsyncCallbackProtocol", "AsyncDurableContextProtocol", "CallbackProtocol", "DurableContextProtocol"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


class CallbackProtocol(Protocol[T_co]):
    """What ``create_callback`` gives."""

    @property
    def callback_id(self) -> str: ...

    def result(self) -> T_co: ...


class AsyncCallbackProtocol(Protocol[T_co]):
    """What ``await create_callback`` gives."""

    @property
    def callback_id(self) -> str: ...

    def result(self) -> Coroutine[Any, Any, T_co]: ...


class _Common(Protocol):
    @property
    def execution_arn(self) -> str: ...

    @property
    def original_input(self) -> str | None: ...

    @property
    def logger(self) -> LoggerInterface: ...

    def is_replaying(self) -> bool: ...


@runtime_checkable
class DurableContextProtocol(_Common, Protocol):
    """The operations of a plain durable function; see :class:`durably.DurableContext`."""

    def step(
        self, func: Callable[[StepContext], T], name: str | None = None, config: StepConfig | None = None
    ) -> T: ...

    def wait(self, duration: Duration | timedelta, name: str | None = None) -> None: ...

    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None
    ) -> CallbackProtocol[Any]: ...

    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> Any: ...

    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], T],
        config: WaitForConditionConfig[T],
        name: str | None = None,
    ) -> T: ...

    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, *, config: InvokeConfig[Any, T]
    ) -> T: ...
    @overload
    def invoke(self, function_name: str, payload: Any, name: str | None, config: InvokeConfig[Any, T]) -> T: ...
    @overload
    def invoke(self, function_name: str, payload: Any, name: str | None = None, config: None = None) -> Any: ...

    def run_in_child_context(
        self,
        func: Callable[[DurableContextProtocol], T],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> T: ...

    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContextProtocol, U], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContextProtocol, U, int], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContextProtocol, U, int, Sequence[U]], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...

    def parallel(
        self,
        functions: Sequence[Callable[[DurableContextProtocol], T] | ParallelBranch[T, DurableContextProtocol]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[T]: ...


@runtime_checkable
class AsyncDurableContextProtocol(_Common, Protocol):
    """The operations of a durable coroutine function; see :class:`durably.AsyncDurableContext`."""

    @overload
    def step(
        self, func: Callable[[StepContext], Awaitable[T]], name: str | None = None, config: StepConfig | None = None
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def step(
        self, func: Callable[[StepContext], T | Awaitable[T]], name: str | None = None, config: StepConfig | None = None
    ) -> Coroutine[Any, Any, T]: ...

    def wait(self, duration: Duration | timedelta, name: str | None = None) -> Coroutine[Any, Any, None]: ...

    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None
    ) -> Coroutine[Any, Any, AsyncCallbackProtocol[Any]]: ...

    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> Coroutine[Any, Any, Any]: ...

    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], T | Awaitable[T]],
        config: WaitForConditionConfig[T],
        name: str | None = None,
    ) -> Coroutine[Any, Any, T]: ...

    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, *, config: InvokeConfig[Any, T]
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None, config: InvokeConfig[Any, T]
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, config: None = None
    ) -> Coroutine[Any, Any, Any]: ...

    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContextProtocol], Awaitable[T]],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContextProtocol], T | Awaitable[T]],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> Coroutine[Any, Any, T]: ...

    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U, int], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U, int], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U, int, Sequence[U]], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContextProtocol, U, int, Sequence[U]], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...

    @overload
    def parallel(
        self,
        functions: Sequence[
            Callable[[AsyncDurableContextProtocol], Awaitable[T]]
            | ParallelBranch[Awaitable[T], AsyncDurableContextProtocol]
        ],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
    @overload
    def parallel(
        self,
        functions: Sequence[
            Callable[[AsyncDurableContextProtocol], T | Awaitable[T]]
            | ParallelBranch[T | Awaitable[T], AsyncDurableContextProtocol]
        ],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[Any, Any, BatchResult[T]]: ...
