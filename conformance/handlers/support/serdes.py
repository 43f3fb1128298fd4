"""Serializers of the requirements that ask for one of the user's own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from durably import BatchItem, BatchItemStatus, BatchResult, CompletionReason, SerDes, SerDesContext


class UppercaseText(SerDes[str]):
    """Records text in capitals, bare."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return value.upper()

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return data


class UppercaseValues(SerDes[dict[str, str]]):
    """Sends an object with its values in capitals."""

    def serialize(self, value: dict[str, str], serdes_context: SerDesContext) -> str:
        return json.dumps({key: text.upper() for key, text in value.items()})

    def deserialize(self, data: str, serdes_context: SerDesContext) -> dict[str, str]:
        decoded: dict[str, str] = json.loads(data)
        return decoded


class Shouting(SerDes[str]):
    """Reads whatever JSON text arrives as that text in capitals, quotes and all."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return value

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return data.upper()


class Number(SerDes[int]):
    """An integer in its decimal form."""

    def serialize(self, value: int, serdes_context: SerDesContext) -> str:
        return str(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> int:
        return int(data)


@dataclass(frozen=True)
class Message:
    """A message from outside; ``timestamp`` in whole seconds since the epoch."""

    id: str
    message: str
    timestamp: int


class MessageFromJson(SerDes[Message]):
    """Reads a message whose timestamp was sent as ISO 8601 text."""

    def serialize(self, value: Message, serdes_context: SerDesContext) -> str:
        moment = datetime.fromtimestamp(value.timestamp).astimezone().isoformat()
        return json.dumps({"id": value.id, "message": value.message, "timestamp": moment})

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Message:
        fields = json.loads(data)
        moment = datetime.fromisoformat(fields["timestamp"])
        return Message(fields["id"], fields["message"], int(moment.timestamp()))


class Reversed(SerDes[str]):
    """Records text back to front, behind a mark that reading insists on."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return "reversed:" + value[::-1]

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return after("reversed:", data)[::-1]


class Marked(SerDes[str]):
    """Records text behind a mark."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return "wrapped:" + value

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return after("wrapped:", data)


class Enveloped(SerDes[str]):
    """Records text as the only field of an object."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return json.dumps({"wrapped": value})

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        text: str = json.loads(data)["wrapped"]
        return text


class JoinedResults(SerDes[BatchResult[str]]):
    """Records a whole batch as its results, joined; of a batch whose items all succeeded that is everything."""

    def serialize(self, value: BatchResult[str], serdes_context: SerDesContext) -> str:
        return "OPSERDE:" + ",".join(value.get_results())

    def deserialize(self, data: str, serdes_context: SerDesContext) -> BatchResult[str]:
        results = after("OPSERDE:", data).split(",")
        items = [BatchItem(index, BatchItemStatus.SUCCEEDED, result) for index, result in enumerate(results)]
        return BatchResult(items, CompletionReason.ALL_COMPLETED)


def after(mark: str, data: str) -> str:
    """The text behind ``mark``; anything without it was not written by the same serializer."""
    if not data.startswith(mark):
        raise ValueError(f"{data!r} does not begin with {mark}")
    return data.removeprefix(mark)
