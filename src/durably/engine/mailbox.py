"""Answers of a service in this process, on their way back to the event loop."""

from __future__ import annotations

import asyncio
from asyncio import _get_running_loop
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary, ref

__all__ = ["Mailbox", "mailbox_of"]


class Mailbox:
    """Wakes a loop once for all the answers that have come in since it last looked.

    The service answers on a thread of its own, after a commit that may have settled a hundred checkpoints. Waking a
    loop from another thread is a system call and a change of hands for the interpreter's lock; so answers queue here
    and only the first one rings. The flag is lowered *before* the queue is emptied: an answer that comes in between is
    either taken in this round or rings again, never left lying.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = ref(loop)  # it is found by its loop, and must not keep it alive
        self._letters: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._rung = False

    def post(self, reply: Callable[[Any], None], answer: Any) -> None:
        """Call ``reply(answer)`` on the loop, if it is still there to be told. For any thread."""
        self._letters.append((reply, answer))
        if not self._rung:
            self._ring()

    def _ring(self) -> None:
        loop = self._loop()
        if loop is None or loop.is_closed():
            self._letters.clear()
            return
        self._rung = True
        try:
            wake = loop.call_soon if _get_running_loop() is loop else loop.call_soon_threadsafe
            wake(self._hand_out, context=Context())
        except RuntimeError:
            self._rung = False
            if not loop.is_closed():
                raise

    def _hand_out(self) -> None:
        self._rung = False
        letters = self._letters
        try:
            while letters:
                reply, answer = letters.popleft()
                reply(answer)
        finally:
            if letters and not self._rung:
                self._ring()  # a reply has raised: the loop reports it, and the others are still to be told


_mailboxes: WeakKeyDictionary[asyncio.AbstractEventLoop, Mailbox] = WeakKeyDictionary()


def mailbox_of(loop: asyncio.AbstractEventLoop) -> Mailbox:
    """The one mailbox of ``loop``. To be called on it."""
    found = _mailboxes.get(loop)
    if found is None:
        found = _mailboxes[loop] = Mailbox(loop)
    return found
