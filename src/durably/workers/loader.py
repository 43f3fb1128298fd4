"""From ``app.py`` to the functions in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from durably.service.ports import FunctionSpec

from ._discover import LoadedFunction, describe, find_functions, undecorated_handlers
from ._importing import LoadError, Target, import_target, source_files

__all__ = ["LoadError", "LoadedApp", "LoadedFunction", "load_functions"]

_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class LoadedApp:
    """The functions of one target.

    Parameters:
        target: as given to :func:`load_functions`.
        module: name under which the module was imported.
        import_root: directory from which it was imported; first on ``sys.path``.
        functions: by name, in the order of their definition.
        files: source files below ``import_root`` that were imported, the ones to watch for changes.
    """

    target: str
    module: str
    import_root: Path
    functions: Mapping[str, LoadedFunction]
    files: tuple[Path, ...]

    def specs(self) -> dict[str, FunctionSpec]:
        return {name: function.spec for name, function in self.functions.items()}

    def handlers(self) -> dict[str, Any]:
        return {name: function.handler for name, function in self.functions.items()}

    def directories(self) -> frozenset[Path]:
        """See :class:`~durably.workers.watch.Watched`."""
        return frozenset({file.parent for file in self.files} | {self.import_root})

    def is_code(self, path: str) -> bool:
        return path.endswith((".py", ".pyx", ".pyd"))


def load_functions(target: str) -> LoadedApp:
    """Import ``target`` and find its functions.

    Parameters:
        target: a path (``app.py``, ``orders/app.py``), a module (``orders.app``), or either with one function
            (``app.py:process``, ``orders.app:process``).

    A function is: a durable function of durably; a handler decorated with the official SDK's
    ``durable_execution``; or a plain Lambda handler, that is a public function defined in that module whose
    required parameters are ``event`` and ``context``. Loading again gives fresh modules.

    Raises:
        LoadError: nothing was loaded; says why and what to do.
    """
    place, attribute = _split(target)
    resolved = Target.resolve(place)
    module = import_target(resolved)
    functions = _one(module, attribute, resolved) if attribute else _all(module, resolved)
    return LoadedApp(target, resolved.module, resolved.root, functions, source_files(module, resolved.root))


def _split(target: str) -> tuple[str, str]:
    place, colon, attribute = target.strip().rpartition(":")
    if not colon or "/" in attribute or "\\" in attribute:
        place, attribute = target.strip(), ""
    elif not _IDENTIFIER.fullmatch(attribute):
        raise LoadError(
            f"{target!r} does not name a function: {attribute!r} is not a Python name.",
            f"Write {place}:NAME, where NAME is a function at the top level of {place}, or {place} for all of them.",
        )
    if not place:
        raise LoadError(
            f"{target!r} names no file and no module.",
            "Name a file (app.py), a module (package.module), or one function of it (app.py:process).",
        )
    return place, attribute


def _all(module: ModuleType, target: Target) -> dict[str, LoadedFunction]:
    functions = find_functions(module)
    if functions:
        return functions
    remedy = (
        "Define one: a function decorated with @durable_execution, or a plain Lambda handler "
        "`def name(event, context)` (public, defined in this very module)."
    )
    bare = undecorated_handlers(module)
    if bare:
        remedy = f"{', '.join(bare)} takes a durable context but is not decorated: add @durable_execution above it."
    raise LoadError(f"{target.label} has no function to serve.", remedy)


def _one(module: ModuleType, attribute: str, target: Target) -> dict[str, LoadedFunction]:
    if attribute not in vars(module):
        known = list(find_functions(module))
        close = difflib.get_close_matches(attribute, known or list(vars(module)), 1)
        hint = f"Did you mean {target.given}:{close[0]}? " if close else ""
        raise LoadError(
            f"{target.label} has no attribute {attribute!r}.",
            f"{hint}Functions in it: {', '.join(known) or 'none'}.",
        )
    value = vars(module)[attribute]
    function = describe(attribute, value, module, named=True)
    if function is None:
        kind = f"the class {attribute}" if isinstance(value, type) else f"of type {type(value).__name__}"
        takes = " and cannot be called with two arguments" if callable(value) and not isinstance(value, type) else ""
        raise LoadError(
            f"{target.given}:{attribute} is not a function that can be invoked: it is {kind}{takes}.",
            "Name a function decorated with @durable_execution, or a plain one that takes (event, context).",
        )
    return {attribute: function}
