"""The further pages of an answer that is too large for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably.wire.limits import MAX_STATE_PAGE

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .transport import AsyncTransport

__all__ = ["gather_pages"]


def gather_pages(
    transport: AsyncTransport,
    arn: str,
    token: str,
    marker: str,
    operations: list[Operation],
    done: Callable[[list[Operation] | BaseException], None],
) -> None:
    """Call ``done`` with ``operations`` and those of every page from ``marker`` on, or with what went wrong."""

    def loaded(page: Any) -> None:
        if isinstance(page, BaseException):
            done(page)
            return
        try:
            operations.extend(page["Operations"])
            following = page.get("NextMarker")
            if following:
                transport.get_state(arn, token, following, MAX_STATE_PAGE, loaded)
                return
        except Exception as error:  # a client that answers nonsense
            done(error)
            return
        done(operations)

    transport.get_state(arn, token, marker, MAX_STATE_PAGE, loaded)
