"""``durably history --export`` and ``durably replay``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run, offline, parsed

SHOP = """
from durably import DurableContext, durable_execution


@durable_execution
def greet(event, ctx: DurableContext):
    return ctx.step(lambda step: f"hello {event}", name="compose")


@durable_execution
def renamed(event, ctx: DurableContext):
    return ctx.step(lambda step: f"hello {event}", name="write")


def plain(event, context):
    return event
"""


@pytest.fixture
def app(tmp_path: Path) -> str:
    path = tmp_path / "shop.py"
    path.write_text(SHOP)
    return str(path)


@pytest.fixture
def exported(run: Run, tmp_path: Path) -> str:
    file = str(tmp_path / "kept" / "greet.json")
    run("invoke", "greet", '"you"', "--name", f"kept-{tmp_path.name}"[:64])
    result = run("history", f"kept-{tmp_path.name}"[:64], "--export", file)
    assert result.exit_code == 0
    assert result.stdout == f"{file}: kept-{tmp_path.name}, SUCCEEDED, 5 events\n"
    return file


def test_exported_as_json(run: Run, tmp_path: Path) -> None:
    run("invoke", "greet", '"you"', "--name", "exported")
    file = str(tmp_path / "e.json")
    assert parsed(run("history", "exported", "--export", file, "--json"))["Events"] == 5
    document = json.loads(Path(file).read_text())
    assert document["Execution"]["Result"] == '"hello you"'
    assert document["Operations"][0]["Name"] == "compose"


def test_a_file_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    run("invoke", "greet", '"you"', "--name", "unwritable")
    result = run("history", "unwritable", "--export", str(tmp_path))
    assert result.exit_code == 2
    assert f"error: cannot write {tmp_path}: Is a directory." in result.stderr


def test_code_that_follows(exported: str, app: str) -> None:
    result = offline("replay", exported, app)
    assert result.exit_code == 0, result.output
    assert "FOLLOWS the record" in result.stdout
    assert "= Step 'compose'" in result.stdout


def test_code_that_does_not(exported: str, app: str) -> None:
    result = offline("replay", exported, f"{app}:renamed")
    assert result.exit_code == 1
    assert "DIFFERS: the record has Step 'compose', the code calls Step 'write'" in result.stdout
    assert 'name="write")' in result.stdout


def test_as_json(exported: str, app: str) -> None:
    assert parsed(offline("replay", exported, app, "--json"))["Follows"] is True
    result = offline("replay", exported, f"{app}:renamed", "--json")
    assert result.exit_code == 1
    shape = json.loads(result.stdout)
    assert shape["File"] == exported
    assert [one["Kind"] for one in shape["Differences"]] == ["changed"]


def test_a_folder(exported: str, app: str) -> None:
    folder = Path(exported).parent
    (folder / "second.json").write_text(Path(exported).read_text())
    result = offline("replay", str(folder), app)
    assert result.exit_code == 0
    assert "2 of 2 histories are followed." in result.stdout
    shape: Any = parsed(offline("replay", str(folder), app, "--json"))
    assert shape["Follows"] is True
    assert len(shape["Replays"]) == 2


@pytest.mark.parametrize(
    ("history", "target", "message"),
    [
        ("nothing.json", "{app}", "cannot read"),
        ("{app}", "{app}", "is not JSON"),
        ("{exported}", "{app}:plain", "has no function that can be replayed"),
        ("{exported}", "{app}:nobody", "has no attribute 'nobody'"),
        ("{exported}", "nowhere.py", "nowhere.py"),
    ],
)
def test_what_cannot_be_told(exported: str, app: str, history: str, target: str, message: str) -> None:
    result = offline("replay", history.format(app=app, exported=exported), target.format(app=app))
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_function_of_another_name(exported: str, app: str) -> None:
    Path(app).write_text(SHOP.replace("def greet", "def welcome"))
    result = offline("replay", exported, app)
    assert result.exit_code == 2
    assert "the execution is one of greet, and" in result.stderr
    assert f"{app}:NAME, NAME being one of welcome, renamed." in result.stderr
