from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably import _random
from durably.config import Duration, JitterStrategy
from durably.exceptions import ValidationError
from durably.retries import (
    ExponentialBackoff,
    FixedDelay,
    LinearBackoff,
    LinearRetryStrategyConfig,
    NoRetry,
    RetryDecision,
    RetryPresets,
    RetryStrategyConfig,
    create_linear_retry_strategy,
    create_retry_strategy,
    decide,
    retry_if,
)

ERROR = ValueError("connection reset by peer")


def delays(strategy: Any, *, chance: float = 0.5, error: Exception = ERROR, attempts: int = 12) -> list[int | None]:
    """The delay after each attempt; None where there is no other one."""
    with _random.use(lambda: chance):
        decisions = [decide(strategy, error, attempt) for attempt in range(1, attempts + 1)]
    given_up = [decision.should_retry for decision in decisions].index(False)
    assert not any(decision.should_retry for decision in decisions[given_up:])
    return [decision.delay_seconds for decision in decisions[:given_up]]


@pytest.mark.parametrize(
    ("strategy", "chance", "expected"),
    [
        (RetryPresets.none(), 0.5, []),
        (RetryPresets.default(), 1.0, [5, 10, 20, 40, 60]),
        (RetryPresets.default(), 0.5, [3, 5, 10, 20, 30]),
        (RetryPresets.default(), 0.0, [1, 1, 1, 1, 1]),
        (RetryPresets.transient(), 0.0, [3, 5]),
        (RetryPresets.transient(), 1.0, [5, 10]),
        (RetryPresets.resource_availability(), 1.0, [5, 10, 20, 40]),
        (RetryPresets.critical(), 0.5, [1, 2, 3, 4, 6, 8, 12, 18, 26]),
        (RetryPresets.linear(), 0.5, [1, 2, 3, 4, 5]),
        (RetryPresets.fixed(), 0.5, [5, 5, 5, 5]),
        (RetryPresets.fixed(timedelta(minutes=1)), 0.5, [60, 60, 60, 60]),
        (create_retry_strategy(), 1.0, [5, 10]),
        (create_linear_retry_strategy(), 1.0, [1, 2, 3, 4, 5]),
        (create_retry_strategy(RetryStrategyConfig(max_attempts=4, max_delay=Duration(12))), 1.0, [5, 10, 12]),
        (create_linear_retry_strategy(LinearRetryStrategyConfig(3, Duration(2), Duration(10))), 1.0, [2, 12]),
        (ExponentialBackoff(3, timedelta(seconds=1), backoff_rate=10, jitter=JitterStrategy.NONE), 0.5, [1, 10]),
        (LinearBackoff(3, max_delay=Duration(1), jitter=JitterStrategy.NONE), 0.5, [1, 1]),
        (FixedDelay(Duration(400), max_attempts=3), 0.5, [400, 400]),
        (FixedDelay(Duration(10), 2, JitterStrategy.HALF), 0.5, [8]),
        (NoRetry(), 0.5, []),
    ],
)
def test_the_numbers(strategy: Any, chance: float, expected: list[int]) -> None:
    assert delays(strategy, chance=chance) == expected


@given(st.integers(1, 10**9), st.sampled_from(JitterStrategy), st.floats(0, 1, exclude_max=True))
def test_an_endless_strategy_neither_overflows_nor_leaves_the_services_bounds(
    attempts_made: int, jitter: JitterStrategy, chance: float
) -> None:
    strategy = ExponentialBackoff(None, Duration(1), Duration(31_622_400), 3.5, jitter)
    with _random.use(lambda: chance):
        decision = decide(strategy, ERROR, attempts_made)
    assert decision.should_retry
    assert 1 <= decision.delay_seconds <= 31_622_400


class TestFilters:
    @pytest.mark.parametrize(
        ("options", "retried"),
        [
            ({}, True),
            ({"retryable_errors": ["connection"]}, True),
            ({"retryable_errors": ["timeout", re.compile(r"reset by \w+$")]}, True),
            ({"retryable_errors": ["timeout"]}, False),
            ({"retryable_errors": []}, False),
            ({"retryable_error_types": [ValueError]}, True),
            ({"retryable_error_types": [KeyError, OSError]}, False),
            ({"retryable_error_types": []}, False),
            ({"retryable_errors": ["timeout"], "retryable_error_types": [ValueError]}, True),
            ({"retryable_errors": ["timeout"], "retryable_error_types": [KeyError]}, False),
        ],
    )
    def test_an_error_counts_if_any_filter_fits(self, options: Any, retried: bool) -> None:
        for strategy in (
            ExponentialBackoff(**options),
            LinearBackoff(**options),
            FixedDelay(**options),
            create_retry_strategy(RetryStrategyConfig(**options)),
            create_linear_retry_strategy(LinearRetryStrategyConfig(**options)),
        ):
            assert strategy(ERROR, 1).should_retry is retried

    def test_subclasses_count(self) -> None:
        assert ExponentialBackoff(retryable_error_types=[OSError])(TimeoutError(), 1).should_retry

    def test_retry_if_composes(self) -> None:
        strategy = retry_if(FixedDelay(Duration(3)), lambda error: "reset" in str(error))
        assert strategy(ERROR, 1) == RetryDecision.retry(Duration(3))
        assert strategy(KeyError("x"), 1) == RetryDecision.no_retry()
        stricter = strategy.retry_if(lambda error: isinstance(error, OSError))
        assert not stricter(ERROR, 1).should_retry
        assert FixedDelay().retry_if(lambda error: True)(ERROR, 1).should_retry

    def test_retry_if_takes_any_strategy(self) -> None:
        assert retry_if(lambda error, attempts: timedelta(seconds=9), lambda error: True)(ERROR, 1).delay_seconds == 9

    def test_retry_if_refuses_what_is_not_callable(self) -> None:
        with pytest.raises(ValidationError, match="retry_if takes a strategy"):
            retry_if(FixedDelay(), "no")  # type: ignore[arg-type]


class TestDecide:
    @pytest.mark.parametrize(
        ("answer", "decision"),
        [
            (RetryDecision.retry(Duration(7)), RetryDecision(True, Duration(7))),
            (RetryDecision.no_retry(), RetryDecision(False)),
            (Duration(7), RetryDecision(True, Duration(7))),
            (timedelta(milliseconds=1), RetryDecision(True, Duration(1))),
            (timedelta(0), RetryDecision(True, Duration(1))),
            (RetryDecision.retry(Duration(0)), RetryDecision(True, Duration(1))),
            (None, RetryDecision(False)),
            (False, RetryDecision(False)),
        ],
    )
    def test_any_answer_becomes_a_decision(self, answer: Any, decision: RetryDecision) -> None:
        assert decide(lambda error, attempts: answer, ERROR, 1) == decision

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (True, "it does not say when"),
            (5, r"Duration\.from_seconds\(5\)"),
            ("soon", "answered 'soon': answer with RetryDecision.retry"),
            (timedelta(days=400), "at most 31622400 s"),
            (timedelta(seconds=-1), "is negative"),
        ],
    )
    def test_any_other_answer_is_an_error_that_names_the_strategy(self, answer: Any, message: str) -> None:
        def my_strategy(error: Exception, attempts: int) -> Any:
            return answer

        with pytest.raises(ValidationError, match=message) as error:
            decide(my_strategy, ERROR, 1)
        assert "my_strategy" in str(error.value)

    def test_a_strategy_that_raises_is_named_and_its_error_kept(self) -> None:
        def broken(error: Exception, attempts: int) -> None:
            raise KeyError("oops")

        with pytest.raises(ValidationError, match=r"broken raised KeyError: 'oops' \(when asked about ValueError") as e:
            decide(broken, ERROR, 2)
        assert isinstance(e.value.__cause__, KeyError)

    def test_an_async_strategy_is_refused_without_a_stray_warning(self) -> None:
        async def slow(error: Exception, attempts: int) -> RetryDecision:
            return RetryDecision.no_retry()

        with pytest.raises(ValidationError, match="slow is async: make it an ordinary function"):
            decide(slow, ERROR, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExponentialBackoff(0), "max_attempts is 0, and must be an int of at least 1"),
        (lambda: RetryStrategyConfig(max_attempts=0), "max_attempts is 0"),
        (lambda: RetryStrategyConfig(max_attempts=None), "max_attempts is None"),
        (lambda: LinearRetryStrategyConfig(max_attempts=True), "max_attempts is True"),
        (lambda: RetryStrategyConfig(initial_delay=5), "initial_delay is 5, a number without a unit"),
        (lambda: RetryStrategyConfig(max_delay=Duration(0)), "max_delay is 0 s, and must be at least 1 s"),
        (lambda: RetryStrategyConfig(max_delay=Duration.from_years(2)), "max_delay is .* at most 31622400 s"),
        (lambda: RetryStrategyConfig(backoff_rate=0.5), "backoff_rate is 0.5"),
        (lambda: RetryStrategyConfig(backoff_rate=float("inf")), "backoff_rate is inf"),
        (lambda: RetryStrategyConfig(jitter_strategy="FULL"), "the jitter is 'FULL': pass one of JitterStrategy.NONE"),
        (lambda: RetryStrategyConfig(retryable_errors="timeout"), r"must be a list of them: \['timeout'\]"),
        (lambda: RetryStrategyConfig(retryable_errors=[OSError]), "exception classes go into retryable_error_types"),
        (lambda: RetryStrategyConfig(retryable_errors=[re.compile(b"x")]), "retryable_errors holds"),
        (lambda: RetryStrategyConfig(retryable_error_types=OSError), r"must be a list: \[OSError\]"),
        (lambda: RetryStrategyConfig(retryable_error_types=["OSError"]), "pass exception classes"),
        (lambda: FixedDelay(Duration.from_years(2)), "delay is .* at most"),
        (lambda: RetryDecision("yes"), "should_retry is 'yes'"),
        (lambda: RetryDecision.retry(5), "the delay of a RetryDecision is 5, a number without a unit"),
    ],
)
def test_every_option_is_checked_where_it_is_written(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


def test_the_random_source_is_given_back() -> None:
    with _random.use(lambda: 0.25):
        assert _random.random() == 0.25
        with pytest.raises(ZeroDivisionError), _random.use(lambda: 1 / 0):
            _random.random()
        assert _random.random() == 0.25
    assert 0 <= _random.random() < 1


def test_strategies_compare_and_print_by_value() -> None:
    assert RetryPresets.default() == RetryPresets.default()
    assert "max_attempts=6" in repr(RetryPresets.default())
    assert RetryStrategyConfig().initial_delay_seconds == 5
    assert RetryStrategyConfig().max_delay_seconds == 300
    assert LinearRetryStrategyConfig().increment_seconds == 1
    assert LinearRetryStrategyConfig().initial_delay_seconds == 1
    assert LinearRetryStrategyConfig().max_delay_seconds == 300
