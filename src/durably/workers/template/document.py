"""Reading a template's text: YAML or JSON, CloudFormation's short tags (``!Ref``) in their long form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from durably.workers._importing import LoadError

__all__ = ["read"]


def read(path: Path) -> Mapping[str, Any]:
    """The template as plain data.

    Raises:
        LoadError: there is no such file, it cannot be parsed, or it is no template.
        RuntimeError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as exc:
        raise RuntimeError("templates need PyYAML: pip install 'durably[service]'") from exc
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise LoadError(f"The template {path} cannot be read: {reason} (looked in {Path.cwd()}).", "Check it.") from exc
    try:
        document = _dictionary(yaml.load(text, _loader(yaml)))
    except yaml.YAMLError as exc:
        raise LoadError(f"{path} is not YAML.", "Correct it.", str(exc)) from exc
    resources = document.get("Resources")
    if not isinstance(resources, dict) or not all(isinstance(resource, dict) for resource in resources.values()):
        raise LoadError(f"{path} has no Resources: it is not a SAM or CloudFormation template.", "Name another file.")
    return document


def _dictionary(document: object) -> dict[str, Any]:
    return document if isinstance(document, dict) else {}


def _loader(yaml: Any) -> Any:
    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        pass

    def long_form(loader: Any, tag: str, node: Any) -> dict[str, Any]:
        if isinstance(node, yaml.ScalarNode):
            value: Any = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}

    Loader.add_multi_constructor("!", long_form)
    return Loader
