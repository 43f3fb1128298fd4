"""Futures of async code: tasks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, overload

from durably.engine.branch import Branch
from durably.engine.cancellation import is_cancellation
from durably.engine.operation import Op
from durably.engine.requests import Park
from durably.engine.scope import Scope
from durably.exceptions import AllFailedError, ExecutionError, InvalidStateError, InvocationError

from .base import Protocol
from .futures import LAST, ORDER, FutureBase, FutureOperations, settled

if TYPE_CHECKING:
    import asyncio

    from durably.concurrency.models import BatchResult
    from durably.engine.async_run import AsyncRun
    from durably.engine.combinators import Kind

    from .base import ContextBase
    from .signatures import R1, R2, R3, AsyncOperand, R

__all__ = ["AsyncDurableFuture", "AsyncFutures"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_WHAT: Final[dict[str, str]] = {"WAIT": "wait", "STEP": "step"}


class AsyncDurableFuture(FutureBase, Generic[T_co]):
    """The result of an operation that :meth:`AsyncDurableContext.start` has started. Await it, as often as needed."""

    def __init__(
        self,
        context: ContextBase,
        operation_id: str,
        what: str,
        scope: Scope,
        fresh: bool,
        task: asyncio.Task[T_co],
        branch: Branch | None,
    ) -> None:
        super().__init__(context, operation_id, what, scope, fresh)
        self._task = task
        self._branch = branch
        self._cut = False
        self.order: int = LAST
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.order = next(ORDER)
        if not task.cancelled():
            task.exception()  # or asyncio reports it as forgotten when the invocation is suspended before it is awaited

    def __await__(self) -> Generator[Any, None, T_co]:
        return self.result().__await__()

    async def result(self) -> T_co:
        """The same as awaiting the future itself."""
        self._context._check_use()
        try:
            return await self._task
        except BaseException as error:
            if self._task.cancelled() and (self._cut or self._is_left_over()) and is_cancellation(error):
                how = "cancelled" if self._cut else "given up when the function that started it returned"
                raise InvalidStateError(f"{self!r} was {how}") from None
            raise

    def _is_left_over(self) -> bool:
        return self._scope.branch is not None and self._scope.branch.is_over

    async def begun(self) -> None:
        import asyncio

        await asyncio.sleep(0)  # its task was created earlier, so it has run by then; what it sends is flushed

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> bool:
        """Give it up: it records nothing more, a wait is cancelled. False if it had ended already.

        Its task is cancelled. That is recorded, so no later invocation runs it again.
        """
        if self._task.done() or self._cut:
            return False
        self.cut()
        run = self._context.run
        if self.operation_id and run.recording and not self._is_left_over():
            for _ in self._give_up():
                pass  # the updates are queued; nobody waits for their acknowledgement
        return True

    def cut(self) -> None:
        self._cut = True
        if self._branch is not None:
            self._branch.over = True
        self._task.cancel()

    def peek(self) -> BaseException | bool | None:
        if self._cut:
            return InvalidStateError(f"{self!r} was cancelled")
        if not self._task.done():
            return False
        return InvalidStateError(f"{self!r} was cancelled") if self._task.cancelled() else self._task.exception()


class AsyncFutures(FutureOperations):
    """How an AsyncDurableContext starts operations and waits for them."""

    run: AsyncRun

    def start(
        self, operation: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncDurableFuture[T]:
        """Start an operation of this context now; await the future later. See :meth:`DurableContext.start`."""
        future: AsyncDurableFuture[T] = self._start(operation, args, kwargs)
        return future

    @overload
    def race(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2]], name: str | None = None
    ) -> Coroutine[object, None, R1 | R2]: ...
    @overload
    def race(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2], AsyncOperand[R3]], name: str | None = None
    ) -> Coroutine[object, None, R1 | R2 | R3]: ...
    @overload
    def race(self, operations: Sequence[AsyncOperand[R]], name: str | None = None) -> Coroutine[object, None, R]: ...
    def race(self, operations: Sequence[AsyncOperand[Any]], name: str | None = None) -> Coroutine[object, None, Any]:
        """The first outcome. See :meth:`DurableContext.race`."""
        return self._one(*self._combine("race", operations, name, self._future, AsyncDurableFuture))

    @overload
    def any(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2]], name: str | None = None
    ) -> Coroutine[object, None, R1 | R2]: ...
    @overload
    def any(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2], AsyncOperand[R3]], name: str | None = None
    ) -> Coroutine[object, None, R1 | R2 | R3]: ...
    @overload
    def any(self, operations: Sequence[AsyncOperand[R]], name: str | None = None) -> Coroutine[object, None, R]: ...
    def any(self, operations: Sequence[AsyncOperand[Any]], name: str | None = None) -> Coroutine[object, None, Any]:
        """The result of the first that succeeds. See :meth:`DurableContext.any`."""
        return self._one(*self._combine("any", operations, name, self._future, AsyncDurableFuture))

    @overload
    def all(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2]], name: str | None = None
    ) -> Coroutine[object, None, list[R1 | R2]]: ...
    @overload
    def all(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2], AsyncOperand[R3]], name: str | None = None
    ) -> Coroutine[object, None, list[R1 | R2 | R3]]: ...
    @overload
    def all(
        self, operations: Sequence[AsyncOperand[R]], name: str | None = None
    ) -> Coroutine[object, None, list[R]]: ...
    def all(
        self, operations: Sequence[AsyncOperand[Any]], name: str | None = None
    ) -> Coroutine[object, None, list[Any]]:
        """All results, in order. See :meth:`DurableContext.all`."""
        return self._all(*self._combine("all", operations, name, self._future, AsyncDurableFuture))

    @overload
    def all_settled(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2]], name: str | None = None
    ) -> Coroutine[object, None, BatchResult[R1 | R2]]: ...
    @overload
    def all_settled(
        self, operations: tuple[AsyncOperand[R1], AsyncOperand[R2], AsyncOperand[R3]], name: str | None = None
    ) -> Coroutine[object, None, BatchResult[R1 | R2 | R3]]: ...
    @overload
    def all_settled(
        self, operations: Sequence[AsyncOperand[R]], name: str | None = None
    ) -> Coroutine[object, None, BatchResult[R]]: ...
    def all_settled(
        self, operations: Sequence[AsyncOperand[Any]], name: str | None = None
    ) -> Coroutine[object, None, BatchResult[Any]]:
        """Every outcome, in order. See :meth:`DurableContext.all_settled`."""
        return self._every(*self._combine("all_settled", operations, name, self._future, AsyncDurableFuture))

    def cancel_wait(self, wait: AsyncDurableFuture[Any] | str) -> Coroutine[object, None, bool]:
        """Cancel a wait: it ends at once. See :meth:`DurableContext.cancel_wait`."""
        coroutine: Coroutine[object, None, bool] = self._cancel_wait(wait)
        return coroutine

    # ---- how they are carried out --------------------------------------------------------------------------

    async def _one(self, futures: list[Any], op: Op, protocol: Protocol) -> Any:
        decision = await self._drive(protocol, op)
        if decision.index is None:
            outcomes = [await _outcome(future) for future in futures]
            raise AllFailedError(errors=[error for error in outcomes if isinstance(error, Exception)])
        return await futures[decision.index]

    async def _all(self, futures: list[Any], op: Op, protocol: Protocol) -> list[Any]:
        decision = await self._drive(protocol, op)
        return [await future for future in (futures if decision.index is None else [futures[decision.index]])]

    async def _every(self, futures: list[Any], op: Op, protocol: Protocol) -> BatchResult[Any]:
        await self._drive(protocol, op)
        return settled([await _outcome(future) for future in futures])

    def _future(self, given: Any, lost: bool) -> Any:
        if isinstance(given, AsyncDurableFuture):
            return given
        context: Any = self
        if not hasattr(given, "cr_await"):
            return self._start(context.run_in_child_context, (given,), {}, fresh=True, lost=lost)
        scope = self._own_scope()
        op = given.cr_frame.f_locals.get("op") if given.cr_code is type(self.run).drive.__code__ else None
        if lost:
            given.close()
            scope.spawned += 1
            for lost_id in (op.id,) if isinstance(op, Op) else scope.recorded_in_task(scope.spawned):
                self.run.forgo(lost_id)
            task = self.run.start(_never(self.run, scope, ""), Branch(scope.branch))
        else:
            task = self.run.loop.create_task(given)
        op_id, what = (op.id, _WHAT.get(op.type, "an operation")) if isinstance(op, Op) else ("", "a coroutine")
        future: AsyncDurableFuture[Any] = AsyncDurableFuture(self, op_id, what, scope, True, task, None)
        future.abandoned = lost
        return future

    async def _wait_for_any(self, kind: Kind, futures: Sequence[Any]) -> None:
        from durably.engine.combinators import decides
        from durably.engine.tasks import ParkFuture

        # asyncio.wait() would go through all of them each time that one ends.
        enough = ParkFuture(loop=self.run.loop)
        left = {future._task: future for future in futures}

        def ended(task: asyncio.Task[Any]) -> None:
            future = left.pop(task)
            if not enough.done() and (not left or decides(kind, future)):
                enough.set_result(None)

        for task in list(left):
            task.add_done_callback(ended)
        try:
            await enough
        finally:
            for task in left:
                task.remove_done_callback(ended)

    def _begin(
        self, op_id: str, what: str, call: Callable[[Branch], Protocol], outer: Scope, fresh: bool, abandoned: bool
    ) -> Any:
        branch = Branch(outer.branch)
        task = self.run.start(_never(self.run, outer, op_id) if abandoned else call(branch), branch)
        if outer.branch is not None:
            if outer.branch.tasks is None:
                outer.branch.tasks = set()
            outer.branch.tasks.add(task)
            task.add_done_callback(outer.branch.tasks.discard)
        return AsyncDurableFuture(self, op_id, what, outer, fresh, task, branch)


def _never(run: AsyncRun, scope: Scope, op_id: str) -> Protocol:
    """In place of what an earlier invocation has given up: it ends when it is given up again."""
    op = Op(run, scope, op_id, "STEP", "Step", None, None)
    while True:
        yield Park(op)


async def _outcome(future: AsyncDurableFuture[Any]) -> Exception | tuple[Any]:
    try:
        return (await future,)
    except (ExecutionError, InvocationError):
        raise  # they say what is to become of the execution or the invocation
    except Exception as error:
        return error
