"""What `conformance/run` takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from driver.main import arguments_from


def test_suites_and_ids_may_be_listed_or_repeated() -> None:
    arguments = arguments_from(["--mode", "sync", "--suite", "step", "wait", "--suite", "child", "--id", "1-1"])
    assert arguments.suite == ["step", "wait", "child"]
    assert arguments.id == ["1-1"]


def test_an_edition_is_a_folder_of_suites(tmp_path: Path) -> None:
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "1-1.yaml").touch()
    assert arguments_from(["--mode", "sync", "--requirements", str(tmp_path)]).requirements == tmp_path


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ([], "--mode"),
        (["--mode", "both"], "'both'"),
        (["--mode", "sync", "--requirements", "/nowhere"], "/nowhere"),
        (["--mode", "sync", "--concurrency", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_run_is_refused(wrong: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        arguments_from(wrong)
    assert refusal.value.code == 2
    assert complaint in capsys.readouterr().err
