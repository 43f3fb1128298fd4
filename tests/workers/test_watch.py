"""New code is noticed, in whatever file it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from durably.workers.loader import LoadedApp, LoadError, load_functions
from durably.workers.watch import watch

from .conftest import eventually

App = Callable[..., Path]


def edit_until_noticed(path: Path, source: str, noticed: Callable[[], bool]) -> None:
    """The kernel's watch may begin after the thread has started, so the edit is repeated."""

    def edited() -> bool:
        path.write_text(source)
        return noticed()

    eventually(edited, f"the change of {path} was not noticed")


def test_a_change_of_any_of_its_files(app: App) -> None:
    path = app({"app.py": "import part\ndef f(event, context): ...", "part.py": "", "notes.txt": ""})
    seen: set[Path] = set()
    watcher = watch(load_functions(str(path)), lambda changed: seen.update(changed), debounce_ms=10)
    try:
        for name in ("part.py", "app.py", "new.py"):
            edit_until_noticed(path.with_name(name), "x = 1", lambda name=name: path.with_name(name) in seen)
        path.with_name("notes.txt").write_text("more")
        edit_until_noticed(path, "x = 2", lambda: path in seen)
        assert path.with_name("notes.txt") not in seen
    finally:
        watcher.close()


def test_the_reloaded_app_is_watched_from_then_on(app: App, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = app({"app.py": "def f(event, context): return 1", "parts/__init__.py": "", "parts/a.py": "x = 1"})
    loaded: SimpleQueue[LoadedApp] = SimpleQueue()

    def reload(changed: frozenset[Path]) -> LoadedApp:
        new = load_functions(str(path))
        loaded.put(new)
        return new

    watcher = watch(load_functions(str(path)), reload, debounce_ms=10)
    try:
        edit_until_noticed(path, "1 / 0", lambda: "reloading failed" in caplog.text)
        broken = [record.exc_info[1] for record in caplog.records if record.exc_info]
        assert isinstance(broken[0], LoadError)
        edit_until_noticed(path, "from parts.a import x\ndef f(event, context): return x", lambda: not loaded.empty())

        def newest() -> object:
            app = loaded.get()
            while not loaded.empty():
                app = loaded.get()
            return app.functions["f"].handler({}, None)

        assert newest() == 1
        edit_until_noticed(tmp_path / "parts" / "a.py", "x = 2", lambda: not loaded.empty() and newest() == 2)
    finally:
        watcher.close()


def test_close(app: App) -> None:
    before = set(threading.enumerate())
    watcher = watch(load_functions(str(app("def f(event, context): ..."))), lambda changed: None)
    watcher.close()
    watcher.close()
    assert set(threading.enumerate()) <= before
