"""``with ctx.saga() as saga``: steps with compensations, and clean-up, that belong to one block.

Leaving the block with an error runs the compensations, last registered first, and then the clean-up; leaving it
without one runs only the clean-up. A suspension is neither: the block is not over, and nothing runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from durably.exceptions import ContextMisuseError
from durably.serdes import MISSING

from .arguments import check_callable, check_name
from .flows import Compensations

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import TypeForm

    from durably.config import StepConfig
    from durably.saga import CompensationResult

    from .asynchronous import AsyncDurableContext
    from .operation_contexts import StepContext
    from .signatures import Asked
    from .synchronous import DurableContext

__all__ = ["AsyncSaga", "Saga"]

T = TypeVar("T")
C = TypeVar("C")


class _SagaBase(Generic[C]):
    """What both do: two lists of what is to be done at the end."""

    def __init__(self) -> None:
        self._compensations = Compensations()
        self._cleanups = Compensations()
        self.result: CompensationResult | None = None
        """The outcome of the compensations, once they have run."""
        self.cleanup_result: CompensationResult | None = None
        """The outcome of the clean-up, once it has run; a failing clean-up fails nothing else."""
        self._open: bool | None = None
        self._cleaned = False

    def add_compensation(self, func: Callable[[C], Any], name: str | None = None) -> None:
        """Have ``func(child_context)`` run, as an operation of its own, if the block fails."""
        check_callable(func, "add_compensation", "a function of a context", 1)
        name = check_name(name or getattr(func, "_original_name", None) or "")
        self._check_open("add_compensation")
        self._compensations.add(name, func)

    def add_cleanup(self, func: Callable[[C], Any], name: str | None = None) -> None:
        """Have ``func(child_context)`` run, as an operation of its own, when the block is over, however it ended."""
        check_callable(func, "add_cleanup", "a function of a context", 1)
        name = check_name(name or getattr(func, "_original_name", None) or "")
        if self._cleaned or self._open is None:
            self._check_open("add_cleanup")
        self._cleanups.add(name, func)

    def _enter(self) -> None:
        if self._open is not None:
            raise ContextMisuseError("a saga is one block, and this one has begun before: call ctx.saga() for another")
        self._open = True

    def _check_open(self, what: str) -> None:
        """Refuse what nothing would undo, or run."""
        if self._open:
            return
        when = "before its block has begun" if self._open is None else "after its block has ended"
        raise ContextMisuseError(
            f"{what}() of a saga was called {when}, so it would never be undone or run. Write `with ctx.saga() as "
            "saga:` (`async with` in a coroutine) and call it inside the block."
        )

    def _note(self, error: BaseException | None, what: str, result: CompensationResult) -> None:
        if error is None:
            return
        for item in result.failed():
            with suppress(Exception):  # an exception may be frozen; the outcome is in the result, too
                error.add_note(f"the {what} {item.name or '(without a name)'} failed as well: {item.error}")


class Saga(_SagaBase["DurableContext"]):
    """Made by :meth:`DurableContext.saga`."""

    def __init__(self, context: DurableContext) -> None:
        super().__init__()
        self._context = context

    @overload
    def step(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[DurableContext, Asked], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Asked: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], T],
        compensate: Callable[[DurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> T: ...
    def step(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[DurableContext, Any], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Any:
        """A step; once it has succeeded, ``compensate(child_context, result)`` runs if the block fails."""
        self._check_open("step")
        return self._context._step_with_compensation(func, compensate, name, config, result_type, self._compensations)

    def __enter__(self) -> Saga:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context._is_suspended():
            return  # suspended: the block goes on in a later invocation
        self._open = False
        if error is not None:
            result: CompensationResult = self._context._run_compensations(self._compensations)
            self.result: CompensationResult | None = result
            self._note(error, "compensation", result)
        self._cleaned = True
        cleaned: CompensationResult = self._context._run_compensations(self._cleanups, "Cleanup")
        self.cleanup_result: CompensationResult | None = cleaned
        self._note(error, "clean-up", cleaned)


class AsyncSaga(_SagaBase["AsyncDurableContext"]):
    """Made by :meth:`AsyncDurableContext.saga`."""

    def __init__(self, context: AsyncDurableContext) -> None:
        super().__init__()
        self._context = context

    @overload
    def step(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[AsyncDurableContext, Asked], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: TypeForm[Asked],
    ) -> Coroutine[object, None, Asked]: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], Awaitable[T]],
        compensate: Callable[[AsyncDurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    @overload
    def step(
        self,
        func: Callable[[StepContext], T | Awaitable[T]],
        compensate: Callable[[AsyncDurableContext, T], Any],
        name: str | None = None,
        config: StepConfig | None = None,
    ) -> Coroutine[object, None, T]: ...
    def step(
        self,
        func: Callable[[StepContext], Any],
        compensate: Callable[[AsyncDurableContext, Any], Any],
        name: str | None = None,
        config: StepConfig | None = None,
        *,
        result_type: Any = MISSING,
    ) -> Coroutine[object, None, Any]:
        """A step; once it has succeeded, ``compensate(child_context, result)`` runs if the block fails."""
        self._check_open("step")
        coroutine: Coroutine[object, None, Any] = self._context._step_with_compensation(
            func, compensate, name, config, result_type, self._compensations
        )
        return coroutine

    async def __aenter__(self) -> AsyncSaga:
        self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._context._is_suspended():
            return  # suspended: the block goes on in a later invocation
        self._open = False
        if error is not None:
            result: CompensationResult = await self._context._run_compensations(self._compensations)
            self.result: CompensationResult | None = result
            self._note(error, "compensation", result)
        self._cleaned = True
        cleaned: CompensationResult = await self._context._run_compensations(self._cleanups, "Cleanup")
        self.cleanup_result: CompensationResult | None = cleaned
        self._note(error, "clean-up", cleaned)
