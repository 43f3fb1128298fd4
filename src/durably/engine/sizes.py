"""What is too large to be recorded is refused where it is made, in words of the program.

The service refuses it, too, but by refusing the whole call: that would fail the execution, whatever the program does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from durably.exceptions import SerDesError
from durably.wire.limits import MAX_OPERATION_PAYLOAD
from durably.wire.payloads import utf8_size

if TYPE_CHECKING:
    from .operation import Op

__all__ = ["REMEDY", "check_result", "check_size"]

REMEDY: Final = "Store it elsewhere and return a reference, or give the operation a FileSystemSerDes."


def check_size(what: str, text: str, remedy: str = REMEDY, limit: int = MAX_OPERATION_PAYLOAD) -> None:
    """Raise SerDesError if ``text``, the serialized form of ``what``, is longer than ``limit`` bytes."""
    size = len(text)
    if size * 4 <= limit or (size := utf8_size(text)) <= limit:
        return
    raise SerDesError(
        f"{what} takes {size:,} bytes; at most {limit:,} ({limit // 1024**2} MiB) can be recorded. {remedy}"
    )


def check_result(op: Op, text: str) -> None:
    """The same for the result of ``op``, in no time where it is short."""
    if len(text) * 4 > MAX_OPERATION_PAYLOAD:
        check_size(f"the result of {op.describe()}", text)
