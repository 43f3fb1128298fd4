"""Why an execution can never end, and what its test can do about it."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import durably

from .operations import CallbackOperation, InvokeOperation, Operations, RecordedOperation

if TYPE_CHECKING:
    from ._world import ExecutionRecord, World

__all__ = ["explain", "stacks"]

_OUR_CODE: Final = str(Path(durably.__file__).parent)


def explain(world: World, record: ExecutionRecord, by_hand: bool) -> str:
    operations = Operations.of(world.operations(record.arn), record.events)
    open_ones = [one for one in operations.open if one.type != "CONTEXT"] or operations.open
    lines = [f"the execution of {record.function} can never end: nothing runs, and nothing falls due by itself"]
    if not open_ones:
        lines.append("No operation is open: its own code waits for something that is not durable and never comes.")
    for operation in open_ones:
        lines.append(f"- {_explained(operation, by_hand)}")
    lines.append(repr(operations))
    return "\n".join(lines)


def stacks(threads: Sequence[int]) -> list[str]:
    """Where the user's code is in each of ``threads`` that runs some."""
    found: list[str] = []
    frames = sys._current_frames()
    for ident in threads:
        if ident not in frames:
            continue
        lines = [
            line
            for line in traceback.extract_stack(frames[ident])
            if not line.filename.startswith((_OUR_CODE, threading.__file__, "<frozen"))
        ]
        if lines:
            found.append("".join(traceback.format_list(lines[-8:])).rstrip())
    return found


def _explained(operation: RecordedOperation, by_hand: bool) -> str:
    what = f"{operation.sub_type or operation.type} {operation.name!r} is {operation.status}"
    if isinstance(operation, CallbackOperation):
        parent = operation.parent
        name = operation.name if parent is None or parent.sub_type != "WaitForCallback" else parent.name
        remedy = f"runner.callbacks[{name!r}] = ... before the run"
        if by_hand:
            remedy = f"execution.callback({name!r}).succeed(...)"
        return f"callback {name!r} is open, and nobody answers it: {remedy}"
    if isinstance(operation, InvokeOperation):
        return f"{what}: {operation.function_name} has not ended"
    return what
