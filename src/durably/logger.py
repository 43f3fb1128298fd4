"""``ctx.logger``: the standard library's logging with the execution's fields, silent while replaying.

Records carry ``executionArn``, ``requestId`` and ``tenantId`` of the invocation and, where they apply, ``parentId``,
``operationId``, ``operationName`` and ``attempt`` as extra attributes, so that any formatter can print them. File and
line are those of the caller.

Logging never raises into the code that logs, and never changes an outcome: what goes wrong in it is told on stderr.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._logging.fields import context_fields, step_fields
from ._logging.json_format import JsonFormatter
from ._logging.options import LEVELS, LoggerInterface, ReplayLogging, ReplayPredicate, check_logger, check_replay
from ._logging.setup import json_logger, setup_logging
from ._logging.simple import SimpleLogger, simple_logger
from ._logging.target import Target
from ._logging.text import complain, message_text
from ._values import publish
from .engine.cancellation import is_cancellation
from .engine.suspension import SuspendExecution
from .exceptions import ValidationError

if TYPE_CHECKING:
    from .context.base import ContextBase
    from .engine.operation import Op

__all__ = [
    "DurableLogger",
    "JsonFormatter",
    "Logger",
    "LoggerInterface",
    "ReplayLogging",
    "ReplayPredicate",
    "SimpleLogger",
    "json_logger",
    "setup_logging",
    "simple_logger",
]

_OPTIONS = ("exc_info", "stack_info", "stacklevel")


class DurableLogger:
    """A logger bound to a context or a step. Its methods take what the standard library's take; any further keyword
    is a field of the record, as in ``logger.info("charged", amount=19)``.

    Of two fields of one name the one given last wins: by ``extra=`` or keyword, by ``configure_logger(fields=...)``, by
    the operation. Names that a ``logging.LogRecord`` has for itself (``name``, ``args``, ``module`` ...) get the prefix
    ``extra_``.

    Parameters:
        logger: what is logged through; a ``logging.Logger`` or anything with its five methods.
        fields: added to every record.
        context: its replay silences the logger; None for a step, whose body only runs when it is not replayed.
        replay: what is shown during replay all the same.
    """

    __slots__ = ("_bound", "_context", "_fields", "_replay", "_target")

    def __init__(
        self,
        logger: Any,
        fields: Mapping[str, Any],
        context: ContextBase | None = None,
        replay: ReplayLogging | ReplayPredicate = ReplayLogging.SUPPRESS_ALL,
    ) -> None:
        self._target: Target = logger if isinstance(logger, Target) else Target(logger)
        self._fields = fields
        self._context = context
        self._replay = replay
        self._bound: dict[str, Any] = {}

    @classmethod
    def of_context(cls, context: ContextBase, outer: DurableLogger | None) -> DurableLogger:
        """The logger of ``context``, with what is configured in the context around it."""
        run = context.run
        fields = context_fields(run, context._parent_id)
        if outer is None:
            replay = context._replay_logging or ReplayLogging.SUPPRESS_ALL
            return cls(logging.getLogger() if run.logger is None else run.logger, fields, context, replay)
        made = cls(outer._target, fields, context, outer._replay)
        made._bound = outer._bound
        return made

    @classmethod
    def of_step(cls, op: Op, attempt: int, outer: DurableLogger | None) -> DurableLogger:
        """The logger of one attempt of a step that was called in the context of ``outer``."""
        run = op.run
        logger = (run.logger or logging.getLogger()) if outer is None else outer._target
        made = cls(logger, step_fields(op, attempt))
        if outer is not None:
            made._bound = outer._bound
        return made

    def configure(
        self,
        logger: Any = None,
        replay: ReplayLogging | ReplayPredicate | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Change what is not None. See ``configure_logger`` of the contexts."""
        if fields is not None and not isinstance(fields, Mapping):
            raise ValidationError(f"fields is a mapping of names to values, not {fields!r}")
        target = None if logger is None else _target(check_logger(logger))
        if replay is not None:
            self._replay = check_replay(replay)
        if target is not None:
            self._target = target
        if fields is not None:
            self._bound = {**self._bound, **fields}

    def get_logger(self) -> Any:
        """What is logged through."""
        return self._target.logger

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        self._log(10, "debug", msg, args, options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        self._log(20, "info", msg, args, options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        self._log(30, "warning", msg, args, options)

    def warn(self, msg: object, *args: object, **options: Any) -> None:
        """The same as :meth:`warning`."""
        self._log(30, "warning", msg, args, options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        self._log(40, "error", msg, args, options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        """An error, with the exception that is being handled."""
        self._log(40, "exception", msg, args, options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        self._log(50, "critical", msg, args, options)

    def log(self, level: int | str, msg: object, *args: object, **options: Any) -> None:
        """At any level: a number, or the name of one. A level that does not exist counts as INFO."""
        number = level if isinstance(level, int) else LEVELS.get(str(level).upper(), 20)
        self._log(number, "log", msg, args, options)

    def isEnabledFor(self, level: int) -> bool:
        """Whether a record of this level, logged here and now, would be shown."""
        try:
            context = self._context
            if context is not None and isinstance(self._replay, ReplayLogging) and _runs_again(context):
                return self._replay.shows(level) and self._target.enabled(level)
            return self._target.enabled(level)
        except Exception:
            complain("A durable logger could not be asked for its level")
            return False

    def _log(self, level: int, name: str, msg: object, args: tuple[object, ...], options: dict[str, Any]) -> None:
        try:
            context, replay = self._context, self._replay
            replaying = context is not None and _runs_again(context)
            if replaying and isinstance(replay, ReplayLogging) and not replay.shows(level):
                return
            extra = options.pop("extra", None)
            given = {key: options.pop(key) for key in _OPTIONS if key in options}
            if extra is not None and not isinstance(extra, Mapping):
                extra = {"extra": extra}
            fields: dict[str, Any] = {**self._fields, **self._bound, **(extra or {}), **options}
            if replaying:
                fields.setdefault("isReplaying", True)
                if not isinstance(replay, ReplayLogging) and not replay(level, message_text(msg, args), fields):
                    return
            self._target.emit(level, name, msg, args, fields, given)
        except Exception:
            complain("A durable logger could not log")

    def __repr__(self) -> str:
        return f"<durable logger over {self._target.logger!r}>"


Logger = DurableLogger


def _runs_again(context: ContextBase) -> bool:
    """Whether what is logged here and now has been, or will be again: in a replay, or while it is unwound."""
    if context.is_replaying():
        return True
    verdict = context.run.verdict
    if verdict is not None and verdict.pending:
        return True
    error = sys.exc_info()[1]
    if error is None:
        return False
    stopped = verdict is not None and verdict.raises is not None and is_cancellation(error)
    return stopped or isinstance(error, SuspendExecution)


def _target(logger: Any) -> Target:
    """What is behind ``logger``; a durable logger's own target, so that no record goes through two of them."""
    return logger._target if isinstance(logger, DurableLogger) else Target(logger)


publish(__name__, __all__, globals())
