"""What a service does first: take up what was going on when the one before it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from . import codec
from .core import Command, Core
from .dispatch import Dispatcher
from .ports import InvocationResult

__all__ = ["recovery_commands"]

_CHUNK: Final = 500

_GONE: Final = InvocationResult("interrupted")


def recovery_commands(core: Core, dispatcher: Dispatcher) -> Iterator[list[Command]]:
    """In portions: invocations that ran are over and are tried again, plain targets of chained invokes run again.

    Only the heads of open executions are read here; timers are armed from them, and whatever became due while no
    service was there fires as soon as this one runs.
    """
    found: list[Command] = []
    for key, blob in core.store.open_executions():
        head = codec.decode_head(blob)
        core.arm(key, head.due)
        if head.request_id:
            found.append(Command(dispatcher.finished, (key, head.request_id, _GONE)))
        if head.calls:
            found.append(Command(_call_again, (core, dispatcher, key)))
        if len(found) >= _CHUNK:
            yield found
            found = []
    if found:
        yield found


def _call_again(core: Core, dispatcher: Dispatcher, key: int) -> None:
    ex = core.execution(key)
    if ex is None:
        return
    for op_id in ex.pending_in_order():
        data = ex.ops[op_id].data
        if data is not None and data.get("plain"):
            core.after_commit(dispatcher.call_chained, key, op_id, data)
