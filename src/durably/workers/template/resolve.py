"""CloudFormation's references and functions, as far as they can be known without an account.

A function's name and ARN are those it has on the embedded service. What only AWS could tell (a table's name, an
export of another stack) is refused with its place and the way to say it: ``--parameter NAME=VALUE``, where ``NAME`` may
also be a resource (``Orders``) or one of its attributes (``Orders.Arn``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from durably.workers._importing import LoadError

__all__ = ["NOTHING", "Resolver", "is_reference"]

NOTHING: Final = object()
"""``AWS::NoValue``: as if the property were not there."""

_PLACEHOLDER: Final = re.compile(r"\$\{(!?)([^{}]*)\}")
_SAM_MADE: Final = ("Alias", "Version")
"""What SAM generates beside a function, referred to as ``Function.Alias``: here they all mean ``$LATEST``."""


def is_reference(value: Mapping[Any, Any]) -> bool:
    """Whether a map stands for another value."""
    return len(value) == 1 and all(str(name) in ("Ref", "Condition") or str(name).startswith("Fn::") for name in value)


class Resolver:
    """Resolves values of one template.

    Parameters:
        functions: their names on the service, by logical id.
        given: values of parameters, resources and attributes, from the user.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        functions: Mapping[str, str],
        given: Mapping[str, str],
        region: str,
        account: str,
    ) -> None:
        self._resources: Mapping[str, Any] = document["Resources"]
        self._parameters: Mapping[str, Any] = document.get("Parameters") or {}
        self._mappings: Mapping[str, Any] = document.get("Mappings") or {}
        self._conditions: Mapping[str, Any] = document.get("Conditions") or {}
        self._functions = functions
        self._given = given
        self._arn = f"arn:aws:lambda:{region}:{account}:function:"
        self._pseudo: Final[Mapping[str, Any]] = {
            "AWS::AccountId": account,
            "AWS::NoValue": NOTHING,
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::StackName": "local",
            "AWS::URLSuffix": "amazonaws.com",
        }

    def resolve(self, value: Any, where: str) -> Any:
        """``value`` without references.

        Raises:
            LoadError: one cannot be known; names ``where`` it stands.
        """
        if isinstance(value, Mapping):
            if is_reference(value):
                ((name, argument),) = value.items()
                return self._function(str(name), argument, where)
            found = {key: self.resolve(item, f"{where}: {key}") for key, item in value.items()}
            return {key: item for key, item in found.items() if item is not NOTHING}
        if isinstance(value, list):
            return [item for entry in value if (item := self.resolve(entry, where)) is not NOTHING]
        if isinstance(value, str) and "{{resolve:" in value:
            raise LoadError(f"{where}: {value} is looked up by AWS.", "Write a value that needs no account.")
        return value

    def holds(self, condition: str, where: str) -> bool:
        """Whether one of the template's Conditions is true."""
        if condition not in self._conditions:
            raise LoadError(f"{where}: there is no Condition {condition!r}.", _there(self._conditions))
        return self._true(self._conditions[condition], f"Condition {condition}")

    def _true(self, value: Any, where: str) -> bool:
        found = self.resolve(value, where)
        if isinstance(found, bool) or found in ("true", "false"):
            return found in (True, "true")
        raise LoadError(f"{where}: {value!r} is no condition.", "Use Fn::Equals, And, Or, Not, or Condition.")

    def _function(self, name: str, argument: Any, where: str) -> Any:
        simple: dict[str, Callable[[Any, str], Any]] = {
            "Ref": lambda given, at: self._reference(str(given), at),
            "Condition": lambda given, at: self.holds(str(given), at),
            "Fn::GetAtt": self._attribute,
            "Fn::Sub": self._substitute,
        }
        if name in simple:
            return simple[name](argument, where)
        try:
            match name, argument:
                case "Fn::If", [condition, then, otherwise]:
                    return self.resolve(then if self.holds(str(condition), where) else otherwise, where)
                case "Fn::And", [*conditions]:
                    return all(self._true(condition, where) for condition in conditions)
                case "Fn::Or", [*conditions]:
                    return any(self._true(condition, where) for condition in conditions)
                case "Fn::Not", [condition]:
                    return not self._true(condition, where)
                case _:
                    pass
            match name, self.resolve(argument, where):
                case "Fn::Equals", [left, right]:
                    return _text(left) == _text(right)
                case "Fn::Join", [str(separator), [*parts]]:
                    return separator.join(_text(part) for part in parts)
                case "Fn::Split", [str(separator), str(joined)]:
                    return joined.split(separator)
                case "Fn::Select", [index, [*parts]]:
                    return parts[int(index)]
                case "Fn::FindInMap", [mapping, top, second, *_]:
                    return self._mappings[mapping][_text(top)][_text(second)]
                case _:
                    pass
        except (KeyError, IndexError, ValueError, TypeError) as exc:
            raise LoadError(f"{where}: {name} of {argument!r} finds nothing.", "Correct it.") from exc
        raise LoadError(
            f"{where}: {name} of {argument!r} cannot be resolved here.", "Write a value, or use a parameter."
        )

    def _reference(self, name: str, where: str) -> Any:
        if name in self._given:
            return self._given[name]
        if name in self._functions:
            return self._functions[name]
        if name in self._pseudo:
            return self._pseudo[name]
        function, _, made = name.partition(".")
        if function in self._functions and made in _SAM_MADE:
            return "$LATEST" if made == "Version" else f"{self._arn}{self._functions[function]}:$LATEST"
        parameter = self._parameters.get(name)
        if parameter is not None:
            if "Default" not in parameter:
                raise LoadError(f"{where}: the parameter {name} has no default.", f"Give it: --parameter {name}=VALUE.")
            if str(parameter.get("Type", "")).startswith("AWS::SSM::"):
                raise LoadError(f"{where}: AWS looks up the parameter {name}.", f"Give it: --parameter {name}=VALUE.")
            return parameter["Default"]
        raise self._unknown(name, name, where)

    def _attribute(self, argument: Any, where: str) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, Sequence) or len(parts) < 2:
            raise LoadError(
                f"{where}: Fn::GetAtt of {argument!r} names no attribute.", "Write !GetAtt Resource.Attribute."
            )
        name, attribute = str(parts[0]), ".".join(map(str, parts[1:]))
        dotted = f"{name}.{attribute}"
        if dotted in self._given:
            return self._given[dotted]
        if name in self._functions and attribute == "Arn":
            return self._arn + self._functions[name]
        raise self._unknown(name, dotted, where)

    def _substitute(self, argument: Any, where: str) -> str:
        text, own = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
        if not isinstance(text, str) or not isinstance(own, Mapping):
            raise LoadError(f"{where}: Fn::Sub of {argument!r} is not a text.", "Write a text, or a text and a map.")

        def value(found: re.Match[str]) -> str:
            literal, name = found[1], found[2].strip()
            if literal:
                return f"${{{found[2]}}}"
            if name in own:
                return _text(self.resolve(own[name], where))
            if name in self._given or "." not in name or name.endswith(tuple(f".{made}" for made in _SAM_MADE)):
                return _text(self._reference(name, where))
            return _text(self._attribute(name, where))

        return _PLACEHOLDER.sub(value, text)

    def _unknown(self, name: str, dotted: str, where: str) -> LoadError:
        resource = self._resources.get(name)
        if resource is None:
            known = ", ".join([*self._functions, *self._parameters]) or "none"
            what = f"{where}: {name!r} is neither a resource nor a parameter of the template."
            return LoadError(what, f"Functions and parameters in it: {known}.")
        told = "name" if dotted == name else f"attribute {dotted.partition('.')[2]}"
        what = f"{where}: the {told} of {name} ({resource.get('Type')}) is not known here."
        return LoadError(what, f"Give it: --parameter {dotted}=VALUE.")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is NOTHING or isinstance(value, (Mapping, list)) or value is None:
        raise TypeError(f"{value!r} is not a text")
    return str(value)


def _there(names: Mapping[str, Any]) -> str:
    return f"There are: {', '.join(names)}." if names else "The template has none."
