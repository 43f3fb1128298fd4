"""``durably dev``: the embedded service with the functions of a file, for the terminal of a developer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from .failures import CannotServe, Failure, explained
from .options import as_json

__all__ = ["TEMPLATE_SUFFIXES", "dev", "is_template", "load", "store_for"]

TEMPLATE_SUFFIXES: Final = (".yaml", ".yml", ".json", ".template")


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", metavar="PORT", type=int, default=9014, show_default=True, help="0 for any free one.")
@click.option("--store", metavar="FILE", help="SQLite file, or :memory:. [default: .durably/durably.db beside the app]")
@click.option("--workers", metavar="N", type=click.IntRange(1), help="Run functions in up to N processes each.")
@click.option(
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of a template, or what one of its resources is called. Repeatable.",
)
@click.option("--no-reload", is_flag=True, help="Do not reload when the code changes.")
@as_json
@explained
def dev(
    target: str,
    host: str,
    port: int,
    store: str | None,
    workers: int | None,
    parameters: tuple[str, ...],
    no_reload: bool,
    json_: bool,
) -> None:
    """Serve every function of TARGET on the embedded service, and log what happens.

    TARGET is a file (app.py), a module (package.module), one function of either (app.py:process), or a SAM or
    CloudFormation template (template.yaml), whose functions run in processes of their own. Executions are kept in a
    SQLite file: stop this command, or kill it, and they go on when it is started again.
    """
    from .server import Server

    server = Server(target, host, port, store, workers, json_, assigned(parameters))
    stop = threading.Event()
    _on_signals(stop.set)
    try:
        server.start(reload=not no_reload)
        # In slices: a wait without end would keep the main thread from seeing signals on some systems.
        while not stop.wait(3600):
            pass
    finally:
        server.stop()


def _on_signals(stop: Callable[[], None]) -> None:
    """The first Ctrl-C or SIGTERM asks for an end, the second does not ask."""
    asked = False

    def handler(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        asked = True
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def store_for(given: str | None, target: str) -> tuple[Any, str]:
    """The store and how to call it to the user."""
    if given == ":memory:":
        from durably.service.store.memory import MemoryStore

        return MemoryStore(), "in memory: executions end with this process"
    from durably.service.store.sqlite import SqliteStore

    path = Path(given).expanduser() if given else _beside(target) / ".durably" / "durably.db"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if given is None:
            ignore = path.parent / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
    except OSError as exc:
        raise CannotServe(f"cannot make the directory {path.parent}: {exc.strerror or exc}.") from exc
    return SqliteStore(path), str(path)


def is_template(target: str) -> bool:
    return target.endswith(TEMPLATE_SUFFIXES)


def _beside(target: str) -> Path:
    """The directory of a file; the working directory for a module."""
    place = target.rpartition(":")[0] if ".py:" in target else target
    return Path(place).expanduser().parent if place.endswith((".py", *TEMPLATE_SUFFIXES)) else Path()


def assigned(assignments: tuple[str, ...]) -> dict[str, str]:
    """``NAME=VALUE``, as a user gives it."""
    for assignment in assignments:
        if not assignment.partition("=")[1] or not assignment.partition("=")[0]:
            raise Failure(f"--parameter {assignment!r} assigns nothing.", "Write --parameter NAME=VALUE.")
    return dict(assignment.split("=", 1) for assignment in assignments)


def load(target: str, parameters: dict[str, str], region: str) -> Any:
    """The functions of ``target``, or a Failure that shows what the user's code did."""
    from durably.workers.loader import LoadError, load_functions

    try:
        if is_template(target):
            from durably.workers.template import load_template

            return load_template(target, parameters, region=region)
        if parameters:
            raise Failure(f"--parameter is for templates, and {target} is none.")
        return load_functions(target)
    except RuntimeError as exc:
        raise CannotServe(f"{exc}.") from exc
    except LoadError as exc:
        raise Failure(exc.message, "\n".join(part for part in (exc.detail, exc.remedy) if part)) from exc
