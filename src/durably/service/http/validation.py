"""Turning what a client sent into an action's parameters, or into the error that says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from durably.wire.api_errors import ApiError

from .members import ENUM_MARK

__all__ = ["Body", "convert", "invalid_json"]

_SHOWN: Final = 100
"""Characters of an offending value that an error repeats."""

_JSON_NAMES: Final = {
    "str": "a string",
    "int": "an integer",
    "bool": "true or false",
    "float": "a number",
    "array": "a list",
    "object": "an object",
}


def invalid_json(problem: object) -> ApiError:
    """The answer to a body that is not JSON at all."""
    return ApiError("InvalidRequestContentException", f"Could not parse request body into json: {problem}")


class Body:
    """Parses JSON bodies of one shape. An empty body is an empty object, and null is an absent member."""

    def __init__(self, shape: Any) -> None:
        self._shape = shape
        self._decode = msgspec.json.Decoder(shape).decode

    def parse(self, body: bytes) -> dict[str, Any]:
        """The members in ``body``. Raises ApiError."""
        try:
            try:
                members: dict[str, Any] = self._decode(body or b"{}")
                return members
            except msgspec.ValidationError:
                return self._second_look(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise invalid_json(problem) from None

    def _second_look(self, body: bytes) -> dict[str, Any]:
        # Clients of some languages write absent members as null, which the fast pass does not know.
        found = msgspec.json.decode(body or b"{}")
        if not isinstance(found, dict):
            raise invalid_json(f"expected an object, got {_shorten(found)}")
        return convert(_without_nulls(found), self._shape)


def convert(members: Mapping[str, Any], shape: Any, *, from_text: bool = False) -> dict[str, Any]:
    """``members`` checked against ``shape``. With ``from_text``, numbers and booleans are still strings.

    Raises:
        ApiError: InvalidParameterValueException naming the member, its value and the constraint.
    """
    try:
        converted: dict[str, Any] = msgspec.convert(members, shape, strict=not from_text)
        return converted
    except msgspec.ValidationError as refusal:
        raise ApiError("InvalidParameterValueException", _explain(str(refusal), members)) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _explain(refusal: str, members: Any) -> str:
    """msgspec's finding in the words AWS uses for the same, with the value in question."""
    finding, _, where = refusal.partition(" - at ")
    path = where.strip("`").removeprefix("$").removeprefix(".")
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", finding):
        path = f"{path}.{missing[1]}" if path else missing[1]
        value, constraint = "null", "Member must not be null"
    else:
        value, constraint = _shorten(_at(members, path)), _constraint(finding)
    return f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def _constraint(finding: str) -> str:
    if found := re.fullmatch(r"Expected `str` matching regex (['\"])(.*)\1", finding, re.DOTALL):
        pattern = found[2].replace("\\\\", "\\").removeprefix(r"\A").removesuffix(r"\Z")
        if pattern.startswith(ENUM_MARK):
            values = pattern.removeprefix(ENUM_MARK).removeprefix("(?:").removesuffix(")").split("|")
            return f"Member must satisfy enum value set: [{', '.join(values)}]"
        shown = re.sub(r"\?P<\w+>", "", pattern[3:-1])
        return f"Member must satisfy regular expression pattern: {shown}"
    if found := re.fullmatch(r"Expected `(\w+)`( of length)? (<=|>=) (\d+)", finding):
        measure = "length" if found[2] else "value"
        relation = "less" if found[3] == "<=" else "greater"
        return f"Member must have {measure} {relation} than or equal to {found[4]}"
    if found := re.match(r"Expected `(\w+)`", finding):
        return f"Member must be {_JSON_NAMES.get(found[1], found[1])}"
    return finding


def _at(members: Any, path: str) -> Any:
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        members = members[int(index)] if index else members[name]
    return members


def _shorten(value: Any) -> str:
    text = f"'{value}'" if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"
