"""How msgspec meets the types it does not know, Pydantic models above all. Pydantic is never imported for it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_BY_TEXT: Final = frozenset({"PurePath", "_IPAddressBase"})
_REMEDIES: Final = {
    "deque": "return list(...) of it, annotated as list[...]",
    "range": "return list(...) of it, annotated as list[int]",
    "Iterator": "return list(...) of it, annotated as list[...]",
    "Generator": "return list(...) of it, annotated as list[...]",
    "Iterable": "annotate list[...] or Sequence[...]",
    "OrderedDict": "return dict(...) of it, annotated as dict[...]: a dict keeps its order, too",
    "defaultdict": "return dict(...) of it, annotated as dict[...]",
    "Counter": "return dict(...) of it, annotated as dict[..., int]",
    "complex": "return its real and imag",
    "Pattern": "return its pattern, a str",
}


def is_pydantic_model(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "__pydantic_core_schema__") and hasattr(cls, "model_validate_json")


def to_json_hook(value: Any) -> Any:
    """Encoder hook: the JSON form of a value that msgspec has none for."""
    if is_pydantic_model(type(value)):
        return msgspec.Raw(value.model_dump_json(by_alias=True, round_trip=True, warnings=False).encode())
    return _to_builtins(value)


def to_builtins_hook(value: Any) -> Any:
    """The same for :func:`msgspec.to_builtins`."""
    if is_pydantic_model(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True, warnings=False)
    return _to_builtins(value)


def is_written_as_text(cls: Any) -> bool:
    """Whether ``cls`` is a path or an address, made again by calling it with its text. Without importing them."""
    return isinstance(cls, type) and any(base.__name__ in _BY_TEXT and _is_standard(base) for base in cls.__mro__)


def _is_standard(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in ("pathlib", "ipaddress")


def from_json_hook(cls: Any, value: Any) -> Any:
    """Decoder hook: an instance of a class that msgspec does not know, from its JSON form."""
    if is_pydantic_model(cls):
        return value if type(value) is cls else cls.model_validate_json(msgspec.json.encode(value))
    base = next((base for base in (str, int, float) if isinstance(cls, type) and issubclass(cls, base)), None)
    if base is not None:
        if type(value) is not base and not (base is float and type(value) is int):
            raise TypeError(f"Expected `{cls.__qualname__}`, got `{type(value).__name__}`")
        return cls(value)
    if is_written_as_text(cls):
        if type(value) is not str:
            raise TypeError(f"Expected `{cls.__qualname__}`, got `{type(value).__name__}`")
        return cls(value)
    from durably.concurrency.conversion import from_builtins, is_ours

    if is_ours(cls):
        return from_builtins(cls, value, _convert)
    raise TypeError(_remedy("read", cls))


def _to_builtins(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return _scalar(value)
    return str(value) if is_written_as_text(type(value)) else _batch_to_builtins(value)


def _scalar(value: str | int | float) -> str | int | float:
    """An instance of a subclass of a scalar type (an id, a marked-up string), as the scalar that it is."""
    if isinstance(value, str):
        return str.__str__(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def _batch_to_builtins(value: Any) -> Any:
    from durably.concurrency.conversion import to_builtins

    tree = to_builtins(value)
    if tree is None:
        raise TypeError(_remedy("write", type(value)))
    return tree


def _convert(value: Any, annotation: Any) -> Any:
    return msgspec.convert(value, annotation, dec_hook=from_json_hook)


def _remedy(verb: str, cls: Any) -> str:
    name = getattr(cls, "__qualname__", None) or str(cls)
    remedy = _REMEDIES.get(name, "make it a dataclass, a Pydantic model or a msgspec Struct")
    return f"cannot {verb} {'an' if name[:1] in 'AEIO' else 'a'} {name}: {remedy}, or pass a serdes"
