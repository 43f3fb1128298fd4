"""Frozen value classes that cost nothing to import.

The configs are what `dataclasses` is for, but importing it pulls in `inspect`, `ast` and `dis`, and every
decorated class compiles its methods at import: several milliseconds of each Lambda cold start. These classes spell
their ``__init__`` out, share the rest from one base, and still answer to `dataclasses` (``replace``, ``fields``,
``is_dataclass``, a dataclass that inherits from one) for whoever has imported it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

if TYPE_CHECKING:
    import dataclasses

    from typing_extensions import TypeVar as TypeVarWithDefault

    T = TypeVarWithDefault("T", default=Any)
else:
    T = TypeVar("T")
"""For classes that often say nothing of their type, like ``ChildConfig()``: that is a ``ChildConfig[Any]`` then."""


class _DataclassView:
    """Builds the attribute that `dataclasses` looks for, the first time it looks."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type[Value]) -> Any:
        import dataclasses

        fields = [
            (name, Any, dataclasses.field(default=owner._defaults.get(name), kw_only=name in owner._keyword_only))
            for name in owner._fields
        ]
        return getattr(dataclasses.make_dataclass(owner.__name__, fields, frozen=True), self._name)


@dataclass_transform(frozen_default=True)
class Value:
    """Base of the frozen value classes: equality, hash, repr, immutability, copying and pickling by field."""

    __slots__ = ()
    _fields: ClassVar[tuple[str, ...]] = ()
    _keyword_only: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[Mapping[str, Any]] = {}

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    else:
        __dataclass_fields__ = _DataclassView()
        __dataclass_params__ = _DataclassView()

    def _set(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def _get(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._fields}

    def __replace__(self, **changes: Any) -> Self:
        return type(self)(**(self._get() | changes))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._get() == other._get()

    def __hash__(self) -> int:
        return hash((type(self), *self._get().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._get().items())})"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"{type(self).__name__} is frozen: {name} cannot be set; make a changed copy with "
            f"dataclasses.replace(value, {name}=...)"
        )

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __reduce__(self) -> Any:
        return _restore, (type(self), self._get())


def publish(module: str, names: list[str], namespace: dict[str, Any]) -> None:
    """Have classes and functions say that they come from the public module, wherever they are written."""
    for name in names:
        entry = namespace[name]
        if isinstance(entry, type) or hasattr(entry, "__code__"):
            entry.__module__ = module


def _restore(cls: type[Value], fields: dict[str, Any]) -> Value:
    return cls(**fields)
