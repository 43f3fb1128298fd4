"""The strategies of wait_for_condition, their answers, and how any strategy's answer is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Generic, TypeAlias, TypeVar

from ._config_checks import check_callable
from ._duration import Duration, DurationLike, Numeric, as_duration
from ._jitter import JitterStrategy
from ._retry_checks import check_attempts, check_backoff_rate, check_jitter
from ._values import Value
from .exceptions import ValidationError, WaitForConditionError
from .wire.limits import MAX_WAIT_SECONDS

T = TypeVar("T")

DEFAULT_DELAY = Duration(5)
DEFAULT_MAX_DELAY = Duration(300)
DEFAULT_ATTEMPTS = 60


class WaitForConditionDecision(Value):
    """Whether to poll again, and after how long.

    Parameters:
        should_continue: True for another poll.
        delay: until then. The service counts 1 to 31,622,400 whole seconds; less than one becomes one.
    """

    __slots__ = ("delay", "should_continue")
    __match_args__ = _fields = ("should_continue", "delay")
    _defaults = {"delay": Duration()}  # noqa: RUF012 - declared in the base

    should_continue: bool
    delay: Duration

    def __init__(self, should_continue: bool, delay: DurationLike = Duration()) -> None:  # noqa: B008 - frozen
        if not isinstance(should_continue, bool):
            raise ValidationError(f"should_continue is {should_continue!r}, and must be True or False")
        duration = as_duration(delay, "the delay of a WaitForConditionDecision", maximum=MAX_WAIT_SECONDS)
        self._set(should_continue=should_continue, delay=duration)

    @property
    def delay_seconds(self) -> int:
        return self.delay.seconds

    @classmethod
    def continue_waiting(cls, delay: DurationLike) -> WaitForConditionDecision:
        """Poll again after ``delay``."""
        return cls(True, delay)

    @classmethod
    def stop_polling(cls) -> WaitForConditionDecision:
        """The condition is met."""
        return cls(False)


WaitStrategy: TypeAlias = Callable[[T, int], WaitForConditionDecision | Duration | timedelta | None]

_STOP = WaitForConditionDecision(False)
_ONE_SECOND = Duration(1)


def decide_wait(strategy: WaitStrategy[T], state: T, attempts_made: int) -> WaitForConditionDecision:
    """Ask any strategy and make a decision of its answer; a delay is at least 1 s.

    Raises:
        ValidationError: the strategy answered with something that is no decision.
        Exception: what the strategy raised: it gives up that way.
    """
    answer: Any = strategy(state, attempts_made)
    if answer is None:
        return _STOP
    name = getattr(strategy, "__qualname__", None) or type(strategy).__qualname__
    if isinstance(answer, (Duration, timedelta)):
        answer = WaitForConditionDecision(True, as_duration(answer, f"the delay from {name}", maximum=MAX_WAIT_SECONDS))
    if not isinstance(answer, WaitForConditionDecision):
        raise ValidationError(_not_a_decision(name, answer))
    if answer.should_continue and answer.delay.seconds < 1:
        return WaitForConditionDecision(True, _ONE_SECOND)
    return answer


def _not_a_decision(name: str, answer: Any) -> str:
    if hasattr(answer, "__await__"):
        if hasattr(answer, "close"):
            answer.close()  # or Python warns, later and elsewhere, that it was never awaited
        return f"wait strategy {name} is async: make it an ordinary function"
    if isinstance(answer, bool):
        remedy = (
            "answer with WaitForConditionDecision.continue_waiting(delay) or .stop_polling(), or give the condition to "
            "a strategy, e.g. ExponentialWait(until=lambda state: ...)"
        )
    elif isinstance(answer, (int, float)):
        remedy = f"a number has no unit: answer with Duration.from_seconds({answer!r})"
    else:
        remedy = (
            "answer with WaitForConditionDecision.continue_waiting(delay), WaitForConditionDecision.stop_polling(), "
            "a Duration, a timedelta or None"
        )
    return f"wait strategy {name} answered {answer!r}: {remedy}"


# ---- ready-made -----------------------------------------------------------------------------------------


class Polling(Value, Generic[T]):
    """Base of the strategies: when the condition is met, when to give up, and noise; a subclass computes the delay.

    A condition met at the last attempt is met.
    """

    __slots__ = ("jitter", "max_attempts", "max_delay", "until")

    until: Callable[[T], object]
    max_attempts: int | None
    max_delay: Duration
    jitter: JitterStrategy

    def _configure(self, until: Any, max_attempts: int | None, max_delay: DurationLike, jitter: JitterStrategy) -> None:
        if until is None:
            raise ValidationError("until is None, and must be a function, e.g. lambda state: state.done")
        check_callable(until, "until", "lambda state: state.done", ("state",))
        check_attempts(max_attempts, optional=True)
        check_jitter(jitter)
        self._set(
            until=until,
            max_attempts=max_attempts,
            max_delay=as_duration(max_delay, "max_delay", minimum=1, maximum=MAX_WAIT_SECONDS),
            jitter=jitter,
        )

    def base_delay(self, attempts_made: int) -> float:
        """Seconds before the next poll, without noise and without the limit."""
        raise NotImplementedError

    def __call__(self, state: T, attempts_made: int) -> WaitForConditionDecision:
        """Raises WaitForConditionError when the attempts are used up."""
        if self.until(state):
            return _STOP
        if self.max_attempts is not None and attempts_made >= self.max_attempts:
            raise WaitForConditionError(f"the condition was not met in {attempts_made} attempts, as many as allowed")
        try:
            delay = min(self.base_delay(attempts_made), self.max_delay.seconds)
        except OverflowError:
            delay = self.max_delay.seconds
        return WaitForConditionDecision(True, Duration(self.jitter.finalize_delay(delay)))


class ExponentialWait(Polling[T]):
    """Polls at delays that grow by a factor: 5 s, 7.5 s, 11.25 s, ...

    Parameters:
        until: gets the state; true when the condition is met.
        initial_delay: after the first poll.
        max_delay: no delay is longer.
        backoff_rate: the factor, at least 1.
        max_attempts: how many polls in all before WaitForConditionError; None for no end.
        jitter: noise.
    """

    __slots__ = ("backoff_rate", "initial_delay")
    _fields = ("until", "initial_delay", "max_delay", "backoff_rate", "max_attempts", "jitter")

    initial_delay: Duration
    backoff_rate: Numeric

    def __init__(
        self,
        until: Callable[[T], object],
        initial_delay: DurationLike = DEFAULT_DELAY,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        backoff_rate: Numeric = 1.5,
        max_attempts: int | None = DEFAULT_ATTEMPTS,
        jitter: JitterStrategy = JitterStrategy.FULL,
    ) -> None:
        self._configure(until, max_attempts, max_delay, jitter)
        check_backoff_rate(backoff_rate)
        self._set(initial_delay=as_duration(initial_delay, "initial_delay"), backoff_rate=backoff_rate)

    def base_delay(self, attempts_made: int) -> float:
        return self.initial_delay.seconds * float(self.backoff_rate) ** (attempts_made - 1)


class LinearWait(Polling[T]):
    """Polls at delays that grow by a step: 5 s, 10 s, 15 s, ... Parameters: as for ExponentialWait, and
    ``increment``: how much longer each delay is than the one before."""

    __slots__ = ("increment", "initial_delay")
    _fields = ("until", "initial_delay", "increment", "max_delay", "max_attempts", "jitter")

    initial_delay: Duration
    increment: Duration

    def __init__(
        self,
        until: Callable[[T], object],
        initial_delay: DurationLike = DEFAULT_DELAY,
        increment: DurationLike = DEFAULT_DELAY,
        max_delay: DurationLike = DEFAULT_MAX_DELAY,
        max_attempts: int | None = DEFAULT_ATTEMPTS,
        jitter: JitterStrategy = JitterStrategy.FULL,
    ) -> None:
        self._configure(until, max_attempts, max_delay, jitter)
        self._set(
            initial_delay=as_duration(initial_delay, "initial_delay"), increment=as_duration(increment, "increment")
        )

    def base_delay(self, attempts_made: int) -> float:
        return self.initial_delay.seconds + self.increment.seconds * (attempts_made - 1)


class FixedWait(Polling[T]):
    """Polls at one interval. Parameters: as for ExponentialWait, and ``delay``: the interval."""

    __slots__ = ("delay",)
    _fields = ("until", "delay", "max_attempts", "jitter")

    delay: Duration

    def __init__(
        self,
        until: Callable[[T], object],
        delay: DurationLike = DEFAULT_DELAY,
        max_attempts: int | None = DEFAULT_ATTEMPTS,
        jitter: JitterStrategy = JitterStrategy.NONE,
    ) -> None:
        self._configure(until, max_attempts, Duration(MAX_WAIT_SECONDS), jitter)
        self._set(delay=as_duration(delay, "delay", maximum=MAX_WAIT_SECONDS))

    def base_delay(self, attempts_made: int) -> float:
        return self.delay.seconds
