"""The official SDK's way to write strategies: configs, factories and presets, with its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from ._backoff import (
    DEFAULT_DELAY,
    DEFAULT_MAX_DELAY,
    ONE_SECOND,
    Backoff,
    ExponentialBackoff,
    FixedDelay,
    LinearBackoff,
    NoRetry,
)
from ._decision import RetryDecision
from ._duration import Duration, DurationLike, Numeric, as_duration
from ._jitter import JitterStrategy
from ._retry_checks import (
    ErrorPattern,
    check_attempts,
    check_backoff_rate,
    check_error_types,
    check_jitter,
    check_patterns,
)
from ._values import Value
from .wire.limits import MAX_WAIT_SECONDS


class RetryStrategyConfig(Value):
    """What :func:`create_retry_strategy` needs; see :class:`ExponentialBackoff` for the meaning."""

    __slots__ = (
        "backoff_rate",
        "initial_delay",
        "jitter_strategy",
        "max_attempts",
        "max_delay",
        "retryable_error_types",
        "retryable_errors",
    )
    _fields = (
        "max_attempts",
        "initial_delay",
        "max_delay",
        "backoff_rate",
        "jitter_strategy",
        "retryable_errors",
        "retryable_error_types",
    )

    max_attempts: int
    initial_delay: Duration
    max_delay: Duration
    backoff_rate: Numeric
    jitter_strategy: JitterStrategy
    retryable_errors: tuple[ErrorPattern, ...] | None
    retryable_error_types: tuple[type[BaseException], ...] | None

    def __init__(
        self,
        max_attempts: int = 3,
        initial_delay: DurationLike = DEFAULT_DELAY,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        backoff_rate: Numeric = 2.0,
        jitter_strategy: JitterStrategy = JitterStrategy.FULL,
        retryable_errors: Sequence[ErrorPattern] | None = None,
        retryable_error_types: Sequence[type[BaseException]] | None = None,
    ) -> None:
        check_attempts(max_attempts)
        check_backoff_rate(backoff_rate)
        check_jitter(jitter_strategy)
        self._set(
            max_attempts=max_attempts,
            initial_delay=as_duration(initial_delay, "initial_delay"),
            max_delay=as_duration(max_delay, "max_delay", minimum=1, maximum=MAX_WAIT_SECONDS),
            backoff_rate=backoff_rate,
            jitter_strategy=jitter_strategy,
            retryable_errors=check_patterns(retryable_errors),
            retryable_error_types=check_error_types(retryable_error_types),
        )

    @property
    def initial_delay_seconds(self) -> int:
        return self.initial_delay.seconds

    @property
    def max_delay_seconds(self) -> int:
        return self.max_delay.seconds

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        """A config is a strategy itself: the one that is made of it."""
        return create_retry_strategy(self)(error, attempts_made)


class LinearRetryStrategyConfig(Value):
    """What :func:`create_linear_retry_strategy` needs; see :class:`LinearBackoff` for the meaning."""

    __slots__ = (
        "increment",
        "initial_delay",
        "jitter_strategy",
        "max_attempts",
        "max_delay",
        "retryable_error_types",
        "retryable_errors",
    )
    _fields = (
        "max_attempts",
        "initial_delay",
        "increment",
        "max_delay",
        "jitter_strategy",
        "retryable_errors",
        "retryable_error_types",
    )

    max_attempts: int
    initial_delay: Duration
    increment: Duration
    max_delay: Duration
    jitter_strategy: JitterStrategy
    retryable_errors: tuple[ErrorPattern, ...] | None
    retryable_error_types: tuple[type[BaseException], ...] | None

    def __init__(
        self,
        max_attempts: int = 6,
        initial_delay: DurationLike = ONE_SECOND,
        increment: DurationLike = ONE_SECOND,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        jitter_strategy: JitterStrategy = JitterStrategy.FULL,
        retryable_errors: Sequence[ErrorPattern] | None = None,
        retryable_error_types: Sequence[type[BaseException]] | None = None,
    ) -> None:
        check_attempts(max_attempts)
        check_jitter(jitter_strategy)
        self._set(
            max_attempts=max_attempts,
            initial_delay=as_duration(initial_delay, "initial_delay"),
            increment=as_duration(increment, "increment"),
            max_delay=as_duration(max_delay, "max_delay", minimum=1, maximum=MAX_WAIT_SECONDS),
            jitter_strategy=jitter_strategy,
            retryable_errors=check_patterns(retryable_errors),
            retryable_error_types=check_error_types(retryable_error_types),
        )

    @property
    def initial_delay_seconds(self) -> int:
        return self.initial_delay.seconds

    @property
    def increment_seconds(self) -> int:
        return self.increment.seconds

    @property
    def max_delay_seconds(self) -> int:
        return self.max_delay.seconds

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        """A config is a strategy itself: the one that is made of it."""
        return create_linear_retry_strategy(self)(error, attempts_made)


def create_retry_strategy(config: RetryStrategyConfig | None = None) -> ExponentialBackoff:
    """Exponential backoff: ``initial_delay * backoff_rate ** (attempts_made - 1)``, at most ``max_delay``."""
    config = config or RetryStrategyConfig()
    return ExponentialBackoff(
        config.max_attempts,
        config.initial_delay,
        config.max_delay,
        config.backoff_rate,
        config.jitter_strategy,
        config.retryable_errors,
        config.retryable_error_types,
    )


def create_linear_retry_strategy(config: LinearRetryStrategyConfig | None = None) -> LinearBackoff:
    """Linear backoff: ``initial_delay + increment * (attempts_made - 1)``, at most ``max_delay``."""
    config = config or LinearRetryStrategyConfig()
    return LinearBackoff(
        config.max_attempts,
        config.initial_delay,
        config.increment,
        config.max_delay,
        config.jitter_strategy,
        config.retryable_errors,
        config.retryable_error_types,
    )


class RetryPresets:
    """Strategies for the usual cases."""

    @staticmethod
    def none() -> NoRetry:
        """One attempt."""
        return NoRetry()

    @staticmethod
    def default() -> Backoff:
        """Six attempts, 5 s doubling to at most a minute, full jitter: what a step without a strategy gets."""
        return ExponentialBackoff(max_attempts=6, max_delay=Duration(60))

    @staticmethod
    def transient() -> Backoff:
        """Three attempts, 5 s doubling, half jitter: for errors that pass by themselves."""
        return ExponentialBackoff(max_attempts=3, jitter=JitterStrategy.HALF)

    @staticmethod
    def resource_availability() -> Backoff:
        """Five attempts, 5 s doubling to at most five minutes, full jitter: for something that takes its time."""
        return ExponentialBackoff(max_attempts=5)

    @staticmethod
    def critical() -> Backoff:
        """Ten attempts, 1 s growing by half to at most a minute, no jitter."""
        return ExponentialBackoff(10, ONE_SECOND, Duration(60), 1.5, JitterStrategy.NONE)

    @staticmethod
    def linear() -> Backoff:
        """Six attempts after 1, 2, 3, 4, 5 s, no jitter."""
        return LinearBackoff(jitter=JitterStrategy.NONE)

    @staticmethod
    def fixed(interval: DurationLike | None = None) -> Backoff:
        """Five attempts, ``interval`` apart (5 s by default), no jitter."""
        return FixedDelay(DEFAULT_DELAY if interval is None else interval)
