"""What holds for every test."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("durably", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("durably")

# A shell without job control has Ctrl-C ignored for what it starts in the background, and that is handed down.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_no_end_of_a_process(record: logging.LogRecord) -> bool:
    """A process that was killed leaves tasks that nobody asks for their exception. Here they are left to the garbage
    collector, and asyncio tells of them in the log of whatever test it then happens to be."""
    return record.exc_info is None or type(record.exc_info[1]).__name__ != "Killed"


logging.getLogger("asyncio").addFilter(_is_no_end_of_a_process)


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
