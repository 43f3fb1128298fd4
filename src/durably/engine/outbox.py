"""The checkpoint writer without its I/O: what waits to be sent, and how it is cut into calls (law R4).

Natural batching: whoever drives the outbox takes a batch whenever no call is in flight; everything that arrived
meanwhile is in it. There is no timer and nothing polls.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from durably.wire.limits import MAX_CHECKPOINT_BYTES, MAX_UPDATES_PER_CHECKPOINT
from durably.wire.payloads import utf8_size

if TYPE_CHECKING:
    from durably.wire.shapes import OperationUpdate

__all__ = ["Outbox"]

_ENVELOPE: Final = 512
"""Bytes of one update besides its payload and error, generously; a name may take 256 of them."""

_COMPLETIONS: Final = frozenset({"SUCCEED", "FAIL", "RETRY"})
_PAIRED_TYPES: Final = frozenset({"STEP", "CONTEXT"})


def _size(update: OperationUpdate) -> int:
    """Bytes of ``update`` in a request body, exactly where it matters and from above where it does not."""
    payload = update.get("Payload")
    if "Error" not in update and (payload is None or len(payload) < 4096):
        return _ENVELOPE + 6 * len(payload or "")  # the worst escape of one character is six bytes
    from msgspec import json

    return len(json.encode(update)) + 2


class Outbox:
    """Updates in the order in which they were made; each has a number, counted from 1."""

    __slots__ = ("_in_flight", "_pending", "acknowledged", "last", "pending_bytes")

    def __init__(self) -> None:
        self._pending: deque[OperationUpdate] = deque()
        self._in_flight = 0
        self.acknowledged: int = 0
        self.last: int = 0
        self.pending_bytes: int = 0
        """Of the payloads that wait."""

    def add(self, update: OperationUpdate) -> int:
        """Queue ``update``; returns its number, acknowledged once ``acknowledged`` has reached it."""
        self._pending.append(update)
        payload = update.get("Payload")
        if payload:
            self.pending_bytes += utf8_size(payload)
        self.last += 1
        return self.last

    @property
    def pending(self) -> int:
        return len(self._pending)

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    @property
    def in_flight(self) -> bool:
        return self._in_flight > 0

    def take(self) -> list[OperationUpdate]:
        """The next call's updates: at most 250 and 750 KiB (one oversized update goes alone), in order.

        One update of an operation a call, but for the START and the completion of a STEP or CONTEXT.
        """
        batch: list[OperationUpdate] = []
        pending = self._pending
        seen: dict[str, str] = {}
        size = 0
        while pending and len(batch) < MAX_UPDATES_PER_CHECKPOINT:
            update = pending[0]
            before = seen.get(update["Id"])
            if before is not None and not (
                before == "START" and update["Action"] in _COMPLETIONS and update["Type"] in _PAIRED_TYPES
            ):
                break
            size += _size(update)
            if batch and size > MAX_CHECKPOINT_BYTES:
                break
            seen[update["Id"]] = update["Action"]
            batch.append(pending.popleft())
        taken = sum([utf8_size(update.get("Payload") or "") for update in batch]) if pending else self.pending_bytes
        self.pending_bytes -= taken
        self._in_flight = len(batch)
        return batch

    def acknowledge(self) -> None:
        """The batch taken last has been answered."""
        self.acknowledged += self._in_flight
        self._in_flight = 0

    def discard(self) -> None:
        """Forget everything: the run has ended and nothing more may be recorded (law R6)."""
        self._pending.clear()
        self.pending_bytes = 0
        self._in_flight = 0
