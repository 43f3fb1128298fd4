"""The official runner's own virtual environment, made once."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

RUNNER = "aws-durable-execution-conformance-tests==1.0.0"
CLIENT = "boto3>=1.44.5"


def runner_python(directory: Path) -> Path:
    """The interpreter of the runner's environment in ``directory``, which is made first if need be.

    A marker holds what was installed, so that a changed pin or an interrupted installation is made anew.
    """
    python = directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    marker = directory / "installed.txt"
    wanted = f"{RUNNER}\n{CLIENT}\n"
    if python.exists() and marker.exists() and marker.read_text() == wanted:
        return python
    print(f"making the official runner's environment in {directory}", flush=True)
    venv.create(directory, with_pip=True, clear=True)
    # The package asks for Python 3.14 but needs nothing newer than 3.11.
    command = [
        str(python),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--ignore-requires-python",
    ]
    subprocess.run([*command, RUNNER, CLIENT], check=True)
    marker.write_text(wanted)
    return python
