"""How a BatchResult is recorded: the official SDK's tagged form, with each result written by the items' own codec."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably._completion import BatchItemStatus
from durably.exceptions import SerDesError

from .error_object import ErrorObject
from .models import BatchItem, BatchResult, CompletionReason

if TYPE_CHECKING:
    from durably.serdes import Codec

__all__ = ["BatchCodec"]


class BatchCodec:
    """Codec of a BatchResult.

    Parameters:
        codec_of: the codec of the result with that index; branches of a parallel differ.
    """

    __slots__ = ("_codec_of",)

    def __init__(self, codec_of: Callable[[int], Codec]) -> None:
        self._codec_of = codec_of

    def encode(self, value: BatchResult[Any]) -> str:
        items = ",".join(self._encode_item(item) for item in value.all)
        reason = value.completion_reason.value
        return f'{{"t":"br","v":{{"all":{{"t":"l","v":[{items}]}},"completionReason":"{reason}"}}}}'

    def _encode_item(self, item: BatchItem[Any]) -> str:
        result = self._codec_of(item.index).encode(item.result) if item.status is BatchItemStatus.SUCCEEDED else "null"
        error = "null" if item.error is None else _dumps(item.error.to_dict())
        name = "" if item.name is None else f',"name":{_dumps(item.name)}'
        return (
            f'{{"t":"m","v":{{"index":{item.index},"status":"{item.status.value}","result":{result},"error":{error}'
            f"{name}}}}}"
        )

    def decode(self, text: str) -> BatchResult[Any]:
        try:
            batch = _untagged(json.loads(text))
            items = [self._decode_item(_untagged(item)) for item in _untagged(batch["all"])]
            return BatchResult(items, CompletionReason(_untagged(batch["completionReason"])))
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise SerDesError(f"the payload is not a recorded BatchResult ({failure!r}): {text[:80]}") from failure

    def _decode_item(self, fields: dict[str, Any]) -> BatchItem[Any]:
        index = _untagged(fields["index"])
        status = BatchItemStatus(_untagged(fields["status"]))
        result = None
        if status is BatchItemStatus.SUCCEEDED:
            result = self._codec_of(index).decode(_dumps(fields.get("result")))
        recorded = _untagged(fields.get("error"))
        error = None
        if recorded:
            error = ErrorObject.from_dict({member: _plain(value) for member, value in recorded.items()})
        return BatchItem(index, status, result, error, name=_untagged(fields.get("name")))

    def round_trip(self, value: BatchResult[Any]) -> tuple[str, BatchResult[Any]]:
        # Every result in it has been through its own codec when its branch ended.
        return self.encode(value), value


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _untagged(value: Any) -> Any:
    """What a tag holds, one level deep; anything else as it is."""
    if isinstance(value, dict) and value.keys() == {"t", "v"}:
        return value["v"]
    return value


def _plain(value: Any) -> Any:
    value = _untagged(value)
    return [_plain(one) for one in value] if isinstance(value, list) else value
