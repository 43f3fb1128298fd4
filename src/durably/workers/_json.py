"""Events and results as JSON text, as strictly as Lambda."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

import msgspec

from ._errors import MARSHAL_ERROR, UNMARSHAL_ERROR

__all__ = ["Unmarshalable", "durable_json", "is_json", "lambda_json", "read_event"]

_decode: Final = msgspec.json.Decoder().decode
_encode: Final = msgspec.json.Encoder().encode
_scan: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Unmarshalable(Exception):
    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


def read_event(text: str, *, durable: bool) -> Any:
    """The event of an invocation.

    msgspec reads a long history several times faster; the standard library reads what msgspec will not (integers
    beyond 64 bits as such, lone surrogates), as a plain function would see it on Lambda.
    """
    try:
        if durable:
            try:
                return _decode(text)
            except msgspec.MsgspecError:
                pass
        return json.loads(text)
    except ValueError as exc:
        raise Unmarshalable(UNMARSHAL_ERROR, f"Unable to unmarshal input: {exc}") from exc


def durable_json(output: Any) -> str:
    """An InvocationOutput: strings only, and they may be large."""
    try:
        return _encode(output).decode()
    except (TypeError, ValueError):
        return lambda_json(output)


def lambda_json(value: Any) -> str:
    """The result of a plain function.

    Raises:
        Unmarshalable: it is not JSON; NaN and infinities are not.
    """
    try:
        return json.dumps(value, default=_number, allow_nan=False)
    except (TypeError, ValueError, RecursionError, ArithmeticError) as exc:
        raise Unmarshalable(MARSHAL_ERROR, f"Unable to marshal response: {exc}") from exc


def is_json(text: bytes) -> bool:
    try:
        _scan(text)
    except (msgspec.MsgspecError, ValueError):
        return False
    return True


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
