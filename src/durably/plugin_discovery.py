"""Which plugin factories a durable function has: those in its decorator, then those that the environment names.

``DURABLE_EXECUTION_PLUGINS`` holds names, separated by commas, of entry points of the group
``aws_durable_execution.plugins``: so plugins can be switched on where a function is deployed, without touching it.
Whatever is wrong with either is said when the function is made, not when it first runs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from inspect import iscoroutinefunction, isroutine, signature
from typing import TYPE_CHECKING, Any, Final

from durably.exceptions import PluginLoadError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from durably.plugin import DurableInstrumentationPluginFactory

__all__ = ["PLUGIN_ENTRY_POINT_GROUP", "PLUGIN_ENVIRONMENT_VARIABLE", "PluginLoadError", "load_configured_plugins"]

PLUGIN_ENTRY_POINT_GROUP: Final = "aws_durable_execution.plugins"
PLUGIN_ENVIRONMENT_VARIABLE: Final = "DURABLE_EXECUTION_PLUGINS"

_log = logging.getLogger("durably.plugin")
_HINT: Final = (
    "A plugin factory is an object with a method create_plugin(info) that returns a DurableInstrumentationPlugin, e.g. "
    "plugins=[MetricsFactory()]"
)


def load_configured_plugins(
    explicit_plugins: Sequence[DurableInstrumentationPluginFactory] | None,
    *,
    environment: Mapping[str, str] | None = None,
) -> list[DurableInstrumentationPluginFactory]:
    """The factories given, in their order, then those named by the environment that are not among them.

    Parameters:
        environment: instead of ``os.environ``.

    Raises:
        PluginLoadError: something given or named is no factory, is not installed, fails to load, or is there twice.
    """
    candidates: list[Any] = []
    try:
        factories = _given(explicit_plugins, candidates)
        for name, factory in _named(os.environ if environment is None else environment, candidates):
            if any(factory is one for one in factories):
                _log.warning("the plugin %s of %s is registered already", name, PLUGIN_ENVIRONMENT_VARIABLE)
            else:
                factories.append(factory)
        _check_groups(factories)
    except Exception:
        _tell(candidates, False)
        raise
    _tell(factories, True)
    return factories


def check_factories(plugins: Any) -> list[Any]:
    """``plugins`` as a list, or PluginLoadError unless they are plugin factories; none of them is told of it."""
    return _given(plugins, [])


def _given(plugins: Any, candidates: list[Any]) -> list[Any]:
    if plugins is None:
        return []
    if isinstance(plugins, (str, bytes, Mapping)) or not isinstance(plugins, Iterable):
        raise PluginLoadError(f"plugins= takes a list of plugin factories, not {_described(plugins)}. {_HINT}.")
    candidates.extend(plugins)
    for index, factory in enumerate(candidates):
        if not _is_factory(factory):
            raise PluginLoadError(f"plugins[{index}] is {_described(factory)}, which is no plugin factory. {_HINT}.")
    return list(candidates)


def _named(environment: Mapping[str, str], candidates: list[Any]) -> list[tuple[str, Any]]:
    text = environment.get(PLUGIN_ENVIRONMENT_VARIABLE, "")
    if not text.strip():
        return []
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name or names.count(name) > 1:
            wrong = f"{name!r} twice" if name else "an empty name"
            raise PluginLoadError(
                f"{PLUGIN_ENVIRONMENT_VARIABLE} has {wrong}: {text!r}. Name each plugin once, separated by commas."
            )
    from importlib.metadata import entry_points

    try:
        installed = list(entry_points(group=PLUGIN_ENTRY_POINT_GROUP))
    except Exception as error:
        raise PluginLoadError(
            f"the installed packages could not be searched for plugins ({PLUGIN_ENTRY_POINT_GROUP}): {error!r}"
        ) from error
    factories = []
    for name in names:
        factory = _loaded(name, installed)
        candidates.append(factory)
        if not _is_factory(factory):
            raise PluginLoadError(
                f"the plugin {name!r} of {PLUGIN_ENVIRONMENT_VARIABLE} is {_described(factory)}, which is no plugin "
                "factory. Its entry point has to name an object with a method create_plugin(info)."
            )
        factories.append((name, factory))
    return factories


def _loaded(name: str, installed: Sequence[EntryPoint]) -> Any:
    found = [one for one in installed if one.name == name]
    if not found:
        known = ", ".join(sorted({one.name for one in installed})) or "none"
        raise PluginLoadError(
            f"{PLUGIN_ENVIRONMENT_VARIABLE} names {name!r}, but no installed package has an entry point of that name "
            f"in the group {PLUGIN_ENTRY_POINT_GROUP} (there are: {known}). Install the plugin's package beside the "
            "function, or take the name out."
        )
    if len(found) > 1:
        owners = ", ".join(_package(one) for one in found)
        raise PluginLoadError(
            f"{PLUGIN_ENVIRONMENT_VARIABLE} names {name!r}, which several packages offer: {owners}. Uninstall all "
            "but one of them."
        )
    try:
        return found[0].load()
    except Exception as error:
        raise PluginLoadError(
            f"the plugin {name!r} of {PLUGIN_ENVIRONMENT_VARIABLE}, {found[0].value} of {_package(found[0])}, could "
            f"not be imported: {error!r}"
        ) from error


def _package(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist
    return "an unknown package" if distribution is None else distribution.name


# ---- what is a factory -----------------------------------------------------------------------------------------


def _is_factory(value: Any) -> bool:
    """Whether ``value.create_plugin(info)`` can be called; nothing of it is called here."""
    create = getattr(value, "create_plugin", None)
    if not callable(create) or iscoroutinefunction(create):
        return False
    if isinstance(value, type) and getattr(create, "__self__", None) is None:
        for cls in value.__mro__:
            if "create_plugin" in vars(cls):  # a method of the instances that nobody has made
                if not isinstance(vars(cls)["create_plugin"], staticmethod):
                    return False
                break
    try:
        parameters = signature(create)
    except (TypeError, ValueError):
        return True  # written in C: it does not say
    try:
        parameters.bind(None)
    except TypeError:
        return False
    return True


def _described(value: Any) -> str:
    if isinstance(value, type):
        return f"the class {value.__module__}.{value.__qualname__}"
    if isroutine(value):
        return f"the function {getattr(value, '__module__', '?')}.{getattr(value, '__qualname__', '?')}"
    return f"a {type(value).__module__}.{type(value).__qualname__} object"


# ---- what a factory's class says about itself --------------------------------------------------------------------


def _declaring(factory: Any) -> list[type]:
    """The classes of ``factory`` that have registration metadata."""
    cls = factory if isinstance(factory, type) else type(factory)
    return [
        one
        for one in cls.__mro__
        if type(vars(one).get("__durable_registration_api__")) is int and vars(one)["__durable_registration_api__"] == 1
    ]


def _check_groups(factories: Sequence[Any]) -> None:
    owners: dict[str, Any] = {}
    for factory in factories:
        groups: set[str] = set()
        for cls in _declaring(factory):
            group = getattr(cls, "exclusive_group", None)
            if group is not None and (not isinstance(group, str) or not group.strip()):
                raise PluginLoadError(
                    f"exclusive_group of {cls.__module__}.{cls.__qualname__} is {group!r}: it is a name, or None"
                )
            groups.update([] if group is None else [group])
        for group in sorted(groups):
            if group in owners:
                raise PluginLoadError(
                    f"{_described(owners[group])} and {_described(factory)} cannot be used together (both are of the "
                    f"group {group!r}). Keep one of them in plugins= and {PLUGIN_ENVIRONMENT_VARIABLE}."
                )
            owners[group] = factory


def _tell(candidates: Sequence[Any], registered: bool) -> None:
    """Tell each factory that wants to know, once."""
    told: set[int] = set()
    for factory in candidates:
        if id(factory) in told:
            continue
        told.add(id(factory))
        try:
            if _declaring(factory) and (callback := getattr(factory, "on_registration_result", None)) is not None:
                callback(registered)
        except Exception:
            _log.exception("on_registration_result of %s failed", _described(factory))
