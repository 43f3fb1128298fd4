"""The group: help that is quick, mistakes that are met with a hint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from durably._version import __version__
from durably.cli.group import cli

from .conftest import offline


def test_help_names_every_command_and_imports_none_of_them() -> None:
    program = (
        "import sys\n"
        "from durably.cli.group import cli\n"
        "cli(['--help'], prog_name='durably', standalone_mode=False)\n"
        "loaded = {name for name in sys.modules if name.startswith('durably.')}\n"
        "assert loaded == {'durably.cli', 'durably.cli.group', 'durably._version'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("dev", "invoke", "follow", "list", "show", "history", "callback", "stop"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", ["dev", "invoke", "follow", "list", "show", "history", "callback", "stop", "pause"])
def test_each_command_has_help(name: str) -> None:
    result = offline(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: durably {name} ")


def test_the_version() -> None:
    assert offline("--version").stdout == f"durably, version {__version__}\n"


def test_an_unknown_command_is_met_with_the_one_that_was_meant() -> None:
    result = offline("invok", "x")
    assert result.exit_code == 2
    assert "There is no command 'invok'. Did you mean 'invoke'?" in result.stderr


def test_every_listed_command_exists() -> None:
    import click

    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help


@pytest.mark.parametrize(
    "arguments",
    [
        ("invoke", "greet"),
        ("list",),
        ("show", "x"),
        ("history", "x"),
        ("follow", "x"),
        ("stop", "x"),
        ("callback", "succeed", "aWQ="),
    ],
)
def test_nothing_listening_says_how_to_start_it(arguments: tuple[str, ...]) -> None:
    result = offline(*arguments, "--endpoint-url", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == (
        "error: nothing listens at http://127.0.0.1:1.\n"
        "Start the service there with 'durably dev app.py', or name another: --endpoint-url URL, or --aws.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("list", "--endpoint-url", "localhost"), "'localhost' is not an endpoint URL"),
        (("list", "--aws", "--endpoint-url", "http://x"), "--aws and --endpoint-url exclude each other."),
        (("list", "--status", "DONE"), "'DONE' is not one of 'running'"),
        (("invoke", "greet", "--name", "a b"), "--name must be 1 to 64 of letters"),
        (("invoke", "greet", "--timeout", "0"), "--timeout"),
        (("dev",), "Missing argument 'TARGET'"),
        (("show", "arn:aws:lambda"), "'arn:aws:lambda' is not a durable execution ARN"),
    ],
)
def test_bad_usage_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    result = offline(*arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_aws_without_a_region_or_credentials_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    result = offline("list", "--aws", "-f", "x")
    assert (result.exit_code, "set AWS_REGION" in result.stderr) == (2, True)
    result = offline("list", "--aws", "-f", "x", "--region", "us-east-1")
    assert (result.exit_code, "no AWS credentials" in result.stderr) == (2, True)
    result = offline("list", "--aws", "--region", "us-east-1")
    assert (result.exit_code, "--function NAME" in result.stderr) == (2, True)


@pytest.mark.parametrize("missing", ["click", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    program = f"import sys\nsys.modules[{missing!r}] = None\nfrom durably.cli.main import main\nmain()"
    arguments = [sys.executable, "-c", program, "dev", __file__, "--store", ":memory:"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: the command line needs {missing}, which is not installed here.\n"
        "Install it with the rest:  pip install 'durably[service]'\n"
    )


def test_without_the_runtime_client_workers_say_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def f(event, context): return event\n")
    program = "import sys\nsys.modules['awslambdaric'] = None\nfrom durably.cli.main import main\nmain()"
    arguments = [sys.executable, "-c", program, "dev", "app.py", "--workers", "1", "--port", "0", "--store", ":memory:"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: worker processes need awslambdaric: pip install 'durably[service]'.\n"


def test_another_missing_module_is_not_mistaken_for_the_extra() -> None:
    program = "import sys\nsys.modules['durably.cli.group'] = None\nfrom durably.cli.main import main\nmain()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr
