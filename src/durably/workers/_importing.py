"""Importing a user's module, again and again, under one stable name.

The module is imported as Python itself would: its directory (or the directory that holds its outermost package)
comes first on ``sys.path``, so that its siblings and relative imports work, and so that a worker process that is
told ``module.attr`` and the same directory imports the same thing.

Before each import, the modules that earlier loads brought in from below that directory are forgotten; else a
reload would give a new ``app`` on top of an old ``helpers``. Modules that were there before the first load belong
to the host program and are left alone, and so is whatever lives in an installation of packages. When the import
fails the forgotten modules are put back, since their functions may still be serving.
"""

from __future__ import annotations

import functools
import importlib
import importlib.machinery
import importlib.util
import os
import re
import sys
import time
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["LoadError", "Target", "import_target", "source_files"]

_MODULE_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages", "node_modules"})
_OWN_CODE: Final = str(Path(__file__).parents[1]) + os.sep
_RECENT_SECONDS: Final = 3

_hosts: dict[Path, dict[int, ModuleType]] = {}
"""By import root: the modules, by identity, that were there before the first load from it."""


class LoadError(Exception):
    """The functions of a target could not be loaded.

    Parameters:
        message: what is wrong.
        remedy: what to do about it.
        detail: the user's part of the traceback, when their code raised.
    """

    def __init__(self, message: str, remedy: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.detail, self.remedy) if part)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to import what: ``module`` from ``root``; ``file`` when the target was given as a path."""

    given: str
    module: str
    root: Path
    file: Path | None

    @property
    def label(self) -> str:
        return self.given

    @classmethod
    def resolve(cls, place: str) -> Target:
        looks_like_path = place.endswith(".py") or "/" in place or os.sep in place
        if looks_like_path or Path(place).is_file():
            return _from_path(place)
        if not _MODULE_NAME.fullmatch(place):
            raise LoadError(
                f"{place!r} is neither a Python file nor the name of a module.",
                "Name a file (app.py) or a module (package.module).",
            )
        if Path(f"{place}.py").is_file() and not _findable(place):
            return _from_path(f"{place}.py")
        return _from_name(place)


def _from_path(place: str) -> Target:
    path = Path(place).expanduser()
    if path.is_dir():
        inside = sorted(item.name for item in path.glob("*.py"))[:8]
        there = f" Files in it: {', '.join(inside)}." if inside else ""
        raise LoadError(f"{place} is a directory.", f"Name the file with the functions, e.g. {path / 'app.py'}.{there}")
    if not path.is_file():
        others = sorted(item.name for item in path.parent.glob("*.py"))[:8] if path.parent.is_dir() else []
        there = f" Python files in {path.parent.resolve()}: {', '.join(others)}." if others else ""
        raise LoadError(f"The file {place} does not exist (looked in {Path.cwd()}).", f"Check the path.{there}")
    if path.suffix != ".py":
        raise LoadError(f"{place} is not a Python file.", "Name a file that ends in .py.")
    path = path.resolve()
    if "." in path.stem:
        raise LoadError(
            f"{path.name} cannot be imported: Python reads the dot in its name as a package.",
            f"Rename it, e.g. to {path.stem.replace('.', '_')}.py.",
        )
    parts = [] if path.stem == "__init__" else [path.stem]
    root = path.parent
    while (root / "__init__.py").is_file():
        parts.insert(0, root.name)
        root = root.parent
    name = ".".join(parts)
    if len(parts) == 1 and (name in sys.stdlib_module_names or name == "durably"):
        owner = "the durably package" if name == "durably" else "a module of Python's own"
        raise LoadError(
            f"{path.name} cannot be imported: {name!r} is {owner}, and importing one would hide the other.",
            f"Rename the file, e.g. to {name}_app.py.",
        )
    return Target(place, name, root, path)


def _from_name(place: str) -> Target:
    top = place.partition(".")[0]
    with _first_on_path(Path.cwd()):
        spec = _spec(top)
    if spec is None:
        raise LoadError(
            f"There is no module {top!r} (looked in {Path.cwd()} and on Python's path).",
            f"Run from the directory that holds it, or name its file: {place.replace('.', '/')}.py.",
        )
    if spec.origin and spec.origin not in ("built-in", "frozen"):
        origin = Path(spec.origin).resolve()
        root = origin.parent.parent if spec.submodule_search_locations is not None else origin.parent
    elif spec.submodule_search_locations:
        root = Path(next(iter(spec.submodule_search_locations))).resolve().parent
    else:
        raise LoadError(f"{place} is a module of Python's own.", "Name a module that holds your functions.")
    return Target(place, place, root, None)


def _findable(name: str) -> bool:
    with _first_on_path(Path.cwd()):
        return _spec(name.partition(".")[0]) is not None


def _spec(top: str) -> importlib.machinery.ModuleSpec | None:
    importlib.invalidate_caches()
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


@contextmanager
def _first_on_path(directory: Path) -> Generator[None, None, None]:
    before = list(sys.path)
    sys.path.insert(0, str(directory))
    try:
        yield
    finally:
        sys.path[:] = before


def import_target(target: Target) -> ModuleType:
    """The freshly imported module of ``target``."""
    _hosts.setdefault(target.root, {id(module): module for module in sys.modules.values()})
    forgotten = _forget(target)
    root = str(target.root)
    if root in sys.path:
        sys.path.remove(root)
    sys.path.insert(0, root)
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(target.module)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        _forget(target)
        sys.modules.update(forgotten)
        raise _import_failed(target, exc) from exc
    found = getattr(module, "__file__", None)
    if target.file is not None and (found is None or Path(found).resolve() != target.file):
        raise LoadError(
            f"{target.given} is hidden by another module named {target.module!r}: {found or 'one without a file'}.",
            "Rename the file.",
        )
    return module


def source_files(module: ModuleType, root: Path) -> tuple[Path, ...]:
    """The files of ``module`` and of all else that was imported from below ``root``."""
    host = _hosts.get(root, {})
    files = {path for _, loaded, path in _modules_below(root) if id(loaded) not in host}
    own = getattr(module, "__file__", None)
    return tuple(sorted(files | ({Path(own).resolve()} if own else set())))


def _forget(target: Target) -> dict[str, ModuleType]:
    """Drop from ``sys.modules`` what this import must not find there; returns what was dropped."""
    dropped: dict[str, ModuleType] = {}
    host = _hosts[target.root]
    for name, module, path in list(_modules_below(target.root)):
        if id(module) not in host or name == target.module:
            dropped[name] = sys.modules.pop(name)
            _distrust_bytecode(path)
    # Another app's helpers.py must not stand in for this one's.
    provided = {item.stem for item in target.root.iterdir() if item.suffix == ".py" or item.is_dir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in provided]:
        file = _file(name)
        if file and any(_below(root, file) and id(sys.modules[name]) not in known for root, known in _hosts.items()):
            dropped[name] = sys.modules.pop(name)
    return dropped


def _modules_below(root: Path) -> Iterator[tuple[str, ModuleType, Path]]:
    for name, module in list(sys.modules.items()):
        file = _file(name)
        if file and _below(root, file):
            yield name, module, Path(file)


def _file(name: str) -> str | None:
    """The file of a module that may be an app's."""
    file = getattr(sys.modules[name], "__file__", None)
    if not isinstance(file, str) or name == "__main__" or name.partition(".")[0] == "durably":
        return None
    directory, base = os.path.split(file)
    return os.path.join(_real(directory), base)


def _below(root: Path, file: str) -> bool:
    prefix = str(root) + os.sep
    return file.startswith(prefix) and _INSTALLED.isdisjoint(file[len(prefix) :].split(os.sep))


@functools.cache
def _real(directory: str) -> str:
    return os.path.realpath(directory)


def _distrust_bytecode(path: Path) -> None:
    """Python knows compiled code as stale by whole seconds and the size of the source: an edit of the same length
    within the second of the last import would go unnoticed."""
    try:
        if time.time() - path.stat().st_mtime < _RECENT_SECONDS:
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    except (OSError, NotImplementedError):
        pass


def _is_users(root: Path, file: str) -> bool:
    """Neither this package nor what is installed, although an environment may lie below the app's directory."""
    return _below(root, file) and not file.startswith(_OWN_CODE)


def _import_failed(target: Target, exc: BaseException) -> LoadError:
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if _is_users(target.root, frame.filename)]
    last = "".join(traceback.format_exception_only(exc)).rstrip()
    detail = "".join(["Traceback (most recent call last):\n", *traceback.format_list(frames), last]) if frames else last
    where = f" (line {frames[-1].lineno} of {frames[-1].filename})" if frames else ""
    if isinstance(exc, SyntaxError) and exc.filename:
        where = f" (line {exc.lineno} of {exc.filename})"
        remedy = "Correct the syntax."
    elif isinstance(exc, ModuleNotFoundError) and exc.name and target.module.startswith(exc.name):
        return LoadError(f"There is no module {exc.name!r} (looked in {target.root}).", "Check the name.")
    elif isinstance(exc, ModuleNotFoundError):
        remedy = f"Install {exc.name!r} into this environment ({sys.prefix}), or correct the import."
    elif isinstance(exc, SystemExit):
        remedy = "It exits while it is being imported: move that below `if __name__ == '__main__':`."
    else:
        remedy = "Correct the code that runs when it is imported."
    kind = "ends the process" if isinstance(exc, SystemExit) else "does not import"
    return LoadError(f"{target.given} {kind}{where}.", remedy, detail)
