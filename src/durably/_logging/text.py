"""Messages and errors as text and JSON values. Whatever is logged, nothing here raises."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["complain", "error_fields", "error_of", "message_text", "plain"]

_DEEPEST: Final = 20
_TEXTUAL_MODULES: Final = frozenset({"datetime", "decimal", "fractions", "pathlib", "uuid"})


def message_text(msg: object, args: Any) -> str:
    """``msg % args``, as logging has it; both, one after the other, where they do not fit together."""
    try:
        text = str(msg)
        if not args:
            return text
        if isinstance(args, tuple) and len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            args = args[0]  # as a LogRecord does, too
        return str(text % args)
    except Exception:
        said = msg if isinstance(msg, str) else _shown(msg)
        return f"{said} {_shown(args)}" if args else said


def error_of(exc_info: Any) -> BaseException | None:
    """The exception that ``exc_info`` stands for, in any form that logging takes."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) == 3 and isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def error_fields(error: BaseException) -> dict[str, Any]:
    """``errorType``, ``errorMessage`` and ``stackTrace``, a list of text."""
    import traceback

    try:
        message = str(error)
    except Exception:
        message = _shown(error)
    try:
        trace = [line.rstrip("\n") for line in traceback.format_exception(error)]
    except Exception:
        trace = []
    return {"errorType": type(error).__name__, "errorMessage": message, "stackTrace": trace}


def plain(value: Any, _within: tuple[int, ...] = ()) -> Any:
    """``value`` as JSON can say it: dates, decimals, UUIDs and paths by their text, anything else by its repr."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value) if -(2**63) <= value < 2**64 else _shown(value)
    if isinstance(value, float):
        return float.__float__(value) if float("-inf") < value < float("inf") else _shown(value)
    if isinstance(value, (dict, list, tuple)):
        if id(value) in _within or len(_within) >= _DEEPEST:
            return _shown(value)
        within = (*_within, id(value))
        try:
            if isinstance(value, dict):
                return {_key(key): plain(one, within) for key, one in value.items()}
            return [plain(one, within) for one in value]
        except Exception:  # a subclass with a mind of its own, or changed by another thread meanwhile
            return _shown(value)
    if type(value).__module__ in _TEXTUAL_MODULES:
        try:
            return value.isoformat() if hasattr(value, "isoformat") else str(value)
        except Exception:
            return _shown(value)
    return _shown(value)


def _key(key: Any) -> str:
    return str.__str__(key) if isinstance(key, str) else str(plain(key))


def _shown(value: Any) -> str:
    try:
        if isinstance(value, tuple):
            return f"({', '.join(map(_shown, value))}{',' if len(value) == 1 else ''})"
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"


def complain(what: str) -> None:
    """Tell on stderr that logging failed, as logging itself does; to be called where the error is being handled."""
    import logging

    if not logging.raiseExceptions or sys.stderr is None:
        return
    import traceback

    try:
        sys.stderr.write(f"--- {what} ---\n{traceback.format_exc()}")
    except Exception:
        pass
