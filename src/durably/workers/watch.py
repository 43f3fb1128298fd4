"""Reload when the code changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, Protocol, TypeVar

from watchfiles import Change, DefaultFilter
from watchfiles import watch as watch_files

__all__ = ["Watched", "Watcher", "watch"]

_log: Final = logging.getLogger("durably.workers")


class Watched(Protocol):
    """A :class:`~durably.workers.loader.LoadedApp` or a :class:`~durably.workers.template.LoadedTemplate`."""

    def directories(self) -> frozenset[Path]:
        """Those in which files may change, each without what is below it."""
        ...

    def is_code(self, path: str) -> bool:
        """Whether a change of this file matters."""
        ...


_App = TypeVar("_App", bound=Watched)


def watch(app: _App, on_change: Callable[[frozenset[Path]], _App | None], *, debounce_ms: int = 200) -> Watcher[_App]:
    """Call ``on_change`` after the code of ``app`` has changed, until the returned watcher is closed.

    Parameters:
        on_change: gets the files that changed, on the watcher's thread. The app it returns (None: as before) is
            watched from then on. What it raises is logged.
        debounce_ms: how long changes are gathered before one call.
    """
    return Watcher(app, on_change, debounce_ms)


class Watcher(Generic[_App]):
    """A thread that watches the directories of an app's files, new Python files in them included: the mend of a
    broken import may be a file that did not exist."""

    def __init__(self, app: _App, on_change: Callable[[frozenset[Path]], _App | None], debounce_ms: int) -> None:
        self._on_change = on_change
        self._debounce = debounce_ms
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(app,), name="durably-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching; a call of ``on_change`` under way is waited for. Idempotent."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self, app: _App) -> None:
        while not self._stop.is_set():
            app = self._watch_directories(app, app.directories())

    def _watch_directories(self, app: _App, directories: frozenset[Path]) -> _App:
        """Watch until closed, or until the app lives in other directories."""
        rest = DefaultFilter()

        def matters(change: Change, path: str) -> bool:
            return rest(change, path) and app.is_code(path)

        for changes in watch_files(
            *sorted(directories),
            watch_filter=matters,
            debounce=self._debounce,
            rust_timeout=100,
            yield_on_timeout=True,
            stop_event=self._stop,
            recursive=False,
            raise_interrupt=False,
        ):
            self._ready.set()
            if changes:
                app = self._changed(changes) or app
                if app.directories() != directories:
                    break
        return app

    def _changed(self, changes: set[tuple[Change, str]]) -> _App | None:
        try:
            return self._on_change(frozenset(Path(path) for _, path in changes))
        except Exception:
            _log.exception("reloading failed")
            return None
