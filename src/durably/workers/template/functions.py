"""One function of a template: its properties as a RuntimeFunction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from durably.service.ports import FunctionSpec
from durably.wire.limits import EXECUTION_NAME_PATTERN, MAX_EXECUTION_TIMEOUT_SECONDS
from durably.workers._importing import LoadError
from durably.workers.runtime_api.launch import RuntimeFunction

from .resolve import NOTHING, Resolver, is_reference
from .runtimes import command_for

__all__ = ["FUNCTION_TYPES", "function_of", "merged", "name_of"]

SAM: Final = "AWS::Serverless::Function"
FUNCTION_TYPES: Final = (SAM, "AWS::Lambda::Function")

_RANGES: Final = {
    "Timeout": (1, 900, "seconds"),
    "MemorySize": (128, 32_768, "MB"),
    "ExecutionTimeout": (1, MAX_EXECUTION_TIMEOUT_SECONDS, "seconds"),
    "RetentionPeriodInDays": (1, 90, "days"),
}


def merged(shared: Any, own: Any) -> Any:
    """SAM's rule for Globals: maps are merged, lists are put together, anything else is replaced."""
    if isinstance(shared, Mapping) and isinstance(own, Mapping) and not (is_reference(shared) or is_reference(own)):
        return {**shared, **{key: merged(shared.get(key), value) for key, value in own.items()}}
    if isinstance(shared, list) and isinstance(own, list):
        return [*shared, *own]
    return own


def name_of(logical_id: str, properties: Mapping[str, Any], resolver: Resolver) -> str:
    """Its FunctionName; without one, its logical id."""
    where = f"{logical_id}: FunctionName"
    name = resolver.resolve(properties.get("FunctionName", logical_id), where)
    if not isinstance(name, str) or EXECUTION_NAME_PATTERN.fullmatch(name) is None:
        raise LoadError(f"{where}: {name!r} is not 1 to 64 letters, digits, '-' and '_'.", "Correct it.")
    return name


def function_of(
    logical_id: str,
    name: str,
    resource: Mapping[str, Any],
    properties: Mapping[str, Any],
    aliases: tuple[str, ...],
    base: Path,
    resolver: Resolver,
) -> RuntimeFunction:
    """The function on the service. Paths are relative to ``base``.

    Raises:
        LoadError: something in it cannot be served, or not be understood.
    """

    def property_(key: str, default: Any = None) -> Any:
        found = resolver.resolve(properties.get(key, default), f"{logical_id}: {key}")
        return default if found is None or found is NOTHING else found

    if property_("PackageType", "Zip") != "Zip":
        raise LoadError(f"{logical_id}: functions in container images are not served.", "Give it CodeUri and Handler.")
    code = _code(logical_id, resource, properties, base, resolver)
    command: Sequence[str] | None = _own_command(logical_id, resource)
    handler, runtime = property_("Handler", ""), property_("Runtime", "")
    if command is None:
        for key, value in (("Handler", handler), ("Runtime", runtime)):
            if (not value and not (key == "Handler" and str(runtime).startswith("provided"))) or not isinstance(
                value, str
            ):
                raise LoadError(f"{logical_id}: {key}: {value!r} is not one.", f"Give the function a {key}.")
        command = command_for(runtime, handler, code, logical_id)
    durable = property_("DurableConfig")
    if durable is not None and not isinstance(durable, Mapping):
        raise LoadError(f"{logical_id}: DurableConfig: {durable!r} is not a map.", "Write ExecutionTimeout: SECONDS.")
    limits = {
        "execution_timeout_seconds": _number(logical_id, "ExecutionTimeout", (durable or {}).get("ExecutionTimeout")),
        "retention_days": _number(logical_id, "RetentionPeriodInDays", (durable or {}).get("RetentionPeriodInDays")),
        "timeout_seconds": _number(logical_id, "Timeout", property_("Timeout", 3)),
        "memory_mb": _number(logical_id, "MemorySize", property_("MemorySize", 128)),
    }
    spec = FunctionSpec(
        name,
        durable=durable is not None,
        environment=_environment(logical_id, property_("Environment", {}), property_("LoggingConfig", {})),
        aliases=aliases,
        **{key: value for key, value in limits.items() if value is not None},
    )
    own = {"AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}"} if command is not None and runtime else {}
    return RuntimeFunction(spec, handler, code, command, own)


def _code(
    logical_id: str, resource: Mapping[str, Any], properties: Mapping[str, Any], base: Path, resolver: Resolver
) -> Path:
    """The directory of its code: CodeUri; Code as a path; or what the CDK notes beside what it synthesizes."""
    asset = (resource.get("Metadata") or {}).get("aws:asset:path")
    key = "CodeUri" if resource["Type"] == SAM else "Code"
    value = asset if asset is not None else properties.get(key)
    if value is None:
        inline = " Code in the template itself (InlineCode) is not served." if "InlineCode" in properties else ""
        raise LoadError(f"{logical_id}: it has no {key}.{inline}", "Name the directory of its code.")
    where = f"{logical_id}: {key}"
    place = resolver.resolve(value, where)
    if not isinstance(place, str) or place.startswith("s3://"):
        raise LoadError(f"{where}: {place!r} is not a directory of this machine.", "Name the directory of its code.")
    code = (base / place).resolve()
    if not code.is_dir():
        raise LoadError(f"{where}: there is no directory {code}.", "Correct the path; build what must be built.")
    return code


def _own_command(logical_id: str, resource: Mapping[str, Any]) -> list[str] | None:
    """``Metadata: {Durably: {Command: [...]}}``."""
    own = (resource.get("Metadata") or {}).get("Durably")
    if own is None:
        return None
    command = own.get("Command") if isinstance(own, Mapping) and set(own) == {"Command"} else None
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command):
        raise LoadError(
            f"{logical_id}: Metadata: Durably: {own!r} is not one.", "Write {Command: [program, argument]}."
        )
    return command


def _number(logical_id: str, key: str, value: Any) -> int | None:
    if value is None:
        return None
    low, high, unit = _RANGES[key]
    try:
        number = int(value) if not isinstance(value, (bool, float)) else None
    except (TypeError, ValueError):
        number = None
    if number is None or not low <= number <= high:
        raise LoadError(
            f"{logical_id}: {key}: {value!r} is out of range.", f"Give a whole number of {unit}, {low:,} to {high:,}."
        )
    return number


def _environment(logical_id: str, given: Any, logging: Any) -> dict[str, str]:
    where = f"{logical_id}: Environment"
    variables = given.get("Variables", {}) if isinstance(given, Mapping) else None
    if not isinstance(variables, Mapping):
        raise LoadError(f"{where}: {given!r} has no map of Variables.", "Write Variables: {NAME: value}.")
    environment: dict[str, str] = {}
    for key, value in variables.items():
        if value is None or isinstance(value, (Mapping, list)):
            raise LoadError(f"{where}: {key}: {value!r} is not a text.", "Give it a text.")
        environment[str(key)] = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(logging, Mapping):
        told = {"LogFormat": "AWS_LAMBDA_LOG_FORMAT", "ApplicationLogLevel": "AWS_LAMBDA_LOG_LEVEL"}
        environment |= {variable: str(logging[key]) for key, variable in told.items() if key in logging}
    return environment
