"""``durably list``, ``show`` and ``history``: look at executions."""

from __future__ import annotations

import time
from typing import Any, Final

import click

from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.names import ExecutionStatus

from .failures import explained
from .lookup import executions, find_execution, unknown_function
from .narration import Narrator
from .options import Place, as_json, emit, function_option, place_options
from .terminal import clean, clock_time, duration, elapsed, error_text, moment, pretty_json, preview, style, table
from .tree import ExecutionTree, Node

__all__ = ["history", "list_", "show"]

_COLOURS: Final = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "STOPPED": "red",
    "RUNNING": "cyan",
    "STARTED": "cyan",
    "PENDING": "yellow",
    "PAUSING": "yellow",
    "PAUSED": "yellow",
    "CANCELLED": "bright_black",
}


@click.command("list")
@click.option("-f", "--function", metavar="NAME", help="Only of this function (needed on AWS).")
@click.option(
    "-s",
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([status.value for status in ExecutionStatus], case_sensitive=False),
    metavar="STATUS",
    help="Only in this status (may be repeated): " + ", ".join(status.value for status in ExecutionStatus) + ".",
)
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@as_json
@place_options
@explained
def list_(function: str | None, statuses: tuple[str, ...], limit: int, json_: bool, place: Place) -> None:
    """List executions, newest first."""
    try:
        found = executions(place, function, limit, Statuses=[status.upper() for status in statuses] or None)
    except ApiError as exc:
        if exc.code == "ResourceNotFoundException" and function:
            raise unknown_function(place, function, exc) from exc
        raise
    if json_:
        emit(found)
        return
    if not found:
        click.echo("No executions" + (" match." if function or statuses else " yet."))
        return
    now = round(time.time() * 1000)
    rows: list[tuple[str, ...]] = []
    for execution in found:
        arn = ExecutionArn.parse(execution["DurableExecutionArn"])
        took = duration((execution.get("EndTimestamp") or now) - execution["StartTimestamp"])
        rows.append((_status(execution["Status"]), arn.function, arn.name, moment(execution["StartTimestamp"]), took))
    click.echo("\n".join(table(("STATUS", "FUNCTION", "EXECUTION", "STARTED", "TOOK"), rows, frozenset({4}))))


@click.command()
@click.argument("execution", metavar="EXECUTION")
@function_option
@as_json
@place_options
@explained
def show(execution: str, function: str | None, json_: bool, place: Place) -> None:
    """Show an execution: its input, its operations as a tree, its outcome.

    EXECUTION is its ARN, the beginning of its name, or the beginning or end of its id.
    """
    arn = find_execution(place, execution, function)
    described = place.api.call("GetDurableExecution", DurableExecutionArn=arn)
    tree = ExecutionTree()
    for event in place.api.pages("GetDurableExecutionHistory", "Events", DurableExecutionArn=arn, MaxItems=1000):
        tree.apply(event)
    if json_:
        emit({"Execution": described, "Operations": [_as_dict(node) for node in tree.walk()]})
        return
    _print_head(described)
    _print_operations(tree)


@click.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--export", "path", metavar="FILE", help="Write it to FILE, to be replayed or compared.")
@function_option
@as_json
@place_options
@explained
def history(execution: str, path: str | None, function: str | None, json_: bool, place: Place) -> None:
    """Show what happened in an execution, event by event.

    EXECUTION is its ARN, the beginning of its name, or the beginning or end of its id. With --json the events as the
    service model has them, timestamps in milliseconds. With --export the whole record goes to a file, for
    'durably replay' and tests.
    """
    arn = find_execution(place, execution, function)
    if path is not None:
        from .replay import export

        exported = export(place, arn, path)
        if json_:
            emit({"File": path, "DurableExecutionArn": arn, "Status": exported.status, "Events": len(exported.events)})
        else:
            click.echo(f"{path}: {exported.name}, {exported.status}, {len(exported.events):,} events")
        return
    events = place.api.pages("GetDurableExecutionHistory", "Events", DurableExecutionArn=arn, MaxItems=1000)
    if json_:
        emit({"DurableExecutionArn": arn, "Events": list(events)})
        return
    narrator = Narrator(place.options)
    for event in events:
        line = narrator.tell(event)
        prefix = f"{event['EventId']:>5}  {clock_time(event['EventTimestamp'])}  "
        if line is None:
            click.echo(prefix + style(event["EventType"], dim=True))
        else:
            click.echo(line.render(prefix))


def _print_head(described: dict[str, Any]) -> None:
    arn = ExecutionArn.parse(described["DurableExecutionArn"])
    begun, ended = described["StartTimestamp"], described.get("EndTimestamp")
    status = described["Status"]
    click.echo(style(arn.name, bold=True) + "  " + style(status, fg=_COLOURS.get(status), bold=True))
    since = f"{duration(time.time() * 1000 - begun)} ago" if ended is None else f"took {duration(ended - begun)}"
    rows = [
        ("function", f"{arn.function}:{arn.version}"),
        ("started", f"{moment(begun)}, {since}"),
        ("arn", described["DurableExecutionArn"]),
        ("input", preview(described.get("InputPayload"), 400)),
    ]
    if "Error" in described:
        rows.append(("error", error_text(described["Error"], 400)))
    for name, value in rows:
        click.echo(f"  {name:<9} {value}")
    if "Result" in described:
        shown = pretty_json(described["Result"])
        click.echo("  result    " + shown.replace("\n", "\n            "))


def _print_operations(tree: ExecutionTree) -> None:
    if not tree.nodes:
        return
    begun = tree.started or 0
    rows = [
        (
            "  " * node.depth + clean(node.label),
            node.kind,
            _status(node.status),
            str(node.attempt) if node.type == "Step" else "",
            elapsed(node.started - begun),
            duration(node.ended - node.started) if node.ended is not None else "",
            _detail(node),
        )
        for node in tree.walk()
    ]
    header = ("OPERATION", "KIND", "STATUS", "TRIES", "AT", "TOOK", "DETAIL")
    click.echo()
    click.echo("\n".join(table(header, rows, frozenset({3, 4, 5}))))


def _detail(node: Node) -> str:
    if node.error is not None:
        text = error_text(node.error, 80)
        return f"{text}; again at {clock_time(node.until)}" if node.until is not None else text
    if node.until is not None:
        return f"until {clock_time(node.until)}"
    if node.type == "Callback" and node.ended is None:
        return f"id {node.callback_id}"
    if node.type == "ChainedInvoke" and node.ended is None:
        return node.target or ""
    return preview(node.result, 80)


def _status(status: str) -> str:
    return style(status, fg=_COLOURS.get(status))


def _as_dict(node: Node) -> dict[str, Any]:
    shape = {
        "Id": node.id,
        "ParentId": node.parent.id if node.parent is not None else None,
        "Type": node.type,
        "Kind": node.kind,
        "Name": node.name or None,
        "Status": node.status,
        "StartTimestamp": node.started,
        "EndTimestamp": node.ended,
        "Attempt": node.attempt if node.type == "Step" else None,
        "Until": node.until,
        "CallbackId": node.callback_id,
        "FunctionName": node.target,
        "TargetArn": node.target_arn,
        "Input": node.input,
        "Result": node.result,
        "Error": node.error,
    }
    return {name: value for name, value in shape.items() if value is not None}
