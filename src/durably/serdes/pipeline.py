"""A serdes made of several: a value becomes text, and the text goes through stages.

A stage is a serdes whose values are texts, so there is nothing more to learn: a compressor, a cipher and a store of
large payloads are stages, and so is any serdes that takes strings.

The text that leaves a pipeline is JSON, because the input and result of an execution and the payload of an invoke have
to be: what is no object already goes as a string. Two forms that begin differently can be told apart when reading.
"""

from __future__ import annotations

import json
import zlib
from base64 import b85decode, b85encode
from collections.abc import Callable
from typing import Any, Final

from durably._config_checks import check_not_awaited, check_serdes
from durably._values import T, publish
from durably.exceptions import RetryableSerDesError, SerDesError, ValidationError

from ._base import Codec, SerDes, SerDesCodec, SerDesContext, WrappingSerDes, excerpt
from ._select import codec_for

__all__ = ["CompressSerDes", "CustomSerDes", "PipelineSerDes", "custom_serdes"]


_COMPRESSED: Final = "zlib:"
_AS_IT_IS: Final = "text:"


class PipelineSerDes(WrappingSerDes[T]):
    """Writes a value as text and sends the text through ``stages``; reading goes the other way.

        PipelineSerDes(CompressSerDes(), Encrypt(key))

    Parameters:
        stages: each takes the text that the one before it made.
        serdes: makes the first text; by default what would be used without a serdes, by the annotation.
    """

    def __init__(self, *stages: SerDes[str], serdes: SerDes[Any] | None = None) -> None:
        if not stages:
            raise ValidationError("PipelineSerDes needs at least one stage, e.g. PipelineSerDes(CompressSerDes())")
        for number, stage in enumerate(stages, 1):
            if stage is None:
                raise ValidationError(f"stage {number} is None: pass a serdes of text, e.g. CompressSerDes()")
            check_serdes(stage, f"stage {number}")
        check_serdes(serdes, "serdes")
        self._stages = stages
        self._serdes = serdes
        self._codec: Codec | None = None

    def over(self, make_codec: Callable[[], Codec]) -> SerDes[T]:
        if isinstance(self._serdes, WrappingSerDes):
            return PipelineSerDes(*self._stages, serdes=self._serdes.over(make_codec))
        if self._serdes is not None:
            return self
        bound: PipelineSerDes[T] = PipelineSerDes(*self._stages)
        bound._codec = make_codec()
        return bound

    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        text = self._first(serdes_context).encode(value)
        for number, stage in enumerate(self._stages, 1):
            text = self._apply(number, stage.serialize, text, serdes_context)
        return text if _is_object(text) else json.dumps(text)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        text = self._unquoted(data)
        for number in range(len(self._stages), 0, -1):
            text = self._apply(number, self._stages[number - 1].deserialize, text, serdes_context)
        value: T = self._first(serdes_context).decode(text)
        return value

    def _first(self, context: SerDesContext) -> Codec:
        if self._serdes is not None:
            return SerDesCodec(self._serdes, context)
        return codec_for() if self._codec is None else self._codec

    def _unquoted(self, data: str) -> str:
        if not data.startswith('"'):
            return data
        try:
            return str(json.loads(data))
        except ValueError as failure:
            raise SerDesError(f"{self!r} cannot read {excerpt(data)}: it is no JSON string: {failure}") from failure

    def _apply(self, number: int, act: Callable[[str, SerDesContext], str], text: str, context: SerDesContext) -> str:
        try:
            result: Any = act(text, context)
        except (SerDesError, RetryableSerDesError):
            raise
        except Exception as failure:
            # Without an excerpt: this may be the text before it is encrypted, and the message is recorded.
            said = f"{type(failure).__name__}: {failure}".rstrip(": ")
            raise SerDesError(f"stage {number} of {self!r} failed to {act.__name__}: {said}") from failure
        if not isinstance(result, str):
            raise SerDesError(f"stage {number} of {self!r} made a {type(result).__name__}, not a str")
        return result

    def __repr__(self) -> str:
        return f"PipelineSerDes({', '.join(type(stage).__name__ for stage in self._stages)})"


class CompressSerDes(SerDes[str]):
    """A stage that compresses texts (zlib), where that makes them shorter.

    A text that was recorded before there was compression is read as it is.

    Parameters:
        above: characters below which a text is left as it is.
        level: 1 (fast) to 9 (small).
        max_bytes: reading refuses a text that would be longer than this, so that a small record cannot fill the memory.
    """

    def __init__(self, above: int = 1024, level: int = 6, max_bytes: int = 256 * 1024 * 1024) -> None:
        _check_number(above, "above", 0, 1 << 40)
        _check_number(level, "level", 1, 9)
        _check_number(max_bytes, "max_bytes", 1, 1 << 40)
        self._above = above
        self._level = level
        self._max_bytes = max_bytes

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        if not isinstance(value, str):
            raise SerDesError(
                f"CompressSerDes takes texts, not a {type(value).__name__}: for values of any type put it into a "
                "pipeline, PipelineSerDes(CompressSerDes())"
            )
        if len(value) > self._above:
            data = value.encode("utf-8", "surrogatepass")
            if len(data) > self._max_bytes:
                raise SerDesError(f"CompressSerDes was given {len(data):,} bytes; its max_bytes is {self._max_bytes:,}")
            packed = _COMPRESSED + b85encode(zlib.compress(data, self._level)).decode()
            if len(packed) < len(data):
                return packed
        return _AS_IT_IS + value if value.startswith((_COMPRESSED, _AS_IT_IS)) else value

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        if data.startswith(_AS_IT_IS):
            return data[len(_AS_IT_IS) :]
        if not data.startswith(_COMPRESSED):
            return data
        unpack = zlib.decompressobj()
        try:
            unpacked = unpack.decompress(b85decode(data[len(_COMPRESSED) :]), self._max_bytes + 1)
            if len(unpacked) > self._max_bytes:
                raise SerDesError(f"a compressed text has more than max_bytes of CompressSerDes: {self._max_bytes:,}")
            if not unpack.eof or unpack.unused_data:
                raise ValueError("the compressed data ends too early or goes on after its end")
            return unpacked.decode("utf-8", "surrogatepass")
        except (ValueError, zlib.error) as failure:
            raise SerDesError(f"CompressSerDes cannot read {excerpt(data)}: {failure}") from failure


def _is_object(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_number(value: Any, field: str, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValidationError(f"{field} is {value!r}, and must be an int, {low:,} to {high:,}")


class CustomSerDes(SerDes[T]):
    """Made by :func:`custom_serdes`."""

    def __init__(
        self, serialize: Callable[[T, SerDesContext], str], deserialize: Callable[[str, SerDesContext], T]
    ) -> None:
        for field, function in (("serialize", serialize), ("deserialize", deserialize)):
            if not callable(function):
                raise ValidationError(f"{field} is {function!r}, and must be a function of (value, serdes_context)")
            check_not_awaited(function, field)
        self._serialize = serialize
        self._deserialize = deserialize

    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        return self._serialize(value, serdes_context)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        return self._deserialize(data, serdes_context)


def custom_serdes(
    serialize: Callable[[T, SerDesContext], str], deserialize: Callable[[str, SerDesContext], T]
) -> SerDes[T]:
    """A serdes, or a stage of a pipeline, of two functions.

    Parameters:
        serialize: the text for a value, from (value, serdes_context).
        deserialize: the value of a text, from (text, serdes_context).
    """
    return CustomSerDes(serialize, deserialize)


publish("durably.serdes", __all__, globals())
