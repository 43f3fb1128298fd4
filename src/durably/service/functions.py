"""Which function a name means: plain, ``name:qualifier``, partial ARN or full ARN."""

from __future__ import annotations

from durably.wire import limits
from durably.wire.api_errors import ApiError

from .config import ServiceConfig
from .machine.checks import clipped
from .machine.env import Target
from .ports import Worker

__all__ = ["LATEST", "function_arn", "resolve", "split_name"]

LATEST = "$LATEST"
_NAME_GROUP, _QUALIFIER_GROUP = 11, 13


def split_name(function_name: object) -> tuple[str, str | None]:
    """(bare name, qualifier) of a function name in any of its forms. Account and region are not compared."""
    if isinstance(function_name, str) and 1 <= len(function_name) <= 256:
        found = limits.FUNCTION_NAME_PATTERN.fullmatch(function_name)
        if found is not None:
            return found[_NAME_GROUP], found[_QUALIFIER_GROUP]
    raise ApiError(
        "InvalidParameterValueException", f"FunctionName {clipped(function_name)} is not a function name or ARN"
    )


def function_arn(config: ServiceConfig, name: str, version: str) -> str:
    return f"arn:aws:lambda:{config.region}:{config.account}:function:{name}:{version}"


def resolve(worker: Worker | None, config: ServiceConfig, function_name: object, qualifier: object = None) -> Target:
    """The function meant. Raises ApiError: not a name, not found, or a durable function without a qualifier."""
    name, own = split_name(function_name)
    if qualifier is not None and own is not None and qualifier != own:
        raise ApiError(
            "InvalidParameterValueException",
            f"Qualifier {clipped(qualifier)} is not the one in FunctionName {clipped(function_name)}; give one of them",
        )
    wanted = qualifier if qualifier is not None else own
    known = worker.functions() if worker is not None else {}
    spec = known.get(name)
    if spec is None:
        names = ", ".join(sorted(known)) or "none"
        raise ApiError(
            "ResourceNotFoundException",
            f"Function not found: {function_arn(config, name, LATEST)} (functions served: {names})",
        )
    if wanted is None and spec.durable:
        raise ApiError(
            "InvalidParameterValueException",
            f"{name} is a durable function and must be invoked by a qualified name: use {name}:{LATEST}, "
            f"or Qualifier {LATEST}",
        )
    if wanted is not None and wanted != LATEST and wanted not in spec.aliases:
        served = " and ".join([LATEST, *spec.aliases])
        raise ApiError(
            "ResourceNotFoundException",
            f"Function not found: {function_arn(config, name, str(wanted))}; only {served} is served here",
        )
    return Target(spec, LATEST, function_arn(config, name, LATEST))
