"""Which objects of a module are functions that can be invoked, and what is known of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final

from durably.service.ports import FunctionSpec
from durably.wire.limits import EXECUTION_NAME_PATTERN, MAX_EXECUTION_TIMEOUT_SECONDS
from durably.wire.ports import DurableFunctionPort

from ._importing import LoadError

_OFFICIAL_SDK: Final = "aws_durable_execution_sdk_python.execution"
_CONTEXT_NAMES: Final = frozenset({"DurableContext", "AsyncDurableContext"})
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_OPTIONS: Final[Mapping[str, tuple[float, float, str]]] = {
    "timeout_seconds": (0.001, 31_622_400, "seconds"),
    "execution_timeout_seconds": (1, MAX_EXECUTION_TIMEOUT_SECONDS, "seconds"),
    "retention_days": (1, 90, "days"),
    "memory_mb": (1, 1_048_576, "MB"),
}


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """One function of a module.

    Parameters:
        handler: the object itself, callable as ``handler(event, context)``.
        reference: ``module:attr``.
    """

    name: str
    handler: Any
    spec: FunctionSpec
    reference: str


def find_functions(module: ModuleType) -> dict[str, LoadedFunction]:
    """The functions ``module`` offers, in the order of their names' appearance in it.

    An object with two names goes by the one it was defined under.
    """
    found: dict[str, LoadedFunction] = {}
    names: dict[int, str] = {}
    for name, value in list(vars(module).items()):
        if name.startswith("_"):
            continue
        function = describe(name, value, module)
        if function is None:
            continue
        known = names.get(id(value))
        if known is not None and name != getattr(value, "__name__", None):
            continue
        if known is not None:
            del found[known]
        names[id(value)] = name
        found[name] = function
    return found


def describe(name: str, value: Any, module: ModuleType, *, named: bool = False) -> LoadedFunction | None:
    """What ``value`` is as a function, or None. ``named``: the user asked for it, so its shape need only do."""
    if is_durable_function(value) or is_official_handler(value):
        durable = True
    elif _is_plain_handler(value, module) or (named and _takes_two(value)):
        durable = False
    else:
        return None
    reference = f"{module.__name__}:{name}"
    return LoadedFunction(name, value, spec_for(name, value, durable=durable, reference=reference), reference)


def spec_for(name: str, handler: Any, *, durable: bool, reference: str = "") -> FunctionSpec:
    """The spec of a function, with the options its object carries (``durable_options``).

    Raises:
        LoadError: the name cannot be a function's, or an option is not one or out of its range.
    """
    if not EXECUTION_NAME_PATTERN.fullmatch(name):
        raise LoadError(
            f"{name!r} cannot be the name of a function: 1 to 64 letters, digits, '-' and '_' (ASCII) are allowed.",
            "Rename the function.",
        )
    spec = FunctionSpec(name, durable=durable)
    options = getattr(handler, "durable_options", None) if durable else None
    if not isinstance(options, Mapping):
        return spec
    where = reference or name
    for option, value in options.items():
        if option not in _OPTIONS:
            raise LoadError(f"{where} has an unknown option {option!r}.", f"Options: {', '.join(_OPTIONS)}.")
        low, high, unit = _OPTIONS[option]
        whole = option != "timeout_seconds"
        if value is None and not whole:
            continue
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
            number = "a whole number" if whole else "a number"
            raise LoadError(
                f"{where}: {option}={value!r} is out of range.", f"Give {number} of {unit}, {low:g} to {high:g}."
            )
    return replace(spec, **dict(options))


def is_durable_function(value: Any) -> bool:
    """A durable function of durably. Whatever a module may hold is asked, also proxies that raise when touched."""
    if isinstance(value, type):
        return False
    try:
        return (
            isinstance(value, DurableFunctionPort)
            and isinstance(value.is_async, bool)
            and isinstance(value.__name__, str)
            and callable(value.run_sync)
        )
    except Exception:
        return False


def is_official_handler(value: Any) -> bool:
    """A handler made by the official SDK's ``durable_execution``."""
    if not inspect.isfunction(value) or not hasattr(value, "__wrapped__"):
        return False
    return any(
        getattr(function, "__globals__", {}).get("__name__") == _OFFICIAL_SDK or _takes_durable_context(function)
        for function in _unwrapped(value)
    )


def undecorated_handlers(module: ModuleType) -> list[str]:
    """Functions of ``module`` that look like durable ones whose decorator was forgotten."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and _takes_durable_context(value)
    ]


def _unwrapped(function: Any) -> Iterator[Any]:
    seen: set[int] = set()
    while function is not None and id(function) not in seen:
        seen.add(id(function))
        yield function
        function = getattr(function, "__wrapped__", None)


def _takes_durable_context(function: Callable[..., Any]) -> bool:
    try:
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):
        return False
    if len(parameters) < 2:
        return False
    annotation = parameters[1].annotation
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return str(name).rpartition(".")[2].strip("'\"") in _CONTEXT_NAMES


def _is_plain_handler(value: Any, module: ModuleType) -> bool:
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return False
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if len(required) != 2 or required != parameters[:2] or any(p.kind not in _POSITIONAL for p in required):
        return False
    event, context = (p.name.lstrip("_") for p in required)
    return (event, context) in {("event", "context"), ("event", ""), ("", "context")}


def _takes_two(value: Any) -> bool:
    if isinstance(value, type) or not callable(value):
        return False
    try:
        inspect.signature(value).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
