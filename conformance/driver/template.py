"""Reads a SAM template into what the service needs to know of each function.

Only what our templates use is understood: ``Globals.Function``, ``Ref`` to a parameter or a function, ``Fn::Sub`` and
``Fn::GetAtt X.Arn``. A function's physical name is its logical id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FUNCTION_TYPE = "AWS::Serverless::Function"


class TemplateError(ValueError):
    """The template asks for something that is not understood here."""


@dataclass(frozen=True)
class TemplateFunction:
    """One function of the template, resolved; JSON in :meth:`as_json` carries it to the serving process."""

    name: str
    handler: str
    code: str
    durable: bool
    timeout: float
    memory: int
    execution_timeout: int | None
    retention_days: int | None
    environment: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load(path: Path) -> dict[str, Any]:
    """The template as plain data, CloudFormation's short tags in their long form. Needs PyYAML."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def long_form(loader: Any, tag: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        if tag == "GetAtt" and isinstance(value, str):
            value = value.split(".", 1)
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", long_form)
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=Loader)
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(f"{path} has no Resources: it is not a SAM template")
    return document


def functions(document: Mapping[str, Any], base: Path, parameters: Mapping[str, str]) -> list[TemplateFunction]:
    """The functions of a template.

    Parameters:
        document: what :func:`load` gave.
        base: the template's folder, to which ``CodeUri`` is relative.
        parameters: values for the template's parameters; their defaults apply otherwise.
    """
    declared = document.get("Parameters", {})
    unknown = sorted(set(parameters) - set(declared))
    if unknown:
        raise TemplateError(f"the template has no parameter {', '.join(unknown)}; it has {', '.join(sorted(declared))}")
    names = [name for name, resource in document["Resources"].items() if resource.get("Type") == FUNCTION_TYPE]
    values = {name: spec.get("Default") for name, spec in declared.items()} | dict(parameters)
    values |= {name: name for name in names}
    shared = document.get("Globals", {}).get("Function", {})
    return [
        _function(name, _merged(shared, document["Resources"][name].get("Properties", {})), base, values)
        for name in names
    ]


def _function(name: str, properties: Mapping[str, Any], base: Path, values: Mapping[str, Any]) -> TemplateFunction:
    def resolved(expression: Any) -> str:
        return _resolved(expression, values, where=name)

    for required in ("Handler", "CodeUri"):
        if required not in properties:
            raise TemplateError(f"{name}: no {required}")
    durable = properties.get("DurableConfig")
    environment = {
        key: resolved(value) for key, value in properties.get("Environment", {}).get("Variables", {}).items()
    }
    logging = properties.get("LoggingConfig", {})
    if logging.get("LogFormat"):
        environment["AWS_LAMBDA_LOG_FORMAT"] = resolved(logging["LogFormat"])
    if logging.get("ApplicationLogLevel"):
        environment["AWS_LAMBDA_LOG_LEVEL"] = resolved(logging["ApplicationLogLevel"])
    return TemplateFunction(
        name=name,
        handler=resolved(properties["Handler"]),
        code=str((base / resolved(properties["CodeUri"])).resolve()),
        durable=durable is not None,
        timeout=float(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        execution_timeout=(durable or {}).get("ExecutionTimeout"),
        retention_days=(durable or {}).get("RetentionPeriodInDays"),
        environment=environment,
    )


def _merged(shared: Any, own: Any) -> Any:
    """SAM's rule for Globals: maps are merged, anything else is replaced."""
    if not (isinstance(shared, Mapping) and isinstance(own, Mapping)):
        return own
    return {key: _merged(shared.get(key), own[key]) if key in own else shared[key] for key in {**shared, **own}}


def _resolved(expression: Any, values: Mapping[str, Any], where: str) -> str:
    if isinstance(expression, Mapping):
        match dict(expression):
            case {"Ref": str(name)}:
                return _value(name, values, where)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return _value(name, values, where)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{(\w+)(?:\.Arn)?\}", lambda found: _value(found[1], values, where), text)
        raise TemplateError(f"{where}: cannot resolve {dict(expression)!r}; use Ref, Sub or GetAtt X.Arn")
    if isinstance(expression, bool):
        return str(expression).lower()
    return str(expression)


def _value(name: str, values: Mapping[str, Any], where: str) -> str:
    if values.get(name) is None:
        raise TemplateError(f"{where}: {name!r} is neither a function nor a parameter with a value")
    return str(values[name])
