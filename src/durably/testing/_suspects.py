"""Calls that answer differently from run to run, seen where a handler makes them outside of its steps.

Python's profiling hook tells of every call. Of those that ask for the time, for chance or for the environment the ones
are kept that user code makes itself: what a library does inside is its own business (a logger asks for the time). In
the body of a step all of them are allowed.
"""

from __future__ import annotations

import datetime
import os
import random
import secrets
import site
import socket
import sys
import sysconfig
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import durably
from durably.engine.scope import CURRENT

from .replay_trace import Line

__all__ = ["Kind", "Suspect", "Suspects"]

Kind: TypeAlias = Literal["clock", "chance", "environment"]


class Suspect(NamedTuple):
    """A call outside of any step whose answer another run does not repeat.

    Attributes:
        kind: what it asks.
        call: as in ``datetime.now()``.
        line: where.
        instead: what to use.
    """

    kind: Kind
    call: str
    line: Line
    instead: str

    def __str__(self) -> str:
        return f"{self.line}: {self.call} outside a step; {self.instead}"


_INSTEAD: Final[dict[Kind, str]] = {
    "clock": "use ctx.now(), or take the time in a step",
    "chance": "use ctx.uuid() or ctx.random(), or draw in a step",
    "environment": "read it in a step, or pass it in with the input",
}

_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")
_BUILTINS: Final[dict[Any, tuple[Kind, str]]] = {
    **{getattr(time, name): ("clock", f"time.{name}()") for name in (*_CLOCKS, "localtime", "gmtime", "ctime")},
    os.urandom: ("chance", "os.urandom()"),
    os.getpid: ("environment", "os.getpid()"),
    socket.gethostname: ("environment", "socket.gethostname()"),
}
_FUNCTIONS: Final[dict[int, tuple[Kind, str]]] = {
    **{id(func.__code__): ("chance", f"uuid.{func.__name__}()") for func in (uuid.uuid1, uuid.uuid4)},
    **{
        id(func.__code__): ("chance", f"secrets.{func.__name__}()")
        for func in (secrets.randbelow, secrets.token_bytes, secrets.token_hex, secrets.token_urlsafe)
    },
    id(os.getenv.__code__): ("environment", "os.getenv()"),
}
_GLOBAL: Final[Any] = random.random.__self__  # type: ignore[attr-defined]
_DRAWS: Final = {
    id(method.__code__): name
    for name, method in vars(random.Random).items()
    if hasattr(method, "__code__") and not name.startswith("_")
}
_ENVIRON: Final[Any] = type(os.environ)
_READS: Final = {
    id(_ENVIRON.__getitem__.__code__): "os.environ[{!r}]",
    id(_ENVIRON.get.__code__): "os.environ.get({!r})",
}


def _roots() -> tuple[str, ...]:
    """Where code lies that is not the user's."""
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {*site.getsitepackages(), os.path.dirname(os.path.abspath(str(durably.__file__)))}
    return tuple(os.path.realpath(path) + os.sep for path in found)


_ROOTS: Final = _roots()


class Suspects:
    """Those of the code that runs inside :meth:`watching`, each line once.

    Attributes:
        found: in the order in which they were met.
        variables: names of the environment variables that were read.
    """

    def __init__(self) -> None:
        self.found: list[Suspect] = []
        self.variables: dict[str, None] = {}
        self._known: set[tuple[str, str, int]] = set()
        self._theirs: dict[str, bool] = {}

    @contextmanager
    def watching(self) -> Generator[None, None, None]:
        """Watch this thread and those that begin meanwhile; from Python 3.12 on those that exist, too."""
        set_all: Callable[[Any], None] = getattr(threading, "setprofile_all_threads", threading.setprofile)
        kept = sys.getprofile()
        set_all(self._profile)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            set_all(None)
            sys.setprofile(kept)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            found = _builtin(argument)
            if found is not None:
                self._note(frame, *found)
        elif event == "call" and frame.f_back is not None:
            found = self._function(frame, frame.f_code)
            if found is not None:
                self._note(frame.f_back, *found)

    def _function(self, frame: FrameType, code: CodeType) -> tuple[Kind, str] | None:
        key = id(code)
        found = _FUNCTIONS.get(key)
        if found is not None:
            if code is os.getenv.__code__:
                return "environment", f"os.getenv({self._variable(frame)!r})"
            return found
        if key in _DRAWS and frame.f_locals.get("self") is _GLOBAL:
            return "chance", f"random.{_DRAWS[key]}()"
        if key in _READS and frame.f_locals.get("self") is os.environ:
            return "environment", _READS[key].format(self._variable(frame))
        return None

    def _variable(self, frame: FrameType) -> str:
        return str(frame.f_locals.get("key"))

    def _note(self, frame: FrameType, kind: Kind, call: str) -> None:
        if not self._is_users(frame.f_code.co_filename):
            return
        scope = CURRENT.get(None)
        if scope is None or scope.owner is None:
            return  # no durable code, or the body of a step
        if kind == "environment" and "'" in call:
            self.variables[call.split("'")[1]] = None
        key = (call, frame.f_code.co_filename, frame.f_lineno)
        if key not in self._known:
            self._known.add(key)
            line = Line(frame.f_code.co_filename, frame.f_lineno)
            self.found.append(Suspect(kind, call, line, _INSTEAD[kind]))

    def _is_users(self, file: str) -> bool:
        known = self._theirs.get(file)
        if known is None:
            known = not file.startswith("<frozen") and not os.path.realpath(file).startswith(_ROOTS)
            self._theirs[file] = known
        return known


def _builtin(function: Any) -> tuple[Kind, str] | None:
    owner = getattr(function, "__self__", None)
    if owner is _GLOBAL:
        return "chance", f"random.{function.__name__}()"
    if isinstance(owner, type) and issubclass(owner, datetime.date) and function.__name__ in ("now", "today", "utcnow"):
        return "clock", f"{owner.__name__}.{function.__name__}()"
    try:
        return _BUILTINS.get(function)
    except TypeError:  # the method of something that has no hash
        return None
