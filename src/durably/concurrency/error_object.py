"""A recorded error, for a user to look at."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from durably._values import Value
from durably.exceptions import DurableOperationError, SerDesError, error_object, operation_error

if TYPE_CHECKING:
    from durably.wire.shapes import ErrorObject as ErrorShape


class NotADataclass:
    """Hides from codecs, which take apart whatever looks like a dataclass, that a Value looks like one."""

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(f"{owner.__name__} is no dataclass")


class ErrorObject(Value):
    """A recorded error: the text that is left of an exception, the same in the first run and in every replay.

    To raise it: ``raise error.to_exception()``.

    Parameters:
        message: the exception's message.
        type: its qualified class name, e.g. ``ValueError`` or ``shop.OutOfStock``.
        data: its ``error_data``, as text (see :func:`durably.exceptions.error_object`).
        stack_trace: lines of its stack trace.
    """

    __slots__ = ("data", "message", "stack_trace", "type")
    __match_args__ = _fields = ("message", "type", "data", "stack_trace")
    if not TYPE_CHECKING:
        __dataclass_fields__ = NotADataclass()

    message: str | None
    type: str | None
    data: str | None
    stack_trace: list[str] | None

    def __init__(
        self,
        message: str | None = None,
        type: str | None = None,
        data: str | None = None,
        stack_trace: Sequence[str] | None = None,
    ) -> None:
        lines = None if stack_trace is None else list(stack_trace)
        self._set(message=message, type=type, data=data, stack_trace=lines)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorObject:
        """From the service's form: ErrorMessage, ErrorType, ErrorData, StackTrace, each optional."""
        return cls(data.get("ErrorMessage"), data.get("ErrorType"), data.get("ErrorData"), data.get("StackTrace"))

    def to_dict(self) -> ErrorShape:
        """The service's form; what is None is left out."""
        fields: ErrorShape = {}
        if self.message is not None:
            fields["ErrorMessage"] = self.message
        if self.type is not None:
            fields["ErrorType"] = self.type
        if self.data is not None:
            fields["ErrorData"] = self.data
        if self.stack_trace is not None:
            fields["StackTrace"] = self.stack_trace
        return fields

    @classmethod
    def from_exception(cls, exception: BaseException) -> ErrorObject:
        """What would be recorded of ``exception``."""
        return cls.from_dict(error_object(exception))

    @classmethod
    def from_message(cls, message: str) -> ErrorObject:
        return cls(message)

    def to_exception(
        self, cls: builtins.type[DurableOperationError] | None = None
    ) -> DurableOperationError | SerDesError:
        """The exception for this error, with a stand-in for the original as its ``__cause__``.

        Parameters:
            cls: the exception's class; by default ChildContextError, which is what a failed branch raises.
        """
        from durably.exceptions import ChildContextError

        return operation_error(cls or ChildContextError, self.to_dict())

    def to_durable_operation_error(self) -> DurableOperationError:
        """The stand-in for the original: its own class if it is one of ours, else DurableOperationError."""
        return DurableOperationError.from_error_fields(self.type, self.message, self.data, self.stack_trace)

    def raise_as_operation_error(self, operation_error_cls: builtins.type[DurableOperationError]) -> NoReturn:
        """Raise ``to_exception(operation_error_cls)``."""
        raise self.to_exception(operation_error_cls)

    def __hash__(self) -> int:
        return hash((self.message, self.type, self.data, tuple(self.stack_trace or ())))

    def __str__(self) -> str:
        return ": ".join(part for part in (self.type, self.message) if part) or "unknown error"
