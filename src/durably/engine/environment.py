"""What a run takes from its surroundings: the time, threads, and a word in who runs the bodies of steps.

A client may carry another one as its attribute ``environment``. That is how the testing kit makes time virtual and
puts stand-ins in the place of steps; protocols and drivers do not know of it.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from . import clock
from .threads import borrow

if TYPE_CHECKING:
    from .operation import Op

__all__ = ["REAL", "Environment", "Waiter", "environment_of"]


class Waiter(Protocol):
    """A place where one thread waits, once. Being woken before it has come there is not missed.

    Each thread has its own, so that an answer wakes those whom it concerns and no others.
    """

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it was woken in time."""
        ...

    def wake(self) -> None:
        """Let the one who waits here, or will, go on. Twice is as good as once; any lock may be held."""
        ...


class _Waiter:
    __slots__ = ("_bell",)

    def __init__(self) -> None:
        self._bell = allocate_lock()
        self._bell.acquire()

    def wait(self, timeout: float | None = None) -> bool:
        return self._bell.acquire(timeout=-1 if timeout is None else max(0.0, min(timeout, TIMEOUT_MAX)))

    def wake(self) -> None:
        with suppress(RuntimeError):  # it was woken before
            self._bell.release()


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

    def waiter(self) -> Waiter:
        return _Waiter()

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
