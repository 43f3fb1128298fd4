"""The tagged tree: JSON that says which type each part had.

The official SDK writes ``{"t": tag, "v": ...}`` around every part of anything but scalars and plain lists. Its
reader looks into a container only through a tag, and takes a part without one for what it is. So we can write
the same language with fewer words: a tag on each part that JSON has no word for, on the containers on the way to it,
and nothing on the rest. A dict that happens to look like a tag is written as a tagged dict. One tag is our own: ``M``
holds the pairs of a dict whose keys are not all strings.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, DecimalException
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from ._base import excerpt
from ._paths import BadValue, Path

if TYPE_CHECKING:
    from durably.concurrency.models import BatchResult

MAX_DEPTH: Final = 200
"""How deep a tagged value may be nested: its readers are recursive, here and in the official SDK."""

_MAX_INT_BITS: Final = 13_000
"""Python refuses to write integers of more than about 4300 digits."""


_write: Final = msgspec.json.Encoder().encode
_read: Final = msgspec.json.Decoder().decode


# ---- writing ------------------------------------------------------------------------------------------


def write_tagged(value: Any) -> str:
    """The text of a value, with as few tags as restore its types. Raises BadValue."""
    node, _ = _tag(value, (), ())
    try:
        return _write(node).decode()
    except UnicodeEncodeError:  # lone surrogates: JSON can spell them, UTF-8 cannot
        return json.dumps(node, separators=(",", ":"))


def _tag(value: Any, path: Path, parents: tuple[int, ...]) -> tuple[Any, bool]:
    """The JSON form of a value, and whether it is a tag."""
    if value is None or value is True or value is False:
        return value, False
    if isinstance(value, str):
        return str.__str__(value), False
    if isinstance(value, int):
        return _int(value, path), False
    if isinstance(value, float):
        if math.isfinite(value):
            return float.__float__(value), False
        return {"t": "f", "v": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}, True
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"t": "B", "v": base64.b64encode(value).decode()}, True
    if isinstance(value, UUID):
        return {"t": "u", "v": str(value)}, True
    if isinstance(value, Decimal):
        return {"t": "d", "v": str(value)}, True
    if isinstance(value, datetime):
        return {"t": "dt", "v": value.isoformat()}, True
    if isinstance(value, date):
        return {"t": "D", "v": value.isoformat()}, True
    if isinstance(value, (list, tuple, dict)):
        if id(value) in parents:
            raise BadValue(path, "contains itself; record data without cycles")
        if len(parents) >= MAX_DEPTH:
            raise BadValue(path, f"is nested more than {MAX_DEPTH} levels deep; flatten the value")
        parents = (*parents, id(value))
        return _tag_dict(value, path, parents) if isinstance(value, dict) else _tag_sequence(value, path, parents)
    batch = _batch_result()
    if isinstance(value, batch):
        nodes, _ = _tag_dict(value.to_dict(), path, (*parents, id(value)))
        return {"t": "br", "v": nodes["v"] if is_tagged(nodes) else nodes}, True
    raise BadValue(path, unwritable(value))


def _batch_result() -> type[BatchResult[Any]]:
    from durably.concurrency.models import BatchResult

    return BatchResult


def _int(value: int, path: Path) -> int:
    if value.bit_length() > _MAX_INT_BITS:
        raise BadValue(path, f"is an int of {value.bit_length()} bits, too long for decimal digits; record it as hex()")
    return int.__int__(value)


def _tag_sequence(value: list[Any] | tuple[Any, ...], path: Path, parents: tuple[int, ...]) -> tuple[Any, bool]:
    parts = [_tag(part, (*path, index), parents) for index, part in enumerate(value)]
    nodes = [node for node, _ in parts]
    if isinstance(value, tuple):
        return {"t": "t", "v": nodes}, True
    if any(is_tag for _, is_tag in parts):
        return {"t": "l", "v": nodes}, True
    return nodes, False


def _tag_dict(value: dict[Any, Any], path: Path, parents: tuple[int, ...]) -> tuple[Any, bool]:
    if any(not isinstance(key, str) for key in value):
        return _tag_pairs(value, path, parents), True
    nodes: dict[str, Any] = {}
    any_tag = "t" in value and "v" in value
    for key, part in value.items():
        node, is_tag = _tag(part, (*path, key), parents)
        nodes[str.__str__(key)] = node
        any_tag = any_tag or is_tag
    return ({"t": "m", "v": nodes}, True) if any_tag else (nodes, False)


def _tag_pairs(value: dict[Any, Any], path: Path, parents: tuple[int, ...]) -> dict[str, Any]:
    """A dict with keys that are no strings, which neither JSON nor the official SDK can give back."""
    pairs: list[list[Any]] = []
    for key, part in value.items():
        try:
            key_node = _tag(key, path, parents)[0]
        except BadValue:
            raise BadValue(
                path,
                f"is a dict with the key {excerpt(key)} ({type(key).__name__}), which has no recorded form: "
                f"annotate the function's return type (e.g. -> dict[{type(key).__name__}, ...]), or use str keys",
            ) from None
        pairs.append([key_node, _tag(part, (*path, excerpt(key)), parents)[0]])
    return {"t": "M", "v": pairs}


def unwritable(value: Any) -> str:
    """Why a value of this type cannot be recorded without an annotation, and what to do."""
    cls = type(value)
    name = cls.__qualname__
    if isinstance(value, (set, frozenset)):
        return f"is of type {name}: annotate the function's return type (e.g. -> {name}[str]), or use a list"
    enum = sys.modules.get("enum")
    has_fields = any(
        hasattr(cls, marker)
        for marker in (
            "__dataclass_fields__",
            "__struct_fields__",
            "__attrs_attrs__",
            "__pydantic_core_schema__",
            "_fields",
        )
    )
    if has_fields or (enum is not None and isinstance(value, enum.Enum)) or cls.__module__ == "datetime":
        return f"is of type {name} ({excerpt(value)}): annotate the function's return type so that it can be restored"
    if hasattr(value, "__await__"):
        if hasattr(value, "close"):
            value.close()  # or Python warns, later and elsewhere, that it was never awaited
        return f"is of type {name} that was not awaited: await it before returning"
    bound: Any = getattr(value, "_original_name", None)
    if isinstance(bound, str):  # of durable_step
        return f"is {value!r}, which has not been run: the arguments come first, ctx.step({bound}(...))"
    if hasattr(value, "__next__"):
        return f"is of type {name}, which can be read only once: return list(...) of it"
    return f"is of type {name} ({excerpt(value)}), which has no recorded form: return plain data, or pass a serdes"


# ---- reading ------------------------------------------------------------------------------------------


def read_json(text: str) -> Any:
    """Plain JSON, and Python's own additions to it: NaN, Infinity and lone surrogates. Raises ValueError."""
    try:
        return _read(text)
    except (msgspec.DecodeError, UnicodeError):
        pass
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def is_tagged(node: Any) -> bool:
    if type(node) is not dict or len(node) != 2 or "t" not in node or "v" not in node:
        return False
    shapes = _SHAPES.get(node["t"]) if isinstance(node["t"], str) else None
    return shapes is not None and type(node["v"]) in shapes


def untag(node: Any) -> Any:
    """The value of a tagged tree; anything else as it is. Raises BadValue."""
    try:
        return _untag(node)
    except RecursionError:
        raise BadValue((), "is nested too deep") from None


def _untag(node: Any, path: Path = ()) -> Any:
    if not is_tagged(node):
        return node
    tag, value = node["t"], node["v"]
    if tag == "l":
        return [_untag(part, (*path, index)) for index, part in enumerate(value)]
    if tag == "t":
        return tuple([_untag(part, (*path, index)) for index, part in enumerate(value)])
    if tag == "M":
        return _untag_pairs(value, path)
    if tag in ("m", "br"):
        fields = {key: _untag(part, (*path, key)) for key, part in value.items()}
        return fields if tag == "m" else _untag_batch(fields, path)
    try:
        return _LEAVES[tag](value)
    except (ValueError, ArithmeticError, DecimalException, binascii.Error) as failure:
        raise BadValue(
            path, f"has the type tag {tag!r}, and {excerpt(value)} cannot be read as one: {failure}"
        ) from None


def _untag_pairs(pairs: list[Any], path: Path) -> dict[Any, Any]:
    try:
        return {_untag(key, path): _untag(part, (*path, excerpt(key))) for key, part in pairs}
    except (TypeError, ValueError) as failure:
        raise BadValue(path, f"has the type tag 'M', and is no list of keys and values: {failure}") from None


def _untag_batch(fields: dict[str, Any], path: Path) -> BatchResult[Any]:
    try:
        return _batch_result().from_dict(fields)
    except (LookupError, TypeError, ValueError, AttributeError) as failure:
        raise BadValue(path, f"has the type tag 'br', and is no BatchResult: {failure!r}") from None


def _datetime(text: str) -> datetime:
    return datetime.fromisoformat(text)


_LEAVES: Final[dict[str, Callable[[Any], Any]]] = {
    "n": lambda value: None,
    "s": str,
    "i": int,
    "f": float,
    "b": bool,
    "B": lambda value: base64.b64decode(value, validate=True),
    "u": UUID,
    "d": Decimal,
    "dt": _datetime,
    "D": date.fromisoformat,
}

_SHAPES: Final[dict[str, tuple[type, ...]]] = {
    "n": (type(None),),
    "s": (str,),
    "i": (int,),
    "f": (float, int, str),
    "b": (bool,),
    "B": (str,),
    "u": (str,),
    "d": (str,),
    "dt": (str,),
    "D": (str,),
    "t": (list,),
    "l": (list,),
    "m": (dict,),
    "M": (list,),
    "br": (dict,),
}
