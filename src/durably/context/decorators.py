"""Decorators that bind a function's arguments, so that operations receive what they expect.

``@durable_step`` on ``def charge(step, order_id)`` makes ``charge(order_id)`` a function of the step context alone,
named ``charge``. The bound function carries ``__wrapped__`` (for annotations) and ``_original_name``.

A method keeps its ``self`` first: ``def charge(self, step, order_id)`` goes as ``ctx.step(shop.charge(order_id))``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

from durably.engine.step import CALLERS
from durably.exceptions import ValidationError

if TYPE_CHECKING:
    from durably.config import ParallelBranch
    from durably.ids import CallbackId

    from .asynchronous import AsyncDurableContext
    from .operation_contexts import StepContext, WaitForCallbackContext
    from .synchronous import DurableContext

__all__ = ["durable_parallel_branch", "durable_step", "durable_wait_for_callback", "durable_with_child_context"]

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")
C = TypeVar("C", "DurableContext", "AsyncDurableContext")  # not imported: a program needs only one of them


class _Bound:
    """``func`` with all but its first ``leading`` arguments bound; plain or coroutine, as ``func`` is."""

    __slots__ = ("__durably_returns__", "__wrapped__", "_args", "_kwargs", "_original_name")

    def __init__(
        self, func: Callable[..., Any], returns: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.__wrapped__ = func
        self.__durably_returns__ = returns
        self._original_name = func.__name__
        self._args = args
        self._kwargs = kwargs

    def __call__(self, *leading: Any) -> Any:
        return self.__wrapped__(*leading, *self._args, **self._kwargs)

    def __repr__(self) -> str:
        return f"<{self._original_name} with its arguments bound>"


CALLERS.add(_Bound.__call__.__code__)


def _binder(func: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(func):
        raise ValidationError(f"a decorator of functions was given {type(func).__name__} {func!r}")
    returns: list[Any] = []  # the annotation, once it has been asked for: the same for all that is bound

    def bind_arguments(*args: Any, **kwargs: Any) -> _Bound:
        return _Bound(func, returns, args, kwargs)

    def bind_method(self: Any, *args: Any, **kwargs: Any) -> _Bound:
        return _Bound(MethodType(func, self), returns, args, kwargs)

    return update_wrapper(bind_method if _is_method(func) else bind_arguments, func)


def _is_method(func: Any) -> bool:
    """Whether ``func``, or what other decorators have wrapped, has ``self`` for its first parameter."""
    while getattr(func, "__wrapped__", None) is not None:
        func = func.__wrapped__
    code = getattr(func, "__code__", None)
    return code is not None and code.co_argcount > 1 and code.co_varnames[0] == "self"


@overload
def durable_step(func: Callable[Concatenate[StepContext, P], T]) -> Callable[P, Callable[[StepContext], T]]: ...
@overload
def durable_step(
    func: Callable[Concatenate[S, StepContext, P], T],
) -> Callable[Concatenate[S, P], Callable[[StepContext], T]]: ...
def durable_step(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``func(step_context, ...)`` a step: ``ctx.step(func(...))`` runs it under its own name."""
    return _binder(func)


class _BranchDecorator(Protocol):
    """What ``durable_parallel_branch(name)`` is: for functions and for methods."""

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a method's self is no context
        self, func: Callable[Concatenate[C, P], T], /
    ) -> Callable[P, ParallelBranch[T, C]]: ...
    @overload
    def __call__(
        self, func: Callable[Concatenate[S, C, P], T], /
    ) -> Callable[Concatenate[S, P], ParallelBranch[T, C]]: ...


def durable_parallel_branch(name: str | None = None) -> _BranchDecorator:
    """Make ``func(child_context, ...)`` a branch: ``ctx.parallel([func(...), ...])``, named ``name`` if given."""

    from durably.config import ParallelBranch

    if name is not None and not isinstance(name, str):
        raise ValidationError(
            f"durable_parallel_branch takes the branch's name, not {name!r}: as a decorator it is written with "
            "parentheses, @durable_parallel_branch()"
        )

    def decorate(func: Callable[..., Any]) -> Callable[..., ParallelBranch[Any]]:
        bind_arguments = _binder(func)

        def make_branch(*args: Any, **kwargs: Any) -> ParallelBranch[Any]:
            return ParallelBranch(bind_arguments(*args, **kwargs), name)

        return update_wrapper(make_branch, func)

    return decorate


@overload
def durable_with_child_context(  # type: ignore[overload-overlap]  # a method's self is no context
    func: Callable[Concatenate[C, P], T],
) -> Callable[P, Callable[[C], T]]: ...
@overload
def durable_with_child_context(
    func: Callable[Concatenate[S, C, P], T],
) -> Callable[Concatenate[S, P], Callable[[C], T]]: ...
def durable_with_child_context(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``func(child_context, ...)`` fit ``ctx.run_in_child_context(func(...))``."""
    return _binder(func)


@overload
def durable_wait_for_callback(
    func: Callable[Concatenate[CallbackId, WaitForCallbackContext, P], T],
) -> Callable[P, Callable[[CallbackId, WaitForCallbackContext], T]]: ...
@overload
def durable_wait_for_callback(
    func: Callable[Concatenate[S, CallbackId, WaitForCallbackContext, P], T],
) -> Callable[Concatenate[S, P], Callable[[CallbackId, WaitForCallbackContext], T]]: ...
def durable_wait_for_callback(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make ``func(callback_id, context, ...)`` fit ``ctx.wait_for_callback(func(...))``."""
    return _binder(func)
