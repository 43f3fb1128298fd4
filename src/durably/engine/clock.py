"""The engine's only look at the clock: deciding when to ask the service about something that has fallen due.

No result ever depends on it.
"""

from __future__ import annotations

import time

__all__ = ["now_ms"]


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
