"""Wait strategies: when the condition is met, when to give up, how long until the next poll."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import timedelta
from typing import Any

import aws_durable_execution_sdk_python.waits as official
import pytest
from aws_durable_execution_sdk_python.config import Duration as OfficialDuration
from aws_durable_execution_sdk_python.config import JitterStrategy as OfficialJitter
from aws_durable_execution_sdk_python.exceptions import WaitForConditionError as OfficialError
from hypothesis import given
from hypothesis import strategies as st

import durably.waits
from durably import _random
from durably.config import Duration, JitterStrategy
from durably.exceptions import ValidationError, WaitForConditionError
from durably.serdes import JsonSerDes
from durably.waits import (
    ExponentialWait,
    FixedWait,
    LinearWait,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
    decide_wait,
)

NONE = JitterStrategy.NONE
GO_ON = WaitForConditionDecision.continue_waiting
STOP = WaitForConditionDecision.stop_polling()


def done(state: str) -> bool:
    return state == "done"


def running(state: str) -> bool:
    return state != "done"


@pytest.mark.parametrize("name", ["WaitForConditionConfig", "WaitForConditionDecision", "WaitStrategyConfig"])
def test_positional_parameters_are_the_official_ones(name: str) -> None:
    theirs = inspect.signature(getattr(official, name)).parameters
    ours = inspect.signature(getattr(durably.waits, name)).parameters
    assert [p.name for p in ours.values() if p.kind is not p.KEYWORD_ONLY] == list(theirs)


def test_defaults_are_the_official_ones() -> None:
    ours, theirs = WaitStrategyConfig(running), official.WaitStrategyConfig(running)
    assert ours.max_attempts == theirs.max_attempts == 60
    assert ours.initial_delay_seconds == theirs.initial_delay_seconds == 5
    assert ours.max_delay_seconds == theirs.max_delay_seconds == 300
    assert ours.backoff_rate == theirs.backoff_rate
    assert ours.jitter_strategy.value == theirs.jitter_strategy.value
    assert create_wait_strategy(ours)._get() | {"until": None} == ExponentialWait(done)._get() | {"until": None}


@pytest.mark.parametrize(
    ("strategy", "seconds"),
    [
        (ExponentialWait(done, jitter=NONE), [5, 8, 12, 17, 26]),
        (ExponentialWait(done, Duration(1), Duration(4), 2, jitter=NONE), [1, 2, 4, 4, 4]),
        (ExponentialWait(done, Duration(0), jitter=NONE), [1, 1, 1, 1, 1]),
        (LinearWait(done, jitter=NONE), [5, 10, 15, 20, 25]),
        (LinearWait(done, timedelta(seconds=1), Duration(3), Duration(6), jitter=NONE), [1, 4, 6, 6, 6]),
        (FixedWait(done), [5, 5, 5, 5, 5]),
        (FixedWait(done, timedelta(minutes=1)), [60, 60, 60, 60, 60]),
    ],
)
def test_delays(strategy: Any, seconds: list[int]) -> None:
    assert [strategy("running", attempt) for attempt in range(1, 6)] == [GO_ON(Duration(s)) for s in seconds]
    assert strategy("done", 1) == STOP


def test_a_delay_beyond_any_number_is_the_longest() -> None:
    strategy = ExponentialWait(done, backoff_rate=10, max_attempts=None, jitter=NONE)
    assert strategy("running", 10_000) == GO_ON(Duration(300))


@pytest.mark.parametrize("make", [ExponentialWait, LinearWait, FixedWait])
def test_a_condition_met_at_the_last_attempt_is_met_and_then_it_gives_up(make: Any) -> None:
    strategy = make(done, max_attempts=3)
    assert strategy("running", 2).should_continue
    assert strategy("done", 3) == STOP
    with pytest.raises(WaitForConditionError, match="not met in 3 attempts"):
        strategy("running", 3)
    assert make(done, max_attempts=None)("running", 1_000_000).should_continue


@given(
    st.integers(1, 80),
    st.booleans(),
    st.integers(1, 70),
    st.integers(0, 400),
    st.integers(1, 600),
    st.sampled_from([1, 1.5, 2, 3.7]),
    st.sampled_from(list(JitterStrategy)),
)
def test_decides_as_the_official_strategy(
    attempt: int, met: bool, attempts: int, initial: int, longest: int, rate: float, jitter: JitterStrategy
) -> None:
    state = "done" if met else "running"
    with pytest.MonkeyPatch.context() as patch, _random.use(lambda: 0.75):
        patch.setattr("random.random", lambda: 0.75)
        theirs = official.create_wait_strategy(
            official.WaitStrategyConfig(
                running,
                attempts,
                OfficialDuration(initial),
                OfficialDuration(longest),
                rate,
                OfficialJitter(jitter.value),
            )
        )
        ours = create_wait_strategy(
            WaitStrategyConfig(running, attempts, Duration(initial), Duration(longest), rate, jitter)
        )
        try:
            expected = theirs(state, attempt)
        except OfficialError:
            with pytest.raises(WaitForConditionError):
                ours(state, attempt)
        else:
            decision = ours(state, attempt)
            assert decision.should_continue is expected.should_continue
            assert decision.delay_seconds == expected.delay_seconds


class TestDecideWait:
    @pytest.mark.parametrize(
        ("answer", "decision"),
        [
            (STOP, STOP),
            (None, STOP),
            (GO_ON(Duration(7)), GO_ON(Duration(7))),
            (GO_ON(Duration(0)), GO_ON(Duration(1))),
            (Duration(7), GO_ON(Duration(7))),
            (timedelta(milliseconds=1), GO_ON(Duration(1))),
            (Duration(0), GO_ON(Duration(1))),
        ],
    )
    def test_answers(self, answer: Any, decision: WaitForConditionDecision) -> None:
        assert decide_wait(lambda state, attempts: answer, "s", 1) == decision

    def test_gets_state_and_attempts(self) -> None:
        assert decide_wait(lambda state, attempts: Duration(state * attempts), 3, 4) == GO_ON(Duration(12))

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (True, "ExponentialWait(until="),
            (False, "ExponentialWait(until="),
            (5, "Duration.from_seconds(5)"),
            ("5", "answered '5'"),
            (Duration(99_999_999), "at most 31622400 s"),
        ],
    )
    def test_what_is_no_decision_is_refused(self, answer: Any, says: str) -> None:
        def mine(state: str, attempts: int) -> Any:
            return answer

        with pytest.raises(ValidationError, match="mine") as error:
            decide_wait(mine, "s", 1)
        assert says in str(error.value)

    def test_an_async_strategy_is_refused(self) -> None:
        async def mine(state: str, attempts: int) -> None: ...

        strategy: Any = mine
        with pytest.raises(ValidationError, match="is async"):
            decide_wait(strategy, "s", 1)

    def test_what_a_strategy_raises_goes_through(self) -> None:
        with pytest.raises(WaitForConditionError):
            decide_wait(FixedWait(done, max_attempts=1), "running", 1)
        with pytest.raises(ZeroDivisionError):
            decide_wait(lambda state, attempts: Duration(1 // 0), "running", 1)


@pytest.mark.parametrize(
    "value",
    [
        STOP,
        GO_ON(timedelta(minutes=1)),
        ExponentialWait(done),
        LinearWait(done),
        FixedWait(done),
        WaitStrategyConfig(running),
        create_wait_strategy(WaitStrategyConfig(running)),
        WaitForConditionConfig(FixedWait(done), "new", timeout=Duration(5)),
    ],
)
def test_are_values(value: Any) -> None:
    assert value == copy.deepcopy(value) == pickle.loads(pickle.dumps(value))
    assert hash(value) == hash(copy.copy(value))
    with pytest.raises(AttributeError, match="frozen"):
        value.delay = 1


def test_timeout() -> None:
    config = WaitForConditionConfig(FixedWait(done), "new", timeout=timedelta(seconds=0.5))
    assert config.timeout_seconds == 1
    assert WaitForConditionConfig(FixedWait(done), "new").timeout_seconds is None


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: WaitForConditionConfig(None, 1), "wait_strategy is None"),  # type: ignore[arg-type]
        (lambda: WaitForConditionConfig(FixedWait, 1), "the class FixedWait"),  # type: ignore[arg-type]
        (
            lambda: WaitForConditionConfig(WaitStrategyConfig(running), ""),  # type: ignore[arg-type]
            "create_wait_strategy(config)",
        ),
        (lambda: WaitForConditionConfig(FixedWait(done), "", timeout=5), "Duration.from_seconds(5)"),  # type: ignore[arg-type]
        (lambda: WaitForConditionConfig(FixedWait(done), "", timeout=Duration(0)), "at least 1 s"),
        (lambda: WaitForConditionConfig(FixedWait(done), "", JsonSerDes(), result_type=str), "pass one of them"),
        (lambda: WaitForConditionConfig(FixedWait(done), "", 3), "serdes is 3"),  # type: ignore[arg-type]
        (lambda: WaitStrategyConfig(None), "should_continue_polling is None"),  # type: ignore[arg-type]
        (lambda: WaitStrategyConfig(running, 0), "max_attempts"),
        (lambda: WaitStrategyConfig(running, backoff_rate=0.5), "backoff_rate"),
        (lambda: WaitStrategyConfig(running, jitter_strategy="FULLEST"), "jitter"),  # type: ignore[arg-type]
        (lambda: WaitStrategyConfig(running, initial_delay=5), "initial_delay is 5"),  # type: ignore[arg-type]
        (lambda: FixedWait(None), "until is None"),  # type: ignore[arg-type]
        (lambda: ExponentialWait("done"), "until is 'done'"),  # type: ignore[arg-type]
        (lambda: LinearWait(done, max_attempts=0), "max_attempts"),
        (lambda: FixedWait(done, Duration(99_999_999)), "at most"),
        (lambda: WaitForConditionDecision(1), "should_continue is 1"),  # type: ignore[arg-type]
        (lambda: GO_ON(5), "Duration.from_seconds(5)"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_work_is_refused_by_name(make: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        make()
    assert says in str(error.value)
