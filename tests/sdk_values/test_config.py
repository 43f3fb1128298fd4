from __future__ import annotations

import copy
import dataclasses
import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably import (
    ExponentialWait,
    FileSystemSerDesConfig,
    FixedWait,
    WaitForConditionConfig,
    WaitStrategyConfig,
    WithRetryConfig,
    retry_if,
)
from durably.config import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    Duration,
    InvokeConfig,
    JitterStrategy,
    MapConfig,
    ParallelConfig,
    StepConfig,
    StepSemantics,
    WaitForCallbackConfig,
    as_duration,
    as_seconds,
)
from durably.exceptions import ValidationError
from durably.retries import RetryPresets
from durably.serdes import JsonSerDes, SerDes


class TestDuration:
    @pytest.mark.parametrize(
        ("duration", "seconds"),
        [
            (Duration(), 0),
            (Duration(7), 7),
            (Duration.from_seconds(7), 7),
            (Duration.from_seconds(0.001), 1),
            (Duration.from_minutes(1.5), 90),
            (Duration.from_hours(1.1), 3960),
            (Duration.from_days(1), 86_400),
            (Duration.from_weeks(2), 1_209_600),
            (Duration.from_months(1), 2_592_000),
            (Duration.from_years(1), 31_536_000),
        ],
    )
    def test_units(self, duration: Duration, seconds: int) -> None:
        assert duration.to_seconds() == duration.seconds == seconds

    @pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), "5", None, True])
    def test_what_is_no_amount_of_time_is_refused_by_name(self, value: Any) -> None:
        with pytest.raises(ValidationError, match=r"Duration\.from_minutes") as error:
            Duration.from_minutes(value)
        assert repr(value) in str(error.value)

    def test_order_and_arithmetic(self) -> None:
        assert Duration(1) < Duration(2) <= Duration(2) < Duration(3)
        assert Duration(3) > Duration(2) >= Duration(2)
        assert Duration(60) == Duration.from_minutes(1) != Duration(61)
        assert hash(Duration(60)) == hash(Duration.from_minutes(1))
        assert Duration(1) + Duration(2) == Duration(3)
        assert Duration(5) - Duration(2) == Duration(3)
        assert Duration(10) * 1.5 == 1.5 * Duration(10) == Duration(15)
        assert Duration(90).to_timedelta() == timedelta(seconds=90)
        with pytest.raises(ValidationError):
            Duration(1) - Duration(2)
        with pytest.raises(TypeError):
            Duration(1) < 2  # type: ignore[operator]  # noqa: B015

    def test_repr_reads_as_code(self) -> None:
        assert eval(repr(Duration(5))) == Duration(5)


class TestAsSeconds:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            (Duration(5), 5),
            (timedelta(seconds=5), 5),
            (timedelta(microseconds=1), 1),
            (timedelta(seconds=5, microseconds=1), 6),
            (timedelta(days=366), 31_622_400),
            (timedelta(), 0),
        ],
    )
    def test_both_kinds(self, value: Any, seconds: int) -> None:
        assert as_seconds(value, "wait") == seconds
        assert as_duration(value, "wait") == Duration(seconds)

    @given(st.timedeltas(min_value=timedelta(0)))
    def test_never_shorter_and_less_than_a_second_longer(self, value: timedelta) -> None:
        if value > timedelta(days=999_999_000):
            return
        assert value <= timedelta(seconds=as_seconds(value, "wait")) < value + timedelta(seconds=1)

    @pytest.mark.parametrize("value", [5, 0.5])
    def test_a_bare_number_is_told_what_to_write(self, value: Any) -> None:
        with pytest.raises(ValidationError) as error:
            as_seconds(value, "the wait")
        assert str(error.value) == (
            f"the wait is {value!r}, a number without a unit: write Duration.from_seconds({value!r}) "
            f"or timedelta(seconds={value!r})"
        )

    @pytest.mark.parametrize("value", ["5s", None, True])
    def test_other_types_are_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError, match=r"pass a Duration or a datetime\.timedelta"):
            as_seconds(value, "the wait")

    def test_bounds(self) -> None:
        with pytest.raises(ValidationError, match=r"the wait is negative: datetime\.timedelta"):
            as_seconds(timedelta(microseconds=-1), "the wait")
        with pytest.raises(ValidationError, match="the wait is 0 s, and must be at least 1 s"):
            as_seconds(Duration(0), "the wait", minimum=1)
        with pytest.raises(ValidationError, match="the wait is 11 s, and must be at most 10 s"):
            as_seconds(timedelta(seconds=10, milliseconds=1), "the wait", maximum=10)


CONFIGS: list[Any] = [
    StepConfig(sub_type="Mine", timeout=timedelta(milliseconds=500), result_type=int),
    CallbackConfig(timedelta(hours=1), Duration(5)),
    WaitForCallbackConfig(Duration(1), Duration(2), JsonSerDes(), RetryPresets.none(), sub_type="x"),
    InvokeConfig(tenant_id="tenant 1"),
    ChildConfig(is_virtual=True),
    Duration(3),
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
class TestValues:
    def test_are_frozen(self, config: Any) -> None:
        with pytest.raises(AttributeError, match=r"is frozen.*dataclasses\.replace"):
            config.sub_type = "other"

    def test_compare_and_hash_by_value(self, config: Any) -> None:
        if getattr(config, "serdes", None) is None:
            assert pickle.loads(pickle.dumps(config)) == config
        assert copy.copy(config) == config
        assert hash(copy.copy(config)) == hash(config)
        assert config != "something else"

    def test_answer_to_dataclasses(self, config: Any) -> None:
        assert dataclasses.is_dataclass(config)
        assert dataclasses.replace(config) == config
        names = [field.name for field in dataclasses.fields(config)]
        assert all(f"{name}=" in repr(config) for name in names)

    def test_look_public(self, config: Any) -> None:
        assert type(config).__module__ == "durably.config"


def test_replace_changes_one_field_and_checks_it() -> None:
    config = StepConfig(sub_type="a")
    assert dataclasses.replace(config, sub_type="b") == StepConfig(sub_type="b")
    with pytest.raises(ValidationError, match="sub_type is 'no good'"):
        dataclasses.replace(config, sub_type="no good")


def test_a_dataclass_may_inherit() -> None:
    @dataclasses.dataclass(frozen=True)
    class Mine(StepConfig):
        team: str = "shop"

    assert Mine(team="stock").team == "stock"


def test_positional_order_is_the_official_sdks() -> None:
    retry, serdes = RetryPresets.none(), JsonSerDes[Any]()
    step = StepConfig(retry, StepSemantics.AT_MOST_ONCE_PER_RETRY, serdes)
    assert (step.retry_strategy, step.serdes) == (retry, serdes)
    callback = WaitForCallbackConfig(Duration(1), Duration(2), serdes, retry)
    assert (callback.timeout_seconds, callback.heartbeat_timeout_seconds) == (1, 2)
    assert (callback.serdes, callback.retry_strategy) == (serdes, retry)
    assert InvokeConfig(serdes, serdes, "t").tenant_id == "t"
    child = ChildConfig(serdes, "Sub", str, True)
    assert (child.sub_type, child.summary_generator, child.is_virtual) == ("Sub", str, True)


def test_defaults() -> None:
    assert StepConfig().step_semantics is StepSemantics.AT_LEAST_ONCE_PER_RETRY
    assert StepConfig().retry_strategy is None
    assert StepConfig().timeout_seconds is None
    assert CallbackConfig().timeout_seconds == CallbackConfig().heartbeat_timeout_seconds == 0
    assert ChildConfig().is_virtual is False


def test_a_step_timeout_may_be_less_than_a_second() -> None:
    assert StepConfig(timeout=timedelta(milliseconds=250)).timeout_seconds == 0.25
    assert StepConfig(timeout=Duration(2)).timeout_seconds == 2.0


class AwaitedSerDes(SerDes[Any]):
    def serialize(self, value: Any, serdes_context: Any) -> str:
        return ""

    async def deserialize(self, data: str, serdes_context: Any) -> Any: ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: StepConfig(retry_strategy=3), "retry_strategy is 3, and must be a function"),
        (lambda: StepConfig(retry_strategy=RetryPresets), "retry_strategy is the class RetryPresets"),
        (lambda: StepConfig(step_semantics="AT_MOST_ONCE_PER_RETRY"), "pass StepSemantics.AT_MOST_ONCE_PER_RETRY or"),
        (lambda: StepConfig(serdes=AwaitedSerDes()), r"deserialize\(\) of serdes, .* is a coroutine function"),
        (lambda: StepConfig(serdes=JsonSerDes), r"serdes is the class JsonSerDes: pass an instance, JsonSerDes\(\)"),
        (lambda: StepConfig(serdes=object()), "pass a SerDes"),
        (lambda: StepConfig(sub_type="x" * 33), "1 to 32 characters"),
        (lambda: StepConfig(sub_type="Race"), "'Race' is for the engine's own records"),
        (lambda: StepConfig(sub_type="naïve"), "sub_type is 'naïve'"),
        (lambda: StepConfig(sub_type=7), "sub_type is 7"),
        (lambda: StepConfig(timeout=5), r"write Duration\.from_seconds\(5\)"),
        (lambda: StepConfig(timeout=Duration(0)), "timeout is zero"),
        (lambda: StepConfig(timeout=timedelta(0)), "timeout is zero"),
        (lambda: StepConfig(serdes=JsonSerDes(), result_type=int), "pass one of them"),
        (lambda: CallbackConfig(timeout=Duration(100_000_000)), "timeout is 100000000 s.*at most 99999999 s"),
        (lambda: CallbackConfig(heartbeat_timeout=timedelta(seconds=-1)), "heartbeat_timeout is negative"),
        (lambda: CallbackConfig(timeout=60), "timeout is 60, a number without a unit"),
        (lambda: WaitForCallbackConfig(retry_strategy="often"), "retry_strategy is 'often'"),
        (lambda: InvokeConfig(tenant_id=""), "tenant_id is ''"),
        (lambda: InvokeConfig(tenant_id="a\nb"), "tenant_id is"),
        (lambda: InvokeConfig(serdes_payload=1), "serdes_payload is 1"),
        (lambda: InvokeConfig(serdes_result=JsonSerDes), "serdes_result is the class"),
        (lambda: ChildConfig(summary_generator="short"), "summary_generator is 'short'"),
        (lambda: ChildConfig(is_virtual=1), "is_virtual is 1"),
        (lambda: ChildConfig(error_mapper=1), "error_mapper is 1"),
        (lambda: ChildConfig(sub_type="a b"), "sub_type is 'a b'"),
    ],
)
def test_every_field_is_checked_where_it_is_written(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


def _none():
    return None


def _many(one, two, three):
    return None


@pytest.mark.parametrize("func", [_none, _many], ids=["none", "three"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda func: StepConfig(retry_strategy=func), "retry_strategy .* 2 arguments: it gets .error, attempts_made."),
        (lambda func: WaitForCallbackConfig(retry_strategy=func), "retry_strategy .* 2 arguments"),
        (lambda func: WithRetryConfig(retry_strategy=func), "retry_strategy .* 2 arguments"),
        (lambda func: retry_if(RetryPresets.default(), func), "retry_if's predicate .* 1 argument: it gets .error."),
        (lambda func: retry_if(func, lambda error: True), "retry_strategy .* 2 arguments"),
        (lambda func: WaitForConditionConfig(func, 0), "wait_strategy .* 2 arguments: it gets .state, attempts_made."),
        (lambda func: ExponentialWait(func), "until .* 1 argument: it gets .state."),
        (lambda func: FixedWait(func, Duration(1)), "until .* 1 argument"),
        (lambda func: WaitStrategyConfig(func), "should_continue_polling .* 1 argument: it gets .state."),
        (lambda func: CompletionConfig(should_complete=func), "should_complete .* 1 argument: it gets .status."),
        (lambda func: MapConfig(item_namer=func), "item_namer .* 2 arguments: it gets .item, index."),
        (lambda func: MapConfig(summary_generator=func), "summary_generator .* 1 argument: it gets .result."),
        (lambda func: ParallelConfig(summary_generator=func), "summary_generator .* 1 argument"),
        (lambda func: ChildConfig(summary_generator=func), "summary_generator .* 1 argument"),
        (lambda func: ChildConfig(error_mapper=func), "error_mapper .* 1 argument: it gets .error."),
        (lambda func: FileSystemSerDesConfig(generate_preview=func), "generate_preview .* 1 argument: it gets .value."),
    ],
)
def test_functions_of_the_wrong_number_of_parameters_are_refused_where_they_are_given(
    make: Any, message: str, func: Any
) -> None:
    with pytest.raises(ValidationError, match=message):
        make(func)


def test_functions_that_can_be_called_so_are_taken() -> None:
    class Strategy:
        def decide(self, error: Exception, attempts_made: int) -> Any:
            return None

        def __call__(self, error: Exception, attempts_made: int) -> Any:
            return None

    for strategy in (Strategy(), Strategy().decide, lambda *given: None, lambda error, attempt=1: None):
        StepConfig(retry_strategy=strategy)


@pytest.mark.parametrize("sub_type", [None, "", "a", "A-b_9", "x" * 32])
def test_good_sub_types(sub_type: str | None) -> None:
    assert StepConfig(sub_type=sub_type).sub_type == sub_type


class TestJitter:
    @pytest.mark.parametrize(
        ("strategy", "chance", "delay"),
        [
            (JitterStrategy.NONE, 0.9, 10.0),
            (JitterStrategy.FULL, 0.25, 2.5),
            (JitterStrategy.HALF, 0.0, 5.0),
            (JitterStrategy.HALF, 0.5, 7.5),
        ],
    )
    def test_the_share_left_to_chance(self, strategy: JitterStrategy, chance: float, delay: float) -> None:
        assert strategy.apply_jitter(10, lambda: chance) == delay

    @given(st.sampled_from(JitterStrategy), st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
    def test_a_final_delay_is_whole_and_within_bounds(
        self, strategy: JitterStrategy, base: float, chance: float
    ) -> None:
        final = strategy.finalize_delay(base, lambda: chance)
        assert isinstance(final, int)
        assert 1 <= final <= max(1, -(-base // 1))

    def test_without_a_source_the_systems_is_used(self) -> None:
        assert 0 <= JitterStrategy.FULL.apply_jitter(10) < 10


def test_the_sub_types_of_the_engines_own_records_are_taken() -> None:
    from durably._config_checks import RESERVED_SUB_TYPES
    from durably.engine import combinators, operation, timers

    assert {*combinators.SUB_TYPES.values(), operation.GIVE_UP, timers.SUB_TYPE} == RESERVED_SUB_TYPES
