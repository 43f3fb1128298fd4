"""How a BatchResult becomes text and comes back.

It is written in the official SDK's form, the tag ``br`` (WIRE.md, Payloads), with the result of each item in the words
of that item's own codec: a map over orders restores orders, a parallel restores each branch's type. Tags around the
items are left out when no result needs one; every reader takes a part without a tag for what it is.

The text of a user's serdes need not be JSON, so it goes as a string. The official SDK writes such results in the clear,
each with a tag, and no string without one: that tells the two apart when reading.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from durably._completion import BatchItemStatus
from durably.exceptions import SerDesError
from durably.serdes import SerDesCodec, codec_for
from durably.wire.payloads import NO_TEXT

from .error_object import ErrorObject
from .models import BatchItem, BatchResult, CompletionReason

if TYPE_CHECKING:
    from durably.serdes import Codec

__all__ = ["BatchCodec"]

_TAG_START: Final = '{"t":'
_SUCCEEDED: Final = BatchItemStatus.SUCCEEDED
_FAILURES: Final = (LookupError, TypeError, ValueError, AttributeError, RecursionError)
_write: Final = msgspec.json.Encoder().encode


class _Item(msgspec.Struct):
    index: int
    status: BatchItemStatus
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: dict[str, Any] | None = None
    name: str | None = None


class _Body(msgspec.Struct):
    all: list[_Item]
    completionReason: CompletionReason


class _Tagged(msgspec.Struct):
    t: Literal["br"]
    v: _Body


_read: Final = msgspec.json.Decoder(_Tagged).decode


class BatchCodec:
    """Codec of a BatchResult.

    Parameters:
        codec_of: the codec of the result with that index; branches of a parallel differ.
        tagged: False for plain JSON, which says nothing about types, for other programs to read.
        read_back: whether :meth:`round_trip` reads the results again. It need not where each has been through its own
            codec when its branch ended.
        texts: what results were written as before, by their indexes; those are not written again.
    """

    __slots__ = ("_codec_of", "_read_back", "_tagged", "_texts")

    def __init__(
        self,
        codec_of: Callable[[int], Codec],
        *,
        tagged: bool = True,
        read_back: bool = False,
        texts: Mapping[int, str] | None = None,
    ) -> None:
        self._codec_of = codec_of
        self._tagged = tagged
        self._read_back = read_back
        self._texts: Mapping[int, str] = {} if texts is None else texts

    def encode(self, value: Any) -> str:
        if not isinstance(value, BatchResult):
            raise SerDesError(f"cannot record the value: it is a {type(value).__name__}, not a BatchResult")
        results = self._written_before(value)
        if results is not None:
            parts = [
                f'{{"index":{index},"status":"SUCCEEDED","result":{text},"error":null}}'
                for index, text in enumerate(results)
            ]
        else:
            results = [self._encode_result(item) for item in value.all]
            parts = [_item_text(item, text) for item, text in zip(value.all, results, strict=True)]
        wrapped = self._tagged and any(text.startswith(_TAG_START) for text in results)
        if wrapped:
            items = ",".join([f'{{"t":"m","v":{part}}}' for part in parts])
            items = f'{{"t":"l","v":[{items}]}}'
        else:
            items = f"[{','.join(parts)}]"
        body = f'{{"all":{items},"completionReason":"{value.completion_reason.value}"}}'
        return f'{{"t":"br","v":{body}}}' if self._tagged else body

    def decode(self, text: str) -> BatchResult[Any]:
        try:
            body = _read(text).v
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self._decode_slowly(text)
        items = [
            BatchItem(
                item.index,
                item.status,
                self._decode_result(item.index, bytes(item.result).decode()) if item.status is _SUCCEEDED else None,
                None if item.error is None else ErrorObject.from_dict(item.error),
                name=item.name,
            )
            for item in body.all
        ]
        return BatchResult(items, body.completionReason)

    def round_trip(self, value: Any) -> tuple[str, BatchResult[Any]]:
        text = self.encode(value)
        return text, self.decode(text) if self._read_back else value

    def _written_before(self, value: BatchResult[Any]) -> list[str] | None:
        """The results, if that is all there is to be written of the items, and each was written before."""
        plain = value._plain
        if plain is None or len(self._texts) < len(plain):
            return None
        return [self._texts[index] for index in range(len(plain))]

    # ---- one result -----------------------------------------------------------------------------------------

    def _encode_result(self, item: BatchItem[Any]) -> str:
        if item.status is not _SUCCEEDED:
            return "null"
        if (written := self._texts.get(item.index)) is not None:
            return written
        codec = self._codec_of(item.index)
        try:
            text = codec.encode(item.result)
        except SerDesError as failure:
            raise _of_item(item.index, failure) from failure
        if text is NO_TEXT:
            return "null"
        return json.dumps(text) if isinstance(codec, SerDesCodec) else text

    def _decode_result(self, index: int, text: str) -> Any:
        codec = self._codec_of(index)
        try:
            if not isinstance(codec, SerDesCodec):
                return codec.decode(text)
            return codec.decode(json.loads(text)) if text.startswith('"') else codec_for().decode(text)
        except SerDesError as failure:
            raise _of_item(index, failure) from failure

    # ---- any other form -------------------------------------------------------------------------------------

    def _decode_slowly(self, text: str) -> BatchResult[Any]:
        """With tags anywhere, as the official SDK writes it, or without any."""
        from durably.serdes._base import excerpt
        from durably.serdes._paths import BadValue
        from durably.serdes._tags import read_json, untag

        try:
            body = _untagged(read_json(text))
            items: list[BatchItem[Any]] = []
            for node in _untagged(body["all"]):
                fields = _untagged(node)
                item: BatchItem[Any] = BatchItem.from_dict(
                    {key: untag(part) for key, part in fields.items() if key != "result"}
                )
                if item.status is _SUCCEEDED:
                    result = json.dumps(fields.get("result"), separators=(",", ":"))
                    item = item.with_result(self._decode_result(item.index, result))
                items.append(item)
            reason = untag(body.get("completionReason"))
            return BatchResult.from_items(items) if reason is None else BatchResult(items, CompletionReason(reason))
        except (BadValue, *_FAILURES) as failure:
            raise SerDesError(f"this is not a recorded BatchResult: {excerpt(text)} ({failure!r})") from None


def _untagged(node: Any) -> Any:
    """What a tag is around, with the parts left as they are."""
    from durably.serdes._tags import is_tagged

    return node["v"] if is_tagged(node) else node


def _item_text(item: BatchItem[Any], result: str) -> str:
    if item.status is _SUCCEEDED and item.error is None and item.name is None:  # most of ten thousand
        return f'{{"index":{item.index},"status":"SUCCEEDED","result":{result},"error":null}}'
    error = "null" if item.error is None else _write(item.error.to_dict()).decode()
    name = "" if item.name is None else f',"name":{_write(item.name).decode()}'
    return f'{{"index":{item.index},"status":"{item.status.value}","result":{result},"error":{error}{name}}}'


def _of_item(index: int, failure: SerDesError) -> SerDesError:
    return SerDesError(f"item {index} of the batch: {failure.message}")
