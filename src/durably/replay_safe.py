"""Values that are the same in the first run and in every replay, without a checkpoint.

Each is a pure function of something that is recorded anyway: the id of an operation, or the start of the execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .exceptions import ValidationError
from .wire.ids import blake2b

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random as Random
    from uuid import UUID

__all__ = [
    "uuid_from_operation",
    "uuid_string_from_operation",
    "random_from_operation",
    "timestamp_from_execution",
    "timestamp_seconds_from_execution",
]

_MAX_SEED: Final = 2**64 - 1
_LAST_MS: Final = 253_402_300_799_999


def uuid_from_operation(op_id: str, seed: int = 0) -> UUID:
    """A UUID with the version and variant bits of a random one (WIRE.md, Facts from the seeds).

    Parameters:
        op_id: id of an operation, or any other text that is the same on replay.
        seed: tells several of one operation apart: 0 to 2**64 - 1.
    """
    from uuid import UUID

    return UUID(bytes=_digest(op_id, seed)[:16], version=4)


def uuid_string_from_operation(op_id: str, seed: int = 0) -> str:
    """The same as text: 8-4-4-4-12 lower-case hexadecimal digits."""
    return str(uuid_from_operation(op_id, seed))


def random_from_operation(op_id: str, seed: int = 0) -> Random:
    """A generator of random numbers: the same numbers in the same order on every replay.

    Not for secrets: whoever knows the operation's id knows the numbers.
    """
    from random import Random

    return Random(int.from_bytes(_digest(op_id, seed, purpose=b"random"), "little"))


def timestamp_from_execution(start_ms: int) -> datetime:
    """The start of an execution as an aware UTC datetime.

    Parameters:
        start_ms: milliseconds since the epoch.
    """
    from datetime import UTC, datetime, timedelta

    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=_milliseconds(start_ms))


def timestamp_seconds_from_execution(start_ms: int) -> int:
    """The start of an execution in whole seconds since the epoch, rounded down."""
    return int(_milliseconds(start_ms) // 1000)


def _milliseconds(start_ms: int) -> int:
    if isinstance(start_ms, bool) or not isinstance(start_ms, (int, float)) or not 0 <= start_ms <= _LAST_MS:
        raise ValidationError(f"start_ms is {start_ms!r}, and must be milliseconds since the epoch, before 10000")
    return start_ms


def _digest(op_id: str, seed: int, purpose: bytes = b"") -> bytes:
    if not isinstance(op_id, str):
        raise ValidationError(f"op_id is {op_id!r}, and must be a string")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _MAX_SEED:
        raise ValidationError(f"seed is {seed!r}, and must be an int from 0 to 2**64 - 1")
    return blake2b(op_id.encode() + seed.to_bytes(8, "little"), person=purpose).digest()
