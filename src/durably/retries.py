"""Retry strategies: what decides whether a failed attempt is followed by another, and when.

A strategy is any callable ``(error, attempts_made) -> decision``. ``attempts_made`` counts from 1. The decision is a
:class:`RetryDecision`, or just the delay (a Duration or a timedelta), or None for no more.
"""

from __future__ import annotations

from ._backoff import (
    Backoff,
    ExponentialBackoff,
    FixedDelay,
    LinearBackoff,
    NoRetry,
    retry_if,
)
from ._configs import RetryStrategy
from ._decision import RetryDecision, decide
from ._duration import Duration as Duration
from ._duration import Numeric as Numeric
from ._jitter import JitterStrategy as JitterStrategy
from ._presets import (
    LinearRetryStrategyConfig,
    RetryPresets,
    RetryStrategyConfig,
    create_linear_retry_strategy,
    create_retry_strategy,
)
from ._values import publish
from ._with_retry import WithRetryConfig, with_retry

__all__ = [
    "RetryDecision",
    "RetryStrategy",
    "decide",
    "Backoff",
    "ExponentialBackoff",
    "LinearBackoff",
    "FixedDelay",
    "NoRetry",
    "retry_if",
    "RetryStrategyConfig",
    "LinearRetryStrategyConfig",
    "create_retry_strategy",
    "create_linear_retry_strategy",
    "RetryPresets",
    "WithRetryConfig",
    "with_retry",
]

publish(__name__, __all__, globals())
