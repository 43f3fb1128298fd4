"""A serdes used by hand, as programs do that write payloads for others to read."""

from __future__ import annotations

from typing import Any

from ._base import SerDes, SerDesContext, codec_by
from ._select import DefaultSerDes, codec_for

__all__ = ["deserialize", "serialize"]


def serialize(serdes: SerDes[Any] | None, value: Any, operation_id: str, durable_execution_arn: str) -> str:
    """The text that an operation of that id would record for ``value``; None: by the default serdes.

    Raises SerDesError for anything that goes wrong, or RetryableSerDesError if that is what the serdes raises.
    """
    context = SerDesContext(operation_id, durable_execution_arn)
    return codec_by(serdes or DefaultSerDes(), context, codec_for).encode(value)


def deserialize(serdes: SerDes[Any] | None, data: str, operation_id: str, durable_execution_arn: str) -> Any:
    """The value of a recorded text. Raises as :func:`serialize` does."""
    context = SerDesContext(operation_id, durable_execution_arn)
    return codec_by(serdes or DefaultSerDes(), context, codec_for).decode(data)
