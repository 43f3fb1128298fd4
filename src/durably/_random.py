"""The one source of randomness of the SDK half. Everything that needs a random number asks here, tests replace it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

RandomSource: TypeAlias = Callable[[], float]
"""A function that returns a float in [0, 1), like :func:`random.random`."""

_source: RandomSource | None = None


def random() -> float:
    """A float in [0, 1)."""
    global _source
    if _source is None:
        from random import random as system_random

        _source = system_random
    return _source()


@contextmanager
def use(source: RandomSource) -> Generator[None]:
    """Draw from ``source`` instead, until the block ends. For tests: not meant for several threads at once."""
    global _source
    before, _source = _source, source
    try:
        yield
    finally:
        _source = before
