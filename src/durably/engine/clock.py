"""The engine's only look at the clock: when to ask the service about what has fallen due, and when to stop.

No result ever depends on it.
"""

from __future__ import annotations

import time

__all__ = ["monotonic", "now_ms"]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that only goes forward, to measure what is left of an invocation."""
    return time.monotonic()
