"""Function logs in files, read back the way CloudWatch Logs would answer.

Standard library only: the serving process writes with :class:`LogWriter`, the runner's process reads with
:class:`LogReader`. One file a function, one JSON object a line.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

_EQUALS = re.compile(r'\$\.(\w+) = "((?:[^"\\]|\\.)*)"')


class LogWriter:
    """Appends log records; safe to call from any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()

    def write(self, function: str, timestamp_ms: int, message: str) -> None:
        line = json.dumps({"timestamp": timestamp_ms, "message": message})
        with self._lock, (self._directory / f"{function}.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


class LogReader:
    """The one call of a CloudWatch Logs client that the official runner makes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def filter_log_events(
        self,
        *,
        logGroupName: str,
        startTime: int = 0,
        endTime: int | None = None,
        filterPattern: str = "",
    ) -> dict[str, Any]:
        """Records of one function between two times (epoch milliseconds, inclusive), in order of writing.

        Of the filter language only what the runner sends is understood: equalities on fields of a JSON record,
        joined by ``||``. A record that is no JSON object then never matches.
        """
        wanted = [(field, _unescaped(value)) for field, value in _EQUALS.findall(filterPattern)]
        if filterPattern and not wanted:
            raise ValueError(f"filter pattern {filterPattern!r} is not understood: only equalities are")
        path = self._directory / f"{logGroupName.rsplit('/', 1)[-1]}.jsonl"
        written = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = written[: written.rfind("\n") + 1].splitlines()  # the last may be half written
        events = [json.loads(line) for line in lines]
        return {
            "events": [
                event
                for event in events
                if startTime <= event["timestamp"] <= (endTime if endTime is not None else event["timestamp"])
                and (not wanted or _has_one_of(event["message"], wanted))
            ]
        }


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def _has_one_of(message: str, wanted: list[tuple[str, str]]) -> bool:
    try:
        record = json.loads(message)
    except ValueError:
        return False
    return isinstance(record, dict) and any(record.get(field) == value for field, value in wanted)
