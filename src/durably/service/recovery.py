"""What a service does first: take up what was going on when the one before it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from . import codec
from .core import Command, Core
from .dispatch import Dispatcher
from .ports import InvocationResult

__all__ = ["Backlog", "recover"]

_WAVE: Final = 250
_PATIENCE_MS: Final = 500

_GONE: Final = InvocationResult("interrupted")


class Backlog:
    """Invocations that were interrupted, on their way to be run again: not all at once.

    Ten thousand of them would keep whoever comes now waiting behind them all, and push each other out of the memory.
    So a wave begins once at most another is under way; or when none has ended for a while, as they may take hours.
    Until its turn has come, an execution's invocation still counts as running.

    Parameters:
        commands: one for each execution.
        under_way: how many invocations the worker has.
    """

    def __init__(self, commands: Iterable[Command], under_way: Callable[[], int]) -> None:
        self._left = deque(commands)
        self._under_way = under_way
        self._patience_ends = 0

    def due_ms(self) -> int | None:
        """When the next wave begins; None when nothing is left."""
        if not self._left:
            return None
        return 0 if self._under_way() <= _WAVE else self._patience_ends

    def take(self, now_ms: int) -> list[Command]:
        """The wave that is due, if one is."""
        due = self.due_ms()
        if due is None or due > now_ms:
            return []
        self._patience_ends = now_ms + _PATIENCE_MS
        return [self._left.popleft() for _ in range(min(len(self._left), _WAVE))]


def recover(core: Core, dispatcher: Dispatcher) -> None:
    """Invocations that ran are over and are tried again, plain targets of chained invokes run again.

    Only the heads of open executions are read here; timers are armed from them, and whatever became due while no
    service was there fires as soon as this one runs.
    """
    core.backlog = Backlog(list(_commands(core, dispatcher)), lambda: dispatcher.in_flight)


def _commands(core: Core, dispatcher: Dispatcher) -> Iterator[Command]:
    for key, blob in core.store.open_executions():
        head = codec.decode_head(blob)
        core.arm(key, head.due)
        if head.request_id:
            yield dispatcher.report(key, head.request_id, _GONE)
        if head.calls:
            yield Command(_call_again, (core, dispatcher, key))


def _call_again(core: Core, dispatcher: Dispatcher, key: int) -> None:
    ex = core.execution(key)
    if ex is None:
        return
    for op_id in ex.pending_in_order():
        data = ex.ops[op_id].data
        if data is not None and data.get("plain"):
            core.after_commit(dispatcher.call_chained, key, op_id, data)
