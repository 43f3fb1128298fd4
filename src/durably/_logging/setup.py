"""Where records go, by Lambda's own settings: AWS_LAMBDA_LOG_FORMAT and AWS_LAMBDA_LOG_LEVEL."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Any, Final, Literal, TextIO

from durably.exceptions import ValidationError

from .json_format import JsonFormatter
from .options import LEVELS

__all__ = ["json_logger", "setup_logging"]

_TEXT: Final = "%(asctime)s.%(msecs)03dZ %(levelname)-8s %(name)s  %(message)s"


def setup_logging(
    log_format: Literal["JSON", "Text"] | None = None,
    level: int | str | None = None,
    *,
    stream: TextIO | None = None,
) -> None:
    """Set the root logger up, once for all loggers of the program. Call it again to change it.

    In a Lambda function the runtime's own handler goes on printing the records: for JSON it gets a
    :class:`JsonFormatter`, unless it prints JSON already. Elsewhere a handler for stdout is added. No record is printed
    twice; handlers of yours stay as they are.

    Parameters:
        log_format: "JSON" or "Text"; by default AWS_LAMBDA_LOG_FORMAT, else JSON.
        level: the least level to be shown, a number or one of TRACE, DEBUG, INFO, WARN, ERROR and FATAL; by default
            AWS_LAMBDA_LOG_LEVEL, else INFO.
        stream: printed to instead of stdout.

    Raises:
        ValidationError: no such format or level.
    """
    chosen = _format(log_format)
    root = logging.getLogger()
    root.setLevel(_level(level))
    runtime = [one for one in root.handlers if type(one).__module__.startswith("awslambdaric")]
    for handler in runtime:
        formatter = type(handler.formatter)
        prints_json = formatter.__module__.startswith("awslambdaric") and formatter.__name__ == "JsonFormatter"
        if chosen == "JSON" and not prints_json:
            handler.setFormatter(JsonFormatter(end="\n"))
    for handler in [one for one in root.handlers if isinstance(one, _Output)]:
        root.removeHandler(handler)
    if not runtime or stream is not None:
        root.addHandler(_Output(stream, JsonFormatter() if chosen == "JSON" else _text_formatter()))


def json_logger(
    name: str = "durably", level: int | str | None = None, *, stream: TextIO | None = None, location: bool = True
) -> logging.Logger:
    """A logger of its own that prints one JSON object a line, beside whatever else is set up, for ``logger=``.

    Parameters:
        name: printed as ``logger``.
        level: as in :func:`setup_logging`.
        stream: printed to instead of stdout.
        location: False leaves file, function and line out.

    Raises:
        ValidationError: no such level.
    """
    logger = logging.Logger(name, _level(level))  # not of the tree: nothing above it prints its records again
    logger.addHandler(_Output(stream, JsonFormatter(location=location)))
    return logger


def _format(given: str | None) -> str:
    if given is None:
        return "Text" if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").lower() == "text" else "JSON"
    for known in ("JSON", "Text"):
        if isinstance(given, str) and given.lower() == known.lower():
            return known
    raise ValidationError(f"log_format is 'JSON' or 'Text', not {given!r}")


def _level(given: int | str | None) -> int:
    if given is None:
        return LEVELS.get(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper(), logging.INFO)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    level = LEVELS.get(given.upper()) if isinstance(given, str) else None
    if level is None:
        raise ValidationError(f"a level is a number or one of {', '.join(LEVELS)}, not {given!r}")
    return level


def _text_formatter() -> logging.Formatter:
    formatter = logging.Formatter(_TEXT, "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter


class _Output(logging.Handler):
    """Writes lines to a stream; without one, to whatever stdout is at the time."""

    def __init__(self, stream: TextIO | None, formatter: logging.Formatter) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            stream: Any = self._stream or sys.stdout
            if stream is None:
                return
            try:
                stream.write(line)
            except UnicodeEncodeError:  # a stream that is not UTF-8
                stream.write("".join(c if c.isascii() else json.dumps(c)[1:-1] for c in line))
            stream.flush()
        except Exception:
            self.handleError(record)
