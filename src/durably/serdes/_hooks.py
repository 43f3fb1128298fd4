"""How msgspec meets the types it does not know, Pydantic models above all. Pydantic is never imported for it."""

from __future__ import annotations

from typing import Any

import msgspec


def is_pydantic_model(cls: Any) -> bool:
    return isinstance(cls, type) and hasattr(cls, "__pydantic_core_schema__") and hasattr(cls, "model_validate_json")


def to_json_hook(value: Any) -> Any:
    """Encoder hook: the JSON form of a value that msgspec has none for."""
    if is_pydantic_model(type(value)):
        return msgspec.Raw(value.model_dump_json(by_alias=True, round_trip=True, warnings=False).encode())
    return _scalar(value) if isinstance(value, (str, int, float)) else _batch_to_builtins(value)


def to_builtins_hook(value: Any) -> Any:
    """The same for :func:`msgspec.to_builtins`."""
    if is_pydantic_model(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True, warnings=False)
    return _scalar(value) if isinstance(value, (str, int, float)) else _batch_to_builtins(value)


def from_json_hook(cls: Any, value: Any) -> Any:
    """Decoder hook: an instance of a class that msgspec does not know, from its JSON form."""
    if is_pydantic_model(cls):
        return value if type(value) is cls else cls.model_validate_json(msgspec.json.encode(value))
    base = next((base for base in (str, int, float) if isinstance(cls, type) and issubclass(cls, base)), None)
    if base is not None:
        if type(value) is not base and not (base is float and type(value) is int):
            raise TypeError(f"Expected `{cls.__qualname__}`, got `{type(value).__name__}`")
        return cls(value)
    from durably.concurrency.conversion import from_builtins, is_ours

    if is_ours(cls):
        return from_builtins(cls, value, _convert)
    raise TypeError(_remedy("read", cls))


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
    return f"cannot {verb} a {name}: make it a dataclass, a Pydantic model or a msgspec Struct, or pass a serdes"
