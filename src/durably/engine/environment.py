"""What a run takes from its surroundings: the time, threads, and a word in who runs the bodies of steps.

A client may carry another one as its attribute ``environment``. That is how the testing kit makes time virtual and
puts stand-ins in the place of steps; protocols and drivers do not know of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import clock
from .threads import borrow

if TYPE_CHECKING:
    from .operation import Op

__all__ = ["REAL", "Condition", "Environment", "environment_of"]


class Condition(Protocol):
    """The part of ``threading.Condition`` that runs use. Callers of ``wait`` and ``notify_all`` hold its lock."""

    def __enter__(self) -> Any: ...

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any, /) -> Any: ...

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it was notified in time."""
        ...

    def notify_all(self) -> None: ...


class Environment:
    """The real one.

    Attributes:
        sends_at_once: a call is answered at once, so what nobody waits for is sent by whoever makes it, too: no helper.
    """

    sends_at_once = False

    def now_ms(self) -> int:
        """Milliseconds since the epoch, on the clock that the service goes by."""
        return clock.now_ms()

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward."""
        return clock.monotonic()

    def condition(self, lock: threading.Lock) -> Condition:
        return threading.Condition(lock)

    def borrow(self, job: Callable[[], None]) -> None:
        """Run ``job``, which does not raise, in another thread."""
        borrow(job)

    def body(self, op: Op, attempt: int, func: Callable[..., Any], timeout: float | None) -> Callable[..., Any]:
        """What to run as attempt number ``attempt`` of the step ``op``: ``func``, or something in its place.

        ``timeout``: seconds that the attempt has; None: any number.
        """
        return func


REAL: Final = Environment()


def environment_of(client: Any) -> Environment:
    found = getattr(client, "environment", None)
    return found if isinstance(found, Environment) else REAL
