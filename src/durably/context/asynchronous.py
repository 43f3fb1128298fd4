"""AsyncDurableContext: the same operations, awaitable.

Each method checks and numbers its operation when it is *called* and returns a coroutine, so operations may be handed
to ``asyncio.gather``, ``TaskGroup.create_task`` and the like in any order of running.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from durably.engine.operation import Op
from durably.ids import CallbackId, OperationId
from durably.serdes import MISSING

from .async_futures import AsyncFutures
from .base import Protocol
from .batches import BatchOperations, MapFunction
from .extras import AsyncBatch, ExtraOperations
from .flows import FlowOperations
from .sagas import AsyncSaga

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import TypeForm

    from durably.concurrency.models import BatchResult
    from durably.config import (
        CallbackConfig,
        ChildConfig,
        Duration,
        InvokeConfig,
        MapConfig,
        ParallelConfig,
        StepConfig,
        WaitForCallbackConfig,
    )
    from durably.engine.async_run import AsyncRun
    from durably.retries import WithRetryConfig
    from durably.saga import CompensationResult
    from durably.serdes import Codec
    from durably.waits import WaitForConditionConfig

    from .operation_contexts import StepContext, WaitForCallbackContext, WaitForConditionCheckContext
    from .signatures import R1, R2, R3, Asked, AsyncBranch, EitherBranch, R

__all__ = ["AsyncCallback", "AsyncDurableContext"]

T = TypeVar("T")
P = ParamSpec("P")
U = TypeVar("U")


class AsyncCallback(Generic[T]):
    """A result that somebody else will send; see :class:`durably.Callback`. ``await callback.result()``."""

    def __init__(self, context: AsyncDurableContext, callback_id: str, op: Op, codec: Codec | None) -> None:
        self._context = context
        self._op = op
        self._codec = codec
        self.callback_id: CallbackId = CallbackId._trusted(callback_id)

    @property
    def operation_id(self) -> OperationId:
        return OperationId._trusted(self._op.id)

    def result(self) -> Coroutine[object, None, T]:
        """Wait for the result. Raises CallbackExternalError or CallbackTimeoutError."""
        coroutine: Coroutine[object, None, T] = self._context._callback_result(self._op, self._codec)
        return coroutine

    def __repr__(self) -> str:
        return f"<AsyncCallback {self._op.name or ''} {self.callback_id}>"


class AsyncDurableContext(BatchOperations, FlowOperations, AsyncFutures, ExtraOperations):
    """The operations of a durable function written as ``async def``: those of :class:`DurableContext`, awaitable.

    Functions given to operations may be coroutine functions or plain ones. A plain step function other than a lambda
    runs in a thread, since it may block.
    """

    # Methods are declared as ``Coroutine[object, None, T]``, which is exact: with Any in it mypy takes asyncio.gather()
    # for ambiguous and gives Any for all results.

    run: AsyncRun

    def _drive(self, protocol: Protocol, op: Op) -> Coroutine[Any, Any, Any]:
        run = self.run
        return run.drive(protocol if run.hooks is None else run.hooks.watch(op, protocol), op)

    @overload
    def step(
        self,
        func: Callable[[StepContext], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], Awaitable[T]],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], T | Awaitable[T]],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    def step(
        self,
        func: Callable[[StepContext], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """Run ``func(step_context)`` once and record its result. See :meth:`DurableContext.step`."""
        coroutine: Coroutine[object, None, Any] = self._step(func, name, config, result_type)
        return coroutine

    def wait(self, duration: Duration | timedelta, name: str | None = None) -> Coroutine[object, None, None]:
        """Wait ``duration`` (1 second to 366 days). See :meth:`DurableContext.wait`."""
        coroutine: Coroutine[object, None, None] = self._wait(duration, name)
        return coroutine

    @overload
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: type[T]
    ) -> Coroutine[object, None, AsyncCallback[T]]: ...
    @overload
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: TypeForm[Asked]
    ) -> Coroutine[object, None, AsyncCallback[Asked]]: ...
    @overload
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None
    ) -> Coroutine[object, None, AsyncCallback[Any]]: ...
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: Any = MISSING
    ) -> Coroutine[object, None, AsyncCallback[Any]]:
        """Make a callback id to give away. See :meth:`DurableContext.create_callback`."""

        def make(callback_id: str, op: Op, codec: Codec | None) -> AsyncCallback[Any]:
            return AsyncCallback(self, callback_id, op, codec)

        coroutine: Coroutine[object, None, AsyncCallback[Any]] = self._create_callback(name, config, result_type, make)
        return coroutine

    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: type[T],
    ) -> Coroutine[object, None, T]: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> Coroutine[object, None, Any]: ...
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """Make a callback, have it submitted by a step, wait. See :meth:`DurableContext.wait_for_callback`."""
        coroutine: Coroutine[object, None, Any] = self._wait_for_callback(submitter, name, config, result_type)
        return coroutine

    @overload
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: type[T],
    ) -> Coroutine[object, None, T]: ...
    @overload
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, *, config: InvokeConfig[Any, T]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None, config: InvokeConfig[Any, T]
    ) -> Coroutine[object, None, T]: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, config: None = None
    ) -> Coroutine[object, None, Any]: ...
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """Invoke another function and wait for its result. See :meth:`DurableContext.invoke`."""
        coroutine: Coroutine[object, None, Any] = self._invoke(function_name, payload, name, config, result_type)
        return coroutine

    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContext], Any],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContext], Awaitable[T]],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> Coroutine[object, None, T]: ...
    @overload
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContext], T | Awaitable[T]],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> Coroutine[object, None, T]: ...
    def run_in_child_context(
        self,
        func: Callable[[AsyncDurableContext], Any],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """Run ``func(child_context)`` as one operation. See :meth:`DurableContext.run_in_child_context`."""
        coroutine: Coroutine[object, None, Any] = self._run_in_child_context(func, name, config, result_type)
        return coroutine

    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], T | Awaitable[T]],
        config: WaitForConditionConfig[T],
        name: str | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, T]:
        """Check again and again until the state will do. See :meth:`DurableContext.wait_for_condition`."""
        coroutine: Coroutine[object, None, T] = self._wait_for_condition(check, config, name, result_type)
        return coroutine

    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U, int], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U, int], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U, int, Sequence[U]], Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[AsyncDurableContext, U, int, Sequence[U]], T | Awaitable[T]],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[T]]: ...
    def map(
        self,
        inputs: Sequence[U],
        func: MapFunction[AsyncDurableContext, U, Any],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> Coroutine[object, None, BatchResult[Any]]:
        """Run ``func(child_context, item)`` for every item. See :meth:`DurableContext.map`."""
        coroutine: Coroutine[object, None, BatchResult[Any]] = self._map(inputs, func, name, config)
        return coroutine

    @overload
    def parallel(
        self,
        functions: tuple[AsyncBranch[R1], AsyncBranch[R2]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[object, None, BatchResult[R1 | R2]]: ...
    @overload
    def parallel(
        self,
        functions: tuple[AsyncBranch[R1], AsyncBranch[R2], AsyncBranch[R3]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[object, None, BatchResult[R1 | R2 | R3]]: ...
    @overload
    def parallel(
        self,
        functions: Sequence[AsyncBranch[R]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[object, None, BatchResult[R]]: ...
    @overload
    def parallel(
        self,
        functions: Sequence[EitherBranch[R]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> Coroutine[object, None, BatchResult[R]]: ...
    def parallel(
        self, functions: Sequence[EitherBranch[Any]], name: str | None = None, config: ParallelConfig | None = None
    ) -> Coroutine[object, None, BatchResult[Any]]:
        """Run the functions side by side, each with a child context. See :meth:`DurableContext.parallel`."""
        coroutine: Coroutine[object, None, BatchResult[Any]] = self._parallel(functions, name, config)
        return coroutine

    @overload
    def with_retry(
        self,
        func: Callable[[AsyncDurableContext, int], Any],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def with_retry(
        self,
        func: Callable[[AsyncDurableContext, int], Awaitable[T]],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
    ) -> Coroutine[object, None, T]: ...
    @overload
    def with_retry(
        self,
        func: Callable[[AsyncDurableContext, int], T | Awaitable[T]],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
    ) -> Coroutine[object, None, T]: ...
    def with_retry(
        self,
        func: Callable[[AsyncDurableContext, int], Any],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """Run a block of operations until it succeeds. See :meth:`DurableContext.with_retry`."""
        coroutine: Coroutine[object, None, Any] = self._with_retry(func, name, config, result_type)
        return coroutine

    @overload
    def step_with_compensation(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[AsyncDurableContext, Asked], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def step_with_compensation(
        self,
        func: Callable[[StepContext], Awaitable[T]],
        compensate: Callable[[AsyncDurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    @overload
    def step_with_compensation(
        self,
        func: Callable[[StepContext], T | Awaitable[T]],
        compensate: Callable[[AsyncDurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    def step_with_compensation(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[AsyncDurableContext, Any], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """A step that can be undone. See :meth:`DurableContext.step_with_compensation`."""
        coroutine: Coroutine[object, None, Any] = self._step_with_compensation(
            func, compensate, name, config, result_type, self._registry
        )
        return coroutine

    def run_compensations(self) -> Coroutine[object, None, CompensationResult]:
        """Undo, last registered first. See :meth:`DurableContext.run_compensations`."""
        coroutine: Coroutine[object, None, CompensationResult] = self._run_compensations(self._registry)
        return coroutine

    def saga(self) -> AsyncSaga:
        """A block (``async with``) whose steps are undone if it fails, and not when it is suspended."""
        return AsyncSaga(self)

    # ---- checkpoints and recurse ---------------------------------------------------------------------------

    def flush(self) -> Coroutine[object, None, None]:
        """Record what has not been recorded yet. See :meth:`DurableContext.flush`."""
        coroutine: Coroutine[object, None, None] = self._flush()
        return coroutine

    def batch(self) -> AsyncBatch:
        """A block (``async with``) whose steps are recorded together, at its end at the latest.

        A crash inside repeats the steps of the block; see :mod:`durably.checkpointing`.
        """
        return AsyncBatch(self)

    def recurse(self, payload: Any, name: str | None = None) -> Coroutine[object, None, Any]:
        """Go on as a fresh execution of this function. See :meth:`DurableContext.recurse`."""
        coroutine: Coroutine[object, None, Any] = self._recurse(payload, name)
        return coroutine

    def complete(self, result: Any) -> Coroutine[object, None, NoReturn]:
        """End the execution now, with a result. See :meth:`DurableContext.complete`."""
        coroutine: Coroutine[object, None, NoReturn] = self._complete(result)
        return coroutine
