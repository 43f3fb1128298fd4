"""The counter that stands for a database survives the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.attempts import next_attempt

HANDLERS = Path(__file__).resolve().parents[2] / "conformance" / "handlers"


def test_it_counts_each_execution_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTS_DIRECTORY", str(tmp_path))
    assert [next_attempt("arn:1"), next_attempt("arn:2"), next_attempt("arn:1")] == [1, 1, 2]


def test_it_goes_on_counting_after_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEMPTS_DIRECTORY", str(tmp_path))
    crash = "import os; from support.attempts import next_attempt; next_attempt('arn:1'); os._exit(9)"
    ended = subprocess.run([sys.executable, "-c", crash], env={**os.environ, "PYTHONPATH": str(HANDLERS)}, check=False)
    assert ended.returncode == 9
    assert next_attempt("arn:1") == 2


def test_without_a_directory_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTEMPTS_DIRECTORY", raising=False)
    with pytest.raises(RuntimeError, match="ATTEMPTS_DIRECTORY is not set"):
        next_attempt("arn:1")
