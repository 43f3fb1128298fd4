"""The official SDK's way to write wait strategies, and the configuration of wait_for_condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ._config_checks import check_callable, check_result_type, check_serdes
from ._duration import Duration, DurationLike, Numeric, as_duration
from ._jitter import JitterStrategy
from ._retry_checks import check_attempts, check_backoff_rate, check_jitter
from ._values import Value
from ._wait_strategies import DEFAULT_ATTEMPTS, DEFAULT_DELAY, DEFAULT_MAX_DELAY, ExponentialWait, Polling, WaitStrategy
from .exceptions import ValidationError
from .wire.limits import MAX_WAIT_SECONDS

if TYPE_CHECKING:
    from .serdes import SerDes

T = TypeVar("T")


class WaitStrategyConfig(Value, Generic[T]):
    """What :func:`create_wait_strategy` needs.

    Parameters:
        should_continue_polling: gets the state; False when the condition is met.
        max_attempts, initial_delay, max_delay, backoff_rate, jitter_strategy: see :class:`ExponentialWait`.
    """

    __slots__ = (
        "backoff_rate",
        "initial_delay",
        "jitter_strategy",
        "max_attempts",
        "max_delay",
        "should_continue_polling",
    )
    _fields = (
        "should_continue_polling",
        "max_attempts",
        "initial_delay",
        "max_delay",
        "backoff_rate",
        "jitter_strategy",
    )

    should_continue_polling: Callable[[T], bool]
    max_attempts: int
    initial_delay: Duration
    max_delay: Duration
    backoff_rate: Numeric
    jitter_strategy: JitterStrategy

    def __init__(
        self,
        should_continue_polling: Callable[[T], bool],
        max_attempts: int = DEFAULT_ATTEMPTS,
        initial_delay: DurationLike = DEFAULT_DELAY,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        backoff_rate: Numeric = 1.5,
        jitter_strategy: JitterStrategy = JitterStrategy.FULL,
    ) -> None:
        check_required(should_continue_polling, "should_continue_polling", "lambda state: not state.done", ("state",))
        check_attempts(max_attempts)
        check_backoff_rate(backoff_rate)
        check_jitter(jitter_strategy)
        self._set(
            should_continue_polling=should_continue_polling,
            max_attempts=max_attempts,
            initial_delay=as_duration(initial_delay, "initial_delay"),
            max_delay=as_duration(max_delay, "max_delay", minimum=1, maximum=MAX_WAIT_SECONDS),
            backoff_rate=backoff_rate,
            jitter_strategy=jitter_strategy,
        )

    @property
    def initial_delay_seconds(self) -> int:
        return self.initial_delay.seconds

    @property
    def max_delay_seconds(self) -> int:
        return self.max_delay.seconds


class _Unless(Value, Generic[T]):
    """The opposite of a predicate."""

    __slots__ = ("predicate",)
    _fields = ("predicate",)

    predicate: Callable[[T], bool]

    def __init__(self, predicate: Callable[[T], bool]) -> None:
        self._set(predicate=predicate)

    def __call__(self, state: T) -> bool:
        return not self.predicate(state)


def create_wait_strategy(config: WaitStrategyConfig[T]) -> ExponentialWait[T]:
    """Polling with exponential backoff: ``initial_delay * backoff_rate ** (attempts_made - 1)``, at most ``max_delay``.

    The strategy raises WaitForConditionError when ``max_attempts`` are used up.
    """
    return ExponentialWait(
        _Unless(config.should_continue_polling),
        config.initial_delay,
        config.max_delay,
        config.backoff_rate,
        config.max_attempts,
        config.jitter_strategy,
    )


class WaitForConditionConfig(Value, Generic[T]):
    """Configuration of wait_for_condition.

    Parameters:
        wait_strategy: asked after each poll, with the state and how many polls were made.
        initial_state: what the first poll gets.
        serdes: writes and reads the state; by default the codec of the check function's return annotation.
        timeout: how long to poll in all, from the first poll on; WaitForConditionError after that.
        result_type: the type to write and read the state as, instead of the return annotation.
    """

    __slots__ = ("initial_state", "result_type", "serdes", "timeout", "wait_strategy")
    _fields = ("wait_strategy", "initial_state", "serdes", "timeout", "result_type")
    _keyword_only = ("timeout", "result_type")

    wait_strategy: WaitStrategy[T]
    initial_state: T
    serdes: SerDes[T] | None
    timeout: Duration | None
    result_type: Any

    # Two, for lambdas in strategies: of a union mypy could not say what they get.
    @overload
    def __init__(
        self,
        wait_strategy: Polling[T],
        initial_state: T,
        serdes: SerDes[T] | None = None,
        *,
        timeout: DurationLike | None = None,
        result_type: Any = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        wait_strategy: WaitStrategy[T],
        initial_state: T,
        serdes: SerDes[T] | None = None,
        *,
        timeout: DurationLike | None = None,
        result_type: Any = None,
    ) -> None: ...
    def __init__(
        self,
        wait_strategy: WaitStrategy[T],
        initial_state: T,
        serdes: SerDes[T] | None = None,
        *,
        timeout: DurationLike | None = None,
        result_type: Any = None,
    ) -> None:
        if isinstance(wait_strategy, WaitStrategyConfig):
            raise ValidationError("wait_strategy is a WaitStrategyConfig: pass create_wait_strategy(config)")
        example = "ExponentialWait(until=lambda state: state.done)"
        check_required(wait_strategy, "wait_strategy", example, ("state", "attempts_made"))
        if isinstance(wait_strategy, type):
            raise ValidationError(f"wait_strategy is the class {wait_strategy.__name__}: pass an instance of it")
        check_serdes(serdes, "serdes")
        if timeout is not None:
            timeout = as_duration(timeout, "timeout", minimum=1)
        check_result_type(serdes, result_type, "state")
        self._set(
            wait_strategy=wait_strategy,
            initial_state=initial_state,
            serdes=serdes,
            timeout=timeout,
            result_type=result_type,
        )

    @property
    def timeout_seconds(self) -> int | None:
        return None if self.timeout is None else self.timeout.seconds


def check_required(value: Any, field: str, example: str, gets: tuple[str, ...]) -> None:
    if value is None:
        raise ValidationError(f"{field} is None, and must be a function, e.g. {example}")
    check_callable(value, field, example, gets)
