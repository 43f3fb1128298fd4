"""The log of ``durably dev``: committed events as lines, written by a thread of its own.

The listener runs on the service's thread, which must not wait for a terminal; it only hands over.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any, Final

import click

from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn

from .narration import Narrator
from .terminal import clean, clock_time, style

__all__ = ["EventLog"]

_FLOOD: Final = 20_000
"""Events waiting to be written, above which some are left out: nobody reads that fast."""
_REMEMBERED: Final = 5_000

_Item = tuple[str, list[Any]] | str | None


class EventLog:
    """Parameters:
    as_json: one JSON document per line, for programs. They go to what is standard output now.
    options: how to name the service on the command line.
    history: yields all events of an execution; asked about those that began before this log did.
    """

    def __init__(self, *, as_json: bool, options: str, history: Callable[[str], Iterable[Any]]) -> None:
        self._json = as_json
        self._history = history
        self._options = options
        self._out = sys.stdout
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._narrators: dict[str, Narrator] = {}
        self._skipped = 0
        self._thread: threading.Thread | None = None

    def listener(self, arn: str, events: list[Any]) -> None:
        self._queue.put((arn, events))

    def worker_message(self, function: str, request_id: str | None, at_ms: int, message: str) -> None:
        """Output of a worker process."""
        if self._json:
            self._queue.put(_json({"Event": "Output", "Function": function, "RequestId": request_id, "Text": message}))
        else:
            text = _readable(message.rstrip("\n"))
            self._queue.put(f"{clock_time(at_ms)}  {style(clean(function), dim=True)}  {text}")

    def say(self, subject: str, text: str, *, bad: bool = False) -> None:
        """A line about the server itself."""
        if self._json:
            self._queue.put(_json({"Event": subject.capitalize(), "Failed": bad, "Text": text}))
        else:
            self._queue.put(f"{style(subject, fg='red' if bad else 'cyan')}  {text.rstrip()}")

    def emit(self, shape: Any) -> None:
        click.echo(_json(shape), file=self._out)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="durably-log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is waiting and end."""
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(2)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                for line in self._lines(item):
                    click.echo(line, file=self._out)
            except (BrokenPipeError, ValueError):
                return  # nobody reads any more

    def _lines(self, item: tuple[str, list[Any]] | str) -> list[str]:
        if isinstance(item, str):
            return [item]
        arn, events = item
        if self._json:
            return [_json({"Event": "Execution", "DurableExecutionArn": arn, **event}) for event in events]
        flood = self._queue.qsize() > _FLOOD
        narrator = self._narrators.get(arn)
        if narrator is None:
            if len(self._narrators) >= _REMEMBERED:
                del self._narrators[next(iter(self._narrators))]
            narrator = self._narrators[arn] = Narrator(self._options, width=60)
            self._catch_up(narrator, arn, events[0]["EventId"])
        parts = ExecutionArn.parse(arn)
        name = parts.name if len(parts.name) <= 24 else parts.name[:23] + "…"
        who = style(f"{parts.function} {name}", dim=True)
        lines: list[str] = []
        for event in events:
            line = narrator.tell(event)
            if line is None:
                continue
            if flood:
                self._skipped += 1
                continue
            if self._skipped:
                lines.append(style(f"({self._skipped} lines left out: too many at once)", dim=True))
                self._skipped = 0
            lines.append(line.render(f"{clock_time(line.at, now_ms=line.at)}  {who}  "))
        if narrator.tree.ended is not None:
            del self._narrators[arn]
        return lines

    def _catch_up(self, narrator: Narrator, arn: str, until: int) -> None:
        if until == 1:
            return
        try:
            for event in self._history(arn):
                if event["EventId"] >= until:
                    return
                narrator.tell(event)
        except ApiError:
            pass  # deleted, or the service is closing: the lines are poorer for it


def _readable(message: str) -> str:
    """The level, message and traceback of a log record as Lambda writes it in JSON; anything else as it is."""
    if not message.startswith("{"):
        return message
    try:
        record = json.loads(message)
    except ValueError:
        return message
    if not isinstance(record, dict) or not isinstance(record.get("message"), str) or "level" not in record:
        return message
    trace = record.get("stackTrace")
    lines = [str(entry).rstrip("\n") for entry in trace] if isinstance(trace, list) else []
    if record.get("errorMessage"):
        lines.append(f"{record.get('errorType') or 'Error'}: {record['errorMessage']}")
    return "\n".join([f"{record['level']:<7} {record['message']}", *lines])


def _json(shape: Any) -> str:
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
