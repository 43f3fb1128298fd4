"""How to speak to the logger underneath, whatever it is.

The standard library's loggers take everything. Anything else is asked once, by the signature of its method, what it
takes: Powertools has ``extra`` and a ``stacklevel`` that counts from 2; structlog and loguru, known by their ``bind``,
take fields as keywords; the least is a method of one message.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from .text import message_text

__all__ = ["PREFIX", "Target"]

PREFIX: Final = "extra_"
"""Goes before a field's name that the logger underneath keeps for itself."""

_BETWEEN: Final = 3
"""Frames of this package between the caller and the logger: DurableLogger.info, DurableLogger._log, Target.emit."""

_NAMES: Final = ((50, "critical"), (40, "error"), (30, "warning"), (20, "info"))
_STRUCTLOG_NAMES: Final = frozenset({"event", "exc_info", "stack_info", "level", "self"})


class Target:
    """A logger and what is known about how to call it."""

    __slots__ = ("_adapted", "_custom", "_reserved", "_standard", "logger")

    def __init__(self, logger: Any) -> None:
        self.logger = logger
        self._adapted: dict[str, Any] = {}
        self._reserved: tuple[Any, frozenset[str]] = (None, frozenset())
        self._custom: dict[str, _Method] = {}
        # A plain LoggerAdapter would replace the fields of a record with its own.
        while isinstance(logger, logging.LoggerAdapter) and type(logger).process is logging.LoggerAdapter.process:
            self._adapted = {**(logger.extra or {}), **self._adapted}
            logger = logger.logger
        self._standard: Any = logger if isinstance(logger, (logging.Logger, logging.LoggerAdapter)) else None

    def enabled(self, level: int) -> bool:
        """Whether a record of this level is wanted; for a logger that cannot be asked, yes."""
        asked = getattr(self.logger, "isEnabledFor", None)
        return bool(asked(level)) if callable(asked) else True

    def emit(
        self,
        level: int,
        name: str,
        msg: object,
        args: tuple[object, ...],
        fields: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        """Log. ``name``: of the method, or "log". ``options``: exc_info, stack_info, stacklevel as they were given."""
        logger = self._standard
        if logger is not None:
            if not logger.isEnabledFor(level):
                return
            options["stacklevel"] = _stacklevel(options, 1)
            options["extra"] = self._renamed({**self._adapted, **fields}, self._record_names())
            if name == "log":
                logger.log(level, msg, *args, **options)
            else:
                getattr(logger, name)(msg, *args, **options)
            return
        if name == "log":
            name = next((name for least, name in _NAMES if level >= least), "debug")
        method = self._custom.get(name)
        if method is None:
            method = self._custom[name] = _Method(self.logger, name)
        call = getattr(self.logger, method.name)
        if args and not method.takes_args:
            msg, args = message_text(msg, args), ()
        if method.name == "error" and name == "exception":
            options.setdefault("exc_info", True)
        if method.base is not None:
            options["stacklevel"] = _stacklevel(options, method.base)
        given = {key: value for key, value in options.items() if method.takes_any or key in method.takes}
        if method.as_keywords:
            given = {**self._renamed(fields, method.takes | _STRUCTLOG_NAMES), **given}
        elif method.takes_any or "extra" in method.takes:
            given["extra"] = fields
        call(msg, *args, **given)

    @staticmethod
    def _renamed(fields: Mapping[Any, Any], reserved: frozenset[str]) -> dict[str, Any]:
        if reserved.isdisjoint(fields):
            return dict(fields)
        return {f"{PREFIX}{key}" if key in reserved else key: value for key, value in fields.items()}

    def _record_names(self) -> frozenset[str]:
        """The names that a LogRecord, of whatever class is in force, has for itself."""
        factory = logging.getLogRecordFactory()
        if self._reserved[0] is not factory:
            record = factory("", 0, "", 0, "", (), None)
            self._reserved = factory, frozenset({*vars(record), "message", "asctime"})
        return self._reserved[1]


def _stacklevel(options: dict[str, Any], base: int) -> int:
    given = options.get("stacklevel", 1)
    return base + _BETWEEN + (given - 1 if isinstance(given, int) else 0)


class _Method:
    """What one method of a custom logger takes."""

    __slots__ = ("as_keywords", "base", "name", "takes", "takes_any", "takes_args")

    def __init__(self, logger: Any, name: str) -> None:
        import inspect

        fallbacks = {"critical": ("critical", "fatal", "error"), "exception": ("exception", "error")}
        self.name = next((one for one in fallbacks.get(name, ()) if callable(getattr(logger, one, None))), name)
        self.base: int | None = None
        self.takes: frozenset[str] = frozenset()
        self.takes_any = self.takes_args = True
        try:
            parameters = inspect.signature(getattr(logger, self.name)).parameters
        except (TypeError, ValueError):
            pass
        else:
            kinds = {one.kind for one in parameters.values()}
            self.takes_any = inspect.Parameter.VAR_KEYWORD in kinds
            self.takes_args = inspect.Parameter.VAR_POSITIONAL in kinds
            self.takes = frozenset(parameters)
            if "stacklevel" in parameters:
                default = parameters["stacklevel"].default
                self.base = default if isinstance(default, int) else 1
        self.as_keywords = self.takes_any and "extra" not in self.takes and hasattr(type(logger), "bind")
