"""What operations take and give, for type checkers alone: nothing imports this when programs run.

``R`` may be anything. That its bound names a recursive type makes mypy infer a union for the elements of a list, where
it would else look for a class that they share, find ``object`` and refuse a list of a function and a ParallelBranch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union

from durably.config import ParallelBranch

from .async_futures import AsyncDurableFuture
from .asynchronous import AsyncDurableContext
from .sync_futures import DurableFuture
from .synchronous import DurableContext

__all__ = ["R1", "R2", "R3", "Asked", "AsyncBranch", "AsyncOperand", "Branch", "EitherBranch", "Operand", "R"]

Anything: TypeAlias = Union[object, "list[Anything]"]
T = TypeVar("T")
R = TypeVar("R", bound=Anything)
if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    Asked = TypeVarWithDefault("Asked", default=Any)
else:
    Asked = TypeVar("Asked")
"""What ``result_type=`` says; Any for checkers that do not know TypeForm."""
R1 = TypeVar("R1")
R2 = TypeVar("R2")
R3 = TypeVar("R3")

Branch: TypeAlias = Callable[[DurableContext], T] | ParallelBranch[T, DurableContext]
"""A branch of ``DurableContext.parallel``."""
AsyncBranch: TypeAlias = (
    Callable[[AsyncDurableContext], Awaitable[T]] | ParallelBranch[Awaitable[T], AsyncDurableContext]
)
"""A branch of ``AsyncDurableContext.parallel``: a coroutine function."""
EitherBranch: TypeAlias = (
    Callable[[AsyncDurableContext], T | Awaitable[T]] | ParallelBranch[T | Awaitable[T], AsyncDurableContext]
)
"""The same, or a plain function."""
Operand: TypeAlias = DurableFuture[T] | Callable[[DurableContext], T]
"""What ``race``, ``any``, ``all`` and ``all_settled`` of a DurableContext decide among."""
AsyncOperand: TypeAlias = AsyncDurableFuture[T] | Coroutine[Any, Any, T] | Callable[[AsyncDurableContext], Awaitable[T]]
"""The same of an AsyncDurableContext."""
