"""``durably callback``: answer what an execution waits for."""

from __future__ import annotations

from typing import Any

import click

from .failures import explained
from .options import Place, as_json, emit, place_options
from .payload import text

__all__ = ["callback"]


@click.group()
def callback() -> None:
    """Answer a callback. 'durably show' and 'durably invoke' tell the ids of those that wait."""


@callback.command()
@click.argument("callback_id", metavar="ID")
@click.argument("result", metavar="[RESULT]", default="")
@as_json
@place_options
@explained
def succeed(callback_id: str, result: str, json_: bool, place: Place) -> None:
    """Complete the callback ID with RESULT: text, @FILE, or - for standard input.

    The text is sent as it is. A callback with a result type expects JSON: '"yes"' for a string, '{"ok": true}'.
    """
    _send(place, "Success", callback_id, json_, Result=text(result))


@callback.command()
@click.argument("callback_id", metavar="ID")
@click.option("--error-type", metavar="TYPE", help="ErrorType of the failure.")
@click.option("--message", metavar="TEXT", help="ErrorMessage of the failure.")
@click.option("--data", metavar="TEXT", help="ErrorData of the failure: text, @FILE or -.")
@as_json
@place_options
@explained
def fail(
    callback_id: str, error_type: str | None, message: str | None, data: str | None, json_: bool, place: Place
) -> None:
    """Fail the callback ID."""
    members = {"ErrorType": error_type, "ErrorMessage": message, "ErrorData": text(data) if data is not None else None}
    error = {name: value for name, value in members.items() if value is not None}
    _send(place, "Failure", callback_id, json_, Error=error)


@callback.command()
@click.argument("callback_id", metavar="ID")
@as_json
@place_options
@explained
def heartbeat(callback_id: str, json_: bool, place: Place) -> None:
    """Say that whoever will answer the callback ID is still at it."""
    _send(place, "Heartbeat", callback_id, json_)


def _send(place: Place, kind: str, callback_id: str, json_: bool, **members: Any) -> None:
    place.api.call(f"SendDurableExecutionCallback{kind}", CallbackId=callback_id, **members)
    if json_:
        emit({"CallbackId": callback_id, "Sent": kind})
    else:
        click.echo({"Success": "Succeeded.", "Failure": "Failed.", "Heartbeat": "Heartbeat sent."}[kind])
