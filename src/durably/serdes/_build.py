"""Which codec an annotation gets."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterator
from typing import Any, Final

from durably.exceptions import SerDesError

from ._annotations import MISSING
from ._base import Codec
from ._hooks import is_pydantic_model
from ._lenient import LenientCodec
from ._pydantic import PydanticCodec
from ._typed import TypedCodec, describe, is_union, strip
from ._untyped import PlainJsonCodec, UntypedCodec

_ANYTHING: Final = (MISSING, Any, object, typing.NoReturn, typing.Never)
_PLAIN: Final = (None, type(None), str, int, float, bool, list, dict, typing.List, typing.Dict)  # noqa: UP006


def build_codec(annotation: Any, tagged: bool, lenient: bool = False) -> Codec:
    annotation = _with_open_values(annotation)
    inner = strip(annotation)
    if any(inner is word for word in _ANYTHING) or isinstance(inner, typing.TypeVar):
        return UntypedCodec() if tagged else PlainJsonCodec()
    if isinstance(inner, (str, typing.ForwardRef)):
        raise SerDesError(f"the annotation {inner!r} is only the name of a type: pass the type itself")
    batch = _batch_codec(inner, tagged)
    if batch is not None:
        return batch
    if any(is_pydantic_model(part) for part in _parts(annotation)):
        return PydanticCodec(annotation, tagged)
    cls = LenientCodec if lenient and _is_plain(annotation) else TypedCodec
    try:
        return cls(annotation, tagged)
    except Exception as failure:
        raise SerDesError(_unsupported(annotation, failure)) from failure


def _is_plain(annotation: Any) -> bool:
    """Whether an annotation names nothing but what JSON restores by itself."""
    inner = strip(annotation)
    if typing.get_origin(inner) is typing.Literal:
        return True
    if is_union(inner):
        return all(_is_plain(part) for part in typing.get_args(inner))
    if any(inner is word for word in (*_ANYTHING, *_PLAIN)):
        return True
    return typing.get_origin(inner) in (list, dict) and all(_is_plain(part) for part in typing.get_args(inner))


def _batch_codec(annotation: Any, tagged: bool) -> Codec | None:
    cls = typing.get_origin(annotation) or annotation
    if getattr(cls, "__name__", "") != "BatchResult":
        return None  # without importing it to find out
    from durably.concurrency.codec import BatchCodec
    from durably.concurrency.conversion import batch_item_type

    item_type = batch_item_type(annotation)
    if item_type is None:
        return None
    item_codec = build_codec(item_type, tagged)
    return BatchCodec(lambda index: item_codec, tagged=tagged, read_back=True)


def _with_open_values(annotation: Any) -> Any:
    """``durably.types.DurableValue`` stands for whatever can be recorded without an annotation, so it is read as Any.

    It is a union that refers to itself by name, which can be told without importing it.
    """
    args = typing.get_args(annotation)
    if is_union(annotation) and any("DurableValue" in repr(arg) for arg in args):
        return Any
    if typing.get_origin(annotation) is collections.abc.Iterable or annotation is collections.abc.Iterable:
        read_as: Any = collections.abc.Sequence
        annotation = read_as[args] if args else read_as
    opened = tuple(_with_open_values(arg) for arg in args)
    if all(new is old for new, old in zip(opened, args, strict=True)):
        return annotation
    return typing.get_origin(annotation)[opened]


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and its arguments, all the way down, but not into the fields of classes."""
    annotation = strip(annotation)
    yield annotation
    if typing.get_origin(annotation) is not typing.Literal:
        for part in typing.get_args(annotation):
            yield from _parts(part)


def _unsupported(annotation: Any, failure: Exception) -> str:
    text = f"no codec for the annotation {describe(annotation)}: {failure}. "
    if "union" in str(failure).lower():
        return text + (
            "In JSON these could not be told apart: make them msgspec Structs with tag=True or Pydantic models, "
            "or pass a serdes"
        )
    if "Enum" in str(failure):
        return text + "Give the enum str or int values, or return member.name"
    return text + "Return a dataclass, a Pydantic model, a msgspec Struct or builtin types, or pass a serdes"
