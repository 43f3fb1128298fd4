"""What to show of a value that is kept elsewhere or encrypted: chosen fields, some of them masked, not too many.

``build_preview`` gives for dictionaries what the official SDK gives, so that a program that moves over shows no more
than it did. Dataclasses, models and Structs are shown as the dictionaries they are written as.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final, TypeAlias

from ._values import Value, publish
from .exceptions import ValidationError

__all__ = ["FieldMatchMode", "PreviewConfig", "PreviewField", "PreviewMode", "build_preview"]

_Path: TypeAlias = tuple[str, ...]
_MAX_DEPTH: Final = 100


class PreviewMode(StrEnum):
    """What is shown that no rule speaks of."""

    INCLUDE_ALL = "INCLUDE_ALL"
    EXCLUDE_ALL = "EXCLUDE_ALL"


class FieldMatchMode(StrEnum):
    """Where a field is meant."""

    ANYWHERE = "ANYWHERE"
    """At any depth, with everything in it."""
    PATH = "PATH"
    """Only this one, ``customer.address.city``."""


class PreviewField(Value):
    """A field that a rule is about.

    Parameters:
        name: of the field, or its path from the top, with dots.
        match: where it is meant.
    """

    __slots__ = ("match", "name")
    __match_args__ = _fields = ("name", "match")
    _defaults = {"match": FieldMatchMode.ANYWHERE}  # noqa: RUF012 - declared in the base

    name: str
    match: FieldMatchMode

    def __init__(self, name: str, match: FieldMatchMode = FieldMatchMode.ANYWHERE) -> None:
        if not isinstance(name, str) or not name:
            raise ValidationError(f"name is {name!r}, and must be the name or path of a field, e.g. 'customer.email'")
        if not isinstance(match, FieldMatchMode):
            raise ValidationError(f"match is {match!r}: pass FieldMatchMode.ANYWHERE or FieldMatchMode.PATH")
        if match is FieldMatchMode.ANYWHERE and "." in name:
            raise ValidationError(f"{name!r} is a path: pass PreviewField({name!r}, FieldMatchMode.PATH)")
        self._set(name=name, match=match)

    def _matches(self, path: _Path) -> bool:
        return self.name in path if self.match is FieldMatchMode.ANYWHERE else self.name == ".".join(path)


class PreviewConfig(Value):
    """Which fields a preview shows.

    Parameters:
        mode: what is shown that no rule speaks of.
        include: shown, where the mode shows nothing by itself.
        exclude: never shown, whatever else is said.
        mask: shown as ``mask_string``, so that one sees that it is there.
        mask_string: instead of a masked field.
        max_preview_bytes: of the preview as JSON; fields are taken in order until the next one is too much.

    A rule is a PreviewField or the name of a field.
    """

    __slots__ = ("exclude", "include", "mask", "mask_string", "max_preview_bytes", "mode")
    _fields = ("mode", "include", "exclude", "mask", "mask_string", "max_preview_bytes")
    _defaults = {  # noqa: RUF012 - declared in the base
        "include": (),
        "exclude": (),
        "mask": (),
        "mask_string": "***",
        "max_preview_bytes": 4096,
    }

    mode: PreviewMode
    include: tuple[PreviewField, ...]
    exclude: tuple[PreviewField, ...]
    mask: tuple[PreviewField, ...]
    mask_string: str
    max_preview_bytes: int

    def __init__(
        self,
        mode: PreviewMode,
        include: Iterable[PreviewField | str] = (),
        exclude: Iterable[PreviewField | str] = (),
        mask: Iterable[PreviewField | str] = (),
        mask_string: str = "***",
        max_preview_bytes: int = 4096,
    ) -> None:
        if not isinstance(mode, PreviewMode):
            raise ValidationError(f"mode is {mode!r}: pass PreviewMode.INCLUDE_ALL or PreviewMode.EXCLUDE_ALL")
        if not isinstance(mask_string, str):
            raise ValidationError(f"mask_string is {mask_string!r}, and must be a string")
        if isinstance(max_preview_bytes, bool) or not isinstance(max_preview_bytes, int) or max_preview_bytes < 2:
            raise ValidationError(f"max_preview_bytes is {max_preview_bytes!r}, and must be an int, at least 2")
        self._set(
            mode=mode,
            include=_rules(include, "include"),
            exclude=_rules(exclude, "exclude"),
            mask=_rules(mask, "mask"),
            mask_string=mask_string,
            max_preview_bytes=max_preview_bytes,
        )


def build_preview(value: Any, config: PreviewConfig) -> dict[str, Any] | None:
    """The preview of ``value``, or None if nothing of it is to be shown.

    The fields of all elements of a list are shown as those of one object, the last one winning; texts and numbers that
    are elements themselves are not shown, and neither are fields with a dot in their name.

    Parameters:
        value: a dictionary, or what is written as one.
        config: what of it is shown.
    """
    if not isinstance(config, PreviewConfig):
        raise ValidationError(f"config is {config!r}: pass a PreviewConfig")
    tree = _as_json(value)
    if not isinstance(tree, dict):
        return None
    preview: dict[str, Any] = {}
    room = config.max_preview_bytes - len("{}")
    for path, shown in _fields(tree, (), config):
        room -= len(f'"{".".join(path)}":{json.dumps(shown)},'.encode("utf-8", "surrogatepass"))
        if room < 0:
            break
        node = preview
        for name in path[:-1]:
            inner = node.get(name)
            if not isinstance(inner, dict):
                inner = node[name] = {}
            node = inner
        node[path[-1]] = shown
    return preview or None


def _fields(
    tree: Any, above: _Path, config: PreviewConfig, within: tuple[int, ...] = ()
) -> Iterator[tuple[_Path, Any]]:
    if len(within) > _MAX_DEPTH or id(tree) in within:
        return
    within = (*within, id(tree))
    if isinstance(tree, list):
        for element in tree:
            element = _as_json(element)
            if isinstance(element, (dict, list)):
                yield from _fields(element, above, config, within)
        return
    for key, value in tree.items():
        name = str(key)
        if "." in name:
            continue  # no rule could tell it from a path
        path = (*above, name)
        if any(rule._matches(path) for rule in config.exclude):
            continue
        if any(rule._matches(path) for rule in config.mask):
            yield path, config.mask_string
            continue
        value = _as_json(value)
        if isinstance(value, (dict, list)):
            yield from _fields(value, path, config, within)
        elif config.mode is PreviewMode.INCLUDE_ALL or any(rule._matches(path) for rule in config.include):
            yield path, value


def _as_json(value: Any) -> Any:
    """``value`` as JSON has it, without looking into dictionaries and lists."""
    if value is None or isinstance(value, (str, bool, int, dict, list)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    import msgspec

    from .serdes._hooks import to_builtins_hook

    try:
        return msgspec.to_builtins(value, str_keys=True, enc_hook=to_builtins_hook)
    except Exception:  # a preview says what it can
        return f"<{type(value).__name__}>"


def _rules(given: Any, field: str) -> tuple[PreviewField, ...]:
    if isinstance(given, str):
        raise ValidationError(f"{field} is the string {given!r}: pass a list of fields, [{given!r}]")
    if not isinstance(given, Iterable):
        raise ValidationError(f"{field} is {given!r}: pass a list of fields")
    rules = [PreviewField(one) if isinstance(one, str) else one for one in given]
    for one in rules:
        if not isinstance(one, PreviewField):
            raise ValidationError(f"{field} holds {one!r}: pass PreviewField({str(one)!r})")
    return tuple(rules)


publish(__name__, __all__, globals())
