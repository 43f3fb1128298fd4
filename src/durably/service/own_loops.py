"""Event loops that may wait for a commit.

An event loop must not wait for a disk: others live on it. The loop on which this process runs the service's functions
is an exception while one function alone runs there and has nothing to do but to wait for that very commit. Handing the
commit to the writer's thread, and the answer back, would take nearly as long as the commit itself.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from weakref import WeakSet

__all__ = ["is_idle", "lend"]

_lent: WeakSet[AbstractEventLoop] = WeakSet()


def lend(loop: AbstractEventLoop) -> None:
    """``loop`` runs nothing but functions of the service in this process."""
    _lent.add(loop)


def is_idle(loop: AbstractEventLoop) -> bool:
    """Whether ``loop``, on which this is called, was lent and has nothing more to do at this moment."""
    return loop in _lent and not getattr(loop, "_ready", True)
