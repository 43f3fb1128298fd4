"""A logger of a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durably._config_checks import takes
from durably.exceptions import ValidationError

from .text import error_fields, error_of, message_text

__all__ = ["SimpleLogger", "simple_logger"]

Fields = Mapping[str, Any] | None


class SimpleLogger:
    """A logger that hands each record to a function. Made by :func:`simple_logger`."""

    __slots__ = ("_write",)

    def __init__(self, write: Callable[[str, str, dict[str, Any]], object]) -> None:
        self._write = write

    def debug(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = None) -> None:
        self._log("DEBUG", msg, args, extra, exc_info)

    def info(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = None) -> None:
        self._log("INFO", msg, args, extra, exc_info)

    def warning(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = None) -> None:
        self._log("WARNING", msg, args, extra, exc_info)

    def error(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = None) -> None:
        self._log("ERROR", msg, args, extra, exc_info)

    def exception(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = True) -> None:
        self._log("ERROR", msg, args, extra, exc_info)

    def critical(self, msg: object, *args: object, extra: Fields = None, exc_info: Any = None) -> None:
        self._log("CRITICAL", msg, args, extra, exc_info)

    def _log(self, level: str, msg: object, args: Any, extra: Fields, exc_info: Any) -> None:
        error = error_of(exc_info)
        fields = {} if error is None else error_fields(error)
        self._write(level, message_text(msg, args), {**fields, **(extra or {})})


def simple_logger(write: Callable[[str, str, dict[str, Any]], object]) -> SimpleLogger:
    """A logger of one function, ``write(level, message, fields)``, to be used wherever a logger is taken.

    Parameters:
        write: called with the level's name (DEBUG, INFO, WARNING, ERROR or CRITICAL), the formatted message and the
            fields: those of the operation, those of ``extra=``, and ``errorType``, ``errorMessage`` and ``stackTrace``
            where an exception is logged.

    Raises:
        ValidationError: ``write`` cannot be called.
    """
    if not callable(write) or not takes(write, 3):
        raise ValidationError(f"simple_logger() takes a function of (level, message, fields), not {write!r}")
    return SimpleLogger(write)
