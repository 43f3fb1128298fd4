"""The only place of the service that touches time and randomness.

Everything else is handed a :class:`Clock` and :class:`Ids`, so that a test runs a month of waiting in a millisecond
and two kernels fed the same commands give the same answers.
"""

from __future__ import annotations

import os
import time
from typing import Final, Protocol

__all__ = ["Clock", "Ids", "ManualClock", "RandomIds", "SequentialIds", "SystemClock"]


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the epoch. Never goes backwards."""
        ...


class Ids(Protocol):
    def execution_id(self) -> str:
        """A new, unique execution id (the last segment of an ARN)."""
        ...

    def request_id(self) -> str:
        """A new, unique invocation request id."""
        ...

    def nonce(self) -> str:
        """24 characters of ``[0-9a-f]`` nobody can guess."""
        ...


class SystemClock:
    """The machine's clock, held so that it never goes backwards."""

    def __init__(self) -> None:
        self._last = 0

    def now_ms(self) -> int:
        now = time.time_ns() // 1_000_000
        if now > self._last:
            self._last = now
        return self._last


class ManualClock:
    """Virtual time: it stands still until it is told to move."""

    def __init__(self, start_ms: int = 1_700_000_000_000) -> None:
        self._now = start_ms

    def now_ms(self) -> int:
        return self._now

    def advance(self, milliseconds: int) -> None:
        if milliseconds < 0:
            raise ValueError(f"time cannot go back by {-milliseconds} ms; give a positive number of milliseconds")
        self._now += milliseconds

    def advance_to(self, now_ms: int) -> None:
        """Move to ``now_ms``; a moment that has passed already changes nothing."""
        self._now = max(self._now, now_ms)


_POOL_BYTES: Final = 4096
_random: Final[list[bytes]] = []
"""Random bytes, 16 at a time, that nobody has used yet. Asking the system for each id is dear."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.clear)  # or two processes would give out the same ids


def _draw() -> str:
    """32 random characters of ``[0-9a-f]``."""
    while True:
        try:
            return _random.pop().hex()
        except IndexError:
            fresh = os.urandom(_POOL_BYTES)
            _random.extend(fresh[n : n + 16] for n in range(0, _POOL_BYTES, 16))


class RandomIds:
    """Ids that nobody can guess."""

    def execution_id(self) -> str:
        return self._uuid()

    def request_id(self) -> str:
        return self._uuid()

    def nonce(self) -> str:
        return _draw()[:24]

    def _uuid(self) -> str:
        """One of version 4: 122 random bits."""
        drawn = _draw()
        variant = "89ab"[int(drawn[16], 16) & 3]
        return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{variant}{drawn[17:20]}-{drawn[20:]}"


class SequentialIds:
    """The same ids in the same order each time, for tests and for replaying a recorded run."""

    def __init__(self) -> None:
        self._count = 0

    def _next(self) -> int:
        self._count += 1
        return self._count

    def execution_id(self) -> str:
        return f"00000000-0000-4000-8000-{self._next():012x}"

    def request_id(self) -> str:
        return f"00000000-0000-4000-9000-{self._next():012x}"

    def nonce(self) -> str:
        return f"{self._next():024x}"
