"""An execution that AWS's own SDK has carried out, exported as AWS would tell it, is followed by the moved program."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from durably.client.api import LambdaApi
from durably.testing import export_history, replay
from interop.test_official_sdk import APPS, OFFICIAL, Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "ledger")
    try:
        yield stage
    finally:
        stage.close()


def moved_program(monkeypatch: pytest.MonkeyPatch, ledger: Path) -> Any:
    """The same program, with the package's name replaced."""
    monkeypatch.setenv("PACKAGE", "durably")
    monkeypatch.setenv("LEDGER", str(ledger))
    spec = importlib.util.spec_from_file_location("moved_program", APPS / "shared_program.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "moved_program", module)
    spec.loader.exec_module(module)
    return module


def test_it_follows(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stage.serve(OFFICIAL)
    arn = stage.start()
    stage.approve(arn)
    assert stage.outcome(arn)["Status"] == "SUCCEEDED"
    with closing(LambdaApi("us-east-1", stage.http.url)) as api:
        history = export_history(arn, api)
    program = moved_program(monkeypatch, tmp_path / "nothing")
    report = replay(program.process, history)
    assert report.ok, str(report)
    assert report.runs >= 4
    assert not (tmp_path / "nothing").exists(), "a body ran"

    wrong = replay(program.square, history)
    assert wrong.first is not None
    assert wrong.first.kind in ("changed", "outcome")
