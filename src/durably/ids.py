"""The ids that programs pass around, as types of their own.

They are strings: compare, log, store and send them as such. What a durable function is given is made without a look at
it, since the service has made it; what a program makes itself, from a request or a table, is checked then and there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from .exceptions import ValidationError
from .wire.ids import ARN_PATTERN
from .wire.limits import ID_PATTERN, TOKEN_PATTERN

if TYPE_CHECKING:
    from .wire.patterns import Pattern

__all__ = ["CallbackId", "ExecutionArn", "OperationId"]

_MAX_ARN: Final = 1024
_MAX_CALLBACK_ID: Final = 1024


class _Id(str):
    """A string that has to fit a pattern."""

    __slots__ = ()
    _pattern: ClassVar[Pattern]
    _longest: ClassVar[int]
    _form: ClassVar[str]

    def __new__(cls, value: str) -> Self:
        if type(value) is cls:
            return value
        if not isinstance(value, str) or len(value) > cls._longest or not cls._pattern.fullmatch(value):
            shown = repr(value)
            shown = shown if len(shown) <= 120 else f"{shown[:117]}... ({len(shown)} characters)"
            raise ValidationError(f"{shown} is no {cls.__name__}, which is {cls._form}")
        return str.__new__(cls, value)

    @classmethod
    def _trusted(cls, value: str) -> Self:
        return str.__new__(cls, value)

    def __reduce__(self) -> Any:
        return _trusted, (type(self), str(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def _trusted(cls: type[_Id], value: str) -> _Id:
    return cls._trusted(value)


class OperationId(_Id):
    """The id of an operation within its execution: 1 to 64 of ``A-Z a-z 0-9 _ -``. Raises ValidationError."""

    __slots__ = ()
    _pattern = ID_PATTERN
    _longest = 64
    _form = "1 to 64 characters of A-Z a-z 0-9 _ -"


class CallbackId(_Id):
    """What somebody outside needs to answer a callback: base64, 1 to 1,024 characters. Raises ValidationError."""

    __slots__ = ()
    _pattern = TOKEN_PATTERN
    _longest = _MAX_CALLBACK_ID
    _form = f"base64 text of 1 to {_MAX_CALLBACK_ID:,} characters"


class ExecutionArn(_Id):
    """The ARN of a durable execution, and its parts. Raises ValidationError for anything else.

    ``arn:PARTITION:lambda:REGION:ACCOUNT:function:FUNCTION:VERSION/durable-execution/NAME/ID``
    """

    __slots__ = ()
    _pattern = ARN_PATTERN
    _longest = _MAX_ARN
    _form = "arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION/durable-execution/EXECUTION_NAME/EXECUTION_ID"

    @property
    def aws_partition(self) -> str:
        """``aws``, ``aws-cn``, ``aws-us-gov`` ..."""
        return self._part("partition")

    @property
    def region(self) -> str:
        return self._part("region")

    @property
    def account(self) -> str:
        """The AWS account, 12 digits."""
        return self._part("account")

    @property
    def function_name(self) -> str:
        return self._part("function")

    @property
    def version(self) -> str:
        """The function's version: a number or ``$LATEST``."""
        return self._part("version")

    @property
    def execution_name(self) -> str:
        """The name that the execution was started with, or that the service gave it."""
        return self._part("name")

    @property
    def execution_id(self) -> str:
        """The last part, which is also the id of the EXECUTION operation."""
        return self._part("id")

    @property
    def qualified_function(self) -> str:
        """``name:version``, to invoke the same function again."""
        return f"{self.function_name}:{self.version}"

    def _part(self, name: str) -> str:
        found = ARN_PATTERN.fullmatch(self)
        if found is None:
            raise ValidationError(f"{str(self)!r} is no ExecutionArn, which is {self._form}")
        return found[name]
