"""Operations started now and awaited later, and decisions among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import count
from sys import maxsize
from typing import TYPE_CHECKING, Any, Final, TypeVar

from durably.engine.branch import Branch
from durably.engine.requests import Body
from durably.engine.scope import CURRENT, Scope, refuse_use
from durably.exceptions import ContextMisuseError, ValidationError
from durably.serdes import MISSING

from .arguments import check_name
from .base import ContextBase, Protocol

if TYPE_CHECKING:
    from durably.concurrency.models import BatchResult
    from durably.engine.combinators import Kind

__all__ = ["LAST", "ORDER", "FutureBase", "FutureOperations", "settled"]

ORDER: Final = count()
"""Numbers what ends, in the order in which that is noticed."""
LAST: Final = maxsize
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


class FutureBase:
    """What both know of the operation: its id, and the scope that started it."""

    def __init__(self, context: ContextBase, operation_id: str, what: str, scope: Scope, fresh: bool) -> None:
        self._context = context
        self._scope = scope
        self._what = what
        self.operation_id = operation_id
        self.is_wait: bool = what.startswith("wait") and what[4:5] in ("", " ")
        self.fresh = fresh
        self.abandoned = False

    def begun(self) -> Any:
        """Wait until the operation has made its first update."""
        raise NotImplementedError

    def _give_up(self) -> Protocol:
        from durably.engine.combinators import give_up

        context = self._context
        return give_up(context.run, self._scope, self.operation_id, context._parent_id, is_wait=self.is_wait)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._what}>"


class FutureOperations(ContextBase):
    """What both contexts do to start operations and to decide among them."""

    def _start(
        self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, fresh: bool = False, lost: bool = False
    ) -> Any:
        from durably.engine.combinators import given_up

        name = getattr(operation, "__name__", "")
        if getattr(operation, "__self__", None) is not self or name not in STARTABLE:
            raise ValidationError(
                "start() takes an operation of this context and arguments, e.g. ctx.start(ctx.step, charge(order)), "
                f"not {operation!r}{_hint(self, operation, name)}"
            )
        outer = self._own_scope()
        op_id = outer.take_id()
        what = f"{name} {kwargs.get('name') or ''}".strip()
        if name == "step_with_compensation":
            flows: Any = self
            place = flows._registry.reserve()
            operation = partial(self._step_with_compensation_in, place)

        mode, time_ms = outer.mode, outer.time_ms

        def call(branch: Branch) -> Protocol:
            scope = Scope(self.run, self, None, f"the started {what}", replaying=outer.replaying, branch=branch)
            scope.mode, scope.time_ms = mode, time_ms
            scope.preset(op_id, _ONE)
            return _called(lambda: operation(*args, **kwargs), scope)

        abandoned = lost or op_id in given_up(self.run)
        if abandoned:
            self.run.forgo(op_id)
        future = self._begin(op_id, what, call, outer, fresh, abandoned)
        future.abandoned = abandoned
        return future

    def _own_scope(self) -> Scope:
        """The scope that this context is used in."""
        scope = self._check_use()
        if scope.owner is not self:
            raise refuse_use(self, scope)
        return scope

    def _step_with_compensation_in(
        self,
        place: Any,
        func: Any,
        compensate: Any,
        name: str | None = None,
        config: Any = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        make: Any = self
        return make._step_with_compensation(func, compensate, name, config, result_type, place)

    def _begin(
        self, op_id: str, what: str, call: Callable[[Branch], Protocol], outer: Scope, fresh: bool, abandoned: bool
    ) -> Any:
        raise NotImplementedError

    def _wait_for_any(self, kind: Kind, futures: Sequence[Any]) -> Any:
        raise NotImplementedError

    def _cancel_wait(self, wait: Any) -> Any:
        from durably.engine.cancel_wait import cancel_wait

        self._check_use()
        begun = wait.begun if isinstance(wait, FutureBase) else None
        op_id = wait.operation_id if isinstance(wait, FutureBase) else wait
        if not isinstance(op_id, str) or not op_id:
            raise ValidationError(
                f"cancel_wait() takes the future of a started wait, or an operation's id, not {wait!r}"
            )
        scope = CURRENT.get()
        assert scope is not None
        return self.run.drive(cancel_wait(self.run, scope, op_id, begun))

    def _combine(
        self, kind: Kind, given: Sequence[Any], name: str | None, start: Callable[[Any, bool], Any], known: Any
    ) -> Any:
        """The futures of ``given``, and the protocol and operation of the decision among them."""
        from durably.engine.combinators import SUB_TYPES, decide_among, recorded_decision

        if not isinstance(given, Iterable) or isinstance(given, (str, bytes, Mapping)):
            raise ValidationError(f"{kind}() takes a list of what to wait for, not {given!r}")
        given = list(given)
        scope = self._own_scope()
        try:
            name = check_name(name or "")
            if not given and kind in ("race", "any"):
                raise ValidationError(f"{kind}() needs at least one operation to wait for")
            seen: set[int] = set()
            for one in given:
                self._check_operand(kind, one, known)
                if hasattr(one, "cr_await") and (one.cr_frame is None or id(one) in seen):
                    raise ValidationError(
                        f"{kind}() was given {one!r} twice, or after it was awaited. A coroutine runs once: start the "
                        "operation with ctx.start() and give its future, as often as needed"
                    )
                seen.add(id(one))
        except Exception:
            for one in given:
                if hasattr(one, "cr_await"):
                    one.close()  # nobody will await it
            raise
        fresh = sum(not isinstance(one, FutureBase) and not hasattr(one, "cr_await") for one in given)
        decision = recorded_decision(self.run, scope, kind, fresh)
        futures = [start(one, decision is not None and decision.lost(n)) for n, one in enumerate(given)]
        op = self._op("STEP", SUB_TYPES[kind], name)
        return futures, op, decide_among(op, kind, futures, partial(self._wait_for_any, kind), op.scope)

    def _check_operand(self, kind: Kind, one: Any, known: Any) -> None:
        if isinstance(one, FutureBase):
            if one._context.run is not self.run:
                raise ContextMisuseError(f"{one!r}, given to {kind}(), belongs to another invocation")
        elif not (callable(one) or (self.run.is_async and hasattr(one, "cr_await"))):
            what = "futures, coroutines" if self.run.is_async else "futures"
            raise ValidationError(f"{kind}() takes {what} and functions of a context, not {one!r}")


def _hint(context: ContextBase, operation: Any, name: str) -> str:
    if name in STARTABLE and isinstance(getattr(operation, "__self__", None), ContextBase):
        return f", which belongs to {operation.__self__}, not to {context}"
    if hasattr(operation, "cr_await"):
        operation.close()
        return ": it was already called; give the method and its arguments"
    return ""


def _called(operation: Callable[[], Any], scope: Scope) -> Protocol:
    return (yield Body(operation, (), scope))


def settled(futures: Sequence[Any]) -> BatchResult[Any]:
    """Outcomes as a BatchResult; ``futures`` are all done."""
    from durably.concurrency.error_object import ErrorObject
    from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
    from durably.config import BatchItemStatus

    items: list[BatchItem[Any]] = []
    for index, outcome in enumerate(futures):
        if isinstance(outcome, BaseException):
            error = ErrorObject.from_exception(outcome)
            items.append(BatchItem(index, BatchItemStatus.FAILED, error=error))
        else:
            items.append(BatchItem(index, BatchItemStatus.SUCCEEDED, outcome[0]))
    return BatchResult(items, CompletionReason.ALL_COMPLETED)
