"""Checks of what an operation is called with: at the moment of the call, before it is numbered.

Each error names the value and says what to write instead.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from durably._config_checks import takes
from durably._values import Value
from durably.exceptions import ValidationError
from durably.wire.limits import MAX_NAME_LENGTH, NAME_PATTERN

__all__ = ["GOOD_NAMES", "check_callable", "check_config", "check_name"]

C = TypeVar("C")

GOOD_NAMES: Final[set[str | None]] = {None}
"""Names that need not be looked at again."""


def check_callable(func: Any, operation: str, what: str, count: int | None = None) -> None:
    """Refuse what is no function, or none that can be called with ``count`` arguments by position."""
    if callable(func):
        if count is not None and not takes(func, count):
            raise ValidationError(
                f"{operation}() takes {what}; {func!r} cannot be called with {count} argument{'s' * (count != 1)}"
            )
        return
    close = getattr(func, "close", None)
    if close is not None and hasattr(func, "cr_frame"):
        close()
        raise ValidationError(
            f"{operation}() takes {what}, and was given a coroutine: the function was already called. Give the "
            "function itself, or decorate it with @durable_step or @durable_with_child_context to bind its arguments."
        )
    given = "None" if func is None else f"{type(func).__name__} {func!r}"
    raise ValidationError(f"{operation}() takes {what}, not {given}")


def check_config(config: Any, cls: type[C], operation: str) -> C:
    """``config``, which is a ``cls``."""
    if isinstance(config, cls):
        return config
    remedy = f"pass config={cls.__name__}(...)"
    if callable(config) and "retry_strategy" in getattr(cls, "_fields", ()):
        remedy = f"a retry strategy goes into it: config={cls.__name__}(retry_strategy=...)"
    raise ValidationError(f"{operation}()'s config is a {cls.__name__}, not {config!r}: {remedy}")


def check_name(name: Any) -> str | None:
    """The name to record, or ValidationError. Source: shape OperationName."""
    if name == "":
        return None
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        shown = repr(name if not isinstance(name, str) or len(name) < 80 else f"{name[:80]}… ({len(name)} characters)")
        if isinstance(name, Value):
            shown += ": a configuration is passed as config="
        raise ValidationError(f"an operation's name is 1 to {MAX_NAME_LENGTH} printable ASCII characters, not {shown}")
    text = str.__str__(name)  # of a StrEnum, for instance
    if len(GOOD_NAMES) < 4096:
        GOOD_NAMES.add(text)
    return text
