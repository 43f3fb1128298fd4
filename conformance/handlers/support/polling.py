"""Wait strategies of the requirements: one poll a second unless they say otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from durably import Duration, JitterStrategy
from durably.waits import WaitForConditionDecision, WaitStrategy, WaitStrategyConfig, create_wait_strategy

T = TypeVar("T")


def every_second_until(met: Callable[[T], bool]) -> WaitStrategy[T]:
    """Poll every second until ``met(state)``."""

    def strategy(state: T, attempts_made: int) -> WaitForConditionDecision:
        if met(state):
            return WaitForConditionDecision.stop_polling()
        return WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))

    return strategy


def at_fixed_delay(seconds: int, go_on: Callable[[T], bool], attempts: int = 60) -> WaitStrategy[T]:
    """Poll every ``seconds`` while ``go_on(state)``, at most ``attempts`` times."""
    return create_wait_strategy(
        WaitStrategyConfig(
            should_continue_polling=go_on,
            max_attempts=attempts,
            initial_delay=Duration.from_seconds(seconds),
            backoff_rate=1,
            jitter_strategy=JitterStrategy.NONE,
        )
    )
