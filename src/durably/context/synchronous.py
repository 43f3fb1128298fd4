"""DurableContext: operations that block until their result is there, or end the invocation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, overload

from durably.engine.operation import Op
from durably.ids import CallbackId, OperationId
from durably.serdes import MISSING

from .base import Protocol
from .batches import BatchOperations, MapFunction
from .extras import Batch, ExtraOperations
from .flows import FlowOperations
from .sagas import Saga
from .sync_futures import SyncFutures

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
    from durably.engine.sync_run import SyncRun
    from durably.retries import WithRetryConfig
    from durably.saga import CompensationResult
    from durably.serdes import Codec
    from durably.waits import WaitForConditionConfig

    from .operation_contexts import StepContext, WaitForCallbackContext, WaitForConditionCheckContext
    from .signatures import R1, R2, R3, Asked, Branch, R

__all__ = ["Callback", "DurableContext"]

T = TypeVar("T")
P = ParamSpec("P")
U = TypeVar("U")


class Callback(Generic[T]):
    """A result that somebody else will send, addressed by ``callback_id``.

    Send it with SendDurableExecutionCallbackSuccess or ...Failure (``durably callback succeed|fail ID``).
    """

    def __init__(self, context: DurableContext, callback_id: str, op: Op, codec: Codec | None) -> None:
        self._context = context
        self._op = op
        self._codec = codec
        self.callback_id: CallbackId = CallbackId._trusted(callback_id)

    @property
    def operation_id(self) -> OperationId:
        return OperationId._trusted(self._op.id)

    def result(self) -> T:
        """Wait for the result. Raises CallbackExternalError or CallbackTimeoutError."""
        value: T = self._context._callback_result(self._op, self._codec)
        return value

    def __repr__(self) -> str:
        return f"<Callback {self._op.name or ''} {self.callback_id}>"


class DurableContext(BatchOperations, FlowOperations, SyncFutures, ExtraOperations):
    """The operations of a durable function written as a plain ``def``.

    Every operation is recorded; when the function runs again, after a crash or a wait, it goes through the recorded
    ones and continues behind them. Parameters common to all: ``name`` labels the operation in the history (1 to
    256 printable ASCII characters); ``result_type`` overrides the function's return annotation as the type that the
    result is restored to. Misuse raises ContextMisuseError, bad arguments ValidationError.
    """

    run: SyncRun

    def _drive(self, protocol: Protocol, op: Op) -> Any:
        if self.run.hooks is not None:
            protocol = self.run.hooks.watch(op, protocol)
        try:
            result = self.run.drive(protocol)
        except BaseException as error:
            op.over(seen=isinstance(error, Exception))
            raise
        op.over(seen=True)
        return result

    @overload
    def step(
        self,
        func: Callable[[StepContext], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], T],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> T: ...
    def step(
        self,
        func: Callable[[StepContext], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """Run ``func(step_context)`` once and record its result.

        Raises StepError when it failed and its retry strategy gave up; SerDesError when its result cannot be
        recorded.
        """
        return self._step(func, name, config, result_type)

    def wait(self, duration: Duration | timedelta, name: str | None = None) -> None:
        """Wait ``duration`` (1 second to 366 days) without occupying anything."""
        self._wait(duration, name)

    @overload
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: type[T]
    ) -> Callback[T]: ...
    @overload
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: TypeForm[Asked]
    ) -> Callback[Asked]: ...
    @overload
    def create_callback(self, name: str | None = None, config: CallbackConfig | None = None) -> Callback[Any]: ...
    def create_callback(
        self, name: str | None = None, config: CallbackConfig | None = None, *, result_type: Any = MISSING
    ) -> Callback[Any]:
        """Make a callback id to give away; ask for the outcome with ``.result()``.

        Without a serdes or ``result_type`` the result is the text that was sent.
        """

        def make(callback_id: str, op: Op, codec: Codec | None) -> Callback[Any]:
            return Callback(self, callback_id, op, codec)

        callback: Callback[Any] = self._create_callback(name, config, result_type, make)
        return callback

    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: type[T],
    ) -> T: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
    ) -> Any: ...
    def wait_for_callback(
        self,
        submitter: Callable[[CallbackId, WaitForCallbackContext], Any],
        name: str | None = None,
        config: WaitForCallbackConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """Make a callback, run ``submitter(callback_id, context)`` as a step, and wait for the callback's result.

        Raises CallbackSubmitterError, CallbackExternalError or CallbackTimeoutError.
        """
        return self._wait_for_callback(submitter, name, config, result_type)

    @overload
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: type[T],
    ) -> T: ...
    @overload
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def invoke(
        self, function_name: str, payload: Any, name: str | None = None, *, config: InvokeConfig[Any, T]
    ) -> T: ...
    @overload
    def invoke(self, function_name: str, payload: Any, name: str | None, config: InvokeConfig[Any, T]) -> T: ...
    @overload
    def invoke(self, function_name: str, payload: Any, name: str | None = None, config: None = None) -> Any: ...
    def invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None = None,
        config: InvokeConfig[Any, Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """Invoke another function, durable or not, and wait for its result. Payload and result are plain JSON.

        Raises InvokeError when it failed, timed out, was stopped or does not exist.
        """
        return self._invoke(function_name, payload, name, config, result_type)

    @overload
    def run_in_child_context(
        self,
        func: Callable[[DurableContext], Any],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def run_in_child_context(
        self,
        func: Callable[[DurableContext], T],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
    ) -> T: ...
    def run_in_child_context(
        self,
        func: Callable[[DurableContext], Any],
        name: str | None = None,
        config: ChildConfig[Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """Run ``func(child_context)`` as one operation that contains others.

        Raises ChildContextError with what escaped from ``func`` as its ``__cause__``.
        """
        return self._run_in_child_context(func, name, config, result_type)

    def wait_for_condition(
        self,
        check: Callable[[T, WaitForConditionCheckContext], T],
        config: WaitForConditionConfig[T],
        name: str | None = None,
        *,
        result_type: Any = MISSING,
    ) -> T:
        """Call ``check(state, context)`` again and again until the config's strategy says that its state will do.

        Between checks the execution is suspended. Raises WaitForConditionError when the check or the strategy failed,
        or the timeout passed.
        """
        state: T = self._wait_for_condition(check, config, name, result_type)
        return state

    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContext, U], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContext, U, int], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    @overload
    def map(
        self,
        inputs: Sequence[U],
        func: Callable[[DurableContext, U, int, Sequence[U]], T],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[T]: ...
    def map(
        self,
        inputs: Sequence[U],
        func: MapFunction[DurableContext, U, Any],
        name: str | None = None,
        config: MapConfig[U] | None = None,
    ) -> BatchResult[Any]:
        """Run ``func(child_context, item)`` for every item side by side; results in input order.

        ``func`` may also take the item's index, and the whole sequence after that. What counts as complete, how many
        run at once and how items are named says MapConfig. Raises ChildContextError when the map itself failed;
        failed items are in the result.
        """
        result: BatchResult[Any] = self._map(inputs, func, name, config)
        return result

    @overload
    def parallel(
        self, functions: tuple[Branch[R1], Branch[R2]], name: str | None = None, config: ParallelConfig | None = None
    ) -> BatchResult[R1 | R2]: ...
    @overload
    def parallel(
        self,
        functions: tuple[Branch[R1], Branch[R2], Branch[R3]],
        name: str | None = None,
        config: ParallelConfig | None = None,
    ) -> BatchResult[R1 | R2 | R3]: ...
    @overload
    def parallel(
        self, functions: Sequence[Branch[R]], name: str | None = None, config: ParallelConfig | None = None
    ) -> BatchResult[R]: ...
    def parallel(
        self, functions: Sequence[Branch[Any]], name: str | None = None, config: ParallelConfig | None = None
    ) -> BatchResult[Any]:
        """Run the functions side by side, each with a child context; results in their order. See ParallelConfig."""
        result: BatchResult[Any] = self._parallel(functions, name, config)
        return result

    @overload
    def with_retry(
        self,
        func: Callable[[DurableContext, int], Any],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def with_retry(
        self,
        func: Callable[[DurableContext, int], T],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
    ) -> T: ...
    def with_retry(
        self,
        func: Callable[[DurableContext, int], Any],
        name: str | None = None,
        config: WithRetryConfig[Any] | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """Run ``func(child_context, attempt)``, a block of operations, until it succeeds; durable waits in between.

        Raises ChildContextError with the last failure as its ``__cause__`` when the strategy gives up.
        """
        return self._with_retry(func, name, config, result_type)

    @overload
    def step_with_compensation(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[DurableContext, Asked], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def step_with_compensation(
        self,
        func: Callable[[StepContext], T],
        compensate: Callable[[DurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> T: ...
    def step_with_compensation(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[DurableContext, Any], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """A step; once it has succeeded, :meth:`run_compensations` will run ``compensate(child_context, result)``."""
        return self._step_with_compensation(func, compensate, name, config, result_type, self._registry)

    def run_compensations(self) -> CompensationResult:
        """Undo what :meth:`step_with_compensation` registered in this context, last registered first.

        Each compensation is an operation of its own; one that fails does not stop the others.
        """
        result: CompensationResult = self._run_compensations(self._registry)
        return result

    def saga(self) -> Saga:
        """A block whose steps are undone if it fails, and not when it is suspended."""
        return Saga(self)

    # ---- checkpoints and recurse ---------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when everything done so far is recorded; matters in the batched and optimistic modes only."""
        self._flush()

    def batch(self) -> Batch:
        """A block (``with``) whose steps are recorded together, at its end at the latest.

        A crash inside repeats the steps of the block; see :mod:`durably.checkpointing`.
        """
        return Batch(self)

    def recurse(self, payload: Any, name: str | None = None) -> Any:
        """Go on as a fresh execution of this same function, with ``payload`` as its input; returns its result.

        For loops that would make a history too long: ``return ctx.recurse(next_input)``. This execution waits, with
        nothing running, for the one that it started. The payload is checked against the handler's annotation.
        """
        return self._recurse(payload, name)

    def complete(self, result: Any) -> NoReturn:
        """End the execution now, with ``result`` as if the handler had returned it: from deep inside, or while other
        branches still run, which are given up.

        What is done is recorded first. Sagas around the call undo nothing and clean nothing up. To end it with an
        error instead, raise :class:`durably.ExecutionError`.
        """
        self._complete(result)
        raise AssertionError("complete() never returns")
