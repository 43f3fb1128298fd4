"""Threads that are no part of a run, but may be working for it: a pool of the program's own, anyio's workers.

Nobody tells the scheduler when these begin and end. So before time moves while a coroutine waits, they are looked at:
one whose innermost frame is in the user's code is working. One that waits for work, or serves sockets, is not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final

__all__ = ["any_at_work", "strangers"]

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


def strangers(known: Container[int]) -> list[int]:
    """Threads that are not ``known``, not the program's first, and none of durably's own."""
    no_stranger = (threading.main_thread().ident, threading.get_ident())
    return [
        thread.ident
        for thread in threading.enumerate()
        if thread.ident is not None
        and thread.ident not in no_stranger
        and thread.ident not in known
        and not thread.name.startswith(("durably-", "pytest_timeout"))
    ]


def any_at_work(threads: Sequence[int]) -> bool:
    """Whether one of ``threads`` does something."""
    frames = sys._current_frames()
    codes = [frames[ident].f_code for ident in threads if ident in frames]
    return any(Path(code.co_filename).name not in _IDLE and code.co_name not in _IDLE_FUNCTIONS for code in codes)
