"""Calling one plugin's hooks: nothing that happens in them gets out, but is said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from durably.plugin import DurableInstrumentationPlugin, InvocationStartInfo

from .scope import CURRENT, Scope

__all__ = ["HOOKS", "Guard", "PluginCalls", "is_interrupt", "name_of", "say"]

_log = logging.getLogger("durably.plugin")
_COROUTINE: Final = 0x80
_YIELDS: Final = 0x20 | 0x200
HOOKS: Final = (
    "on_invocation_start",
    "on_invocation_end",
    "on_operation_start",
    "on_operation_end",
    "on_operation_change",
    "on_user_function_start",
    "on_user_function_end",
    "provide_propagation_metadata",
)


class PluginCalls:
    """One plugin of this invocation: its hooks, and what has been said about it."""

    def __init__(self, plugin: Any, start: InvocationStartInfo) -> None:
        self.name: str = name_of(plugin)
        self.start = start
        self.reported: set[str] = set()
        self.hooks: dict[str, Callable[[Any], Any]] = {}
        for hook in HOOKS:
            try:
                method = getattr(plugin, hook)
                function = getattr(method, "__func__", method)
                if function is getattr(DurableInstrumentationPlugin, hook):
                    continue
                flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
                if flags & _COROUTINE:
                    raise TypeError("it is a coroutine function: hooks are plain functions, which nobody awaits")
                if flags & _YIELDS:
                    raise TypeError("it has a yield in it, so that calling it does nothing: hooks are plain functions")
                self.hooks[hook] = method
            except BaseException as error:
                self.report(hook, error)

    def call(self, hook: str, info: Any) -> Any:
        """What the hook returns; None if it fails, whatever it fails with."""
        try:
            returned = self.hooks[hook](info)
            if hasattr(returned, "__await__"):
                getattr(returned, "close", _nothing)()
                raise TypeError("it returned an awaitable: hooks are plain functions, which nobody awaits")
        except BaseException as error:
            self.report(hook, error)
            return None
        return returned

    def report(self, hook: str, error: BaseException) -> None:
        """Say what went wrong, once for each hook. Raises only KeyboardInterrupt, which is not the plugin's doing."""
        if hook not in self.reported:
            self.reported.add(hook)
            say("%s of the plugin %s failed; the execution goes on as without it", hook, self.name, error)
        if is_interrupt(error):
            raise error


class Guard:
    """Durable contexts are refused inside: a hook watches, it does not take part."""

    __slots__ = ("_scope", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._token = CURRENT.set(self._scope)

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)


def is_interrupt(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


def name_of(value: Any) -> str:
    try:
        cls = value if isinstance(value, type) else type(value)
        return f"{cls.__module__}.{cls.__qualname__}"
    except BaseException:
        return "(without a name)"


def say(message: str, hook: str, name: str, error: BaseException) -> None:
    try:
        _log.error(message, hook, name, exc_info=error)
    except Exception:  # a broken log is no reason to fail either
        pass


def _nothing() -> None:
    return None
