"""The examples that are tests pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "testing"


@pytest.mark.parametrize(("name", "passed"), [("test_refund.py", 6)])
def test_examples_pass(name: str, passed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    command += ["-p", "no:asyncio", "-W", "error"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), "-c", "/dev/null", str(EXAMPLES / name)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr
