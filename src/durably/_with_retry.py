"""The configuration of with_retry, and with_retry as a function, as the official SDK has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ._config_checks import check_retry_strategy
from ._configs import ChildConfig
from ._values import T, Value, publish
from .exceptions import ValidationError

if TYPE_CHECKING:
    from ._configs import RetryStrategy
    from .context.asynchronous import AsyncDurableContext
    from .context.synchronous import DurableContext

__all__ = ["WithRetryConfig", "with_retry"]

R = TypeVar("R")


class WithRetryConfig(Value, Generic[T]):
    """How a block of operations is retried.

    Parameters:
        retry_strategy: whether to run the block again and when; by default that of ``RetryStrategyConfig()``.
        wrap_with_run_in_child_context: run the attempts in a child context, so that they are one operation for the code
            around it; the final failure is a ChildContextError then.
        child_context_config: of that context.
    """

    __slots__ = ("child_context_config", "retry_strategy", "wrap_with_run_in_child_context")
    __match_args__ = _fields = ("retry_strategy", "wrap_with_run_in_child_context", "child_context_config")
    _defaults = {  # noqa: RUF012 - declared in the base
        "retry_strategy": None,
        "wrap_with_run_in_child_context": True,
        "child_context_config": None,
    }

    retry_strategy: RetryStrategy | None
    wrap_with_run_in_child_context: bool
    child_context_config: ChildConfig[T] | None

    def __init__(
        self,
        retry_strategy: RetryStrategy | None = None,
        wrap_with_run_in_child_context: bool = True,
        child_context_config: ChildConfig[T] | None = None,
    ) -> None:
        if retry_strategy is not None and not callable(retry_strategy):
            raise ValidationError(f"retry_strategy is a function of (error, attempts_made), not {retry_strategy!r}")
        check_retry_strategy(retry_strategy)
        if child_context_config is not None and not isinstance(child_context_config, ChildConfig):
            raise ValidationError(f"child_context_config is a ChildConfig, not {child_context_config!r}")
        self._set(
            retry_strategy=retry_strategy,
            wrap_with_run_in_child_context=bool(wrap_with_run_in_child_context),
            child_context_config=child_context_config,
        )


@overload
def with_retry(
    context: DurableContext,
    func: Callable[[DurableContext, int], R],
    config: WithRetryConfig[Any] | None = None,
    name: str | None = None,
) -> R: ...
@overload
def with_retry(
    context: AsyncDurableContext,
    func: Callable[[AsyncDurableContext, int], Awaitable[R]],
    config: WithRetryConfig[Any] | None = None,
    name: str | None = None,
) -> Coroutine[object, None, R]: ...
@overload
def with_retry(
    context: AsyncDurableContext,
    func: Callable[[AsyncDurableContext, int], R | Awaitable[R]],
    config: WithRetryConfig[Any] | None = None,
    name: str | None = None,
) -> Coroutine[object, None, R]: ...
def with_retry(context: Any, func: Any, config: WithRetryConfig[Any] | None = None, name: str | None = None) -> Any:
    """``context.with_retry(func, name, config)``."""
    return context.with_retry(func, name, config)


publish("durably", __all__, globals())
