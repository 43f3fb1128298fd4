"""``durably replay``: does today's code still follow a recorded execution? And ``durably history --export``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .failures import ENDED_BADLY, Failure
from .options import Place, as_json, emit
from .terminal import style

if TYPE_CHECKING:
    from durably.testing.history import History
    from durably.testing.replay_report import ReplayReport

__all__ = ["export", "replay"]


@click.command()
@click.argument("history", metavar="HISTORY")
@click.argument("target", metavar="TARGET")
@click.option("--all", "everything", is_flag=True, help="Show every operation, not only those around a difference.")
@as_json
def replay(history: str, target: str, everything: bool, json_: bool) -> None:
    """Run the code of TARGET over the recorded execution HISTORY, and show whether it follows it.

    HISTORY is a file that 'durably history EXECUTION --export FILE' wrote, or a folder of them. TARGET is a file
    (app.py), a module (package.module), or one function of either (app.py:process). No step is run, and no service is
    needed.

    \b
    Exit codes: 0 it follows; 1 it does not; 2 it cannot be told (no history, no such function).
    """
    from durably.testing.history import HistoryError
    from durably.testing.replaying import histories_in

    from .dev import load

    functions = load(target, {}, "us-east-1").functions
    path = Path(history)
    reports: list[tuple[Path, ReplayReport]] = []
    try:
        for file in histories_in(path) if path.is_dir() else [path]:
            reports.append((file, _replay(file, functions, target)))
    except HistoryError as exc:
        raise Failure(f"{exc}.") from exc
    if json_:
        shapes = [{"File": str(file), **report.to_dict()} for file, report in reports]
        emit({"Follows": all(shape["Follows"] for shape in shapes), "Replays": shapes} if path.is_dir() else shapes[0])
    else:
        for number, (_, report) in enumerate(reports):
            click.echo(("\n" if number else "") + _coloured(report.text(everything=everything)))
        if len(reports) > 1:
            bad = sum(not report.ok for _, report in reports)
            click.echo(f"\n{len(reports) - bad} of {len(reports)} histories are followed.")
    if any(not report.ok for _, report in reports):
        sys.exit(ENDED_BADLY)


def export(place: Place, arn: str, path: str) -> History:
    """Write the history of an execution to a file."""
    from durably.testing.export import export_history
    from durably.testing.history import HistoryError

    try:
        history = export_history(arn, place.api)
        history.save(path)
    except HistoryError as exc:
        raise Failure(f"{exc}.") from exc
    except OSError as exc:
        raise Failure(f"cannot write {path}: {exc.strerror or exc}.") from exc
    return history


def _replay(file: Path, functions: Any, target: str) -> ReplayReport:
    from durably.testing.history import History
    from durably.testing.replaying import replay as replay_over

    history = History.load(file)
    return replay_over(_function_for(history, functions, target), history)


def _function_for(history: History, functions: Any, target: str) -> Any:
    """The function that the execution is one of: the only one there is, or the one of its name."""
    from durably.execution import durable_function_of

    of_each = {name: durable_function_of(one.handler) for name, one in functions.items()}
    found = {name: function for name, function in of_each.items() if function is not None}
    if not found:
        raise Failure(
            f"{target} has no function that can be replayed.",
            "What can be replayed are functions decorated with durably's @durable_execution.",
        )
    if len(found) == 1:
        return next(iter(found.values()))
    if history.function_name not in found:
        raise Failure(
            f"the execution is one of {history.function_name}, and {target} has no function of that name.",
            f"Name the one to replay it with: {target}:NAME, NAME being one of {', '.join(found)}.",
        )
    return found[history.function_name]


def _coloured(text: str) -> str:
    colours = {"≠": "red", "-": "red", "+": "red", ">": "cyan"}
    lines: list[str] = []
    for line in text.split("\n"):
        mark = colours.get(line[:1]) if line[1:2] == " " else None
        if line.startswith(("DIFFERS", "also: ")):
            mark = "red"
        elif line.startswith("FOLLOWS"):
            mark = "green"
        lines.append(line if mark is None else style(line, fg=mark))
    return "\n".join(lines)
