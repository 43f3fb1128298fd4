"""The answer of a retry strategy, and how any strategy's answer is read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ._duration import Duration, DurationLike, as_duration
from ._values import Value
from .exceptions import ValidationError
from .wire.limits import MAX_WAIT_SECONDS

if TYPE_CHECKING:
    from ._configs import RetryStrategy


class RetryDecision(Value):
    """Whether to try again, and after how long.

    Parameters:
        should_retry: True for another attempt.
        delay: until then. The service counts 1 to 31,622,400 whole seconds; less than one becomes one.
    """

    __slots__ = ("delay", "should_retry")
    __match_args__ = _fields = ("should_retry", "delay")
    _defaults = {"delay": Duration()}  # noqa: RUF012 - declared in the base

    should_retry: bool
    delay: Duration

    def __init__(self, should_retry: bool, delay: DurationLike = Duration()) -> None:  # noqa: B008 - frozen
        if not isinstance(should_retry, bool):
            raise ValidationError(f"should_retry is {should_retry!r}, and must be True or False")
        duration = as_duration(delay, "the delay of a RetryDecision", maximum=MAX_WAIT_SECONDS)
        self._set(should_retry=should_retry, delay=duration)

    @property
    def delay_seconds(self) -> int:
        return self.delay.seconds

    @classmethod
    def retry(cls, delay: DurationLike) -> RetryDecision:
        """Try again after ``delay``."""
        return cls(True, delay)

    @classmethod
    def no_retry(cls) -> RetryDecision:
        """Give up."""
        return cls(False)


_NO_RETRY = RetryDecision(False)
_ONE_SECOND = Duration(1)


def decide(strategy: RetryStrategy, error: Exception, attempts_made: int) -> RetryDecision:
    """Ask any strategy and make a RetryDecision of its answer; a delay of a decision to retry is at least 1 s.

    Raises:
        ValidationError: the strategy raised, or answered with something that is no decision.
    """
    name = getattr(strategy, "__qualname__", None) or type(strategy).__qualname__
    try:
        answer: Any = strategy(error, attempts_made)
    except Exception as failure:
        raise ValidationError(
            f"retry strategy {name} raised {type(failure).__name__}: {failure} "
            f"(when asked about {type(error).__name__} after attempt {attempts_made})"
        ) from failure
    if answer is None or answer is False:
        return _NO_RETRY
    if isinstance(answer, (Duration, timedelta)):
        answer = RetryDecision(True, as_duration(answer, f"the delay from {name}", maximum=MAX_WAIT_SECONDS))
    if not isinstance(answer, RetryDecision):
        raise ValidationError(_not_a_decision(name, answer))
    if answer.should_retry and answer.delay.seconds < 1:
        return RetryDecision(True, _ONE_SECOND)
    return answer


def _not_a_decision(name: str, answer: Any) -> str:
    if hasattr(answer, "__await__"):
        if hasattr(answer, "close"):
            answer.close()  # or Python warns, later and elsewhere, that it was never awaited
        return f"retry strategy {name} is async: make it an ordinary function"
    if answer is True:
        remedy = "it does not say when: answer with RetryDecision.retry(delay) or just the delay"
    elif isinstance(answer, (int, float)):
        remedy = f"a number has no unit: answer with Duration.from_seconds({answer!r})"
    else:
        remedy = "answer with RetryDecision.retry(delay), RetryDecision.no_retry(), a Duration, a timedelta or None"
    return f"retry strategy {name} answered {answer!r}: {remedy}"
