"""From a function's Runtime, Handler and code to the command line that runs it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from durably.workers._importing import LoadError

__all__ = ["NODE_CLIENT", "command_for"]

NODE_CLIENT: Final = Path(__file__).parent.parent / "runtime_api" / "node.mjs"
"""The runtime client of JavaScript functions."""

_NODE_FILES: Final = (".js", ".mjs", ".cjs")


def command_for(runtime: str, handler: str, code: Path, where: str) -> Sequence[str] | None:
    """The command line for a runtime that is served as it is; None: awslambdaric under this Python.

    Raises:
        LoadError: another runtime, or the code has no such handler.
    """
    if runtime.startswith("python"):
        _check_python(handler, code, where)
        return None
    if runtime.startswith("nodejs"):
        _check_node(handler, code, where)
        node = shutil.which("node")
        if node is None:
            raise LoadError(f"{where}: {runtime} needs the program node, which is not on the PATH.", "Install Node.js.")
        return [node, str(NODE_CLIENT), "{handler}"]
    if runtime.startswith("provided"):
        bootstrap = code / "bootstrap"
        if not os.access(bootstrap, os.X_OK) or not bootstrap.is_file():
            raise LoadError(f"{where}: {runtime} runs {bootstrap}, which is no program.", "Build it there first.")
        return [str(bootstrap)]
    raise LoadError(
        f"{where}: the Runtime {runtime!r} is none that is started by itself: python, nodejs, provided.",
        "Name its runtime client in the function's Metadata: {Durably: {Command: [program, argument, ...]}}.",
    )


def _check_python(handler: str, code: Path, where: str) -> None:
    module, dot, name = handler.rpartition(".")
    if not dot or not module or not name.isidentifier():
        raise LoadError(f"{where}: the Handler {handler!r} is not one.", "Write module.function.")
    place = code / module.replace(".", "/")
    if not place.with_name(f"{place.name}.py").is_file() and not (place / "__init__.py").is_file():
        raise LoadError(
            f"{where}: there is no {place}.py for the Handler {handler!r}.",
            "Correct Handler or CodeUri; for code that must be built first, build it and name the built template.",
        )


def _check_node(handler: str, code: Path, where: str) -> None:
    found = re.fullmatch(r"((?:[^/]+/)*[^./]+)\.[^/]+", handler.removeprefix("./"))
    if found is None:
        raise LoadError(f"{where}: the Handler {handler!r} is not one.", "Write file.function.")
    place = code / found[1]
    if any(place.with_name(place.name + suffix).is_file() for suffix in _NODE_FILES):
        return
    source = place.with_name(f"{place.name}.ts")
    if source.is_file():
        raise LoadError(
            f"{where}: {source} must be built first.",
            "Build it (sam build) and name the built template: .aws-sam/build/template.yaml.",
        )
    raise LoadError(f"{where}: there is no {place}.js, .mjs or .cjs for the Handler {handler!r}.", "Correct it.")
