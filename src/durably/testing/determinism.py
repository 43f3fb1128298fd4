"""A double run under another clock, another chance, another environment: what a handler may not depend on.

The function runs once. Then its record is replayed, as after every suspension, while the world around it is not what
it was: the clock has moved on by months, the random generators draw other numbers, what Lambda changes from one
environment to the next is changed, and so is every variable that the handler reads outside of its steps; and, in
another process, sets of strings have another order. Code that follows its record under all of these is deterministic
in them.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from . import _session
from ._suspects import Suspect, Suspects
from ._threads import in_thread
from .history import History
from .replaying import replay
from .result import RunResult
from .runner import LocalRunner

if TYPE_CHECKING:
    from .signatures import Handler

__all__ = ["DeterminismReport", "NotDeterministicError", "acheck_determinism", "check_determinism"]

In = TypeVar("In")
Out = TypeVar("Out")

_LATER: Final = timedelta(days=157, hours=7, minutes=13, seconds=17)
_HASH_SEEDS: Final = ("1", "2", "4")
_MARK: Final = "\x1edurably "
_INSIDE: Final = "DURABLY_CHECKS_DETERMINISM"
"""Set in those processes: a module that checks its functions when it is imported would start more and more of them."""
_VARYING: Final = {
    "AWS_LAMBDA_LOG_STREAM_NAME": "2031/05/07/[$LATEST]0123456789abcdef0123456789abcdef",
    "HOSTNAME": "another-host",
    "TZ": "Pacific/Marquesas",
    "_X_AMZN_TRACE_ID": "Root=1-70000000-0123456789abcdef01234567;Parent=0123456789abcdef;Sampled=0",
}
"""What is another in every environment that a function is started in."""
_SHOWN: Final = {
    "nothing else": "when it is merely replayed",
    "clock": f"with the clock {_LATER.days} days on",
    "chance": "with other random numbers",
    "environment": "in another environment",
    "hash seed": "in a process with another order of sets",
}


class NotDeterministicError(AssertionError):
    """A handler does not follow its own record. The message is the report."""


class DeterminismReport:
    """What :func:`check_determinism` found.

    Attributes:
        baseline: the run whose record was replayed.
        replays: of that record, by what was different: ``nothing else``, ``clock``, ``chance``, ``environment``,
            ``hash seed``. None: it was followed; otherwise the side-by-side, and nothing further was tried.
        suspects: calls outside of steps whose answer varies, whether or not they changed anything here.
        skipped: what could not be tried, and why.
    """

    def __init__(self, baseline: RunResult[Any]) -> None:
        self.baseline = baseline
        self.replays: dict[str, str | None] = {}
        self.suspects: list[Suspect] = []
        self.skipped: dict[str, str] = {}

    @property
    def differing(self) -> dict[str, str]:
        """Replays that do not follow the record."""
        return {name: text for name, text in self.replays.items() if text is not None}

    @property
    def ok(self) -> bool:
        return not self.differing

    def check(self, *, strict: bool = False) -> DeterminismReport:
        """Raises NotDeterministicError if a replay differs; with ``strict`` also for suspects. Returns the report."""
        if not self.ok or (strict and self.suspects):
            raise NotDeterministicError(str(self))
        return self

    def causes(self, name: str) -> list[Suspect]:
        """The suspects that may explain the difference of that replay."""
        return [one for one in self.suspects if name == "nothing else" or one.kind == name]

    def __str__(self) -> str:
        function = self.baseline.function
        if self.ok:
            lines = [f"{function} follows its record: {', '.join(self.replays)}"]
        else:
            lines = [f"{function} does not follow its own record"]
        for name, text in self.differing.items():
            lines += ["", f"{_SHOWN[name]}:"]
            lines += [f"  because of {cause}" for cause in self.causes(name)]
            lines += [f"  {line}".rstrip() for line in text.splitlines()]
        explained = {cause for name in self.differing for cause in self.causes(name)}
        others = [one for one in self.suspects if one not in explained]
        if others:
            lines += ["", "called outside of steps, without a difference here:"] + [f"  {one}" for one in others]
        lines += [f"not tried: {name} ({why})" for name, why in self.skipped.items()]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<DeterminismReport {len(self.replays)} replays, {len(self.differing)} differ>"


def check_determinism(
    handler: LocalRunner[In, Out] | Handler[In, Out],
    input: In | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> DeterminismReport:
    """Run a durable function once, and its code again over the record, in a world that is not the same.

    Parameters:
        handler: a durable function, or a :class:`LocalRunner` with what it needs.
        input: of the run.
        environ: variables that the other environment has, besides those that the handler was seen to read.

    Returns:
        the report; ``.check()`` raises if the code leaves its record.

    Raises:
        ExecutionStuck: the run can never end.
    """
    return _check(handler, input, environ or {})


async def acheck_determinism(
    handler: LocalRunner[In, Out] | Handler[In, Out],
    input: In | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> DeterminismReport:
    """As :func:`check_determinism`, for async tests."""
    return await in_thread(lambda: _check(handler, input, environ or {}))


def _check(handler: Any, input: Any, environ: Mapping[str, str]) -> DeterminismReport:
    runner: LocalRunner[Any, Any] = handler if isinstance(handler, LocalRunner) else LocalRunner(handler)
    with _session.apart(), runner.copy() as fresh:
        result = fresh.run(input)
    history = History.of_run(result)
    report = DeterminismReport(result)
    suspects = Suspects()
    worlds: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "nothing else": nullcontext,
        "clock": _later,
        "chance": _other_chance,
        "environment": lambda: _other_environment(environ, suspects.variables),
    }
    if find_spec("time_machine") is None:
        del worlds["clock"]
        report.skipped["clock"] = "pip install 'durably[testing]' for time-machine, which moves the clock"
    for name, world in worlds.items():
        with world(), suspects.watching():
            found = replay(runner.handler, history)
        report.replays[name] = None if found.ok else found.text(advice=False)
        if not found.ok:
            break
    report.suspects = suspects.found
    if report.ok:
        _other_order(report, runner.handler, history)
    return report


def _later() -> Any:
    import time_machine

    return time_machine.travel(datetime.now(UTC) + _LATER, tick=True)


@contextmanager
def _other_chance() -> Generator[None, None, None]:
    state = random.getstate()
    random.seed(0x6D6F7265)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _other_environment(given: Mapping[str, str], read: Mapping[str, None]) -> Generator[None, None, None]:
    kept = dict(os.environ)
    os.environ.update({**_VARYING, **{name: _other(os.environ.get(name)) for name in read}, **given})
    _set_zone()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
        _set_zone()


def _set_zone() -> None:
    if hasattr(time, "tzset"):
        time.tzset()


def _other(value: str | None) -> str:
    """Another value of the same sort."""
    if not value:
        return "1"
    if value.isdigit():
        return str(int(value) + 1)
    opposites = {"true": "false", "false": "true", "on": "off", "off": "on", "yes": "no", "no": "yes"}
    return opposites.get(value.lower(), f"{value}-other")


def _other_order(report: DeterminismReport, handler: Any, history: History) -> None:
    """In processes of their own: the seed of hashes is chosen when Python starts."""
    if _INSIDE in os.environ:
        report.skipped["hash seed"] = "this is a process of its own already, importing the module"
        return
    where = _importable(handler)
    if where is None:
        report.skipped["hash seed"] = "a process of its own cannot import a function that another one makes"
        return
    with tempfile.TemporaryDirectory(prefix="durably-") as folder:
        path = history.save(Path(folder) / "history.json")
        for answer in [_answer(process) for process in [_elsewhere(path, *where, seed) for seed in _HASH_SEEDS]]:
            if "error" in answer:
                report.skipped["hash seed"] = f"a process of its own cannot import {where[0]}: {answer['error']}"
                return
            report.replays["hash seed"] = answer["text"]
            if answer["text"] is not None:
                return


def _importable(handler: Any) -> tuple[str, str] | None:
    """The file and the name under which a new process finds it."""
    module, name = sys.modules.get(handler.__module__), handler.__qualname__
    file = getattr(module, "__file__", None)
    if file is None or getattr(module, name, None) is not handler:
        return None
    return str(Path(file).resolve()), str(name)


def _elsewhere(history: Path, file: str, name: str, seed: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        _INSIDE: seed,
        "PYTHONHASHSEED": seed,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    return subprocess.Popen(
        [sys.executable, "-m", __name__, str(history), file, name],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate()
    try:
        answer: dict[str, Any] = json.loads(out.rpartition(_MARK)[2])
    except ValueError:
        return {"error": err.strip().rpartition("\n")[2] or f"exit code {process.returncode}"}
    return answer


def _main(history: str, file: str, name: str) -> None:
    """What such a process does."""
    from durably.workers.loader import LoadError, load_functions

    try:
        handler = load_functions(f"{file}:{name}").functions[name].handler
    except LoadError as error:
        answer: dict[str, Any] = {"error": str(error)}
    else:
        found = replay(handler, history)
        answer = {"text": None if found.ok else found.text(advice=False)}
    sys.stdout.write(_MARK + json.dumps(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
