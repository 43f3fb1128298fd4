"""``durably``: the group of commands, none of which is imported before it is asked for."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any, Final

import click

from durably._version import __version__

__all__ = ["cli"]

# name -> (module, attribute, help line)
_COMMANDS: Final[dict[str, tuple[str, str, str]]] = {
    "dev": ("dev", "dev", "Serve the functions of a file, with reload."),
    "invoke": ("invoke", "invoke", "Start an execution and follow it to its end."),
    "follow": ("invoke", "follow", "Follow an execution that is under way."),
    "list": ("look", "list_", "List executions, newest first."),
    "show": ("look", "show", "Show an execution and its operations."),
    "history": ("look", "history", "Show what happened in an execution, event by event."),
    "replay": ("replay", "replay", "Check code against the record of an execution."),
    "callback": ("callback", "callback", "Answer a callback: succeed, fail or heartbeat."),
    "stop": ("control", "stop", "Stop an execution for good."),
    "pause": ("control", "pause", "Pause an execution."),
    "resume": ("control", "resume", "Resume a paused execution."),
    "delete": ("control", "delete", "Delete an execution that has ended."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"durably.cli.{module}"), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            close = difflib.get_close_matches(args[0], _COMMANDS, 1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise click.UsageError(f"There is no command '{args[0]}'.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in _COMMANDS.items()])


_HELP = """Durable execution for Python.

\b
  durably dev app.py                    serve the functions of app.py here
  durably invoke process '{"id": 7}'    start one and watch it

Commands talk to the service at AWS_ENDPOINT_URL_LAMBDA, or else at http://127.0.0.1:9014, where 'durably dev'
listens; with --aws to the durable functions of an AWS account.

\b
Exit codes: 0 done; 1 the execution failed, timed out or was stopped; 2 bad usage or input;
3 the service cannot be reached; 4 still running when --timeout ran out; 130 detached with Ctrl-C.
"""


@click.group(
    cls=_LazyGroup, help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(__version__, prog_name="durably")
def cli() -> None: ...
