"""Text given on the command line: as it stands, ``@file``, or ``-`` for standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from .failures import Failure

__all__ = ["json_text", "text"]

_JSON_SPACE: Final = " \t\r\n"


def text(given: str) -> str:
    """What ``given`` means."""
    if given == "-":
        data, origin = sys.stdin.buffer.read(), "standard input"
    elif given.startswith("@"):
        origin = given[1:]
        try:
            data = Path(origin).expanduser().read_bytes()
        except OSError as exc:
            raise Failure(f"cannot read {origin or 'the file'}: {exc.strerror or exc}.") from exc
    else:
        return given
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Failure(f"{origin} is not UTF-8 text (byte {exc.start}).") from exc


def json_text(given: str, what: str) -> str:
    """The same, checked to be JSON, without the white space around it. The error shows the place.

    An execution's name stands for its input as text: the final newline of a file must not make it another.
    """
    content = text(given)
    try:
        json.loads(content, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        lines = content.splitlines() or [""]
        line = lines[exc.lineno - 1] if exc.lineno <= len(lines) else ""
        start = max(0, exc.colno - 41)
        shown = line[start : start + 80].replace("\t", " ")
        pointer = " " * (exc.colno - 1 - start) + "^"
        raise Failure(
            f"{what} is not valid JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.",
            f"    {shown}\n    {pointer}\n{_hint(content)}".rstrip(),
        ) from exc
    except _Constant as exc:
        raise Failure(f"{what} is not valid JSON: {exc} is not a JSON value.") from exc
    except RecursionError as exc:
        raise Failure(f"{what} is nested too deeply.") from exc
    return content.strip(_JSON_SPACE)


class _Constant(ValueError):
    pass


def _refuse_constant(name: str) -> object:
    raise _Constant(name)


def _hint(content: str) -> str:
    stripped = content.strip()
    if not stripped:
        return "It is empty; leave it out for {}, or write null."
    if stripped.startswith(("{'", "['", "'")):
        return "JSON strings are written with double quotes."
    if stripped.replace("_", "").replace("-", "").isalnum() and not stripped[0].isdigit():
        return f"A string is written with its quotes: '\"{stripped}\"'."
    return ""
