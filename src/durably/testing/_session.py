"""What a test framework arranges for all runners of a test: who else sees their calls, and which of them there were."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .calls import Interceptor
    from .runner import LocalRunner

__all__ = ["Session", "apart", "begin", "interceptors", "made", "session"]


class Session:
    """One test.

    Attributes:
        interceptors: of every runner that is made in it, besides its own.
        runners: those that were.
    """

    def __init__(self, interceptors: tuple[Interceptor, ...] = ()) -> None:
        self.interceptors = interceptors
        self.runners: list[LocalRunner[Any, Any]] = []


session: Session | None = None
"""The test that is running; None where no plugin has said so."""


def begin(new: Session | None) -> None:
    """``new`` is the test that runs from now on."""
    global session
    session = new


def made(runner: LocalRunner[Any, Any]) -> None:
    """A runner was made."""
    if session is not None:
        session.runners.append(runner)


def interceptors() -> tuple[Interceptor, ...]:
    return () if session is None else session.interceptors


@contextmanager
def apart() -> Generator[None, None, None]:
    """Runners that are made meanwhile are nobody's business."""
    global session
    kept, session = session, None
    try:
        yield
    finally:
        session = kept
