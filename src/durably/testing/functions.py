"""The functions that a function under test may invoke."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from durably.exceptions import ValidationError
from durably.service.functions import split_name
from durably.service.ports import FunctionSpec
from durably.wire.api_errors import ApiError
from durably.wire.limits import EXECUTION_NAME_PATTERN
from durably.workers._discover import is_durable_function, spec_for

from .stand_ins import Mock, is_error

__all__ = ["Functions"]

_BAD: Final = re.compile(r"[^a-zA-Z0-9_-]+")


class Functions:
    """What a runner serves, under the names by which programs call them.

    A program may say ``ship``, ``ship:prod`` or the whole ARN; ``ship`` in the mapping stands for all of them, and
    ``ship:prod`` only for itself.
    """

    def __init__(self, main: Any, others: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
        self.main: str = _name_of(main)
        self.served: dict[str, tuple[Any, FunctionSpec]] = {}
        self.specs: dict[str, FunctionSpec] = {}
        self._known: dict[str, str] = {}
        self.add(self.main, main, **overrides)
        for name, target in others.items():
            if name == self.main:
                if target is not main:
                    raise ValidationError(f"functions has another {name!r}, which is the name of the handler itself")
                continue
            self.add(name, target)

    def add(self, name: str, target: Any, **overrides: Any) -> None:
        """Serve ``target`` under that name, from now on. ``overrides``: of what the service is to know of it."""
        try:
            split_name(name)
        except ApiError:
            raise ValidationError(f"functions: {name!r} is not the name of a function") from None
        inner = name if EXECUTION_NAME_PATTERN.fullmatch(name) else _BAD.sub("-", name)[-64:]
        handler = _handler(name, target)
        spec = spec_for(inner, handler, durable=is_durable_function(handler))
        self.specs[inner] = replace(spec, **overrides)
        self.served[inner] = (handler, self.specs[inner])
        self._known[name] = inner

    @property
    def names(self) -> list[str]:
        """As they were registered."""
        return list(self._known)

    def find(self, name: str) -> str | None:
        """The served function that a program means by ``name``; None if there is none."""
        if name in self._known:
            return self._known[name]
        bare, _ = split_name(name)
        return self._known.get(bare)


def _name_of(handler: Any) -> str:
    name = getattr(handler, "__name__", "")
    return name if EXECUTION_NAME_PATTERN.fullmatch(name) else _BAD.sub("", name) or "handler"


def _handler(name: str, target: Any) -> Any:
    """``target`` as a Lambda handler."""
    if is_durable_function(target):
        return target
    if isinstance(target, Mock):
        return _of_payload(target)
    if is_error(target) or not callable(target):
        return _of_payload(Mock(target))
    return target if _takes_context(target) else _of_payload(target)


def _takes_context(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except (TypeError, ValueError):
        return False
    return True


def _of_payload(function: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    if inspect.iscoroutinefunction(function):

        async def acall(event: Any, context: Any) -> Any:
            return await function(event)

        return acall

    def call(event: Any, context: Any) -> Any:
        return function(event)

    return call
