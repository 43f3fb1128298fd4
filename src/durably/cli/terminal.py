"""How things look in a terminal: durations, times, previews, marks, and a status line."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

__all__ = [
    "StatusLine",
    "clean",
    "clock_time",
    "duration",
    "elapsed",
    "error_text",
    "mark",
    "moment",
    "pretty_json",
    "preview",
    "style",
    "table",
]

_ASCII: Final = {
    "▶": ">", "●": "*", "✓": "+", "✗": "x", "↻": "~", "◷": "o", "✉": "?", "→": "->", "■": "#", "‖": "=", "⚠": "!",
    "▸": ">",
}  # fmt: skip


def style(text: str, **how: Any) -> str:
    """``text`` with colours and the like, but not under NO_COLOR. click.echo takes them off again where the output is
    no terminal."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **how)


def mark(glyph: str) -> str:
    """``glyph``, or its stand-in where the output cannot show it."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        glyph.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _ASCII.get(glyph, "*")
    return glyph


def clean(text: str) -> str:
    """``text`` on one line without control characters: users' data must not steer the terminal."""
    joined = " ".join(text.split())
    return (
        joined
        if joined.isprintable()
        else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)
    )


def preview(payload: str | None, width: int = 100) -> str:
    """A payload on one line, shortened."""
    if payload is None:
        return ""
    shown = clean(payload[: width * 4])
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def error_text(error: Any, width: int = 200) -> str:
    """``Type: message`` of an ErrorObject."""
    if not isinstance(error, dict):
        return "unknown error"
    kind = clean(str(error.get("ErrorType") or ""))
    message = preview(str(error.get("ErrorMessage") or ""), width)
    return ": ".join(part for part in (kind, message) if part) or "unknown error"


def duration(ms: float) -> str:
    """Milliseconds as people say them: ``12 ms``, ``3.2 s``, ``2 min 5 s``, ``3 d 4 h``."""
    if ms < 1000:
        return f"{max(0, round(ms))} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for size, name, smaller, smaller_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + (f" {rest} {smaller_name}" if rest else "")
    return f"{whole} s"


def elapsed(ms: float) -> str:
    """The same for a column: in hundredths of a second for as long as that says something."""
    return f"+{ms / 1000:.2f} s" if ms < 600_000 else f"+{duration(ms)}"


def clock_time(ms: int, *, now_ms: int | None = None) -> str:
    """A moment of today as ``12:00:05``, of another day with its date."""
    local = datetime.fromtimestamp(ms / 1000).astimezone()
    today = datetime.fromtimestamp((now_ms if now_ms is not None else time.time() * 1000) / 1000).astimezone()
    return local.strftime("%H:%M:%S" if local.date() == today.date() else "%Y-%m-%d %H:%M:%S")


def moment(ms: int | None) -> str:
    """A moment with its date."""
    return "" if ms is None else datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def pretty_json(payload: str | None) -> str:
    """A payload laid out for reading, or as it is when it is not JSON."""
    if payload is None:
        return ""
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except ValueError:
        return payload


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: frozenset[int] = frozenset()) -> list[str]:
    """Aligned lines. Cells may be styled. Nothing is cut, so that names can be copied, but the last column where a
    terminal's line ends."""
    widths = [max(len(click.unstyle(row[column])) for row in (header, *rows)) for column in range(len(header))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 100_000
    room = max(24, room - sum(widths[:-1]) - 2 * len(widths) + 1)
    lines: list[str] = []
    for number, row in enumerate((header, *rows)):
        cells: list[str] = []
        for column, cell in enumerate(row):
            last = column == len(row) - 1
            if last and len(click.unstyle(cell)) > room:
                cell = click.unstyle(cell)[: room - 1] + "…"
            padding = "" if last and column not in right else " " * (widths[column] - len(click.unstyle(cell)))
            cells.append(padding + cell if column in right else cell + padding)
        line = "  ".join(cells).rstrip()
        lines.append(style(line, bold=True) if number == 0 else line)
    return lines


class StatusLine:
    """One line below the output that changes in place; nothing where the output is not a terminal."""

    def __init__(self) -> None:
        self._on = sys.stdout.isatty()
        self._shown = ""

    def show(self, text: str) -> None:
        if not self._on or text == self._shown:
            return
        width = shutil.get_terminal_size().columns - 1
        sys.stdout.write("\r\x1b[K" + style(text[:width], dim=True))
        sys.stdout.flush()
        self._shown = text

    def clear(self) -> None:
        if self._on and self._shown:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
            self._shown = ""
