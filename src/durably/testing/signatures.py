"""What runners take for a durable function, for type checkers alone: nothing imports this when tests run.

A durable function can be called as well, so plain functions are told from it by what only they have: their code.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol, TypeAlias, TypeVar

from durably.context.asynchronous import AsyncDurableContext
from durably.context.synchronous import DurableContext
from durably.execution import DurableFunction

__all__ = ["AsyncHandlerFunction", "AsyncHandlerObject", "Handler", "HandlerFunction", "HandlerObject"]

In = TypeVar("In")
Out = TypeVar("Out")
In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class HandlerObject(Protocol[In_contra, Out_co]):
    """An instance of a :class:`durably.DurableHandler` whose ``handle`` is a plain method."""

    def handle(self, event: In_contra, ctx: DurableContext, /) -> Out_co: ...


class AsyncHandlerObject(Protocol[In_contra, Out_co]):
    """The same with a coroutine method."""

    def handle(self, event: In_contra, ctx: AsyncDurableContext, /) -> Awaitable[Out_co]: ...


class HandlerFunction(Protocol[In_contra, Out_co]):
    """A function that would become a durable one."""

    @property
    def __code__(self) -> Any: ...

    def __call__(self, event: In_contra, ctx: DurableContext, /) -> Out_co: ...


class AsyncHandlerFunction(Protocol[In_contra, Out_co]):
    """A coroutine function that would become a durable one."""

    @property
    def __code__(self) -> Any: ...

    def __call__(self, event: In_contra, ctx: AsyncDurableContext, /) -> Awaitable[Out_co]: ...


Handler: TypeAlias = (
    DurableFunction[In, Out]
    | AsyncHandlerObject[In, Out]
    | HandlerObject[In, Out]
    | AsyncHandlerFunction[In, Out]
    | HandlerFunction[In, Out]
)
