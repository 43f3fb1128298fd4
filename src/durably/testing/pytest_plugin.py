"""The pytest plugin; installed with durably, so it costs nothing until a test uses the kit.

    --durably-replay=always    every LocalRunner kills the function wherever it has recorded a result or begun to wait,
                               so that all is replayed that can be; the tests must pass as they do without
    --durably-crash=every      every test is repeated once for each moment at which its functions can die
    --durably-update-snapshots write snapshots anew instead of comparing with them

A failed test shows what its runs recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from . import _session

if TYPE_CHECKING:
    from . import LocalRunner
    from .crashes import CrashPoint, Killer

__all__: list[str] = []

_SPARED: Final = "durably_no_faults"
_UPDATE: Final = "DURABLY_UPDATE_SNAPSHOTS"
_SHOWN_RUNS: Final = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("durably", "durable execution")
    group.addoption(
        "--durably-replay",
        choices=("natural", "always"),
        default="natural",
        help="always: end every invocation of a LocalRunner wherever it recorded a result or began to wait, so that "
        "everything is replayed that can be (default: natural)",
    )
    group.addoption(
        "--durably-crash",
        choices=("never", "every"),
        default="never",
        help="every: repeat each test that uses a LocalRunner, with a crash at each moment in turn (default: never)",
    )
    group.addoption(
        "--durably-update-snapshots",
        action="store_true",
        help="write snapshots of executions anew instead of comparing with them",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", f"{_SPARED}: --durably-replay and --durably-crash leave this test alone: it counts invocations, say"
    )
    if config.getoption("--durably-update-snapshots"):
        os.environ[_UPDATE] = "1"


# ---- tests, once or many times -----------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """With --durably-crash=every: the test once to count, once for each moment, and then as it is."""
    if item.config.getoption("--durably-crash") != "every" or not _is_disturbed(item):
        return None
    killer = _killer()
    if _repeat(item, killer) is None:
        for point in killer.points:
            failed = _repeat(item, _killer(point))
            if failed is not None:
                _log(item, failed, f"durably: with a crash {point}; without a crash the test passes")
                _finish(item, nextitem)
                return True
    return None  # the test as it is, which also tells how it fails without a crash


def _killer(point: CrashPoint | None = None, *, always: bool = False) -> Killer:
    from .crashes import Killer

    return Killer(point, always=always)


def _repeat(item: pytest.Item, killer: Killer) -> list[pytest.TestReport] | None:
    """Run the test with it. Returns the reports if it fails."""
    from _pytest.runner import runtestprotocol

    item.stash[_KILLER] = killer
    again: Any = item.parent  # what comes next is of the same module, class and so on: their fixtures stay
    try:
        reports = runtestprotocol(item, nextitem=again, log=False)
    finally:
        del item.stash[_KILLER]
        renew: Callable[[], None] | None = getattr(item, "_initrequest", None)
        if renew is not None:
            renew()
    return reports if any(report.failed for report in reports) else None


def _log(item: pytest.Item, reports: list[pytest.TestReport], heading: str) -> None:
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        if report.failed:
            report.sections.insert(0, ("durably", heading))
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _finish(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tear down what was kept for the test's next run."""
    item.session._setupstate.teardown_exact(nextitem)


_KILLER: Final = pytest.StashKey["Killer"]()
_SESSION: Final = pytest.StashKey[_session.Session]()


def _is_disturbed(item: pytest.Item) -> bool:
    return item.get_closest_marker(_SPARED) is None


# ---- each run of a test ------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """From here on runners belong to this test."""
    interceptors: tuple[Any, ...] = ()
    if _KILLER in item.stash:
        interceptors = (item.stash[_KILLER],)
    elif item.config.getoption("--durably-replay") == "always" and _is_disturbed(item):
        interceptors = (_killer(always=True),)
    item.stash[_SESSION] = session = _session.Session(interceptors)
    _session.begin(session)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    try:
        return (yield)
    finally:
        _session.begin(None)
        if _SESSION in item.stash:
            del item.stash[_SESSION]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows what its runners recorded."""
    report = yield
    if report.failed and report.when == "call" and _SESSION in item.stash:
        shown = list(_runs(item.stash[_SESSION]))
        if shown:
            more = len(shown) - _SHOWN_RUNS
            note = [f"... and {more} earlier executions"] if more > 0 else []
            report.sections.append(("durable executions", "\n\n".join([*note, *shown[-_SHOWN_RUNS:]])))
    return report


def _runs(session: _session.Session) -> Iterator[str]:
    for runner in session.runners:
        yield from runner.reports()


# ---- fixtures ----------------------------------------------------------------------------------------------------


@pytest.fixture
def local_runner() -> Iterator[Callable[..., LocalRunner[Any, Any]]]:
    """A function that makes a :class:`LocalRunner`, which is closed when the test ends.

    Takes what :class:`LocalRunner` takes.
    """
    from .runner import LocalRunner

    made: list[LocalRunner[Any, Any]] = []

    def make(handler: Any, **options: Any) -> LocalRunner[Any, Any]:
        made.append(LocalRunner(handler, **options))
        return made[-1]

    yield make
    for runner in made:
        runner.close()
