"""Answers held against botocore's own service model: nothing missing, nothing unknown, nothing out of bounds."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import botocore.session

MODEL = botocore.session.get_session().get_service_model("lambda")

EARLIEST = datetime(2001, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2100, 1, 1, tzinfo=UTC).timestamp()


def check_answer(operation: Any, status: int, headers: Any, body: bytes) -> None:
    """Raise AssertionError unless the answer to ``operation`` is one the model allows."""
    assert headers["x-amzn-requestid"]
    if status < 300:
        _check_success(operation, status, headers, body)
    else:
        _check_error(operation, status, headers, body)


def _check_success(operation: Any, status: int, headers: Any, body: bytes) -> None:
    if operation.name == "Invoke":
        assert status in (200, 202, 204)
        for name, shape in operation.output_shape.members.items():
            header = shape.serialization.get("name")
            if shape.serialization.get("location") == "header" and header in headers:
                check_shape(shape, headers[header], name)
        if status != 200:
            assert body == b""
        elif body:
            json.loads(body)
        return
    assert status == operation.http["responseCode"]
    assert headers["content-type"] == "application/json"
    check_shape(operation.output_shape, json.loads(body), operation.name)


def _check_error(operation: Any, status: int, headers: Any, body: bytes) -> None:
    code = headers["x-amzn-errortype"]
    known = {shape.name: shape for shape in operation.error_shapes}
    # Every body can be malformed, too large or not JSON, though few operations list these.
    shape = known.get(code) or (
        MODEL.shape_for(code) if code in ("InvalidRequestContentException", "RequestTooLargeException") else None
    )
    assert shape is not None, f"{operation.name} has no error {code}"
    assert status == shape.metadata["error"]["httpStatusCode"]
    found = json.loads(body)
    check_shape(shape, found, code)
    message = found.get("message") or found.get("Message")
    assert message
    assert found["Type"] == ("Service" if status >= 500 else "User")


def check_shape(shape: Any, value: Any, where: str) -> None:
    match shape.type_name:
        case "structure":
            assert isinstance(value, dict), f"{where}: {value!r}"
            unknown = value.keys() - shape.members.keys()
            assert not unknown, f"{where} has members the model does not know: {unknown}"
            missing = set(shape.required_members) - value.keys()
            assert not missing, f"{where} lacks {missing}"
            for name, item in value.items():
                check_shape(shape.members[name], item, f"{where}.{name}")
        case "list":
            assert isinstance(value, list), f"{where}: {value!r}"
            for index, item in enumerate(value):
                check_shape(shape.member, item, f"{where}[{index}]")
        case "timestamp":
            assert isinstance(value, int | float), f"{where}: {value!r}"
            assert not isinstance(value, bool)
            assert EARLIEST < value < LATEST, f"{where} is no time in seconds: {value!r}"
        case "integer":
            assert type(value) is int, f"{where}: {value!r}"
            _check_range(shape, value, where)
        case "boolean":
            assert type(value) is bool, f"{where}: {value!r}"
        case "string":
            assert isinstance(value, str), f"{where}: {value!r}"
            _check_range(shape, len(value), where)
            if "enum" in shape.metadata:
                assert value in shape.enum, f"{where}: {value!r}"
            if "pattern" in shape.metadata:
                assert re.fullmatch(shape.metadata["pattern"], value), f"{where}: {value!r}"
        case other:
            raise AssertionError(f"{where}: no check for a {other}")


def _check_range(shape: Any, size: int, where: str) -> None:
    assert shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size), f"{where}: {size}"
