"""The protocol of a wait: START (awaited), then suspended until the service ends it."""

from __future__ import annotations

from .operation import Op, is_terminal
from .requests import Park, Turn
from .run import Protocol

__all__ = ["wait"]


def wait(op: Op, seconds: int) -> Protocol:
    """Return after ``seconds`` have passed since the wait was first recorded, or when it was cancelled."""
    record = op.begin()
    if record is None:
        yield op.put("START", None, {"WaitOptions": {"WaitSeconds": seconds}})
        record = op.record()
    elif is_terminal(record) and op.run.must_queue(op.id):
        yield Turn(op.id)
    while record is None or not is_terminal(record):
        yield Park(op, None if record is None else op.details(record).get("ScheduledEndTimestamp"))
        record = op.record()
    return None
