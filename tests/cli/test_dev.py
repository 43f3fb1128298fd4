"""``durably dev`` as a process: it serves, reloads, survives, and says what is wrong."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import durably as durably_package
from durably.cli.server import Server

from .processes import PATIENCE, Dev, Durably, durably, json_of, replace

APP = """
import os
from durably import DurableContext, durable_execution

def note(text):
    with open("ledger", "a") as ledger:
        ledger.write(text + "\\n")

@durable_execution
def greet(event: str, ctx: DurableContext) -> str:
    return ctx.step(lambda step: f"hello {event}", name="compose")

@durable_execution
def approve(event: str, ctx: DurableContext) -> str:
    ctx.step(lambda step: note("first"), name="first")
    answer = ctx.wait_for_callback(lambda callback_id, _: note("asked"), name="question")
    ctx.step(lambda step: note("last"), name="last")
    return f"{event}: {answer}"

@durable_execution
def logs(event: dict, ctx: DurableContext) -> None:
    ctx.logger.info("logged by logs")

def plain(event, context):
    print("printed by plain")
    return os.environ["AWS_ENDPOINT_URL_LAMBDA"]

def environment(event, context):
    return {name: value for name, value in os.environ.items() if name in event}
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.fixture
def launch(app: Path) -> Iterator[Callable[..., Dev]]:
    """Starts ``durably dev app.py`` with options; nothing is left running."""
    begun: list[Dev] = []

    def start(*options: str, target: str = "app.py", environment: dict[str, str] | None = None) -> Dev:
        begun.append(Dev(target, *options, cwd=app, environment=environment))
        return begun[-1]

    yield start
    for dev in begun:
        dev.kill()


def test_it_serves_and_logs_and_stops(launch: Callable[..., Dev], app: Path) -> None:
    dev = launch().ready()
    assert "  store      .durably/durably.db\n" in dev.output
    assert re.search(r"functions  greet\n +approve\n +logs\n +plain  \(not durable\)\n +environment ", dev.output)
    done = durably("invoke", "greet", '"you"', "--name", "n1", cwd=app, url=dev.url)
    assert done.stdout.endswith('\n"hello you"\n'), done.stderr
    dev.until(r'greet n1  ▶ execution  started  "you"')
    dev.until(r"greet n1  ● compose  step started")
    dev.until(r'greet n1  ✓ compose  step succeeded  "hello you"')
    dev.until(r'greet n1  ✓ execution  succeeded after \d+ ms  "hello you"')
    assert dev.stop() == 0
    assert "Stopped. Unfinished executions continue when you start it again.\n" in dev.output
    assert (app / ".durably" / ".gitignore").read_text() == "*\n"
    assert not (app / ".durably" / "durably.db-wal").exists()


def test_sigterm_stops_it_too(launch: Callable[..., Dev]) -> None:
    dev = launch("--store", ":memory:").ready()
    dev.signal(signal.SIGTERM)
    assert dev.ended() == 0
    assert dev.output.endswith("Stopped.\n")


def test_an_execution_survives_the_killing_of_the_service(launch: Callable[..., Dev], app: Path) -> None:
    port = _free_port()
    first = launch("--port", port).ready()
    order = Durably("invoke", "approve", '"order"', cwd=app, environment={"AWS_ENDPOINT_URL_LAMBDA": first.url})
    try:
        callback_id = order.until(r"durably callback succeed (\S+) RESULT")[1]
        first.until("question submitter  step succeeded")
        first.kill()
        second = launch("--port", port).ready()
        assert durably("callback", "succeed", callback_id, "yes", cwd=app, url=second.url).returncode == 0
        assert order.ended() == 0
        assert order.output.endswith('\n"order: yes"\n')
        second.until(r"✓ question  callback succeeded")
        second.until(r"✓ execution  succeeded after")
    finally:
        order.kill()
    assert (app / "ledger").read_text().splitlines() == ["first", "asked", "last"]


def test_functions_may_run_in_processes_of_their_own(launch: Callable[..., Dev], app: Path) -> None:
    dev = launch("--workers", "1").ready()
    done = durably("invoke", "greet", '"you"', cwd=app, url=dev.url)
    assert done.stdout.endswith('\n"hello you"\n'), done.stdout + done.stderr
    assert json_of(durably("invoke", "plain", "1", "--json", cwd=app, url=dev.url))["Payload"] == f'"{dev.url}"'
    assert dev.stop() == 0


def test_json_is_one_document_per_line_whatever_functions_print(app: Path) -> None:
    dev = Dev("app.py", "--json", cwd=app, stderr=subprocess.DEVNULL)
    try:
        dev.until('"Event":"Serving"')
        serving = json.loads(dev.output)
        assert serving["Functions"] == ["greet", "approve", "logs", "plain", "environment"]
        durably("invoke", "plain", cwd=app, url=serving["Url"])
        durably("invoke", "greet", '"you"', cwd=app, url=serving["Url"])
        dev.until("ExecutionSucceeded")
        assert dev.stop() == 0
    finally:
        dev.kill()
    kinds = [json.loads(line).get("EventType") for line in dev.output.splitlines()]
    assert kinds[1:4] == ["ExecutionStarted", "StepStarted", "StepSucceeded"]


@pytest.mark.parametrize("options", [(), ("--workers", "1")], ids=["in-process", "workers"])
def test_what_functions_log_and_print_is_shown(launch: Callable[..., Dev], app: Path, options: tuple[str, ...]) -> None:
    dev = launch(*options).ready()
    durably("invoke", "plain", cwd=app, url=dev.url)
    dev.until("printed by plain")
    durably("invoke", "logs", cwd=app, url=dev.url)
    dev.until("logged by logs")


def test_an_address_others_can_reach_is_pointed_out(launch: Callable[..., Dev]) -> None:
    dev = launch("--host", "0.0.0.0", "--store", ":memory:").ready()
    assert "Whoever can reach this address can run these functions." in dev.output


_TOLD = ["AWS_ENDPOINT_URL_LAMBDA", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]


@pytest.mark.parametrize("options", [(), ("--workers", "1")], ids=["in-process", "workers"])
@pytest.mark.parametrize(
    ("exported", "region", "key"),
    [
        ({}, "us-east-1", "local"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-north-1"}, "eu-west-1", "local"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, "eu-north-1", "local"),
        ({"AWS_CONFIG_FILE": "config"}, "ap-south-1", "local"),
        (
            {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "A"},
            "us-east-1",
            "A",
        ),
    ],
    ids=["nothing", "both", "default", "profile", "another-service"],
)
def test_functions_find_the_service_region_and_credentials_in_their_environment(
    launch: Callable[..., Dev], app: Path, options: tuple[str, ...], exported: dict[str, str], region: str, key: str
) -> None:
    (app / "config").write_text("[default]\nregion = ap-south-1\n")
    dev = launch("--no-reload", *options, environment=exported).ready()
    told = json_of(durably("invoke", "environment", json.dumps(_TOLD), cwd=app, url=dev.url))
    assert told == {
        "AWS_ENDPOINT_URL_LAMBDA": dev.url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": key,
    }


# ---- reload -----------------------------------------------------------------------------------------------


def test_changed_code_is_served_and_broken_code_is_not(launch: Callable[..., Dev], app: Path) -> None:
    dev = launch().ready()
    path = app / "app.py"

    def greeting() -> object:
        return json_of(durably("invoke", "greet", '"you"', "--json", cwd=app, url=dev.url))["Result"]

    assert greeting() == '"hello you"'
    replace(path, APP.replace("hello", "goodbye"))
    dev.until(r"reload  app\.py changed; serving greet, approve, logs, plain, environment")
    assert greeting() == '"goodbye you"'

    replace(path, "import no_such_module\n" + APP)
    dev.until(r"reload  failed, still serving the code from before: app\.py does not import")
    dev.until("ModuleNotFoundError: No module named 'no_such_module'")
    assert greeting() == '"goodbye you"'

    replace(path, APP)
    dev.until(r"reload  app\.py changed")
    assert greeting() == '"hello you"'


@pytest.mark.parametrize("reload", [True, False])
def test_the_code_is_watched_unless_told_otherwise(
    app: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], reload: bool
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (app / "app.py").rename(app / "watched_app.py")
    server = Server(str(app / "watched_app.py"), "127.0.0.1", 0, ":memory:", None, True)
    before = set(threading.enumerate())
    server.start(reload=reload)
    threads = {thread.name for thread in threading.enumerate()}
    server.stop()
    assert ("durably-watch" in threads) is reload
    assert set(threading.enumerate()) <= before


# ---- what can be wrong ------------------------------------------------------------------------------------


def test_a_file_that_does_not_import_shows_the_users_part_of_the_traceback(app: Path) -> None:
    (app / "broken.py").write_text("def helper():\n    return 1 / 0\n\nhelper()\n")
    done = durably("dev", "broken.py", "--port", "0", cwd=app)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "broken.py" in done.stderr
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "return 1 / 0" in done.stderr
    assert "importlib" not in done.stderr
    assert "durably/" not in done.stderr


def test_an_environment_below_the_app_is_no_part_of_the_users_traceback(app: Path) -> None:
    packages = app / ".venv" / "lib" / "site-packages"
    shutil.copytree(Path(durably_package.__file__).parent, packages / "durably")
    (packages / "dependency.py").write_text("import no_such_module\n")
    (app / "broken.py").write_text("import dependency\n")
    done = subprocess.run(
        [sys.executable, "-m", "durably.cli.main", "dev", "broken.py", "--port", "0"],
        cwd=app,
        env={**os.environ, "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: broken.py does not import (line 1 of {app / 'broken.py'}).\n")
    assert re.findall(r'  File "(.*)"', done.stderr) == [str(app / "broken.py")]
    assert "ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


@pytest.mark.parametrize(
    ("target", "complaint"),
    [("missing.py", "missing.py does not exist"), ("no.such", "no module 'no'"), ("app.py:gret", "Did you mean")],
)
def test_a_target_that_is_not_there_is_named(app: Path, target: str, complaint: str) -> None:
    done = durably("dev", target, "--port", "0", cwd=app)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_named_with_the_way_out(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = durably("dev", "app.py", "--port", str(port), cwd=app)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: 127.0.0.1:{port} is in use")
    assert "--port" in done.stderr


def test_a_store_used_by_another_service_is_named(launch: Callable[..., Dev], app: Path) -> None:
    launch("--store", "shared.db").ready()
    done = durably("dev", "app.py", "--port", "0", "--store", "shared.db", cwd=app)
    assert done.returncode == 1
    assert "shared.db is used by another durably service" in done.stderr


def test_a_store_that_is_something_else_is_left_alone(app: Path) -> None:
    (app / "letter.txt").write_text("Dear Sir or Madam, " * 400)
    done = durably("dev", "app.py", "--port", "0", "--store", "letter.txt", cwd=app)
    assert done.returncode == 1
    assert "letter.txt is not a durably store" in done.stderr
    assert (app / "letter.txt").read_text().startswith("Dear Sir")


@pytest.mark.parametrize(("port", "code"), [("70000", 1), ("-1", 1), ("x", 2)])
def test_a_port_that_is_none_is_refused(app: Path, port: str, code: int) -> None:
    done = durably("dev", "app.py", f"--port={port}", cwd=app)
    assert done.returncode == code
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_is_none_is_refused(app: Path) -> None:
    done = durably("dev", "app.py", "--host", "no-such-host.invalid", cwd=app)
    assert done.returncode == 1
    assert "no-such-host.invalid" in done.stderr
    assert "Traceback" not in done.stderr


# ---- in a terminal ------------------------------------------------------------------------------------------


def test_ctrl_c_detaches_from_a_followed_execution(launch: Callable[..., Dev], app: Path) -> None:
    dev = launch("--store", ":memory:").ready()
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "durably.cli.main", "invoke", "approve", '"x"', "--name", "watched"]
    environment = {**os.environ, "AWS_ENDPOINT_URL_LAMBDA": dev.url, "COLUMNS": "160", "PYTHONUTF8": "1"}
    # A test run in the background of a shell has SIGINT ignored, and would hand that down.
    heeding = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    with subprocess.Popen(command, stdout=slave, stderr=slave, stdin=slave, env=environment, **heeding) as process:
        os.close(slave)
        seen = ""
        while "waiting for callback question" not in seen:
            seen += os.read(master, 65536).decode()
        assert "\x1b[32m" in seen  # colours, and below them the line that changes in place
        process.send_signal(signal.SIGINT)
        while "durably follow watched" not in seen:
            seen += os.read(master, 65536).decode()
        assert "Detached; the execution goes on." in seen
        assert process.wait(PATIENCE) == 130
    os.close(master)
    shown = json_of(durably("show", "watched", "--json", cwd=app, url=dev.url))
    assert shown["Execution"]["Status"] == "RUNNING"


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])
