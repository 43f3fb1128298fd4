"""What type checkers make of the values users write. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, assert_type

from durably.config import CallbackConfig, ChildConfig, Duration, InvokeConfig, StepConfig, WaitForCallbackConfig
from durably.exceptions import StepError, operation_error
from durably.retries import (
    ExponentialBackoff,
    RetryDecision,
    RetryPresets,
    RetryStrategy,
    RetryStrategyConfig,
    WithRetryConfig,
    create_retry_strategy,
    retry_if,
)
from durably.serdes import CompressSerDes, DefaultSerDes, JsonSerDes, PipelineSerDes, SerDes, SerDesContext

# durations
assert_type(Duration.from_hours(1.5) + Duration(3), Duration)
assert_type(Duration(3) * 2.5, Duration)
assert_type(Duration(3).to_timedelta(), timedelta)
Duration(1) < timedelta(1)  # type: ignore[operator]  # noqa: B015
Duration.from_minutes("5")  # type: ignore[arg-type]

# configs: a timedelta wherever a Duration goes, never a bare number
assert_type(CallbackConfig(timedelta(hours=1)).timeout, Duration)
assert_type(StepConfig(timeout=timedelta(seconds=1)).timeout_seconds, float | None)
WaitForCallbackConfig(Duration(1), timedelta(1), JsonSerDes(), RetryPresets.default(), sub_type="Mine")
CallbackConfig(timeout=60)  # type: ignore[arg-type]
StepConfig(serdes=JsonSerDes)  # type: ignore[arg-type]
StepConfig(None, sub_types="x")  # type: ignore[call-arg]
StepConfig().sub_type = "x"  # type: ignore[misc]
assert_type(dataclasses.replace(StepConfig(), sub_type="x"), StepConfig)


class Hex(SerDes[int]):
    def serialize(self, value: int, serdes_context: SerDesContext) -> str:
        return hex(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> int:
        return int(data, 16)


assert_type(ChildConfig(serdes=Hex()), ChildConfig[int])
as_usual = ChildConfig()
assert_type(as_usual, ChildConfig[Any])
retried = WithRetryConfig(RetryPresets.none())
assert_type(retried, WithRetryConfig[Any])
compressed = PipelineSerDes(CompressSerDes())
assert_type(compressed, PipelineSerDes[Any])
child_of_it = ChildConfig(serdes=compressed, operation_serdes=DefaultSerDes())
assert_type(JsonSerDes(), JsonSerDes[Any])
assert_type(InvokeConfig(Hex(), JsonSerDes[str]()), InvokeConfig[int, str])

# strategies: ready-made, composed, or any function of the error and the number of attempts
preset: RetryStrategy = RetryPresets.default()
composed: RetryStrategy = retry_if(ExponentialBackoff(), lambda error: isinstance(error, OSError)).retry_if(bool)
created: RetryStrategy = create_retry_strategy(RetryStrategyConfig(retryable_error_types=[OSError]))


def delay_only(error: Exception, attempts_made: int) -> timedelta | None:
    return timedelta(seconds=attempts_made) if attempts_made < 3 else None


def decision(error: Exception, attempts_made: int) -> RetryDecision:
    return RetryDecision.retry(timedelta(seconds=1))


def number(error: Exception, attempts_made: int) -> int:
    return 5


StepConfig(delay_only)
StepConfig(decision)
StepConfig(number)  # type: ignore[arg-type]

# errors
error = StepError("message", "ValueError", None, ["line"])
assert_type(error.message, str | None)
assert_type(error.error_type, str)
assert_type(error.stack_trace, list[str] | None)
raise operation_error(StepError, {"ErrorMessage": "m"})
