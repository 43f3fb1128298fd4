"""What a handler or a context may say about its logging; loads nothing, so that saying it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, Protocol, cast

from durably._config_checks import takes
from durably.exceptions import ValidationError

__all__ = ["LEVELS", "LoggerInterface", "ReplayLogging", "ReplayPredicate", "check_logger", "check_replay"]

LEVELS: Final = {
    "TRACE": 5,
    "DEBUG": 10,
    "INFO": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERROR": 40,
    "FATAL": 50,
    "CRITICAL": 50,
}
"""Numbers of the standard library's levels and of those of AWS_LAMBDA_LOG_LEVEL."""

_METHODS: Final = ("debug", "info", "warning", "error", "exception")


class LoggerInterface(Protocol):
    """The least that a custom logger must have. ``extra`` carries the operation's fields."""

    def debug(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None: ...

    def info(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None: ...

    def warning(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None: ...

    def error(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None: ...

    def exception(self, msg: object, *args: object, extra: Mapping[str, object] | None = None) -> None: ...


class ReplayLogging(Enum):
    """Which records of a context are shown while it replays, that is, while its code runs over what is recorded.

    Records of steps are not concerned: a step's body only runs when it is not replayed.
    """

    SUPPRESS_ALL = "suppress_all"
    """None: each line is shown once. The default."""
    ERRORS_ONLY = "errors_only"
    """Those of level ERROR and above."""
    WARNINGS_AND_ERRORS = "warnings_and_errors"
    """Those of level WARNING and above."""
    ALLOW_ALL = "allow_all"
    """All, again on every replay."""

    def shows(self, level: int) -> bool:
        """Whether a record of this level (a number of the standard library's) is shown."""
        return level >= _LEAST[self]


_LEAST: Final = {
    ReplayLogging.SUPPRESS_ALL: float("inf"),
    ReplayLogging.ERRORS_ONLY: LEVELS["ERROR"],
    ReplayLogging.WARNINGS_AND_ERRORS: LEVELS["WARNING"],
    ReplayLogging.ALLOW_ALL: float("-inf"),
}

ReplayPredicate = Callable[[int, str, Mapping[str, Any]], bool]
"""Decides about one record: its level (a number of the standard library's), its message and its fields."""


for _public in (LoggerInterface, ReplayLogging):
    _public.__module__ = "durably.logger"  # where users find them


def check_logger(logger: Any) -> Any:
    """``logger``, or ValidationError when it lacks a method that is needed."""
    if isinstance(logger, type):
        raise ValidationError(f"{logger!r} is a class, and no logger: pass an object of it")
    missing = [name for name in _METHODS if not callable(getattr(logger, name, None))]
    if missing:
        raise ValidationError(
            f"{logger!r} is no logger: it has no {', '.join(f'{name}()' for name in missing)}. Pass a logging.Logger "
            "or anything with debug, info, warning, error and exception; simple_logger(f) makes one of a function"
        )
    return logger


def check_replay(replay: Any) -> ReplayLogging | ReplayPredicate:
    """``replay``, or ValidationError when it is neither a mode nor a function."""
    if isinstance(replay, ReplayLogging) or (callable(replay) and not isinstance(replay, type) and takes(replay, 3)):
        return cast("ReplayLogging | ReplayPredicate", replay)
    modes = ", ".join(f"ReplayLogging.{mode.name}" for mode in ReplayLogging)
    raise ValidationError(
        f"{replay!r} does not say what is logged during replay: pass {modes}, or a function of (level, message, fields)"
    )
