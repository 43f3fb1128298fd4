"""Codecs for declared types: plain JSON, written and read by msgspec as the annotation says.

msgspec writes whatever it is given and validates when it reads. So a value is written, read back as its annotation and
compared, at once, in the first run: what is not equal would not be the same after a replay, and is an error that
says where. The few equal values that JSON cannot carry (NaN, a datetime in a field declared Any, an offset with
seconds) go as the tagged tree instead.
"""

from __future__ import annotations

import collections.abc
import math
import typing
from datetime import date, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, Final
from uuid import UUID

import msgspec

from durably.exceptions import SerDesError

from ._base import excerpt
from ._hooks import from_json_hook, to_builtins_hook, to_json_hook
from ._paths import BadValue
from ._tags import is_tagged, read_json, untag, write_tagged
from ._untyped import FAILURES, IMMUTABLE, field_names, write_plain

TAG_START: Final = '{"t":'
RICH: Final = (datetime, date, Decimal, bytes, bytearray, UUID)

_write: Final = msgspec.json.Encoder(enc_hook=to_json_hook).encode


class TypedCodec:
    """Values of one annotation.

    Parameters:
        annotation: any type msgspec can read, with Pydantic models anywhere in it.
        tagged: whether values that plain JSON cannot carry may be written as a tagged tree.
    """

    __slots__ = ("_loose", "_read", "_same_type", "_tagged", "annotation")

    def __init__(self, annotation: Any, tagged: bool) -> None:
        self.annotation = annotation
        self._tagged = tagged
        self._read = msgspec.json.Decoder(annotation, dec_hook=from_json_hook).decode
        # A value of exactly this type is not changed by a round trip, so none is needed.
        exact = type(None) if annotation is None else annotation
        self._same_type = exact if any(exact is cls for cls in IMMUTABLE) else None
        self._loose = _is_abstract(annotation)

    def encode(self, value: Any) -> str:
        return self.round_trip(value)[0]

    def round_trip(self, value: Any) -> tuple[str, Any]:
        failure: Exception | None = None
        try:
            data = _write(value)
            if type(value) is self._same_type:
                return data.decode(), value
            back = self._read(data)
            if equal(value, back) or same(value, back, self._loose):
                text = data.decode()
                if not self._looks_tagged(text):
                    return text, back
        except FAILURES as error:
            failure = error
        return self._the_long_way(value, failure)

    def decode(self, text: str) -> Any:
        try:
            if not self._looks_tagged(text):
                return self._read(text)
        except FAILURES:
            pass
        return self._decode_slowly(text)

    def _looks_tagged(self, text: str) -> bool:
        return self._tagged and text.startswith(TAG_START) and is_tagged(read_json(text))

    # ---- what the fast path leaves ----------------------------------------------------------------------

    def _the_long_way(self, value: Any, failure: Exception | None) -> tuple[str, Any]:
        for builtin_types in (RICH, (), None) if self._tagged else ((),):
            try:
                if builtin_types is None:  # keys that are no strings
                    text = write_tagged(value)
                elif self._tagged:
                    tree = msgspec.to_builtins(
                        value, builtin_types=builtin_types, str_keys=True, enc_hook=to_builtins_hook
                    )
                    text = write_tagged(tree)
                else:
                    text = write_plain(value)
                back = TypedCodec._decode_slowly(self, text)  # strictly
                if same(value, back, self._loose):
                    return text, back
            except (SerDesError, BadValue, *FAILURES):
                pass
        from ._explain import why_not_written

        raise SerDesError(f"cannot record the value: {why_not_written(value, self.annotation, failure)}") from failure

    def _decode_slowly(self, text: str) -> Any:
        try:
            tree = read_json(text)
        except (TypeError, ValueError) as failure:
            raise SerDesError(f"this is not JSON: {excerpt(text)} ({failure})") from None
        if self._tagged and is_tagged(tree):
            try:
                return self._convert(untag(tree))
            except BadValue as bad:
                raise SerDesError(f"cannot read the recorded value: {bad}") from None
            except FAILURES as failure:
                # Perhaps another program wrote an object that only looks like a tag.
                tree_failure: Exception = failure
                try:
                    return self._convert(tree)
                except FAILURES:
                    tree = untag(tree)
        else:
            try:
                return self._convert(tree)
            except FAILURES as failure:
                tree_failure = failure
        from ._explain import why_not_read

        raise SerDesError(
            f"the JSON does not fit {describe(self.annotation)}: {why_not_read(tree, self.annotation, tree_failure)}"
        ) from tree_failure

    def _convert(self, tree: Any) -> Any:
        return msgspec.convert(tree, self.annotation, str_keys=True, dec_hook=from_json_hook)


def equal(value: Any, back: Any) -> bool:
    """``==``, for classes whose own may raise, or answer with anything."""
    try:
        return (back == value) is True
    except Exception:
        return False


def same(value: Any, back: Any, loose: bool = False, extras: bool = True) -> bool:
    """Whether a round trip kept everything, also for classes without ``==`` and for NaN.

    ``extras``: what a model holds beyond its fields, too, and in fields that it leaves out.
    """
    if value is back:
        return True
    cls: type[Any] = type(value)
    if cls is not type(back):
        if equal(value, back):
            return True
        if not loose:
            return False
        # Declared as a Sequence or a Mapping, so a list or a dict in its stead keeps the promise.
        if isinstance(back, list) and isinstance(value, collections.abc.Sequence) and not isinstance(value, str):
            return same(list(value), back, loose, extras)
        if type(back) is dict and type(value) is not dict and isinstance(value, collections.abc.Mapping):
            return same(dict(value), back, loose, extras)
        return False
    if isinstance(value, Decimal):
        return str(value) == str(back) or equal(value, back)
    if isinstance(value, float):
        return equal(value, back) or (math.isnan(value) and math.isnan(back))
    if isinstance(value, (list, tuple)):
        return len(value) == len(back) and all(same(a, b, loose, extras) for a, b in zip(value, back, strict=True))
    if isinstance(value, dict):
        return value.keys() == back.keys() and all(same(part, back[key], loose, extras) for key, part in value.items())
    names = field_names(cls)
    if names is not None:
        if not extras:
            names = tuple(name for name in names if not _is_excluded(cls, name))
        elif hasattr(value, "__pydantic_extra__"):
            names = (*names, "__pydantic_extra__")
        return all(same(getattr(value, name, None), getattr(back, name, None), loose, extras) for name in names)
    return equal(value, back)


def _is_excluded(cls: type[Any], name: str) -> bool:
    """Whether a model never writes that field: ``Field(exclude=True)``."""
    fields = getattr(cls, "__pydantic_fields__", None) or {}
    return getattr(fields.get(name), "exclude", None) is True


_QUALIFIERS: Final = (typing.Final, typing.ClassVar, typing.Required, typing.NotRequired)


def unqualified(annotation: Any) -> Any:
    """The annotation of a field without what says something about the field."""
    while typing.get_origin(annotation) in _QUALIFIERS:
        annotation = typing.get_args(annotation)[0]
    return annotation


def strip(annotation: Any) -> Any:
    """An annotation without Annotated, NewType, aliases and qualifiers around it."""
    while True:
        annotation = unqualified(annotation)
        if typing.get_origin(annotation) is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def describe(annotation: Any) -> str:
    """An annotation as a reader would write it."""
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_union(annotation):
        return " | ".join(describe(arm) for arm in arguments)
    if isinstance(origin, type) and arguments and not any(isinstance(part, list) for part in arguments):
        return f"{origin.__qualname__}[{', '.join(describe(part) for part in arguments)}]"
    if isinstance(annotation, type):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def is_union(annotation: Any) -> bool:
    return isinstance(annotation, UnionType) or typing.get_origin(annotation) is typing.Union


def _is_abstract(annotation: Any) -> bool:
    annotation = strip(annotation)
    origin = typing.get_origin(annotation) or annotation
    if getattr(origin, "__module__", "") == "collections.abc":
        return True
    return any(_is_abstract(part) for part in typing.get_args(annotation) if part is not ...)
