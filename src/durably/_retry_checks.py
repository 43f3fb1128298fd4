"""Checks of the options of retry strategies."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from ._jitter import JitterStrategy
from .exceptions import ValidationError

ErrorPattern: TypeAlias = "str | re.Pattern[str]"


def check_attempts(max_attempts: Any, *, optional: bool = False) -> None:
    if optional and max_attempts is None:
        return
    if isinstance(max_attempts, bool) or not isinstance(max_attempts, int) or max_attempts < 1:
        ending = ", or None for no end" if optional else ""
        raise ValidationError(
            f"max_attempts is {max_attempts!r}, and must be an int of at least 1 (the first attempt counts){ending}"
        )


def check_backoff_rate(rate: Any) -> None:
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 1 <= rate < float("inf"):
        raise ValidationError(f"backoff_rate is {rate!r}, and must be a number of at least 1 (1 keeps delays equal)")


def check_jitter(jitter: Any) -> None:
    if not isinstance(jitter, JitterStrategy):
        names = ", ".join(f"JitterStrategy.{member.name}" for member in JitterStrategy)
        raise ValidationError(f"the jitter is {jitter!r}: pass one of {names}")


def check_patterns(patterns: Any) -> tuple[ErrorPattern, ...] | None:
    if patterns is None:
        return None
    if isinstance(patterns, (str, re.Pattern)):
        raise ValidationError(f"retryable_errors is {patterns!r}, and must be a list of them: [{patterns!r}]")
    result = tuple(patterns)
    for pattern in result:
        if not isinstance(pattern, str) and not (isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str)):
            raise ValidationError(
                f"retryable_errors holds {pattern!r}: pass texts and compiled patterns; "
                "exception classes go into retryable_error_types"
            )
    return result


def check_error_types(types: Any) -> tuple[type[BaseException], ...] | None:
    if types is None:
        return None
    if isinstance(types, type):
        raise ValidationError(f"retryable_error_types is {types.__name__}, and must be a list: [{types.__name__}]")
    result = tuple(types)
    for cls in result:
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            raise ValidationError(f"retryable_error_types holds {cls!r}: pass exception classes")
    return result
