"""examples/testing/test_kept.py: its tests pass, for a user who has no configuration, and so does its command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from durably.cli.group import cli

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_its_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(EXAMPLES), "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-q", "testing/test_kept.py"],
        cwd=EXAMPLES,
        env={name: value for name, value in os.environ.items() if name != "DURABLY_UPDATE_SNAPSHOTS"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_the_command_that_it_shows() -> None:
    folder = EXAMPLES / "testing"
    result = CliRunner().invoke(cli, ["replay", str(folder / "histories"), str(folder / "parcel.py")])
    assert result.exit_code == 0, result.output
    assert "3 of 3 histories are followed." in result.output
    for file in (folder / "histories").iterdir():
        assert "StackTrace" not in file.read_text(), "the names of files on somebody's machine"
