"""Code that goes on with operations although they are refused: ``while True: try: ... except BaseException: pass``.

Nothing can unwind code that swallows everything, and a coroutine that does cannot even be left behind: Python would
resume it to close it. After many refusals in one scope the log says once where the code is.
"""

from __future__ import annotations

import logging
import os
import sys
from types import FrameType
from typing import TYPE_CHECKING, Final

from .scope import CURRENT, Scope

if TYPE_CHECKING:
    from .run import Run

__all__ = ["REFUSALS", "Runaways"]

REFUSALS: Final = 1000
"""Operations refused in one scope after which its code counts as running away."""

_OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
_LOGGER: Final = logging.getLogger("durably")


class Runaways:
    """Those of one run."""

    __slots__ = ("_refused",)

    def __init__(self) -> None:
        self._refused: dict[Scope, int] = {}

    def refused(self, run: Run) -> None:
        """The code that runs has been refused an operation."""
        scope = CURRENT.get()
        if scope is None:
            return
        count = self._refused[scope] = self._refused.get(scope, 0) + 1
        if count != REFUSALS:
            return
        _LOGGER.error(
            "%s goes on with operations after it was told to stop: %d were refused, and it caught what refused them, "
            "last at %s. Let SuspendExecution and CancelledError through: write `except Exception`, not `except:` or "
            "`except BaseException`. (%s)",
            scope.where,
            count,
            _place(),
            run.arn,
        )


def _place() -> str:
    """Where the user's code is."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
