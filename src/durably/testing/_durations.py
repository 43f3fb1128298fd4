"""Spans of time as the kit takes them: Duration, timedelta, or seconds."""

from __future__ import annotations

from datetime import timedelta

from durably._duration import Duration
from durably.exceptions import ValidationError

__all__ = ["Span", "as_ms"]

Span = Duration | timedelta | int | float
"""A bare number is in seconds."""


def as_ms(value: Span, what: str) -> int:
    """Whole milliseconds, parts rounded up. Raises ValidationError."""
    if isinstance(value, Duration):
        return value.seconds * 1000
    if isinstance(value, timedelta):
        microseconds = value // timedelta(microseconds=1)
        milliseconds = -(-microseconds // 1000)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        milliseconds = -(-round(value * 1_000_000) // 1000)
    else:
        raise ValidationError(f"{what} is {value!r}: pass a Duration, a timedelta or seconds")
    if milliseconds < 0:
        raise ValidationError(f"{what} is {value!r}, and cannot be negative")
    return milliseconds
