"""Every name of AWS's SDK that a program can import is here under the same module, or the guide says what replaces it.

What is here has to take the same arguments: the same parameters in the same order, with the same defaults; ours may
have more, by keyword. Compared with the package that the other tests of this folder run, not with a list of names.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

OFFICIAL = "aws_durable_execution_sdk_python"
GUIDE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text()

MODULES = [
    "", "config", "retries", "waits", "serdes", "exceptions", "types", "context", "execution", "logger", "preview",
    "filesystem_serdes", "plugin", "plugin_discovery", "concurrency.models", "lambda_service",
]  # fmt: skip
"""Those that a program imports from; the rest is the official SDK's own machinery."""

OTHERWISE = {
    "serdes.ExtendedTypeSerDes.serialize": "the second parameter is named as in SerDes, and always given by position",
    "serdes.ExtendedTypeSerDes.deserialize": "the same",
    "serdes.JsonSerDes.serialize": "the second parameter has a name",
    "serdes.JsonSerDes.deserialize": "the same",
    "serdes.PassThroughSerDes.serialize": "the same",
    "serdes.PassThroughSerDes.deserialize": "the same",
    "exceptions.CheckpointError": "made by the SDK; `error` is the answer of the service",
    "exceptions.GetExecutionStateError": "the same",
    "exceptions.BotoClientError": "the same",
    "exceptions.BotoClientError.from_exception": "a boto3 client's errors are read by Boto3Client",
    "exceptions.CheckpointError.from_exception": "the same",
    "exceptions.GetExecutionStateError.from_exception": "the same",
    "exceptions.BotoClientError.build_logger_extras": "the text of the error says it",
    "exceptions.CheckpointError.build_logger_extras": "the same",
    "exceptions.GetExecutionStateError.build_logger_extras": "the same",
    "exceptions.register_operation_error": "a decorator of one class; the parameter's name is not used",
    "context.Callback": "made by create_callback",
    "context.DurableContext": "made by the SDK",
    "context.DurableContext.create_child_context": "run_in_child_context makes it",
    "context.DurableContext.from_lambda_context": "made by the SDK",
    "context.DurableContext.is_virtual": "of the SDK's own machinery",
    "logger.Logger": "made by the contexts; takes no is_replaying",
    "logger.Logger.from_log_info": "the same",
    "logger.Logger.with_log_info": "the same",
    "logger.Logger.with_is_replaying": "the same",
    "serdes.Codec.encode": "the same",
    "serdes.Codec.decode": "the same",
    "filesystem_serdes.FileSystemSerDesConfig": "the default serdes, None here, is the one that the value would have",
    "lambda_service.InvocationStatus.RETRY": "no function answers it",
}
"""What differs, and why no program that uses the SDK as documented notices."""


def names_of(module: types.ModuleType, short: str) -> Iterator[tuple[str, Any]]:
    """The public names of a module that are its own, and in the root all; without imports and type variables."""
    for name, value in sorted(vars(module).items()):
        home = getattr(value, "__module__", None)
        own = home == module.__name__ or (not short and str(home).startswith(OFFICIAL))
        constant = isinstance(value, (str, int)) or type(value).__module__ == module.__name__
        if (
            name.startswith("_")
            or name == "TYPE_CHECKING"
            or isinstance(value, (types.ModuleType, typing.TypeVar, typing.ParamSpec))
        ):
            continue
        if own or constant:
            yield name, value


def all_names() -> list[Any]:
    found = []
    for short in MODULES:
        module = importlib.import_module(f"{OFFICIAL}.{short}".rstrip("."))
        found += [pytest.param(short, name, value, id=f"{short}.{name}") for name, value in names_of(module, short)]
    return found


def ours(short: str, name: str) -> Any:
    return getattr(importlib.import_module(f"durably.{short}".rstrip(".")), name)


@pytest.mark.parametrize(("short", "name", "official"), all_names())
def test_name(short: str, name: str, official: Any) -> None:
    try:
        mine = ours(short, name)
    except (ImportError, AttributeError):
        assert re.search(rf"`{name}`", GUIDE), f"{short}.{name} is neither here nor in docs/migration.md"
        return
    assert list(differences(where_of(short, name, official), official, mine)) == []


def test_what_differs_still_does() -> None:
    """A reason that is not needed any more goes."""
    compared = set()
    for param in all_names():
        short, name, official = param.values
        try:
            compared |= set(differing(where_of(short, name, official), official, ours(short, name)))
        except (ImportError, AttributeError):
            continue
    assert set(OTHERWISE) <= compared, set(OTHERWISE) - compared


def where_of(short: str, name: str, official: Any) -> str:
    """Under the module that it is defined in, however it was imported."""
    home = str(getattr(official, "__module__", "")).removeprefix(f"{OFFICIAL}.")
    return f"{home if home in MODULES else short}.{name}"


def differences(where: str, official: Any, mine: Any) -> Iterator[str]:
    for place, what in differing(where, official, mine).items():
        if place not in OTHERWISE:
            yield f"{place}: {what}"


def differing(where: str, official: Any, mine: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    if isinstance(official, type) and issubclass(official, enum.Enum):
        for member in official:
            if member.name not in mine.__members__ or mine[member.name].value != member.value:
                found[f"{where}.{member.name}"] = f"is {member.value!r} there"
        return found
    if isinstance(official, type):
        bases = {base.__name__ for base in official.__mro__} - {"object", "ABC", "Protocol", "Generic"}
        missing = bases - {base.__name__ for base in mine.__mro__} - {"LoggerInterface", "_ProtocolMeta"}
        aliased = {official.__name__, "BotoClientError", "ExtendedTypeSerDes", "Logger", "BatchResult"}
        if missing - aliased:
            found[where] = f"is no {', '.join(sorted(missing))}"
        if not getattr(official, "_is_protocol", False) or not inspect.isabstract(official):
            compare_calls(where, official, mine, found)
        for name, member in inspect.getmembers_static(official):
            if name.startswith("_") or name in getattr(official, "__dataclass_fields__", ()):
                continue
            if where.startswith("plugin.") and name.startswith("from_"):
                continue  # plugins are told; the SDK makes what they are told
            if not has(mine, name):
                found[f"{where}.{name}"] = "is missing"
            elif isinstance(member, (types.FunctionType, staticmethod, classmethod)):
                compare_calls(f"{where}.{name}", getattr(official, name), getattr(mine, name), found)
        for field in dataclasses.fields(official) if dataclasses.is_dataclass(official) else ():
            if not has(mine, field.name):
                found[f"{where}.{field.name}"] = "is missing"
        return found
    if callable(official):
        compare_calls(where, official, mine, found)
    return found


def has(cls: type, name: str) -> bool:
    """As an attribute of the class, or of what it makes."""
    return (
        hasattr(cls, name)
        or any(name in getattr(base, "__annotations__", ()) for base in cls.__mro__)
        or name in inspect.signature(cls).parameters
    )


def compare_calls(where: str, official: Any, mine: Any, found: dict[str, str]) -> None:
    try:
        theirs, own = inspect.signature(official).parameters, inspect.signature(mine).parameters
    except (TypeError, ValueError):
        return
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in theirs.values()):
        return
    takes_any = any(p.kind is p.VAR_KEYWORD for p in own.values())
    positional = [p.name for p in own.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for index, parameter in enumerate(theirs.values()):
        mate = own.get(parameter.name)
        if mate is None and takes_any and parameter.kind is parameter.KEYWORD_ONLY:
            continue
        if mate is None:
            found[where] = f"has no parameter {parameter.name}"
        elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD and positional[index : index + 1] != [parameter.name]:
            found[where] = f"has {parameter.name} in another place"
        elif (parameter.default is parameter.empty) < (mate.default is mate.empty):
            found[where] = f"needs {parameter.name}"
        elif parameter.default is not parameter.empty and not same_default(parameter.default, mate.default):
            found[where] = f"has another default of {parameter.name}: {mate.default!r}, not {parameter.default!r}"
    for parameter in own.values():
        required = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if required and parameter.name not in theirs:
            found[where] = f"needs {parameter.name}"


def same_default(theirs: Any, mine: Any) -> bool:
    if repr(theirs) == "<factory>" or "object at 0x" in repr(theirs) or repr(mine) == "<factory>":
        return mine is not None or repr(mine) == "<factory>"  # of configs: test_configs_have_the_same_defaults
    return repr(theirs) == repr(mine)


CONFIGS = [
    ("config", "CallbackConfig"),
    ("config", "ChildConfig"),
    ("config", "CompletionConfig"),
    ("config", "InvokeConfig"),
    ("config", "MapConfig"),
    ("config", "ParallelConfig"),
    ("config", "StepConfig"),
    ("config", "WaitForCallbackConfig"),
    ("config", "Duration"),
    ("retries", "LinearRetryStrategyConfig"),
    ("retries", "RetryStrategyConfig"),
    ("retries", "WithRetryConfig"),
    ("filesystem_serdes", "FileSystemSerDesConfig"),
]


@pytest.mark.parametrize(("short", "name"), CONFIGS)
def test_configs_have_the_same_defaults(short: str, name: str) -> None:
    official = getattr(importlib.import_module(f"{OFFICIAL}.{short}"), name)()
    mine = ours(short, name)()
    for field in dataclasses.fields(official):
        theirs, own = getattr(official, field.name), getattr(mine, field.name)
        if f"{short}.{name}" in OTHERWISE and own is None:
            continue
        assert own is not theirs or theirs is None or isinstance(theirs, (int, str, bool))
        assert repr(own) == repr(theirs), field.name


@pytest.mark.parametrize("factory", ["all_completed", "all_successful", "first_successful"])
def test_completion_factories_mean_the_same(factory: str) -> None:
    official = getattr(importlib.import_module(f"{OFFICIAL}.config").CompletionConfig, factory)()
    assert repr(getattr(ours("config", "CompletionConfig"), factory)()) == repr(official)


@pytest.mark.parametrize(
    "preset", ["none", "default", "transient", "resource_availability", "critical", "linear", "fixed"]
)
def test_presets_decide_the_same(preset: str) -> None:
    official = getattr(importlib.import_module(f"{OFFICIAL}.retries").RetryPresets, preset)()
    mine = getattr(ours("retries", "RetryPresets"), preset)()
    for attempt in range(1, 12):
        theirs, own = official(ValueError("x"), attempt), mine(ValueError("x"), attempt)
        assert own.should_retry is theirs.should_retry, attempt
        if preset in ("critical", "linear", "fixed", "none"):  # those without noise
            assert own.delay_seconds == theirs.delay_seconds, attempt
