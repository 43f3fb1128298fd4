"""The checkpoint writer without its I/O: what waits to be sent, and how it is cut into calls (law R4).

Natural batching: whoever drives the outbox takes a batch whenever no call is in flight; everything that arrived
meanwhile is in it. There is no timer and nothing polls.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from durably.wire.limits import MAX_CHECKPOINT_BYTES, MAX_UPDATES_PER_CHECKPOINT
from durably.wire.payloads import utf8_size

if TYPE_CHECKING:
    from durably.wire.shapes import OperationUpdate

__all__ = ["Outbox"]

_ENVELOPE: Final = 512
"""Bytes of one update besides its payload and error, generously; a name may take 256 of them."""

_SHORT: Final = 4096
"""Bytes of a payload that are taken for as many as they can become, instead of being counted."""

_SIMPLE: Final = frozenset({"START", "SUCCEED"})
"""Of these no operation has two in one call but START and completion, and they carry no error."""

_COMPLETIONS: Final = frozenset({"SUCCEED", "FAIL", "RETRY"})
_PAIRED_TYPES: Final = frozenset({"STEP", "CONTEXT"})


def _size(update: OperationUpdate) -> int:
    """Bytes of ``update`` in a request body, exactly."""
    from msgspec import json

    return len(json.encode(update)) + 2


def _payload_size(update: OperationUpdate) -> int:
    return utf8_size(update.get("Payload") or "")


class Outbox:
    """Updates in the order in which they were made; each has a number, counted from 1."""

    __slots__ = ("_in_flight", "_mixed", "_pending", "acknowledged", "last", "pending_bytes")

    def __init__(self) -> None:
        self._pending: deque[OperationUpdate] = deque()
        self._mixed = False
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
            size = len(payload) if payload.isascii() else utf8_size(payload)
            self.pending_bytes += size
            if size >= _SHORT:
                self._mixed = True
        if update["Action"] not in _SIMPLE:
            self._mixed = True
        self.last += 1
        return self.last

    @property
    def pending(self) -> int:
        return len(self._pending)

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    def take(self) -> list[OperationUpdate]:
        """The next call's updates: at most 250 and 750 KiB (one oversized update goes alone), in order.

        One update of an operation a call, but for the START and the completion of a STEP or CONTEXT.
        """
        pending = self._pending
        count = min(len(pending), MAX_UPDATES_PER_CHECKPOINT)
        if self._mixed or _ENVELOPE * count + 6 * self.pending_bytes > MAX_CHECKPOINT_BYTES:
            count = self._fitting()
        if count == len(pending):
            batch = list(pending)
            pending.clear()
            self._mixed = False
            self.pending_bytes = 0
        else:
            batch = [pending.popleft() for _ in range(count)]
            self.pending_bytes -= sum(_payload_size(update) for update in batch)
        self._in_flight = count
        return batch

    def _fitting(self) -> int:
        """How many updates the next call takes, looked at one by one."""
        seen: dict[str, str] = {}
        size = 0
        for count, update in enumerate(islice(self._pending, MAX_UPDATES_PER_CHECKPOINT)):
            op_id, action = update["Id"], update["Action"]
            if op_id in seen and not (
                seen[op_id] == "START" and action in _COMPLETIONS and update["Type"] in _PAIRED_TYPES
            ):
                return count
            payload_size = _payload_size(update)
            if payload_size < _SHORT and "Error" not in update:
                size += _ENVELOPE + 6 * payload_size  # the worst escape of one character is six bytes
            else:
                size += _size(update)
            if size > MAX_CHECKPOINT_BYTES and count:
                return count
            seen[op_id] = action
        return min(len(self._pending), MAX_UPDATES_PER_CHECKPOINT)

    def acknowledge(self) -> None:
        """The batch taken last has been answered."""
        self.acknowledged += self._in_flight
        self._in_flight = 0

    def discard(self) -> None:
        """Forget everything: the run has ended and nothing more may be recorded (law R6)."""
        self._pending.clear()
        self._mixed = False
        self.pending_bytes = 0
        self._in_flight = 0
