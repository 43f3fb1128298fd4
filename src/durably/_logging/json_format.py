"""One JSON object a line for each record."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final

from durably.engine.scope import CURRENT

from .fields import execution_fields
from .target import PREFIX
from .text import error_fields, error_of, message_text, plain

__all__ = ["JsonFormatter"]

_FIRST: Final = (
    "requestId",
    "tenantId",
    "executionArn",
    "parentId",
    "operationId",
    "operationName",
    "attempt",
    "isReplaying",
)
_LINE_ENDS: Final = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Where readers that go by Unicode would break a line; JSON may leave them as they are."""
_OWN: Final = frozenset({"timestamp", "level", "message", "logger", "location"})
_NO_EXTRAS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "aws_request_id",
    "tenant_id",
    "_frame_type",
    *_FIRST,
}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: ``timestamp``, ``level``, ``message``, ``logger``, the fields of the
    execution and the operation, ``location`` (file, function, line), ``errorType``, ``errorMessage`` and
    ``stackTrace`` of an exception, and the record's extras.

    Records that were not logged through a durable logger still get the execution's fields while they come from
    durable code. Nothing that is logged makes it raise: what JSON cannot say is shown by its repr, and an extra called
    like one of the members above gets the prefix ``extra_``.

    Parameters:
        location: False leaves file, function and line out.
        end: put after each line, for handlers that do not do so.
    """

    def __init__(self, *, location: bool = True, end: str = "") -> None:
        super().__init__()
        self._location = location
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        line = self.to_dict(record)
        try:
            text = json.dumps(line, ensure_ascii=False, check_circular=False)
            text.encode()
        except ValueError:  # half of a surrogate pair
            text = json.dumps(line, check_circular=False)
        return text.translate(_LINE_ENDS) + self._end

    def to_dict(self, record: logging.LogRecord) -> dict[str, Any]:
        """What is printed, as plain JSON values."""
        seconds, ms = divmod(int(record.created * 1000), 1000)
        msg = record.msg
        line: dict[str, Any] = {
            "timestamp": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{ms:03d}Z",
            "level": record.levelname,
            "message": plain(msg) if isinstance(msg, dict) and not record.args else message_text(msg, record.args),
            "logger": record.name,
        }
        members = vars(record)
        for key, value in self._execution(members).items():
            if value is not None:
                line[key] = plain(value)
        if self._location:
            line["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        error = error_of(record.exc_info)
        if error is not None:
            line.update(error_fields(error))
        if record.stack_info:
            line["stackInfo"] = str(record.stack_info).splitlines()
        for key, value in members.items():
            if key not in _NO_EXTRAS:
                line[f"{PREFIX}{key}" if key in _OWN or key in line else key] = plain(value)
        return line

    @staticmethod
    def _execution(members: dict[str, Any]) -> dict[str, Any]:
        found = {key: members.get(key) for key in _FIRST}
        scope = None if found["executionArn"] else CURRENT.get()
        if scope is not None:
            found.update(execution_fields(scope.run))
        found["requestId"] = found["requestId"] or members.get("aws_request_id") or None
        found["tenantId"] = found["tenantId"] or members.get("tenant_id")
        return found
