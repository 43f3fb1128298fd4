"""Checks of the fields of configurations: each error names the value and says what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, Final

from .exceptions import ValidationError
from .wire.limits import SUBTYPE_PATTERN

_VARARGS: Final = 0x04
_COROUTINE: Final = 0x80


def takes(func: Callable[..., Any], count: int) -> bool:
    """Whether a plain function or method can be called with ``count`` arguments. Others are not looked into."""
    plain: Any = func
    if isinstance(func, MethodType):
        count += 1
        plain = func.__func__
    if type(plain) is not FunctionType:
        return True
    code = plain.__code__
    if code.co_kwonlyargcount > len(plain.__kwdefaults__ or ()):
        return False
    least = code.co_argcount - len(plain.__defaults__ or ())
    return least <= count and (count <= code.co_argcount or bool(code.co_flags & _VARARGS))


RESERVED_SUB_TYPES: Final = frozenset({"Race", "Any", "All", "AllSettled", "Cancel", "Timer"})
"""Of decisions among futures, of what is given up, and of timers that have struck: replay reads these."""


def check_sub_type(sub_type: str | None) -> None:
    if sub_type is not None and not isinstance(sub_type, str):
        raise ValidationError(f"sub_type is {sub_type!r}, and must be a string")
    if sub_type and not SUBTYPE_PATTERN.fullmatch(sub_type):
        raise ValidationError(f"sub_type is {sub_type!r}, and must be 1 to 32 characters of A-Z a-z 0-9 _ -")
    if sub_type in RESERVED_SUB_TYPES:
        raise ValidationError(f"sub_type {sub_type!r} is for the engine's own records: choose another")


def check_serdes(serdes: Any, field: str) -> None:
    if serdes is None:
        return
    if isinstance(serdes, type):
        raise ValidationError(f"{field} is the class {serdes.__name__}: pass an instance, {serdes.__name__}()")
    if not (callable(getattr(serdes, "serialize", None)) and callable(getattr(serdes, "deserialize", None))):
        raise ValidationError(f"{field} is {serdes!r}: pass a SerDes, with serialize() and deserialize()")
    for method in ("serialize", "deserialize"):
        check_not_awaited(getattr(serdes, method), f"{method}() of {field}, {serdes!r},")


def check_not_awaited(func: Any, what: str) -> None:
    code = getattr(func, "__code__", None)
    if code is not None and code.co_flags & _COROUTINE:
        raise ValidationError(
            f"{what} is a coroutine function, and nobody awaits it. What has to be awaited, a key for instance, is "
            "fetched before, or in a step"
        )


def check_result_type(serdes: Any, result_type: Any, what: str, name: str = "serdes") -> None:
    """Refuse two answers to how ``what`` is read. A serdes that goes around the type's own codec is none."""
    if serdes is None or result_type is None:
        return
    from .serdes import WrappingSerDes

    if not isinstance(serdes, WrappingSerDes):
        raise ValidationError(
            f"{name} and result_type both say how to read the {what}: pass one of them ({type(serdes).__name__} does "
            "not keep to types, as PipelineSerDes and FileSystemSerDes do)"
        )


def check_callable(value: Any, field: str, example: str, gets: tuple[str, ...] | None = None) -> None:
    """``gets``: what it is called with, by position."""
    if value is None:
        return
    if not callable(value):
        raise ValidationError(f"{field} is {value!r}, and must be a function, e.g. {example}")
    if gets is not None and not takes(value, len(gets)):
        raise ValidationError(
            f"{field} is {value!r}, which cannot be called with {len(gets)} argument{'s' * (len(gets) != 1)}: it gets "
            f"({', '.join(gets)}), e.g. {example}"
        )


def check_retry_strategy(strategy: Any) -> None:
    check_callable(strategy, "retry_strategy", "RetryPresets.default()", ("error", "attempts_made"))
    if isinstance(strategy, type):
        raise ValidationError(f"retry_strategy is the class {strategy.__name__}: pass an instance of it")
