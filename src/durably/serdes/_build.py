"""Which codec an annotation gets."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Callable, Iterator
from types import UnionType
from typing import Any, Final

import msgspec

from ..exceptions import SerDesError
from ._annotations import MISSING
from ._base import Codec, excerpt
from ._hooks import is_pydantic_model
from ._paths import BadValue
from ._pydantic import PydanticCodec
from ._typed import TypedCodec, describe, strip
from ._untyped import PlainJsonCodec, UntypedCodec

_OPEN: Final = (MISSING, Any, object, typing.NoReturn, typing.Never)
_OPEN_CONTAINERS: Final = (list, dict, tuple)
_PLAIN: Final = (str, int, float, bool, type(None), None)


def build_codec(annotation: Any, tagged: bool) -> Codec:
    inner = strip(annotation)
    if any(inner is word for word in _OPEN) or isinstance(inner, typing.TypeVar):
        return UntypedCodec() if tagged else PlainJsonCodec()
    if isinstance(inner, str):
        raise SerDesError(f"the annotation {inner!r} is a string: pass the type itself")
    if is_open(inner):
        check = _shape_check(inner)
        return UntypedCodec(check) if tagged else PlainJsonCodec(check)
    if any(is_pydantic_model(part) for part in _tree(annotation)):
        return PydanticCodec(annotation, tagged)
    try:
        return TypedCodec(annotation, tagged)
    except SerDesError:
        raise
    except Exception as failure:
        raise SerDesError(_unsupported(annotation, failure)) from failure


def is_open(annotation: Any) -> bool:
    """Builtin containers of Any (and plain scalars beside it): the value says its types, not the annotation."""
    return _has_any(annotation) and all(
        part in _OPEN_CONTAINERS or part in _PLAIN or _is_any(part) or typing.get_origin(part) in _OPEN_CONTAINERS
        or isinstance(part, UnionType) or typing.get_origin(part) is typing.Union or part is ...
        for part in _tree(annotation)
        if not isinstance(part, list)
    ) and all(typing.get_args(part)[0] in (str, Any) for part in _tree(annotation) if typing.get_origin(part) is dict)


def _is_any(part: Any) -> bool:
    return part is Any or part is object or isinstance(part, typing.TypeVar)


def _has_any(annotation: Any) -> bool:
    return any(_is_any(part) or part in _OPEN_CONTAINERS for part in _tree(annotation))


def _tree(annotation: Any) -> Iterator[Any]:
    """An annotation and its arguments, all the way down (but not into the fields of classes)."""
    annotation = strip(annotation)
    yield annotation
    for part in typing.get_args(annotation):
        if not (typing.get_origin(annotation) is typing.Literal):
            yield from _tree(part)


def _shape_check(annotation: Any) -> Callable[[Any], None]:
    origin = typing.get_origin(annotation) or annotation
    if origin in _OPEN_CONTAINERS and all(_is_any(part) or part in (str, ...) for part in typing.get_args(annotation)[-1:]):
        expected: type = origin

        def check_type(value: Any) -> None:
            if not isinstance(value, expected):
                raise BadValue((), f"is a {type(value).__qualname__} ({excerpt(value)}), not a {describe(annotation)}")

        return check_type

    def check(value: Any) -> None:
        try:
            msgspec.convert(value, annotation)
        except Exception as failure:
            raise BadValue((), f"does not fit {describe(annotation)}: {failure}") from None

    return check


_ITERATORS: Final = (
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
)


def _unsupported(annotation: Any, failure: Exception) -> str:
    text = f"no codec for the annotation {describe(annotation)}: {failure}. "
    if "union" in str(failure).lower():
        return text + (
            "In JSON these could not be told apart. Make them msgspec Structs with tag=True or Pydantic models, "
            "or pass a serdes"
        )
    if "Enum" in str(failure):
        return text + "Give the enum str or int values, or return member.name"
    return text + "Return a dataclass, a Pydantic model, a msgspec Struct or builtin types, or pass a serdes"
