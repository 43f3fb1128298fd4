"""Between the event's integer milliseconds and the HTTP API's seconds with a fraction."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

TIMESTAMP_MEMBERS: Final[frozenset[str]] = frozenset(
    {
        "StartTimestamp",
        "EndTimestamp",
        "NextAttemptTimestamp",
        "ScheduledEndTimestamp",
        "EventTimestamp",
        "PauseRequestTimestamp",
        "ResumeRequestTimestamp",
        "StopTimestamp",
        "DeletionRequestTimestamp",
        "ExpectedExecutionTimeoutTimestamp",
    }
)
"""Every member of the durable shapes whose type is ExecutionTimestamp."""


def to_millis(value: int | float | str | datetime) -> int:
    """Milliseconds of a timestamp from an HTTP body or a boto3 response.

    Numbers are seconds since the epoch (restJson1), strings ISO 8601, datetimes what botocore parsed.
    """
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)
    return round(value * 1000)


def seconds_to_millis(shape: Any) -> Any:
    """A copy of a parsed HTTP body with every timestamp member in milliseconds."""
    if isinstance(shape, dict):
        return {
            key: to_millis(value)
            if key in TIMESTAMP_MEMBERS and value is not None
            else (seconds_to_millis(value) if isinstance(value, (dict, list)) else value)
            for key, value in shape.items()
        }
    if isinstance(shape, list):
        return [seconds_to_millis(value) for value in shape]
    return shape


def millis_to_seconds(shape: Any) -> Any:
    """A copy of a structure with every timestamp member in seconds, as HTTP bodies carry them."""
    if isinstance(shape, dict):
        return {
            key: value / 1000
            if key in TIMESTAMP_MEMBERS and isinstance(value, int)
            else (millis_to_seconds(value) if isinstance(value, (dict, list)) else value)
            for key, value in shape.items()
        }
    if isinstance(shape, list):
        return [millis_to_seconds(value) for value in shape]
    return shape
