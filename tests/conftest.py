"""What holds for every test."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("durably", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("durably")


@pytest.fixture(autouse=True)
def programs_are_forgotten() -> Iterator[None]:
    """A module that a test has written and imported is not there for the next test that calls its own the same."""
    before = set(sys.modules)
    path = list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if "pytest-" in str(getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def caplog(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What a test finds in the log is its own: what earlier tests left to the garbage collector (asyncio reports the
    exceptions of a killed invocation's tasks when they are collected) is reported before it begins."""
    gc.collect()
    caplog.clear()
    return caplog
