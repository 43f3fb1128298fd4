"""``ctx.logger``: the standard library's logging with the execution's fields, silent while replaying.

Records carry ``executionArn`` and, where they apply, ``parentId``, ``operationId``, ``operationName`` and ``attempt``
as extra attributes, so that any formatter can print them. File and line are those of the caller.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .context.base import ContextBase
    from .engine.operation import Op
    from .engine.run import Run

__all__ = ["DurableLogger"]


class DurableLogger:
    """A logger bound to a context or a step.

    Parameters:
        logger: what is logged through; anything shaped like a ``logging.Logger``.
        fields: added to every record.
        context: its replay silences the logger; None for a step, whose body only runs when it is not replayed.
    """

    def __init__(self, logger: Any, fields: Mapping[str, Any], context: ContextBase | None = None) -> None:
        self._logger = logger
        self._fields = fields
        self._context = context

    @classmethod
    def of(
        cls, run: Run, context: ContextBase | None, op: Op | None = None, attempt: int | None = None
    ) -> DurableLogger:
        fields: dict[str, Any] = {"executionArn": run.arn}
        parent_id = op.parent_id if op is not None else context._parent_id if context is not None else None
        if parent_id:
            fields["parentId"] = parent_id
        if op is not None:
            fields["operationId"] = op.id
            if op.name:
                fields["operationName"] = op.name
        if attempt is not None:
            fields["attempt"] = attempt
        return cls(run.logger or logging.getLogger(), fields, context)

    def rebind(self, logger: Any) -> DurableLogger:
        return DurableLogger(logger, self._fields, self._context)

    def get_logger(self) -> Any:
        """What is logged through."""
        return self._logger

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.debug, msg, args, options)

    def info(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.info, msg, args, options)

    def warning(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.warning, msg, args, options)

    def error(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.error, msg, args, options)

    def exception(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.exception, msg, args, options)

    def critical(self, msg: object, *args: object, **options: Any) -> None:
        self._log(self._logger.critical, msg, args, options)

    def _log(self, method: Any, msg: object, args: tuple[object, ...], options: dict[str, Any]) -> None:
        if self._context is not None and self._context.is_replaying():
            return
        options["extra"] = {**self._fields, **(options.get("extra") or {})}
        if isinstance(self._logger, (logging.Logger, logging.LoggerAdapter)):
            options["stacklevel"] = options.get("stacklevel", 1) + 2
        method(msg, *args, **options)
