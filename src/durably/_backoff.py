"""The strategies: each is a small callable object, and they compose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias

from ._config_checks import check_callable, check_retry_strategy
from ._decision import RetryDecision, decide
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
from .exceptions import ValidationError
from .wire.limits import MAX_WAIT_SECONDS

Strategy: TypeAlias = Callable[[Exception, int], "RetryDecision | Duration | timedelta | None"]
Predicate: TypeAlias = Callable[[Exception], bool]

DEFAULT_DELAY = Duration(5)
DEFAULT_MAX_DELAY = Duration(300)
ONE_SECOND = Duration(1)


class Backoff(Value):
    """Base of the strategies: when to give up, which errors count, and noise; a subclass computes the delay.

    Without ``retryable_errors`` and ``retryable_error_types`` every error counts; with any of them an error counts
    if one of them fits.
    """

    __slots__ = ("jitter", "max_attempts", "max_delay", "retryable_error_types", "retryable_errors")

    max_attempts: int | None
    max_delay: Duration
    jitter: JitterStrategy
    retryable_errors: tuple[ErrorPattern, ...] | None
    retryable_error_types: tuple[type[BaseException], ...] | None

    def _configure(
        self,
        max_attempts: int | None,
        max_delay: DurationLike,
        jitter: JitterStrategy,
        retryable_errors: Sequence[ErrorPattern] | None,
        retryable_error_types: Sequence[type[BaseException]] | None,
    ) -> None:
        check_attempts(max_attempts, optional=True)
        check_jitter(jitter)
        self._set(
            max_attempts=max_attempts,
            max_delay=as_duration(max_delay, "max_delay", minimum=1, maximum=MAX_WAIT_SECONDS),
            jitter=jitter,
            retryable_errors=check_patterns(retryable_errors),
            retryable_error_types=check_error_types(retryable_error_types),
        )

    def base_delay(self, attempts_made: int) -> float:
        """Seconds before the next attempt, without noise and without the limit."""
        raise NotImplementedError

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        if self.max_attempts is not None and attempts_made >= self.max_attempts:
            return RetryDecision.no_retry()
        if not self._counts(error):
            return RetryDecision.no_retry()
        try:
            delay = min(self.base_delay(attempts_made), self.max_delay.seconds)
        except OverflowError:
            delay = self.max_delay.seconds
        return RetryDecision(True, Duration(self.jitter.finalize_delay(delay)))

    def _counts(self, error: Exception) -> bool:
        if self.retryable_errors is None and self.retryable_error_types is None:
            return True
        if self.retryable_error_types and isinstance(error, self.retryable_error_types):
            return True
        if not self.retryable_errors:
            return False
        message = str(error)
        return any(
            pattern in message if isinstance(pattern, str) else pattern.search(message) is not None
            for pattern in self.retryable_errors
        )

    def retry_if(self, predicate: Predicate) -> _RetryIf:
        """This strategy, for errors that ``predicate`` says yes to."""
        return retry_if(self, predicate)


class ExponentialBackoff(Backoff):
    """Delays that grow by a factor: 5 s, 10 s, 20 s, ...

    Parameters:
        max_attempts: how many attempts in all, the first included; None for no end.
        initial_delay: after the first attempt.
        max_delay: no delay is longer.
        backoff_rate: the factor, at least 1.
        jitter: noise.
        retryable_errors: texts to find in, or patterns to search in, the error's message.
        retryable_error_types: exception classes.
    """

    __slots__ = ("backoff_rate", "initial_delay")
    _fields = (
        "max_attempts",
        "initial_delay",
        "max_delay",
        "backoff_rate",
        "jitter",
        "retryable_errors",
        "retryable_error_types",
    )

    initial_delay: Duration
    backoff_rate: Numeric

    def __init__(
        self,
        max_attempts: int | None = 3,
        initial_delay: DurationLike = DEFAULT_DELAY,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        backoff_rate: Numeric = 2.0,
        jitter: JitterStrategy = JitterStrategy.FULL,
        retryable_errors: Sequence[ErrorPattern] | None = None,
        retryable_error_types: Sequence[type[BaseException]] | None = None,
    ) -> None:
        self._configure(max_attempts, max_delay, jitter, retryable_errors, retryable_error_types)
        check_backoff_rate(backoff_rate)
        self._set(initial_delay=as_duration(initial_delay, "initial_delay"), backoff_rate=backoff_rate)

    def base_delay(self, attempts_made: int) -> float:
        return self.initial_delay.seconds * float(self.backoff_rate) ** (attempts_made - 1)


class LinearBackoff(Backoff):
    """Delays that grow by a step: 1 s, 2 s, 3 s, ...

    Parameters: as for ExponentialBackoff, and
        increment: how much longer each delay is than the one before.
    """

    __slots__ = ("increment", "initial_delay")
    _fields = (
        "max_attempts",
        "initial_delay",
        "increment",
        "max_delay",
        "jitter",
        "retryable_errors",
        "retryable_error_types",
    )

    initial_delay: Duration
    increment: Duration

    def __init__(
        self,
        max_attempts: int | None = 6,
        initial_delay: DurationLike = ONE_SECOND,
        increment: DurationLike = ONE_SECOND,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        jitter: JitterStrategy = JitterStrategy.FULL,
        retryable_errors: Sequence[ErrorPattern] | None = None,
        retryable_error_types: Sequence[type[BaseException]] | None = None,
    ) -> None:
        self._configure(max_attempts, max_delay, jitter, retryable_errors, retryable_error_types)
        self._set(
            initial_delay=as_duration(initial_delay, "initial_delay"), increment=as_duration(increment, "increment")
        )

    def base_delay(self, attempts_made: int) -> float:
        return self.initial_delay.seconds + self.increment.seconds * (attempts_made - 1)


class FixedDelay(Backoff):
    """The same delay each time. Parameters: as for ExponentialBackoff."""

    __slots__ = ("delay",)
    _fields = ("delay", "max_attempts", "jitter", "retryable_errors", "retryable_error_types")

    delay: Duration

    def __init__(
        self,
        delay: DurationLike = DEFAULT_DELAY,
        max_attempts: int | None = 5,
        jitter: JitterStrategy = JitterStrategy.NONE,
        retryable_errors: Sequence[ErrorPattern] | None = None,
        retryable_error_types: Sequence[type[BaseException]] | None = None,
    ) -> None:
        longest = Duration(MAX_WAIT_SECONDS)
        self._configure(max_attempts, longest, jitter, retryable_errors, retryable_error_types)
        self._set(delay=as_duration(delay, "delay", maximum=MAX_WAIT_SECONDS))

    def base_delay(self, attempts_made: int) -> float:
        return self.delay.seconds


class NoRetry(Value):
    """One attempt, and no more."""

    __slots__ = ()

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        return RetryDecision.no_retry()


class _RetryIf(Value):
    __slots__ = ("predicate", "strategy")
    _fields = ("strategy", "predicate")

    strategy: Strategy
    predicate: Predicate

    def __init__(self, strategy: Strategy, predicate: Predicate) -> None:
        if not callable(strategy) or not callable(predicate):
            raise ValidationError(
                f"retry_if takes a strategy and a function of the error, not {strategy!r}, {predicate!r}"
            )
        check_retry_strategy(strategy)
        check_callable(predicate, "retry_if's predicate", "lambda error: not isinstance(error, KeyError)", ("error",))
        self._set(strategy=strategy, predicate=predicate)

    def __call__(self, error: Exception, attempts_made: int) -> RetryDecision:
        return decide(self.strategy, error, attempts_made) if self.predicate(error) else RetryDecision.no_retry()

    def retry_if(self, predicate: Predicate) -> _RetryIf:
        return _RetryIf(self, predicate)


def retry_if(strategy: Strategy, predicate: Predicate) -> _RetryIf:
    """``strategy``, for errors that ``predicate`` says yes to; no retry for the others."""
    return _RetryIf(strategy, predicate)
