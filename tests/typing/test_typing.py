"""The files beside this one, checked: what users write has the types they expect, and what is wrong is rejected.

The examples are checked as well: they are what users write.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = [
    *(str(path) for path in HERE.glob("*.py") if not path.name.startswith("test_")),
    *(str(path) for path in (ROOT / "examples").rglob("*.py") if path.parent.name != "testing"),  # found by sys.path
]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mypy_infers_and_rejects() -> None:
    api = pytest.importorskip("mypy.api")
    settings = ["--strict", "--explicit-package-bases", "--config-file", str(ROOT / "pyproject.toml")]
    out, err, status = api.run([*settings, *FILES])
    assert status == 0, out + err


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pyright_infers_and_rejects() -> None:
    pytest.importorskip("pyright")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", *FILES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
