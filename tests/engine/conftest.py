from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .harness import Flavour


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Each test that asks for it runs twice: as a plain handler and as a coroutine."""
    return Flavour(request.param)


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Threads are not switched by the clock, only where they wait: a busy machine makes no step slow."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)
    yield
    sys.setswitchinterval(interval)
