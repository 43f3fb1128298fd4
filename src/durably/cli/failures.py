"""What goes wrong in a command: one message for people, one exit code for scripts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import IO, Any, Final, ParamSpec, TypeVar

import click

from durably.client.credentials import MissingCredentials
from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from .terminal import style

__all__ = [
    "DETACHED",
    "ENDED_BADLY",
    "STILL_RUNNING",
    "UNREACHABLE",
    "USAGE",
    "CannotServe",
    "Failure",
    "Unreachable",
    "explained",
]

ENDED_BADLY: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
STILL_RUNNING: Final = 4
DETACHED: Final = 130

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Failure(click.ClickException):
    """Ends the command. ``remedy`` says what to do, on a line of its own."""

    exit_code = USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(style("error: ", fg="red", bold=True) + self.message, err=True)
        if self.remedy:
            click.echo(self.remedy, err=True)


class Unreachable(Failure):
    exit_code = UNREACHABLE


class CannotServe(Failure):
    """The service of this machine could not be started."""

    exit_code = ENDED_BADLY


def explained(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """A command whose API errors end as :class:`Failure`."""

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except ApiError as exc:
            raise failure_of(exc) from exc
        except MissingCredentials as exc:
            raise Failure(str(exc)) from exc

    return wrapper


def failure_of(exc: ApiError) -> Failure:
    if exc.code == CONNECTION_ERROR:
        if isinstance(exc.__cause__, ConnectionRefusedError):
            url = exc.message.removeprefix("cannot reach ").split(": ", 1)[0]
            return Unreachable(
                f"nothing listens at {url}.",
                "Start the service there with 'durably dev app.py', or name another: --endpoint-url URL, or --aws.",
            )
        return Unreachable(exc.message)
    server_side = exc.status is not None and (exc.status >= 500 or exc.status == 429)
    return (Unreachable if server_side else Failure)(f"{exc.message} ({exc.code})")
