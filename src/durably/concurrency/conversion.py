"""BatchResult and its parts inside other values: ``dict[str, BatchResult[Order]]``, a field of a dataclass.

msgspec asks here about types that it does not know (:mod:`durably.serdes._hooks`).
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from durably._completion import BatchItemStatus

from .error_object import ErrorObject
from .models import BatchItem, BatchResult

__all__ = ["batch_item_type", "from_builtins", "is_ours", "to_builtins"]


def batch_item_type(annotation: Any) -> Any:
    """X of ``BatchResult[X]``, Any of a bare BatchResult; None for any other annotation."""
    if annotation is BatchResult:
        return Any
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is BatchResult else None


def is_ours(annotation: Any) -> bool:
    return (typing.get_origin(annotation) or annotation) in (BatchResult, BatchItem, ErrorObject)


def to_builtins(value: Any) -> Any:
    """The JSON form of one of our classes, with its parts as they are; None for any other value."""
    return value.to_dict() if isinstance(value, (BatchResult, BatchItem, ErrorObject)) else None


def from_builtins(annotation: Any, value: Any, convert: Callable[[Any, Any], Any]) -> Any:
    """The instance of one of our classes.

    Parameters:
        annotation: BatchResult or BatchItem, with or without its argument, or ErrorObject.
        value: its JSON form, or an instance whose results are still in theirs.
        convert: makes a value (first argument) one of a type (second argument).

    Raises:
        ValueError: it is neither.
    """
    cls = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)

    def typed(item: BatchItem[Any]) -> BatchItem[Any]:
        if not arguments or item.status is not BatchItemStatus.SUCCEEDED:
            return item
        return item.with_result(convert(item.result, arguments[0]))

    try:
        if not isinstance(value, cls):
            value = cls.from_dict(value)
    except (LookupError, TypeError, ValueError, AttributeError) as failure:
        raise ValueError(f"not a {cls.__name__}: {failure!r}") from None
    if isinstance(value, BatchItem):
        return typed(value)
    if isinstance(value, BatchResult):
        return BatchResult([typed(item) for item in value.all], value.completion_reason)
    return value
