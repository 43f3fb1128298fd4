"""From an exception to its record and back. :mod:`durably.exceptions` is the public side.

A record must be the same whoever reads it, so nothing of the live exception is kept but text: its class's name, its
message, its data and its stack trace. What the caller catches is built from the record even in the first run, so
that code which looks at an error takes the same way on replay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from types import TracebackType

    from .exceptions import DurableOperationError, SerDesError
    from .wire.shapes import ErrorObject

OUR_MODULES: Final = ("durably", "aws_durable_execution_sdk_python.exceptions")
"""Where an ErrorType of ours may say it comes from: an execution begun under the official SDK can be finished here."""

_SERDES_ERRORS: Final = tuple(f"{module}.SerDesError" for module in OUR_MODULES)

MAX_MESSAGE_BYTES: Final = 32 * 1024
MAX_DATA_BYTES: Final = 200 * 1024
MAX_STACK_BYTES: Final = 32 * 1024
MAX_STACK_LINES: Final = 60
MAX_LINE_BYTES: Final = 1024
MAX_LINKED_ERRORS: Final = 8

_ELSEWHERE: Final = {
    "durably.BatchCompletionError": "durably.concurrency.models",
    "aws_durable_execution_sdk_python.concurrency.models.BatchCompletionError": "durably.concurrency.models",
}
"""The module to import before a record that names such an error can be rebuilt."""

_ORIGIN: Final = "originally: "

_OWN_FILES: Final = os.path.dirname(os.path.abspath(__file__)) + os.sep
_registry: dict[str, type[DurableOperationError]] = {}


def register_operation_error(cls: type[DurableOperationError]) -> None:
    """Have records that name ``cls`` rebuilt as ``cls`` (its constructor takes DurableOperationError's parameters)."""
    _registry[f"{cls.__module__}.{cls.__qualname__}"] = cls
    if cls.__module__ == OUR_MODULES[0]:
        for module in OUR_MODULES[1:]:
            _registry[f"{module}.{cls.__qualname__}"] = cls


def registered_error(error_type: str | None) -> type[DurableOperationError]:
    from .exceptions import DurableOperationError

    home = _ELSEWHERE.get(error_type or "")
    if error_type and home is not None:
        import_module(home)
        error_type = f"{OUR_MODULES[0]}.{error_type.rpartition('.')[2]}"
    return _registry.get(error_type or "", DurableOperationError)


# ---- to the record -------------------------------------------------------------------------------------


def error_object(error: BaseException) -> ErrorObject:
    """The record of an exception.

    ``ErrorType`` is the qualified class name, builtins bare. ``StackTrace`` holds the frames of the user's code,
    innermost last, then the exception's notes and what caused it; what is too long is shortened. ``ErrorData`` is
    the exception's attribute ``error_data``, if it has one: a string as it is, anything else as JSON. A caller
    finds it in the ``data`` attribute of StepError and its siblings::

        class OutOfStock(Exception):
            def __init__(self, sku: str) -> None:
                super().__init__(f"{sku} is out of stock")
                self.error_data = {"sku": sku}

    An error of an operation (StepError, ...) that escapes one level up is recorded under its own name, with the
    message, data and stack trace of the original, and a line ``originally: shop.OutOfStock`` at the end of that: the
    type that the operation failed with.
    """
    from .exceptions import DurableOperationError, SerDesError

    if isinstance(error, SerDesError):
        # Pinned to the base class: that is what replay rebuilds.
        return _record(f"{OUR_MODULES[0]}.SerDesError", error.message, error.data, error.stack_trace or _stack(error))
    if isinstance(error, DurableOperationError):
        return _record(type_name(type(error)), error.message, error.data, _with_origin(error))
    return _record(type_name(type(error)), message_of(error), _data_of(error), _stack(error))


def _with_origin(error: DurableOperationError) -> list[str] | None:
    if error.error_type == type_name(type(error)):
        return error.stack_trace
    return [*(error.stack_trace or ()), f"{_ORIGIN}{error.error_type}"]


def type_name(cls: type[BaseException]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def message_of(error: BaseException) -> str:
    return _text_of(error)


def _text_of(value: object, form: Callable[[object], str] = str) -> str:
    try:
        return form(value)
    except Exception as failure:
        name = "__str__" if form is str else "__repr__"
        return f"<{type(value).__qualname__}: its {name} raised {type(failure).__qualname__}>"


def _record(error_type: str, message: str | None, data: str | None, stack: list[str] | None) -> ErrorObject:
    record: ErrorObject = {"ErrorType": error_type}
    lines = list(stack or ())
    if message is not None:
        record["ErrorMessage"] = _shorten(message, MAX_MESSAGE_BYTES)
    if data is not None:
        data = _encodable(data)
        size = len(data.encode())
        if size <= MAX_DATA_BYTES:
            record["ErrorData"] = data
        else:
            # Half of a JSON text helps nobody, so it goes whole, and says so.
            lines.append(f"note: error_data of {size} bytes was not recorded, the limit is {MAX_DATA_BYTES}")
    if lines:
        record["StackTrace"] = _bounded(lines)
    return record


def _attribute(error: BaseException, name: str) -> Any:
    """The attribute, or None: a class may do anything when it is asked for one, and the error is to be told anyway."""
    try:
        return getattr(error, name, None)
    except Exception:
        return None


def _data_of(error: BaseException) -> str | None:
    data = _attribute(error, "error_data")
    if data is None or isinstance(data, str):
        return data
    from .serdes import json_codec_for

    try:
        return json_codec_for(Any).encode(data)
    except Exception:
        # An error is being reported already; a second one would hide it.
        return json_codec_for(Any).encode(_encodable(_text_of(data, ascii)))


def _stack(error: BaseException) -> list[str]:
    return list(_lines_of(error, "", [], indent=""))


def _lines_of(error: BaseException, heading: str, seen: list[BaseException], indent: str) -> Iterator[str]:
    seen.append(error)
    if heading:
        yield f"{indent}{heading}: {type_name(type(error))}: {message_of(error)}"
    for frame in _frames(error.__traceback__):
        yield indent + frame
    notes = _attribute(error, "__notes__")
    for note in notes if isinstance(notes, list) else ():
        yield f"{indent}note: {_text_of(note)}"
    if isinstance(error, BaseExceptionGroup):
        for number, part in enumerate(error.exceptions, 1):
            if len(seen) < MAX_LINKED_ERRORS:
                yield from _lines_of(part, f"sub-exception {number}", seen, indent + "  ")
    cause, heading = error.__cause__, "caused by"
    if cause is None and not error.__suppress_context__:
        cause, heading = error.__context__, "raised while handling"
    if cause is not None and len(seen) < MAX_LINKED_ERRORS and not any(cause is other for other in seen):
        yield from _lines_of(cause, heading, seen, indent)


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    import linecache

    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OWN_FILES):
            line = linecache.getline(code.co_filename, traceback.tb_lineno, traceback.tb_frame.f_globals).strip()
            place = f'File "{code.co_filename}", line {traceback.tb_lineno}, in {code.co_qualname}'
            yield f"{place}: {line}" if line else place
        traceback = traceback.tb_next


def _bounded(lines: list[str]) -> list[str]:
    """At most MAX_STACK_LINES lines and MAX_STACK_BYTES bytes. The middle goes: both ends say most."""
    if len(lines) > MAX_STACK_LINES:
        head, tail = lines[:10], lines[-(MAX_STACK_LINES - 11) :]
        lines = [*head, f"... {len(lines) - len(head) - len(tail)} lines left out ...", *tail]
    kept: list[str] = []
    room = MAX_STACK_BYTES
    for line in lines:
        line = _shorten(line, MAX_LINE_BYTES)
        room -= len(line.encode())
        if room < 0:
            kept.append("... the rest was left out ...")
            break
        kept.append(line)
    return kept


def _shorten(text: str, limit: int) -> str:
    text = _encodable(text)
    if len(text) * 4 <= limit:
        return text
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - 20].decode(errors="ignore") + " ... (shortened)"


def _encodable(text: str) -> str:
    """Text with lone surrogates has no UTF-8 form, and the record travels in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


# ---- from the record -------------------------------------------------------------------------------------


def operation_error(
    cls: type[DurableOperationError], error: ErrorObject | None, *, default_message: str | None = None
) -> DurableOperationError | SerDesError:
    """The exception to raise for a recorded error, the same in the first run and in a replay.

    Parameters:
        cls: the wrapper that names the kind of operation, e.g. StepError.
        error: the record; None or empty if the service recorded no error (a timeout, for example).
        default_message: the message if the record has none.

    Its ``__cause__`` is the stand-in for what escaped the operation, and so on as far as the record tells. A recorded
    SerDesError comes back as itself.
    """
    from .exceptions import SerDesError

    fields: ErrorObject = error or {}
    recorded_type = fields.get("ErrorType")
    recorded_lines = fields.get("StackTrace")
    values: dict[str, Any] = {
        "message": fields.get("ErrorMessage", default_message),
        "error_type": recorded_type,
        "data": fields.get("ErrorData"),
        "stack_trace": None if recorded_lines is None else list(recorded_lines),
    }
    result = SerDesError(**values) if recorded_type in _SERDES_ERRORS else cls(**values)
    if error:
        result.__cause__ = _stand_in(**values)
    return result


def _stand_in(
    error_type: str | None, message: str | None, data: str | None, stack_trace: list[str] | None
) -> DurableOperationError:
    """What escaped an operation: an error of ours knows what it stood for in its turn."""
    cls = registered_error(error_type)
    origin = stack_trace[-1] if stack_trace else ""
    if not origin.startswith(_ORIGIN) or error_type not in _registry:
        return cls(message=message, error_type=error_type, data=data, stack_trace=stack_trace)
    origin, lines = origin.removeprefix(_ORIGIN), (stack_trace or [])[:-1]
    found = cls(message=message, error_type=origin, data=data, stack_trace=lines)
    found.__cause__ = _stand_in(origin, message, data, lines)
    return found
