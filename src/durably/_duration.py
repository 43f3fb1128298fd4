"""A span of time in whole seconds, as the service counts it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from ._values import Value, publish
from .exceptions import ValidationError

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["Duration", "DurationLike", "Numeric", "as_duration", "as_seconds"]

Numeric: TypeAlias = int | float


def _whole_seconds(amount: Numeric, unit_seconds: int, what: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise ValidationError(f"{what} takes an int or a float, not {amount!r} ({type(amount).__name__})")
    if not math.isfinite(amount) or amount < 0:
        raise ValidationError(f"{what} takes a finite number of zero or more, not {amount!r}")
    if isinstance(amount, int):
        return amount * unit_seconds
    # To the microsecond first: 1.1 hours are 3960 seconds, although 1.1 * 3600 is a little more.
    return math.ceil(round(amount * unit_seconds, 6))


class Duration(Value):
    """A span of time in whole seconds. Parts of a second are rounded up: no wait is shorter than asked for.

    Wherever a Duration is accepted, a :class:`datetime.timedelta` is too.
    """

    __slots__ = ("seconds",)
    __match_args__ = _fields = ("seconds",)
    _defaults = {"seconds": 0}  # noqa: RUF012 - declared in the base

    seconds: int

    def __init__(self, seconds: Numeric = 0) -> None:
        self._set(seconds=_whole_seconds(seconds, 1, "Duration(seconds)"))

    @classmethod
    def from_seconds(cls, value: Numeric) -> Duration:
        return cls(_whole_seconds(value, 1, "Duration.from_seconds"))

    @classmethod
    def from_minutes(cls, value: Numeric) -> Duration:
        return cls(_whole_seconds(value, 60, "Duration.from_minutes"))

    @classmethod
    def from_hours(cls, value: Numeric) -> Duration:
        return cls(_whole_seconds(value, 3_600, "Duration.from_hours"))

    @classmethod
    def from_days(cls, value: Numeric) -> Duration:
        return cls(_whole_seconds(value, 86_400, "Duration.from_days"))

    @classmethod
    def from_weeks(cls, value: Numeric) -> Duration:
        return cls(_whole_seconds(value, 604_800, "Duration.from_weeks"))

    @classmethod
    def from_months(cls, value: Numeric) -> Duration:
        """Months of 30 days."""
        return cls(_whole_seconds(value, 2_592_000, "Duration.from_months"))

    @classmethod
    def from_years(cls, value: Numeric) -> Duration:
        """Years of 365 days."""
        return cls(_whole_seconds(value, 31_536_000, "Duration.from_years"))

    def to_seconds(self) -> int:
        return self.seconds

    def to_timedelta(self) -> timedelta:
        from datetime import timedelta

        return timedelta(seconds=self.seconds)

    def __lt__(self, other: Duration) -> bool:
        return self.seconds < other.seconds if isinstance(other, Duration) else NotImplemented

    def __le__(self, other: Duration) -> bool:
        return self.seconds <= other.seconds if isinstance(other, Duration) else NotImplemented

    def __gt__(self, other: Duration) -> bool:
        return self.seconds > other.seconds if isinstance(other, Duration) else NotImplemented

    def __ge__(self, other: Duration) -> bool:
        return self.seconds >= other.seconds if isinstance(other, Duration) else NotImplemented

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.seconds + other.seconds) if isinstance(other, Duration) else NotImplemented

    def __sub__(self, other: Duration) -> Duration:
        """The difference; an error if ``other`` is the longer one."""
        return Duration(self.seconds - other.seconds) if isinstance(other, Duration) else NotImplemented

    def __mul__(self, factor: Numeric) -> Duration:
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            return NotImplemented
        return Duration(self.seconds * factor)

    __rmul__ = __mul__


DurationLike: TypeAlias = "Duration | timedelta"


def as_seconds(value: DurationLike, what: str, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Whole seconds, parts of a second rounded up.

    Parameters:
        value: a Duration or a timedelta.
        what: what the value is for, to begin an error message with.
        minimum, maximum: bounds in seconds.

    Raises:
        ValidationError: neither of the two types, or outside the bounds.
    """
    from datetime import timedelta

    if isinstance(value, Duration):
        seconds = value.seconds
    elif isinstance(value, timedelta):
        seconds = value.days * 86_400 + value.seconds + (value.microseconds > 0)
        if value.days < 0:
            raise ValidationError(f"{what} is negative: {value!r}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValidationError(
            f"{what} is {value!r}, a number without a unit: write Duration.from_seconds({value!r}) "
            f"or timedelta(seconds={value!r})"
        )
    else:
        raise ValidationError(f"{what} is {value!r}: pass a Duration or a datetime.timedelta")
    if seconds < minimum:
        raise ValidationError(f"{what} is {seconds} s, and must be at least {minimum} s")
    if maximum is not None and seconds > maximum:
        raise ValidationError(f"{what} is {seconds} s, and must be at most {maximum} s")
    return seconds


def as_duration(value: DurationLike, what: str, *, minimum: int = 0, maximum: int | None = None) -> Duration:
    """The same as a Duration."""
    seconds = as_seconds(value, what, minimum=minimum, maximum=maximum)
    return value if isinstance(value, Duration) else Duration(seconds)


publish("durably.config", ["Duration", "as_duration", "as_seconds"], globals())
