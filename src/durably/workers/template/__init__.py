"""The functions of a SAM or CloudFormation template, as the embedded service can run them.

    durably dev template.yaml

What is read of a function: its name (FunctionName or logical id), CodeUri or Code, Handler, Runtime, Environment,
Timeout, MemorySize, DurableConfig, LoggingConfig and AutoPublishAlias, with SAM's Globals. Everything else of the
template (events, permissions, other resources) means nothing here and is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from durably.service.ports import FunctionSpec
from durably.workers._importing import LoadError
from durably.workers.runtime_api.launch import RuntimeFunction

from .document import read
from .functions import FUNCTION_TYPES, SAM, function_of, merged, name_of
from .resolve import Resolver

__all__ = ["LoadedTemplate", "load_template"]

_CODE: Final = frozenset({".py", ".js", ".mjs", ".cjs", ".json", ".node", ".so", ".wasm", ".jar", ".class"})
_NOT_CODE: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


@dataclass(frozen=True, slots=True)
class LoadedTemplate:
    """The functions of one template.

    Parameters:
        functions: by name, in the template's order.
    """

    path: Path
    functions: Mapping[str, RuntimeFunction]

    def specs(self) -> dict[str, FunctionSpec]:
        return {name: function.spec for name, function in self.functions.items()}

    # ---- watch.Watched -----------------------------------------------------------------------------------

    def directories(self) -> frozenset[Path]:
        """Where code may change: below each function's directory, and the template's own."""
        roots = {Path(function.task_root) for function in self.functions.values()}
        return frozenset({self.path.parent, *(place for root in roots for place in _directories_of_code(root))})

    def is_code(self, path: str) -> bool:
        place = Path(path)
        return place == self.path or place.suffix in _CODE or place.name == "bootstrap" or place.is_dir()


def load_template(
    path: str | Path,
    parameters: Mapping[str, str] | None = None,
    *,
    region: str = "us-east-1",
    account: str = "000000000000",
) -> LoadedTemplate:
    """Read a template's functions.

    Parameters:
        parameters: values for the template's parameters, and for what it refers to that only AWS knows: a resource
            (``Orders``) or an attribute (``Orders.Arn``).
        region, account: those of the service, for ARNs.

    Raises:
        LoadError: it cannot be read, or a function in it cannot be served; says which, why, and what to do.
        RuntimeError: PyYAML is not installed.
    """
    place = Path(path).expanduser().resolve()
    document, given = read(place), dict(parameters or {})
    try:
        return LoadedTemplate(place, _functions(document, place.parent, given, region, account))
    except LoadError as exc:
        raise LoadError(f"{path}: {exc.message}", exc.remedy, exc.detail) from exc


def _functions(
    document: Mapping[str, Any], base: Path, given: Mapping[str, str], region: str, account: str
) -> dict[str, RuntimeFunction]:
    resources: Mapping[str, Mapping[str, Any]] = document["Resources"]
    _check_given(given, document)
    shared: Any = (document.get("Globals") or {}).get("Function") or {}
    properties: dict[str, Mapping[str, Any]] = {}
    before = Resolver(document, {}, given, region, account)
    for logical_id, resource in resources.items():
        if str(logical_id).startswith("Fn::"):
            raise LoadError(f"{logical_id} cannot be resolved here.", "Process the template first and name the result.")
        if resource.get("Type") not in FUNCTION_TYPES:
            continue
        condition = resource.get("Condition")
        if condition is None or before.holds(str(condition), str(logical_id)):
            own = resource.get("Properties") or {}
            properties[str(logical_id)] = merged(shared, own) if resource["Type"] == SAM else own
    if not properties:
        raise LoadError(f"it has no function: no resource is an {' or an '.join(FUNCTION_TYPES)}.", "Name another.")
    names = {logical_id: name_of(logical_id, own, before) for logical_id, own in properties.items()}
    twice = next((name for name in names.values() if list(names.values()).count(name) > 1), None)
    if twice is not None:
        raise LoadError(f"two functions are called {twice!r}.", "Give them different names.")
    resolver = Resolver(document, names, given, region, account)
    return {
        names[logical_id]: function_of(
            logical_id,
            names[logical_id],
            resources[logical_id],
            own,
            _aliases(logical_id, own, resources, resolver),
            base,
            resolver,
        )
        for logical_id, own in properties.items()
    }


def _check_given(given: Mapping[str, str], document: Mapping[str, Any]) -> None:
    known = [*(document.get("Parameters") or {}), *document["Resources"]]
    for name in given:
        if name.partition(".")[0] not in known:
            there = ", ".join(document.get("Parameters") or {}) or "none"
            raise LoadError(f"it has neither a parameter nor a resource {name!r}.", f"Its parameters: {there}.")


def _aliases(
    logical_id: str, properties: Mapping[str, Any], resources: Mapping[str, Mapping[str, Any]], resolver: Resolver
) -> tuple[str, ...]:
    """Names of versions: the function answers to all of them with the one version there is."""
    found = [properties.get("AutoPublishAlias")]
    for resource in resources.values():
        own = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::Lambda::Alias" and own.get("FunctionName") in (
            {"Ref": logical_id},
            {"Fn::GetAtt": [logical_id, "Arn"]},
            {"Fn::GetAtt": f"{logical_id}.Arn"},
        ):
            found.append(own.get("Name"))
    where = f"{logical_id}: alias"
    return tuple(str(resolver.resolve(alias, where)) for alias in found if alias is not None)


def _directories_of_code(root: Path) -> Iterator[Path]:
    for place, below, _ in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".") and name not in _NOT_CODE]
        yield Path(place)
