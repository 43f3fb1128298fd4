"""The files beside this one, checked: what users write has the types they expect, and what is wrong is rejected."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mypy_infers_and_rejects() -> None:
    api = pytest.importorskip("mypy.api")
    files = [str(path) for path in HERE.glob("*.py") if not path.name.startswith("test_")]
    out, err, status = api.run(["--strict", "--config-file", str(ROOT / "pyproject.toml"), *files])
    assert status == 0, out + err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pyright_infers_and_rejects() -> None:
    pytest.importorskip("pyright")
    files = [str(path) for path in HERE.glob("*.py") if not path.name.startswith("test_")]
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
