"""Operations started now and awaited later, and decisions among them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from durably.concurrency.error_object import ErrorObject
from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
from durably.config import BatchItemStatus
from durably.engine.branch import Branch
from durably.engine.combinators import Decision, Kind, decide_among
from durably.engine.group import Outcome
from durably.engine.operation import Op, is_terminal
from durably.engine.requests import Body
from durably.engine.scope import CURRENT, Scope, refuse_use
from durably.exceptions import InvalidStateError, ValidationError

from .base import ContextBase, Protocol

if TYPE_CHECKING:
    import asyncio

    from durably.engine.sync_run import SyncRun

    from .synchronous import DurableContext

__all__ = ["AsyncDurableFuture", "DurableFuture", "FutureOperations"]

T = TypeVar("T")

STARTABLE: Final = frozenset(
    {
        "step",
        "wait",
        "create_callback",
        "wait_for_callback",
        "wait_for_condition",
        "invoke",
        "run_in_child_context",
        "map",
        "parallel",
        "with_retry",
        "step_with_compensation",
    }
)
_ONE: Final = "ctx.start() starts exactly one operation; start the next one by itself"


class _FutureBase:
    """What both know of the operation: its id, and the record under it."""

    def __init__(self, context: ContextBase, operation_id: str, what: str) -> None:
        self._context = context
        self.operation_id = operation_id
        self._what = what

    def _cancel_wait(self) -> None:
        """Have the service forget the wait, if it is one that is under way."""
        run = self._context.run
        record = run.ops.get(self.operation_id)
        if record is None or record["Type"] != "WAIT" or is_terminal(record):
            return
        scope = CURRENT.get() or self._context.scope
        assert scope is not None
        op = Op(run, scope, self.operation_id, "WAIT", "Wait", record.get("Name"), record.get("ParentId"))
        op.post("CANCEL")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._what}>"


class DurableFuture(_FutureBase, Generic[T]):
    """The result of an operation that :meth:`DurableContext.start` has started."""

    def __init__(self, context: DurableContext, operation_id: str, what: str, index: int, started: _Started) -> None:
        super().__init__(context, operation_id, what)
        self._index = index
        self._started = started

    def result(self) -> T:
        """Wait for the operation. Raises what it raises; InvalidStateError when it was cancelled."""
        self._context._check_use()
        outcome = self._started.outcome(self._index)
        if outcome.error is not None:
            raise outcome.error
        value: T = outcome.value
        return value

    def done(self) -> bool:
        """Whether it has ended, as far as this code has been told: :meth:`result` returns or raises at once."""
        return self._index in self._started.outcomes

    def cancel(self) -> bool:
        """Give it up: it records nothing more, a wait is cancelled. False if it had ended already."""
        if self.done():
            return False
        self._cancel_wait()
        self._started.cut(self._index, InvalidStateError(f"{self!r} was cancelled"))
        return True

    def peek(self) -> BaseException | bool | None:
        outcome = self._started.outcomes.get(self._index)
        return False if outcome is None else outcome.error


class AsyncDurableFuture(_FutureBase, Generic[T]):
    """The result of an operation that :meth:`AsyncDurableContext.start` has started. Await it, as often as needed."""

    def __init__(self, context: ContextBase, operation_id: str, what: str, task: asyncio.Task[T]) -> None:
        super().__init__(context, operation_id, what)
        self._task = task

    def __await__(self) -> Generator[Any, None, T]:
        return self._task.__await__()

    async def result(self) -> T:
        """The same as awaiting the future itself."""
        return await self._task

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> bool:
        """Give it up: the operation is cancelled, a wait also at the service. False if it had ended already."""
        if self._task.done():
            return False
        self._cancel_wait()
        return self._task.cancel()

    def peek(self) -> BaseException | bool | None:
        if not self._task.done():
            return False
        return InvalidStateError(f"{self!r} was cancelled") if self._task.cancelled() else self._task.exception()


class _Started:
    """The operations that sync code has started in one scope: a group of branches."""

    def __init__(self, run: SyncRun, scope: Scope) -> None:
        self._calls: list[Callable[[Branch], Protocol]] = []
        self._group = run.open_group(scope.branch, lambda index, branch: self._calls[index](branch))
        self.outcomes: dict[int, Outcome] = {}

    def start(self, call: Callable[[Branch], Protocol]) -> int:
        self._calls.append(call)
        self._group.start(len(self._calls) - 1)
        return len(self._calls) - 1

    def outcome(self, index: int) -> Outcome:
        while index not in self.outcomes:
            self.any_of({index})
        return self.outcomes[index]

    def any_of(self, indexes: set[int]) -> None:
        """Wait until one of ``indexes`` has ended."""
        while not indexes & self.outcomes.keys():
            outcome = self._group.next()
            self.outcomes.setdefault(outcome.index, outcome)

    def cut(self, index: int, error: Exception) -> None:
        self._group.cut(index)
        self.outcomes[index] = Outcome(index, None, error)


class FutureOperations(ContextBase):
    """What both contexts do to start operations and to decide among them."""

    def _start(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = getattr(operation, "__name__", "")
        if getattr(operation, "__self__", None) is not self or name not in STARTABLE:
            raise ValidationError(
                "start() takes an operation of this context and arguments, e.g. ctx.start(ctx.step, charge(order)), "
                f"not {operation!r}"
            )
        outer = CURRENT.get()
        if outer is None or outer.owner is not self or outer.thread != get_ident():
            raise refuse_use(self, outer)
        self.run.refuse_if_ended(outer.branch)
        op_id = outer.take_id()
        what = f"{name} {kwargs.get('name') or ''}".strip()

        def call(branch: Branch) -> Protocol:
            scope = Scope(self.run, self, None, f"the started {what}", replaying=outer.replaying, branch=branch)
            scope.preset(op_id, _ONE)
            return _called(lambda: operation(*args, **kwargs), scope)

        return self._begin(op_id, what, call, outer)

    def _begin(self, op_id: str, what: str, call: Callable[[Branch], Protocol], outer: Scope) -> Any:
        raise NotImplementedError

    def _wait_for_any(self, futures: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _combine(self, kind: Kind, given: Sequence[Any], name: str | None, start: Callable[[Any], Any]) -> Any:
        futures = [start(one) for one in given]
        if not futures and kind in ("race", "any"):
            raise ValidationError(f"{kind}() needs at least one operation to wait for")
        op = self._op("STEP", _SUB_TYPES[kind], name)
        protocol = decide_among(op, kind, futures, self._wait_for_any, op.scope)
        return futures, op, protocol

    @staticmethod
    def _settle(futures: list[Any], decision: Decision) -> list[Any]:
        """Tell the operations that are not needed; returns those that are."""
        if decision.index is None:
            return futures
        for index, future in enumerate(futures):
            if index != decision.index:
                future.cancel()
        return [futures[decision.index]]


_SUB_TYPES: Final[dict[str, str]] = {"race": "Race", "any": "Any", "all": "All", "all_settled": "AllSettled"}


def _called(operation: Callable[[], Any], scope: Scope) -> Protocol:
    return (yield Body(operation, (), scope, is_step=False))


def settled(futures: Sequence[Any]) -> BatchResult[Any]:
    """Outcomes as a BatchResult; ``futures`` are all done."""
    items: list[BatchItem[Any]] = []
    for index, outcome in enumerate(futures):
        if isinstance(outcome, BaseException):
            error = ErrorObject.from_exception(outcome)
            items.append(BatchItem(index, BatchItemStatus.FAILED, error=error))
        else:
            items.append(BatchItem(index, BatchItemStatus.SUCCEEDED, outcome[0]))
    return BatchResult(items, CompletionReason.ALL_COMPLETED)
