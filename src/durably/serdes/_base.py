"""What a user implements to write values another way, and the codec interface that operations use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Protocol

from durably._values import T, Value
from durably.exceptions import RetryableSerDesError, SerDesError
from durably.wire.payloads import NO_TEXT


class SerDesContext(Value):
    """Which value a serdes is asked about.

    Parameters:
        operation_id: id of the operation that the value belongs to.
        durable_execution_arn: ARN of the execution.
    """

    __slots__ = ("durable_execution_arn", "operation_id")
    __match_args__ = _fields = ("operation_id", "durable_execution_arn")
    _defaults = {"operation_id": "", "durable_execution_arn": ""}  # noqa: RUF012 - declared in the base

    operation_id: str
    durable_execution_arn: str

    def __init__(self, operation_id: str = "", durable_execution_arn: str = "") -> None:
        self._set(operation_id=operation_id, durable_execution_arn=durable_execution_arn)


class SerDes(ABC, Generic[T]):
    """Writes a value as text and reads it back. Must give the same value for the same text, in every invocation.

    Raise :class:`SerDesError` for a failure that stays (any other exception is taken for one), and
    :class:`RetryableSerDesError` to have the invocation tried again.
    """

    @abstractmethod
    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        """The text to record for ``value``."""

    @abstractmethod
    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        """The value of a recorded text."""

    @staticmethod
    def is_primitive(obj: Any) -> bool:
        """Whether JSON restores ``obj`` by itself: None, a bool, a number, a text, or lists of these."""
        if isinstance(obj, list):
            return all(map(SerDes.is_primitive, obj))
        return obj is None or isinstance(obj, (str, int, float))


class AnnotationMismatchWarning(UserWarning):
    """A function returned what its annotation does not say.

    Where the annotation names nothing but JSON's own types (``dict[str, bool]``) the value is recorded all the same. An
    annotation that restores something, such as a dataclass or a datetime, is binding: that is a SerDesError.
    """


class WrappingSerDes(SerDes[T]):
    """A serdes that may go around the codec which the value would have without it, and so keeps to annotations."""

    @abstractmethod
    def over(self, make_codec: Callable[[], Codec]) -> SerDes[T]:
        """The serdes to use for the values that ``make_codec()`` is for."""


class JsonSerDes(SerDes[T]):
    """Plain JSON, whatever the annotation says. Tuples come back as lists and keys as strings."""

    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        import json

        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as failure:
            raise SerDesError(f"JsonSerDes cannot write a {type(value).__name__}: {failure}") from failure

    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        import json

        try:
            value: T = json.loads(data)
        except (TypeError, ValueError, RecursionError) as failure:
            raise SerDesError(f"JsonSerDes cannot read {excerpt(data)}: {failure}") from failure
        return value


class PassThroughSerDes(SerDes[T]):
    """The value is the text: for functions that already return a string in their own format."""

    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        if not isinstance(value, str):
            raise SerDesError(f"PassThroughSerDes takes a str, not a {type(value).__name__}: {excerpt(value)}")
        return value

    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        value: Any = data
        return value  # type: ignore[no-any-return]


class Codec(Protocol):
    """Writes and reads the values of one annotation."""

    def encode(self, value: Any) -> str:
        """The text to record. Raises SerDesError with the path of what cannot be written."""
        ...

    def decode(self, text: str) -> Any:
        """The value of a recorded text. Raises SerDesError with the path of what does not fit the annotation."""
        ...

    def round_trip(self, value: Any) -> tuple[str, Any]:
        """The text to record, and the value as a replay will read it."""
        ...


class SerDesCodec:
    """A user's serdes, as a codec for one operation. What it raises becomes a SerDesError."""

    __slots__ = ("_context", "_serdes")

    def __init__(self, serdes: SerDes[Any], context: SerDesContext) -> None:
        self._serdes = serdes
        self._context = context

    def encode(self, value: Any) -> str:
        try:
            text: Any = self._serdes.serialize(value, self._context)
        except (SerDesError, RetryableSerDesError):
            raise
        except Exception as failure:
            raise SerDesError(self._failed("serialize", f"a {type(value).__name__}", failure)) from failure
        if text is None and value is None:
            return NO_TEXT  # many a serdes lets None through; nothing recorded reads as None, without the serdes
        if not isinstance(text, str):
            raise SerDesError(
                f"{type(self._serdes).__name__}.serialize() returned {excerpt(text)} ({type(text).__name__}), not a str"
            )
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError as failure:
                name = type(self._serdes).__name__
                raise SerDesError(
                    f"{name}.serialize() returned {excerpt(text)}, with half of a surrogate pair at {failure.start}: "
                    "it is recorded as UTF-8, which has no form for that. json.dumps() writes ASCII"
                ) from None
        return str.__str__(text)

    def decode(self, text: str) -> Any:
        try:
            return self._serdes.deserialize(text, self._context)
        except (SerDesError, RetryableSerDesError):
            raise
        except Exception as failure:
            raise SerDesError(self._failed("deserialize", excerpt(text), failure)) from failure

    def round_trip(self, value: Any) -> tuple[str, Any]:
        text = self.encode(value)
        return text, None if text is NO_TEXT else self.decode(text)

    def _failed(self, verb: str, what: str, failure: Exception) -> str:
        return f"{type(self._serdes).__name__}.{verb}() failed on {what}: {type(failure).__name__}: {failure}"


def codec_by(serdes: SerDes[Any], context: SerDesContext, make_codec: Callable[[], Codec]) -> SerDesCodec:
    """``serdes`` as the codec of values that, without it, ``make_codec()`` would be for."""
    return SerDesCodec(serdes.over(make_codec) if isinstance(serdes, WrappingSerDes) else serdes, context)


def excerpt(value: object) -> str:
    """The beginning of a value, for an error message."""
    try:
        text = repr(value)
    except Exception:
        return f"<{type(value).__name__}>"
    return text if len(text) <= 80 else text[:77] + "..."
