"""Which part of a value is to blame, once it is known that something is. Slow, and only ever run for an error."""

from __future__ import annotations

import collections.abc
import re
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from durably.exceptions import SerDesError

from ._annotations import MISSING
from ._base import excerpt
from ._hooks import from_json_hook
from ._paths import BadValue, Path
from ._tags import MAX_DEPTH, unwritable
from ._typed import describe, is_union, same, strip, unqualified
from ._untyped import field_names

_MSGSPEC_PATH = re.compile(r" - at `(?:key in )?[^`]*`(?: in `[^`]*`)?$")


def why_not_written(value: Any, annotation: Any, failure: Exception | None) -> BadValue:
    """The deepest part of a value that cannot be written as its part of the annotation."""
    path: Path = ()
    seen: list[int] = []
    reason: str | None = None
    while id(value) not in seen and len(path) < MAX_DEPTH:
        seen.append(id(value))
        for segment, part, part_annotation in _parts(value, annotation):
            reason = _refusal(part, part_annotation)
            if reason is not None:
                path, value, annotation = (*path, segment), part, part_annotation
                break
        else:
            break
    else:
        if len(path) < MAX_DEPTH:
            return BadValue(path, "contains itself; record data without cycles")
    if isinstance(failure, RecursionError) and _parts_of(value):
        return BadValue(path, "is nested too deep; flatten the value")
    inner = _open_reason(value, annotation)
    if inner is not None:
        return BadValue((*path, *inner.path), inner.reason)
    return BadValue(path, _mismatch(value, annotation, failure if not path else None))


def _refusal(value: Any, annotation: Any) -> str | None:
    from ._select import codec_for

    try:
        codec_for(annotation).encode(value)
    except SerDesError as failure:
        return str(failure)
    except RecursionError:
        return "nested too deep"
    return None


def _open_reason(value: Any, annotation: Any) -> BadValue | None:
    """For a part declared as anything: the path within it."""
    from ._tags import write_tagged

    if strip(annotation) is not Any and annotation is not MISSING and strip(annotation) is not object:
        return None
    try:
        write_tagged(value)
    except BadValue as bad:
        return bad
    return None


def _mismatch(value: Any, annotation: Any, failure: Exception | None) -> str:
    what = f"is of type {type(value).__qualname__} ({excerpt(value)})"
    inner = type(None) if annotation is None else strip(annotation)
    if hasattr(value, "__await__") or hasattr(value, "__next__"):
        return unwritable(value)
    if is_union(inner):
        fitting = [arm for arm in typing.get_args(inner) if _fits(value, arm)]
        if len(fitting) != 1:
            return f"{what}, but the annotation says {describe(annotation)}"
        inner = annotation = fitting[0]
    origin = typing.get_origin(inner) or inner
    if typing.is_typeddict(origin):
        if not isinstance(value, dict):
            return f"{what}, but the annotation says the TypedDict {describe(annotation)}"
        keys: Any = origin
        extra = sorted(value.keys() - keys.__annotations__.keys(), key=str)
        if extra:
            return f"has the key {extra[0]!r}, which {describe(annotation)} does not declare"
        missing = sorted(keys.__required_keys__ - value.keys())
        if missing:
            return f"lacks the key {missing[0]!r}, which {describe(annotation)} requires"
    elif isinstance(origin, type) and origin is not object and not isinstance(value, origin):
        return f"{what}, but the annotation says {describe(annotation)}"
    if isinstance(origin, type) and type(value) is not origin and field_names(origin) is not None:
        return f"{what}, which would come back as a {describe(annotation)}: annotate {type(value).__qualname__}"
    if failure is not None:
        return f"{what}, which cannot be written as {describe(annotation)}: {_without_path(failure)}"
    return f"{what}, which does not come back the same as {describe(annotation)}"


def why_not_read(tree: Any, annotation: Any, failure: Exception) -> str:
    """The deepest part of a JSON tree that does not fit its part of the annotation, and msgspec's word on it."""
    path: Path = ()
    for _ in range(200):
        for segment, part, part_annotation in _parts(tree, annotation):
            try:
                msgspec.convert(part, part_annotation, str_keys=True, dec_hook=from_json_hook)
            except Exception as part_failure:
                path, tree, annotation, failure = (*path, segment), part, part_annotation, part_failure
                break
        else:
            break
    return f"{BadValue(path, '')}".rstrip() + f": {_without_path(failure)}, the value is {excerpt(tree)}"


def first_difference(value: Any, back: Any) -> BadValue:
    """Where a value and what came back of it part ways."""
    path: Path = ()
    while True:
        other = dict(_parts_of(back))
        for segment, part in _parts_of(value):
            if segment in other and not same(part, other[segment], loose=True):
                path, value, back = (*path, segment), part, other[segment]
                break
        else:
            break
    return BadValue(path, f"is {excerpt(value)} ({type(value).__qualname__}), and would come back as {excerpt(back)}")


def _without_path(failure: Exception) -> str:
    return _MSGSPEC_PATH.sub("", str(failure)) or type(failure).__name__


# ---- the parts of a value and of its annotation --------------------------------------------------------------


def _parts(value: Any, annotation: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """The parts of a value with their parts of the annotation; nothing where the annotation does not say."""
    annotation = strip(annotation)
    if is_union(annotation):
        arms = [arm for arm in typing.get_args(annotation) if arm is not type(None)]
        fitting = [arm for arm in arms if _fits(value, arm)]
        if value is not None and len(fitting) == 1:
            yield from _parts(value, fitting[0])
        return
    origin = typing.get_origin(annotation) or annotation
    arguments = typing.get_args(annotation)
    if not isinstance(origin, type):
        return
    if isinstance(value, (list, tuple, set, frozenset)):
        if hasattr(origin, "_fields"):  # a NamedTuple
            hints = _hints(origin)
            for name, part in zip(origin._fields, value, strict=False):
                yield name, part, hints.get(name, Any)
        elif issubclass(origin, tuple) and arguments and arguments[-1] is not ...:
            for index, (part, part_annotation) in enumerate(zip(value, arguments, strict=False)):
                yield index, part, part_annotation
        elif issubclass(origin, collections.abc.Collection) and len(arguments) == 1:
            for index, part in enumerate(value):
                yield index, part, arguments[0]
    elif isinstance(value, dict) and issubclass(origin, collections.abc.Mapping) and len(arguments) == 2:
        for key, part in value.items():
            yield str(key), part, arguments[1]
    else:
        yield from _field_parts(value, origin, arguments)


def _field_parts(value: Any, cls: type, arguments: tuple[Any, ...]) -> Iterator[tuple[str | int, Any, Any]]:
    hints = _hints(cls)
    if not hints:
        return
    variables: dict[Any, Any] = dict(zip(getattr(cls, "__parameters__", ()), arguments, strict=False))
    encoded_names: dict[str, str] = dict(
        zip(getattr(cls, "__struct_fields__", ()), getattr(cls, "__struct_encode_fields__", ()), strict=False)
    )
    for name, hint in hints.items():
        hint = unqualified(hint)
        hint = _substitute(hint, variables)
        if isinstance(value, dict):
            key = encoded_names.get(name, name)
            if key in value:
                yield key, value[key], hint
        elif hasattr(value, name) and isinstance(value, cls):
            yield name, getattr(value, name), hint


def _substitute(hint: Any, variables: dict[Any, Any]) -> Any:
    """A field's annotation in a generic class, with the type arguments of the annotation at hand."""
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(variables.get(part, part) for part in parameters)] if parameters and variables else hint


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except Exception:
        return {}


def _fits(value: Any, annotation: Any) -> bool:
    origin = typing.get_origin(strip(annotation)) or strip(annotation)
    if not isinstance(origin, type):
        return False
    if isinstance(value, dict):
        return typing.is_typeddict(origin) or issubclass(origin, dict) or field_names(origin) is not None
    if isinstance(value, list):
        return issubclass(origin, (list, tuple, set, frozenset))
    return not typing.is_typeddict(origin) and isinstance(value, origin)


def _parts_of(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, dict):
        return [(str(key), part) for key, part in value.items()]
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    parts = [(name, getattr(value, name)) for name in field_names(type(value)) or () if hasattr(value, name)]
    return [*parts, *(getattr(value, "__pydantic_extra__", None) or {}).items()]
