"""``durably invoke`` and ``durably follow``: start an execution, watch it to its end."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from typing import Any

import click

from durably.wire.api_errors import CONNECTION_ERROR, ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.limits import EXECUTION_NAME_PATTERN

from .failures import DETACHED, ENDED_BADLY, STILL_RUNNING, Failure, Unreachable, explained
from .follow import TimedOut
from .follow import follow as follow_execution
from .lookup import find_execution, unknown_function
from .narration import Narrator
from .options import Place, as_json, emit, function_option, place_options
from .payload import json_text
from .terminal import StatusLine, clean, elapsed, error_text, pretty_json, style

__all__ = ["follow", "invoke"]


@click.command()
@click.argument("function", metavar="NAME")
@click.argument("given", metavar="[INPUT]", required=False)
@click.option("--name", metavar="EXECUTION_NAME", help="Start it under this name; the same name starts only once.")
@click.option("--detach", is_flag=True, help="Start it and return.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Stop watching after this.")
@as_json
@place_options
@explained
def invoke(
    function: str, given: str | None, name: str | None, detach: bool, timeout: float | None, json_: bool, place: Place
) -> None:
    """Start an execution of the function NAME and follow it live to its end.

    INPUT is JSON text, @FILE, or - for standard input; without it the input is {}. NAME may carry a version or an
    alias (NAME:3); without one it is $LATEST.
    """
    payload = json_text(given, "INPUT") if given is not None else None
    if name is not None and not EXECUTION_NAME_PATTERN.fullmatch(name):
        raise Failure(f"--name must be 1 to 64 of letters, digits, '-' and '_', not {name!r}.")
    if _is_plain(place, function):
        if detach:
            raise Failure(f"{function} is not a durable function: there is nothing to detach from.")
        _call_plain(place, function, payload, timeout, json_)
        return
    started = _start(place, function, payload, name or _new_name())
    arn = started.get("DurableExecutionArn")
    if arn is None:
        click.echo(f"{function} was invoked; it is not a durable function, so there is nothing to follow.")
        return
    if detach:
        _print_started(arn, place, started, json_)
        return
    watch(place, arn, timeout=timeout, json_=json_)


@click.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Stop watching after this.")
@function_option
@as_json
@place_options
@explained
def follow(execution: str, timeout: float | None, function: str | None, json_: bool, place: Place) -> None:
    """Follow an execution to its end.

    EXECUTION is its ARN, the beginning of its name, or the beginning or end of its id. With --json each event is a
    line.
    """
    watch(place, find_execution(place, execution, function), timeout=timeout, json_=json_, stream=True)


def watch(place: Place, arn: str, *, timeout: float | None, json_: bool, stream: bool = False) -> None:
    """Show the execution until it ends. Leaves with the exit code of its ending.

    Parameters:
        json_: print no lines for people, but the execution at its end; with ``stream`` each event as a line instead.
    """
    import json

    narrator = Narrator(place.options)
    status = StatusLine()
    parts = ExecutionArn.parse(arn)
    again = f"durably follow{place.options} {_reference(place, parts)}"
    if not json_:
        click.echo(f"{parts.function}  {style(parts.name, bold=True)}")

    def on_events(events: list[Any]) -> None:
        status.clear()
        for event in events:
            if json_:
                if stream:
                    click.echo(json.dumps(event, ensure_ascii=False))
                continue
            line = narrator.tell(event)
            if line is not None:
                begun = narrator.tree.started
                since = f"{elapsed(line.at - begun):>10}  " if begun is not None else " " * 12
                click.echo(line.render(since))
        sys.stdout.flush()

    def on_idle(problem: str) -> None:
        if not json_:
            status.show(f"  {problem}" if problem else narrator.status(round(time.time() * 1000)))

    try:
        slowest = 2.0 if place.aws else 0.25
        ended = follow_execution(place.api, arn, on_events, on_idle, slowest=slowest, timeout=timeout)
    except KeyboardInterrupt:
        status.clear()
        click.echo(f"\nDetached; the execution goes on. Follow it again:  {again}", err=True)
        sys.exit(DETACHED)
    except TimedOut:
        status.clear()
        click.echo(f"Still running after {timeout:g} s. Follow it again:  {again}", err=True)
        sys.exit(STILL_RUNNING)
    except ApiError as exc:
        status.clear()
        if exc.code == CONNECTION_ERROR:
            raise Unreachable(exc.message, f"When it is back, follow the execution again:  {again}") from exc
        raise
    status.clear()
    if json_:
        if not stream:
            emit(ended)
    else:
        _print_ending(ended)
    if ended["Status"] != "SUCCEEDED":
        sys.exit(ENDED_BADLY)


def _print_ending(ended: dict[str, Any]) -> None:
    if ended["Status"] == "SUCCEEDED":
        click.echo()
        click.echo(pretty_json(ended.get("Result")))
        return
    error = ended.get("Error") or {}
    click.echo()
    click.echo(style(f"{ended['Status']}  ", fg="red", bold=True) + error_text(error, 2000))
    for entry in error.get("StackTrace") or ():
        click.echo("    " + style(clean(str(entry)), dim=True))


def _start(place: Place, function: str, payload: str | None, name: str) -> dict[str, Any]:
    if function.startswith("arn:"):
        bare, qualifier = function, None if function.count(":") == 7 else "$LATEST"
    else:
        bare, _, given = function.partition(":")
        qualifier = given or "$LATEST"
    try:
        return place.api.call(
            "Invoke",
            FunctionName=bare,
            Qualifier=qualifier,
            InvocationType="Event",
            DurableExecutionName=name,
            Payload=payload,
        )
    except ApiError as exc:
        if exc.code == "ResourceNotFoundException":
            raise unknown_function(place, function, exc) from exc
        raise


def _is_plain(place: Place, function: str) -> bool:
    bare = function.split(":")[0]
    return any(known["FunctionName"] == bare and known.get("Durable") is False for known in place.functions())


def _call_plain(place: Place, function: str, payload: str | None, timeout: float | None, json_: bool) -> None:
    bare = function.split(":")[0]
    answer = place.api.call("Invoke", FunctionName=bare, Payload=payload, read_timeout=timeout or 900)
    if json_:
        emit(answer)
    elif "FunctionError" not in answer:
        click.echo(pretty_json(answer.get("Payload")))
    if "FunctionError" in answer:
        if not json_:
            click.echo(style("FAILED  ", fg="red", bold=True) + clean(answer.get("Payload", "")))
        sys.exit(ENDED_BADLY)


def _print_started(arn: str, place: Place, started: dict[str, Any], json_: bool) -> None:
    if json_:
        emit(started)
        return
    parts = ExecutionArn.parse(arn)
    click.echo(f"{parts.function}  {style(parts.name, bold=True)}  started")
    click.echo(f"Follow it:  durably follow{place.options} {_reference(place, parts)}")


def _reference(place: Place, parts: ExecutionArn) -> str:
    """The shortest thing that names the execution."""
    return f"'{parts}'" if place.aws else parts.name


def _new_name() -> str:
    """A name that sorts by time and that a person can type."""
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S-") + os.urandom(2).hex()
