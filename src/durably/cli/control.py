"""``durably stop``, ``pause``, ``resume`` and ``delete``."""

from __future__ import annotations

from typing import Any

import click

from .failures import explained
from .lookup import find_execution
from .options import Place, as_json, emit, function_option, place_options

__all__ = ["delete", "pause", "resume", "stop"]


@click.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--error-type", metavar="TYPE", help="ErrorType to record.")
@click.option("--message", metavar="TEXT", help="ErrorMessage to record.")
@function_option
@as_json
@place_options
@explained
def stop(
    execution: str, error_type: str | None, message: str | None, function: str | None, json_: bool, place: Place
) -> None:
    """Stop an execution for good.

    EXECUTION is its ARN, its whole name, or its id or at least 4 characters from the beginning or end of it.
    """
    members = {"ErrorType": error_type, "ErrorMessage": message}
    error = {name: value for name, value in members.items() if value is not None}
    _act(place, "Stop", execution, function, json_, "Stopped", Error=error or None)


@click.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--reason", metavar="TEXT", help="Why.")
@function_option
@as_json
@place_options
@explained
def pause(execution: str, reason: str | None, function: str | None, json_: bool, place: Place) -> None:
    """Pause an execution: waits and callbacks still complete, but its code does not run until it is resumed.

    EXECUTION is its ARN, its whole name, or its id or at least 4 characters from the beginning or end of it.
    """
    _act(place, "Pause", execution, function, json_, "Paused", Reason=reason)


@click.command()
@click.argument("execution", metavar="EXECUTION")
@click.option("--reason", metavar="TEXT", help="Why.")
@function_option
@as_json
@place_options
@explained
def resume(execution: str, reason: str | None, function: str | None, json_: bool, place: Place) -> None:
    """Resume a paused execution.

    EXECUTION is its ARN, its whole name, or its id or at least 4 characters from the beginning or end of it.
    """
    _act(place, "Resume", execution, function, json_, "Resumed", Reason=reason)


@click.command()
@click.argument("execution", metavar="EXECUTION")
@function_option
@as_json
@place_options
@explained
def delete(execution: str, function: str | None, json_: bool, place: Place) -> None:
    """Delete an execution that has ended, with its history.

    EXECUTION is its ARN, its whole name, or its id or at least 4 characters from the beginning or end of it.
    """
    _act(place, "Delete", execution, function, json_, "Deleted")


def _act(place: Place, verb: str, execution: str, function: str | None, json_: bool, done: str, **members: Any) -> None:
    arn = find_execution(place, execution, function, to_change=True)
    answer = place.api.call(f"{verb}DurableExecution", DurableExecutionArn=arn, **members)
    if json_:
        emit({"DurableExecutionArn": arn, **answer})
    else:
        click.echo(f"{done} {arn.rsplit('/', 2)[1]}.")
