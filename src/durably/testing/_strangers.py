"""Threads that are no part of a run, but may be working for it: a pool of the program's own, anyio's workers.

Nobody tells the scheduler when these begin and end. So before time moves while a coroutine waits, they are looked at:
one whose innermost frame is in the user's code is working. One that waits for work, or serves sockets, is not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Container
from pathlib import Path
from typing import Final

__all__ = ["any_at_work"]

_IDLE: Final = frozenset(
    {
        "threading.py",
        "queue.py",
        "selectors.py",
        "socket.py",
        "socketserver.py",
        "ssl.py",
        "subprocess.py",
        "connection.py",
    }
)
_IDLE_FUNCTIONS: Final = frozenset({"_worker", "accept", "poll", "select", "wait"})


def any_at_work(known: Container[int]) -> bool:
    """Whether a thread that is not ``known``, and not the program's first, does something."""
    main = threading.main_thread().ident
    for ident, frame in sys._current_frames().items():
        if ident == main or ident == threading.get_ident() or ident in known:
            continue
        code = frame.f_code
        if Path(code.co_filename).name in _IDLE or code.co_name in _IDLE_FUNCTIONS:
            continue
        if _is_ours(ident):
            continue
        return True
    return False


def _is_ours(ident: int) -> bool:
    thread = threading._active.get(ident)  # type: ignore[attr-defined]
    return thread is None or thread.name.startswith(("durably-", "pytest_timeout"))
