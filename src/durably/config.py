"""Durations, and the configuration of each operation. Every value is checked where it is written."""

from __future__ import annotations

from ._configs import (
    CallbackConfig,
    ChildConfig,
    InvokeConfig,
    RetryStrategy,
    StepConfig,
    StepSemantics,
    SummaryGenerator,
    WaitForCallbackConfig,
)
from ._duration import Duration, DurationLike, Numeric, as_duration, as_seconds
from ._jitter import JitterStrategy
from ._values import publish

__all__ = [
    "Duration",
    "DurationLike",
    "Numeric",
    "as_duration",
    "as_seconds",
    "JitterStrategy",
    "RetryStrategy",
    "StepSemantics",
    "StepConfig",
    "CallbackConfig",
    "WaitForCallbackConfig",
    "InvokeConfig",
    "ChildConfig",
    "SummaryGenerator",
]

publish(__name__, __all__, globals())
