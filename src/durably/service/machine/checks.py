"""Checks of what callers send. Each refuses with a message that names the value, the limit and the member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from durably.wire.api_errors import ApiError
from durably.wire.shapes import ErrorObject

__all__ = ["checked_error", "clipped", "integer", "invalid", "payload", "text", "utf8_size", "within"]


def invalid(message: str) -> NoReturn:
    raise ApiError("InvalidParameterValueException", message)


def clipped(value: object, length: int = 80) -> str:
    """``repr`` of a value, short enough for a message."""
    shown = repr(value)
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def utf8_size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def within(value: str, limit: int) -> bool:
    """``value`` takes at most ``limit`` bytes. Looks at the bytes only when the number of characters leaves a doubt."""
    length = len(value)
    return length * 4 <= limit or (length <= limit and utf8_size(value) <= limit)


def text(value: object, member: str) -> str:
    if not isinstance(value, str):
        invalid(f"{member} must be a string, not {clipped(value)}")
    return value


def payload(value: object, member: str, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        invalid(f"{member} must be a string, not {clipped(value)}; serialize it first")
    if not within(value, limit):
        invalid(
            f"{member} is {utf8_size(value):,} bytes long, more than the {limit:,} allowed; "
            "store the data elsewhere and record where it is"
        )
    return value


def integer(value: object, member: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        invalid(f"{member} must be an integer, not {clipped(value)}")
    if not low <= value <= high:
        invalid(f"{member} must be from {low:,} to {high:,}, not {value:,}")
    return value


_ERROR_MEMBERS: Final = ("ErrorMessage", "ErrorType", "ErrorData")


def checked_error(value: object, member: str, limit: int) -> ErrorObject | None:
    """An ErrorObject with known members only."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        invalid(f"{member} must be an object with ErrorMessage, ErrorType, ErrorData, StackTrace, not {clipped(value)}")
    made: dict[str, Any] = {}
    size = 0
    for name in _ERROR_MEMBERS:
        part = value.get(name)
        if part is not None:
            made[name] = text(part, f"{member}.{name}")
            size += utf8_size(made[name])
    trace = value.get("StackTrace")
    if trace is not None:
        if not isinstance(trace, list) or not all(isinstance(line, str) for line in trace):
            invalid(f"{member}.StackTrace must be a list of strings, not {clipped(trace)}")
        made["StackTrace"] = trace
        size += sum(utf8_size(line) for line in trace)
    if size > limit:
        invalid(
            f"{member} is {size:,} bytes long, more than the {limit:,} allowed; shorten its ErrorData or StackTrace"
        )
    return cast(ErrorObject, made)
