"""Retry strategies that several requirements ask for."""

from __future__ import annotations

from durably import Duration, JitterStrategy, RetryDecision, RetryStrategyConfig, create_retry_strategy


class TransientError(Exception):
    """A failure that may pass by itself."""


def every_second(attempts: int) -> RetryStrategyConfig:
    """Up to ``attempts`` attempts in all, one second apart."""
    return RetryStrategyConfig(
        max_attempts=attempts,
        initial_delay=Duration.from_seconds(1),
        backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE,
    )


twice = create_retry_strategy(every_second(2))
four_times = create_retry_strategy(every_second(4))

tripling_from_two_seconds = create_retry_strategy(
    RetryStrategyConfig(
        max_attempts=5,
        initial_delay=Duration.from_seconds(2),
        backoff_rate=3,
        jitter_strategy=JitterStrategy.NONE,
    )
)

only_transient = create_retry_strategy(
    RetryStrategyConfig(
        max_attempts=3,
        initial_delay=Duration.from_seconds(1),
        backoff_rate=1,
        jitter_strategy=JitterStrategy.NONE,
        retryable_error_types=[TransientError],
    )
)


def all_but_transient(error: Exception, attempts_made: int) -> RetryDecision:
    """Retry anything except a TransientError."""
    if isinstance(error, TransientError):
        return RetryDecision.no_retry()
    return RetryDecision.retry(Duration.from_seconds(1))
