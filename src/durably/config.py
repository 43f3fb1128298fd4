"""Durations, and the configuration of each operation. Every value is checked where it is written."""

from __future__ import annotations

from ._batch_configs import ItemBatcher, MapConfig, NestingType, ParallelBranch, ParallelConfig
from ._completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
    complete_batch,
    continue_batch,
)
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
from .exceptions import ValidationError as ValidationError

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
    "MapConfig",
    "ParallelConfig",
    "ParallelBranch",
    "NestingType",
    "ItemBatcher",
    "CompletionConfig",
    "CompletionStatus",
    "CompletionItemStatus",
    "CompletionDecision",
    "CompletionOutcome",
    "BatchItemStatus",
    "continue_batch",
    "complete_batch",
]

publish(__name__, __all__, globals())
