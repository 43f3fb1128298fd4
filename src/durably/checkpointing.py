"""When what a program has done is recorded: the choice between calls and what a crash may repeat.

| mode | a step's result is used | a crash may repeat | calls |
|---|---|---|---|
| EAGER (default) | when it is recorded | the step that was running | one a step |
| OPTIMISTIC | at once; it is sent at once, too | the steps not yet acknowledged | one at a time, always under way |
| BATCHED | at once; it is sent with others | the steps since the last flush | one for up to 250 steps |

Whatever the mode, everything is recorded before the program waits for something, starts an at-most-once step, ends a
child context or returns; and retries and failures are recorded as they happen.

Among asyncio tasks a step's result is used when it is recorded, in every mode: the order in which results are seen is
part of what a replay repeats, and that order is the record's. What tasks do at the same time shares calls anyway.
"""

from __future__ import annotations

from enum import Enum

from ._values import Value, publish
from .exceptions import ValidationError
from .wire.limits import MAX_CHECKPOINT_BYTES, MAX_UPDATES_PER_CHECKPOINT

__all__ = ["CheckpointConfig", "CheckpointMode"]


class CheckpointMode(Enum):
    """See :mod:`durably.checkpointing`."""

    EAGER = "EAGER"
    OPTIMISTIC = "OPTIMISTIC"
    BATCHED = "BATCHED"


class CheckpointConfig(Value):
    """How a handler's operations are recorded.

    Parameters:
        mode: when a step's result counts as done.
        max_updates: so many updates, 1 to 250, are collected in BATCHED mode; the step that makes them full waits until
            they are recorded. In OPTIMISTIC mode the program waits when so many are behind.
        max_bytes: the same in bytes of payloads, 1 to 768,000 (750 KiB).
    """

    __slots__ = ("max_bytes", "max_updates", "mode")
    __match_args__ = _fields = ("mode", "max_updates", "max_bytes")
    _defaults = {  # noqa: RUF012 - declared in the base
        "mode": CheckpointMode.EAGER,
        "max_updates": MAX_UPDATES_PER_CHECKPOINT,
        "max_bytes": MAX_CHECKPOINT_BYTES,
    }

    mode: CheckpointMode
    max_updates: int
    max_bytes: int

    def __init__(
        self,
        mode: CheckpointMode = CheckpointMode.EAGER,
        max_updates: int = MAX_UPDATES_PER_CHECKPOINT,
        max_bytes: int = MAX_CHECKPOINT_BYTES,
    ) -> None:
        if not isinstance(mode, CheckpointMode):
            raise ValidationError(f"mode is a CheckpointMode, e.g. CheckpointMode.BATCHED, not {mode!r}")
        for name, value, most in (
            ("max_updates", max_updates, MAX_UPDATES_PER_CHECKPOINT),
            ("max_bytes", max_bytes, MAX_CHECKPOINT_BYTES),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValidationError(f"{name} is 1 to {most:,}, not {value!r}")
        self._set(mode=mode, max_updates=max_updates, max_bytes=max_bytes)


publish("durably", __all__, globals())
