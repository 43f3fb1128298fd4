"""The one place of the client half where time passes and dice are thrown. Tests put their own in its stead."""

from __future__ import annotations

import os
import time

__all__ = ["Clock"]


class Clock:
    """The system's clock and randomness."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, never going back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def jitter(self) -> float:
        """A random number from 0 to 1."""
        return int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF

    def token(self) -> str:
        """A new idempotency token: 32 hexadecimal characters."""
        return os.urandom(16).hex()
