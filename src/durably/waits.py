"""Wait strategies: what decides whether a wait_for_condition polls again, and when.

A strategy is any callable ``(state, attempts_made) -> decision``. ``attempts_made`` counts from 1. The decision is a
:class:`WaitForConditionDecision`, or just the delay before the next poll (a Duration or a timedelta), or None when the
condition is met. A strategy gives up by raising: :class:`durably.WaitForConditionError` is the usual error.
"""

from __future__ import annotations

from ._duration import Duration as Duration
from ._duration import Numeric as Numeric
from ._jitter import JitterStrategy as JitterStrategy
from ._values import publish
from ._wait_configs import (
    WaitForConditionConfig,
    WaitStrategyConfig,
    create_wait_strategy,
)
from ._wait_strategies import (
    ExponentialWait,
    FixedWait,
    LinearWait,
    Polling,
    WaitForConditionDecision,
    WaitStrategy,
    decide_wait,
)
from .exceptions import WaitForConditionError as WaitForConditionError

__all__ = [
    "WaitForConditionConfig",
    "WaitForConditionDecision",
    "WaitStrategy",
    "decide_wait",
    "Polling",
    "ExponentialWait",
    "LinearWait",
    "FixedWait",
    "WaitStrategyConfig",
    "create_wait_strategy",
]

publish(__name__, __all__, globals())
