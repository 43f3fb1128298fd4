"""Codecs for values whose type nobody has declared.

The fast path rests on one comparison. msgspec writes many types as plain JSON without saying so, but what it writes
for a datetime, a tuple or a dataclass reads back as something that is not equal to the original. So write, read back
(which the first run needs anyway) and compare: if equal, the text is plain JSON and says everything.
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from durably.exceptions import SerDesError

from ._base import excerpt
from ._hooks import to_builtins_hook, to_json_hook
from ._paths import BadValue
from ._tags import MAX_DEPTH, is_tagged, read_json, untag, unwritable, write_tagged

_write: Final = msgspec.json.Encoder().encode
_write_any: Final = msgspec.json.Encoder(enc_hook=to_json_hook).encode
_read: Final = msgspec.json.Decoder().decode

IMMUTABLE: Final = frozenset({str, int, bool, type(None)})
"""Types whose values are the same after a round trip; a float may be NaN."""

FAILURES: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for a value it cannot write or a text it cannot read."""


class UntypedCodec:
    """Plain JSON where that is enough, type tags where it is not."""

    __slots__ = ()

    def encode(self, value: Any) -> str:
        return self.round_trip(value)[0]

    def round_trip(self, value: Any) -> tuple[str, Any]:
        cls = type(value)
        try:
            data = _write(value)
            if cls in IMMUTABLE:
                return data.decode(), value
            back = _read(data)
            if (back == value) is True and not (cls is dict and "t" in value and "v" in value):
                return data.decode(), back
        except Exception:  # FAILURES, or what the value's own == raises
            pass
        try:
            text = write_tagged(value)
            return text, untag(read_json(text))
        except BadValue as bad:
            raise SerDesError(f"cannot record the value: {bad}") from None
        except (ValueError, RecursionError) as failure:
            raise SerDesError(f"cannot record the value: {failure}") from None

    def decode(self, text: str) -> Any:
        value = _parse(text)
        if type(value) is not dict or not is_tagged(value):
            return value
        try:
            return untag(value)
        except BadValue as bad:
            raise SerDesError(f"cannot read the recorded value: {bad}") from None


class PlainJsonCodec:
    """Plain JSON for other programs to read: every type in its usual JSON form, no tags."""

    __slots__ = ()

    def encode(self, value: Any) -> str:
        try:
            data = _write_any(value)
            # NaN would go as null, so a text with a null in it is looked at more closely.
            if b"null" not in data or (_read(data) == value) is True:
                return data.decode()
        except Exception:  # the same
            pass
        try:
            return write_plain(value)
        except BadValue as bad:
            raise SerDesError(f"cannot write the value as JSON: {bad}") from None

    def decode(self, text: str) -> Any:
        return _parse(text)

    def round_trip(self, value: Any) -> tuple[str, Any]:
        text = self.encode(value)
        return text, _parse(text)


def _parse(text: str) -> Any:
    try:
        return read_json(text)
    except (TypeError, ValueError) as failure:
        raise SerDesError(f"this is not JSON: {excerpt(text)} ({failure})") from None


def write_plain(value: Any) -> str:
    """The slow, thorough way to plain JSON: also lone surrogates and long integers. Raises BadValue."""
    import json

    try:
        tree = msgspec.to_builtins(value, str_keys=True, enc_hook=to_builtins_hook)
    except FAILURES as failure:
        try:
            return json.dumps(value, separators=(",", ":"), allow_nan=False)  # which knows keys that are True or None
        except FAILURES:
            raise _find_unwritable(value, failure) from None
    _refuse_nan(tree, ())
    try:
        return json.dumps(tree, separators=(",", ":"))
    except FAILURES as failure:
        raise BadValue((), f"cannot be written: {failure}") from None


def _refuse_nan(tree: Any, path: tuple[str | int, ...]) -> None:
    if isinstance(tree, float) and not math.isfinite(tree):
        raise BadValue(path, f"is {tree}, which JSON has no word for: use None or a string")
    if isinstance(tree, (list, tuple)):
        for index, part in enumerate(tree):
            _refuse_nan(part, (*path, index))
    elif isinstance(tree, dict):
        for key, part in tree.items():
            _refuse_nan(part, (*path, str(key)))


def _find_unwritable(value: Any, failure: Exception) -> BadValue:
    """The deepest part that fails by itself."""
    path: tuple[str | int, ...] = ()
    seen: list[int] = []
    while len(path) < MAX_DEPTH:
        if id(value) in seen:
            return BadValue(path, "contains itself; record data without cycles")
        seen.append(id(value))
        for segment, part in _parts(value):
            try:
                msgspec.to_builtins(part, str_keys=True, enc_hook=to_builtins_hook)
            except FAILURES as part_failure:
                path, value, failure = (*path, segment), part, part_failure
                break
        else:
            break
    if isinstance(failure, RecursionError):
        return BadValue(path, "is nested too deep; flatten the value")
    if isinstance(value, dict):
        return BadValue(path, f"is a dict whose keys cannot be written as strings: {failure}")
    return BadValue(path, unwritable(value))


def _parts(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return [(str(key), part) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(enumerate(value))
    return [(name, getattr(value, name)) for name in field_names(type(value)) or () if hasattr(value, name)]


def field_names(cls: type) -> tuple[str, ...] | None:
    """The fields of a class made of fields."""
    for marker in ("__struct_fields__", "__pydantic_fields__", "model_fields", "__dataclass_fields__"):
        names: Any = getattr(cls, marker, None)
        if names is not None:
            return tuple(names)
    attributes: Any = getattr(cls, "__attrs_attrs__", None)
    return None if attributes is None else tuple(attribute.name for attribute in attributes)
