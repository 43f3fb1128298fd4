"""Futures of sync code: branches on threads, whose outcomes the code that started them asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from durably.engine.branch import Branch
from durably.engine.group import Outcome
from durably.engine.scope import Scope
from durably.exceptions import AllFailedError, ContextMisuseError, ExecutionError, InvalidStateError, InvocationError

from .base import Protocol
from .futures import LAST, ORDER, FutureBase, FutureOperations, settled

if TYPE_CHECKING:
    from durably.concurrency.models import BatchResult
    from durably.engine.combinators import Kind
    from durably.engine.sync_group import SyncGroup
    from durably.engine.sync_run import SyncRun

    from .signatures import R1, R2, R3, Operand, R
    from .synchronous import DurableContext

__all__ = ["DurableFuture", "SyncFutures", "outcome_of"]

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class DurableFuture(FutureBase, Generic[T_co]):
    """The result of an operation that :meth:`DurableContext.start` has started."""

    _context: DurableContext

    def __init__(
        self,
        context: DurableContext,
        operation_id: str,
        what: str,
        scope: Scope,
        fresh: bool,
        index: int,
        started: _Started,
    ) -> None:
        super().__init__(context, operation_id, what, scope, fresh)
        self._index = index
        self._started = started

    def result(self) -> T_co:
        """Wait for the operation. Raises what it raises; InvalidStateError when it was cancelled."""
        wait_for_one([self])
        outcome = self._started.outcomes[self._index]
        if outcome.error is not None:
            raise outcome.error
        value: T_co = outcome.value
        return value

    def begun(self) -> None:
        run = self._context.run
        scope = self._context._check_use()
        self._started.check(self, scope)

        def known() -> bool | None:
            self._started.absorb()
            return True if self.done() or self.operation_id in run.ops else None

        if not self.abandoned:
            run.stand_by(scope.branch, known)

    def done(self) -> bool:
        """Whether it has ended, as far as this code has been told: :meth:`result` returns or raises at once."""
        return self._index in self._started.outcomes

    def cancel(self) -> bool:
        """Give it up: it records nothing more, a wait is cancelled. False if it had ended already.

        That is recorded, so no later invocation runs it again.
        """
        self._context._check_use()
        if self.done():
            return False
        self.cut()
        self._context.run.drive(self._give_up())
        return True

    def cut(self) -> None:
        self._started.cut(self._index, InvalidStateError(f"{self!r} was cancelled"))

    def peek(self) -> BaseException | bool | None:
        outcome = self._started.outcomes.get(self._index)
        return False if outcome is None else outcome.error

    @property
    def order(self) -> int:
        return self._started.order.get(self._index, LAST)


class _Started:
    """The operations that sync code has started in one scope: a group of branches."""

    def __init__(self, run: SyncRun, scope: Scope) -> None:
        self._calls: list[Callable[[Branch], Protocol]] = []
        self.group: SyncGroup = run.open_group(scope.branch, lambda index, branch: self._calls[index](branch))
        self.outcomes: dict[int, Outcome] = {}
        self.order: dict[int, int] = {}

    def start(self, call: Callable[[Branch], Protocol], abandoned: bool) -> int:
        self._calls.append(call)
        index = len(self._calls) - 1
        if not abandoned:
            self.group.start(index)
        return index

    def check(self, future: DurableFuture[Any], scope: Scope) -> None:
        """Refuse what cannot be waited for in ``scope``."""
        if self.group.key is not (None if scope.branch is None else scope.branch.strand):
            raise ContextMisuseError(
                f"{future!r} was asked for by code that runs beside the code that started it, in {scope.where}. Take "
                "its result where it was started and pass that on, or start the operation where it is needed."
            )
        if self.group.closed and not future.done():
            raise InvalidStateError(f"{future!r} was given up when the function that started it returned")

    def absorb(self) -> None:
        """Take note of what has ended. The caller holds the lock."""
        while (outcome := self.group.poll()) is not None:
            self._note(outcome)

    def cut(self, index: int, error: Exception) -> None:
        self.group.cut(index)
        self._note(Outcome(index, None, error))

    def _note(self, outcome: Outcome) -> None:
        if outcome.index not in self.outcomes:
            self.outcomes[outcome.index] = outcome
            self.order[outcome.index] = next(ORDER)


def wait_for_one(futures: Sequence[DurableFuture[Any]]) -> None:
    """Wait until one of ``futures`` has ended."""
    first = futures[0]
    scope = first._context._check_use()
    run = first._context.run
    groups = list({id(one._started): one._started for one in futures}.values())
    for one in futures:
        one._started.check(one, scope)
    if all(one.abandoned for one in futures if not one.done()) and not any(one.done() for one in futures):
        raise run.fail_non_deterministic(
            f"an earlier run cancelled {first!r}; this run waits for it and does not cancel it", first.operation_id
        )

    def ended() -> bool | None:
        for group in groups:
            group.absorb()
        return True if any(one.done() for one in futures) else None

    if not any(one.done() for one in futures):
        run.stand_by(scope.branch, ended)


class SyncFutures(FutureOperations):
    """How a DurableContext starts operations and waits for them."""

    run: SyncRun

    def start(self, operation: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> DurableFuture[T]:
        """Start an operation of this context now and take its result later: ``ctx.start(ctx.step, charge(order))``.

        Started operations run side by side. What has not been asked for when the function returns is given up.
        """
        future: DurableFuture[T] = self._start(operation, args, kwargs)
        return future

    @overload
    def race(self, operations: tuple[Operand[R1], Operand[R2]], name: str | None = None) -> R1 | R2: ...
    @overload
    def race(
        self, operations: tuple[Operand[R1], Operand[R2], Operand[R3]], name: str | None = None
    ) -> R1 | R2 | R3: ...
    @overload
    def race(self, operations: Sequence[Operand[R]], name: str | None = None) -> R: ...
    def race(self, operations: Sequence[Operand[Any]], name: str | None = None) -> Any:
        """The outcome of the first that ends; the others are cancelled.

        The decision is recorded: every replay has the same winner.

        ``operations`` are futures, or functions of a child context, which are started.
        """
        return self._first("race", operations, name)

    @overload
    def any(self, operations: tuple[Operand[R1], Operand[R2]], name: str | None = None) -> R1 | R2: ...
    @overload
    def any(
        self, operations: tuple[Operand[R1], Operand[R2], Operand[R3]], name: str | None = None
    ) -> R1 | R2 | R3: ...
    @overload
    def any(self, operations: Sequence[Operand[R]], name: str | None = None) -> R: ...
    def any(self, operations: Sequence[Operand[Any]], name: str | None = None) -> Any:
        """The result of the first that succeeds; the others are cancelled.

        Raises AllFailedError, with every error, when none does.
        """
        return self._first("any", operations, name)

    @overload
    def all(self, operations: tuple[Operand[R1], Operand[R2]], name: str | None = None) -> list[R1 | R2]: ...
    @overload
    def all(
        self, operations: tuple[Operand[R1], Operand[R2], Operand[R3]], name: str | None = None
    ) -> list[R1 | R2 | R3]: ...
    @overload
    def all(self, operations: Sequence[Operand[R]], name: str | None = None) -> list[R]: ...
    def all(self, operations: Sequence[Operand[Any]], name: str | None = None) -> list[Any]:
        """All results, in order. The first failure is raised at once, and the others are cancelled."""
        futures, op, protocol = self._combine("all", operations, name, self._future, DurableFuture)
        decision = self._drive(protocol, op)
        return [future.result() for future in (futures if decision.index is None else [futures[decision.index]])]

    @overload
    def all_settled(
        self, operations: tuple[Operand[R1], Operand[R2]], name: str | None = None
    ) -> BatchResult[R1 | R2]: ...
    @overload
    def all_settled(
        self, operations: tuple[Operand[R1], Operand[R2], Operand[R3]], name: str | None = None
    ) -> BatchResult[R1 | R2 | R3]: ...
    @overload
    def all_settled(self, operations: Sequence[Operand[R]], name: str | None = None) -> BatchResult[R]: ...
    def all_settled(self, operations: Sequence[Operand[Any]], name: str | None = None) -> BatchResult[Any]:
        """Every outcome, in order, whether a result or an error."""
        futures, op, protocol = self._combine("all_settled", operations, name, self._future, DurableFuture)
        self._drive(protocol, op)
        return settled([outcome_of(future) for future in futures])

    def cancel_wait(self, wait: DurableFuture[Any] | str) -> bool:
        """Cancel a wait, given as the future of a started one or by its operation's id: it ends at once.

        Whether it is cancelled; False if it has ended by itself, or no operation has that id. Raises ValidationError
        if the operation is no wait.
        """
        cancelled: bool = self._cancel_wait(wait)
        return cancelled

    # ---- how they are carried out --------------------------------------------------------------------------

    def _first(self, kind: Kind, operations: Sequence[Any], name: str | None) -> Any:
        futures, op, protocol = self._combine(kind, operations, name, self._future, DurableFuture)
        decision = self._drive(protocol, op)
        if decision.index is None:
            raise AllFailedError(errors=[error for error in map(outcome_of, futures) if isinstance(error, Exception)])
        return futures[decision.index].result()

    def _future(self, given: Any, lost: bool) -> Any:
        if isinstance(given, DurableFuture):
            return given
        context: Any = self
        return self._start(context.run_in_child_context, (given,), {}, fresh=True, lost=lost)

    def _wait_for_any(self, kind: Kind, futures: Sequence[Any]) -> None:
        wait_for_one(futures)

    def _begin(
        self, op_id: str, what: str, call: Callable[[Branch], Protocol], outer: Scope, fresh: bool, abandoned: bool
    ) -> Any:
        if outer.started is None:
            outer.started = _Started(self.run, outer)
        index = outer.started.start(call, abandoned)
        context: Any = self
        return DurableFuture(context, op_id, what, outer, fresh, index, outer.started)


def outcome_of(future: DurableFuture[Any]) -> Exception | tuple[Any]:
    try:
        return (future.result(),)
    except (ExecutionError, InvocationError):
        raise  # they say what is to become of the execution or the invocation
    except Exception as error:
        return error
