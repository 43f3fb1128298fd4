"""Requests that no SDK sends: each is refused with an error that says what is wrong with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from durably.service.http import HttpServer
from durably.service.http.requests import MAX_BODY

ARN = "arn:aws:lambda:us-east-1:000000000000:function:held:$LATEST/durable-execution/n/i"
EXECUTION = f"/2025-12-01/durable-executions/{quote(ARN, safe='')}"
CHECKPOINT = f"{EXECUTION}/checkpoint"
INVOKE = "/2015-03-31/functions/echo%3A%24LATEST/invocations"
UPDATE = {"Id": "a", "Type": "STEP", "Action": "START"}

Raw = Callable[..., Any]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "truncated"),
        (b"nonsense", "malformed"),
        (b"[]", "expected an object, got []"),
        (b'"text"', "expected an object, got 'text'"),
        (b'{"CheckpointToken": "\xff"}', "utf-8"),
        (b'{"CheckpointToken": "YQ=="} trailing', "malformed"),
        (b"[" * 100_000, "recursion"),
        (b'{"CheckpointToken": "YQ==", "Unknown": ' + b"[" * 100_000, "recursion"),
    ],
)
def test_a_body_that_is_not_a_json_object(raw: Raw, body: bytes, reason: str) -> None:
    answer = raw("POST", CHECKPOINT, body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContentException")
    assert answer.message.startswith("Could not parse request body into json: ")
    assert reason in answer.message
    assert answer.json["Type"] == "User"


@pytest.mark.parametrize(
    ("body", "member", "value", "constraint"),
    [
        ({}, "CheckpointToken", "null", "not be null"),
        ({"CheckpointToken": None}, "CheckpointToken", "null", "not be null"),
        ({"CheckpointToken": 7}, "CheckpointToken", "7", "a string"),
        ({"CheckpointToken": ""}, "CheckpointToken", "''", "length greater than or equal to 1"),
        ({"CheckpointToken": "a b"}, "CheckpointToken", "'a b'", "pattern: [A-Za-z0-9+/]+={0,2}"),
        ({"ClientToken": "a b"}, "ClientToken", "'a b'", r"pattern: [\x21-\x7E]+"),
        ({"Updates": {}}, "Updates", "{}", "a list"),
        ({"Updates": [UPDATE, 7]}, "Updates[1]", "7", "an object"),
        ({"Updates": [{**UPDATE, "Id": "a b"}]}, "Updates[0].Id", "'a b'", "[a-zA-Z0-9_-]+"),
        ({"Updates": [{**UPDATE, "Id": "i" * 65}]}, "Updates[0].Id", "'iii", "length less than or equal to 64"),
        ({"Updates": [{**UPDATE, "Type": "STEPP"}]}, "Updates[0].Type", "'STEPP'", "enum value set: [EXECUTION, "),
        ({"Updates": [{"Type": "STEP", "Action": "START"}]}, "Updates[0].Id", "null", "not be null"),
        ({"Updates": [{**UPDATE, "Name": ""}]}, "Updates[0].Name", "''", "length greater than or equal to 1"),
        ({"Updates": [{**UPDATE, "Payload": {"a": 1}}]}, "Updates[0].Payload", '{"a":1}', "a string"),
        ({"Updates": [{**UPDATE, "WaitOptions": {"WaitSeconds": 1.5}}]}, "WaitSeconds", "1.5", "an integer"),
        (
            {"Updates": [{**UPDATE, "WaitOptions": {"WaitSeconds": 0}}]},
            "WaitSeconds",
            "0",
            "greater than or equal to 1",
        ),
        ({"Updates": [{**UPDATE, "ContextOptions": {"ReplayChildren": "yes"}}]}, "ReplayChildren", "'yes'", "true or"),
        ({"Updates": [{**UPDATE, "Error": {"StackTrace": "here"}}]}, "Error.StackTrace", "'here'", "a list"),
    ],
)
def test_a_member_the_model_refuses(raw: Raw, body: dict[str, Any], member: str, value: str, constraint: str) -> None:
    body = {"CheckpointToken": "YQ==", **body} if "Updates" in body or "ClientToken" in body else body
    answer = raw("POST", CHECKPOINT, json.dumps(body).encode())
    assert (answer.status, answer.code) == (400, "InvalidParameterValueException")
    assert answer.message.startswith(f"1 validation error detected: Value {value}")
    assert f"{member}' failed to satisfy constraint: Member must" in answer.message
    assert constraint in answer.message


def test_null_is_an_absent_member_and_unknown_ones_are_ignored(raw: Raw) -> None:
    body = {
        "CheckpointToken": "YQ==",
        "Updates": [{**UPDATE, "Name": None, "Error": None}],
        "ClientToken": None,
        "New": 1,
    }
    answer = raw("POST", CHECKPOINT, json.dumps(body).encode())
    # It got past the model's checks: what is refused is the token, or an execution that does not exist.
    assert answer.status in (400, 404)
    assert "validation error" not in answer.message


@pytest.mark.parametrize(
    ("path", "member"),
    [
        (f"{EXECUTION}/history?MaxItems=1001", "MaxItems"),
        (f"{EXECUTION}/history?MaxItems=-1", "MaxItems"),
        (f"{EXECUTION}/history?MaxItems=ten", "MaxItems"),
        (f"{EXECUTION}/history?ReverseOrder=maybe", "ReverseOrder"),
        (f"{EXECUTION}?IncludeExecutionData=7", "IncludeExecutionData"),
        (f"{EXECUTION}/state", "CheckpointToken"),
        (f"{EXECUTION}/state?CheckpointToken=a%20b", "CheckpointToken"),
        ("/2025-12-01/functions/echo/durable-executions?Statuses=RUNNING&Statuses=DONE", "Statuses[1]"),
        ("/2025-12-01/functions/echo/durable-executions?DurableExecutionName=a.b", "DurableExecutionName"),
        ("/2025-12-01/functions/echo/durable-executions?StartedAfter=yesterday", "StartedAfter"),
        ("/2025-12-01/functions/echo/durable-executions?StartedBefore=2026-13-01T00:00:00Z", "StartedBefore"),
        ("/2025-12-01/functions/no%20function/durable-executions", "FunctionName"),
        ("/2025-12-01/durable-executions/not-an-arn", "DurableExecutionArn"),
    ],
)
def test_a_path_or_query_the_model_refuses(raw: Raw, path: str, member: str) -> None:
    answer = raw("GET", path)
    assert (answer.status, answer.code) == (400, "InvalidParameterValueException")
    assert f"'{member}' failed to satisfy constraint" in answer.message


@pytest.mark.parametrize(
    "path", ["/2025-12-01/durable-executions/%FF", "/2025-12-01/functions/f/durable-executions?Marker=%C3%28"]
)
def test_percent_encoding_that_is_not_utf_8(raw: Raw, path: str) -> None:
    answer = raw("GET", path)
    assert (answer.status, answer.code) == (400, "InvalidParameterValueException")
    assert "UTF-8" in answer.message


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/2025-12-01/",
        "/2025-12-01/durable-executions",
        "/2025-12-01/durable-executions/",
        f"{EXECUTION}/",
        f"{EXECUTION}/events",
        f"{CHECKPOINT}/more",
        "/2015-03-31/functions/",
        "/2015-03-31/functions/echo",
        "/2015-03-31/functions/echo/invocations/",
        "/2025-12-01/durable-executions/a%2Fcheckpoint",
        "/_durably/nothing",
        "/%2E%2E/etc/passwd",
    ],
)
def test_an_unknown_path_tells_which_exist(raw: Raw, path: str) -> None:
    answer = raw("POST", path, b"{}")
    if answer.status != 405:
        assert (answer.status, answer.code) == (404, "UnknownOperationException")
        assert "POST /2015-03-31/functions/{FunctionName}/invocations" in answer.message


def test_an_arn_that_was_not_percent_encoded_is_recognised(raw: Raw) -> None:
    answer = raw("POST", f"/2025-12-01/durable-executions/{ARN}/checkpoint", b"{}")
    assert (answer.status, answer.code) == (404, "UnknownOperationException")
    assert "must be percent-encoded, its slashes too" in answer.message


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHECKPOINT, "POST"),
        ("PUT", EXECUTION, "GET, DELETE"),
        ("GET", INVOKE, "POST"),
        ("POST", "/_durably/health", "GET, HEAD"),
    ],
)
def test_another_method_is_told_the_right_one(raw: Raw, method: str, path: str, allowed: str) -> None:
    answer = raw(method, path)
    assert answer.status == 405
    assert {name.strip() for name in answer.headers["Allow"].split(",")} == set(allowed.split(", "))


def test_a_body_beyond_any_limit(raw: Raw) -> None:
    answer = raw("POST", CHECKPOINT, b"x" * (MAX_BODY + 1))
    assert (answer.status, answer.code) == (413, "RequestTooLargeException")
    assert f"smaller than {MAX_BODY} bytes for the CheckpointDurableExecution operation" in answer.message


def test_a_chunked_body_beyond_any_limit(raw: Raw) -> None:
    pieces = iter([b"x" * (1024 * 1024)] * (MAX_BODY // (1024 * 1024) + 1))
    answer = raw("POST", INVOKE, pieces)
    assert (answer.status, answer.code) == (413, "RequestTooLargeException")


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"NaN", b"'single'", b"[" * 100_000])
def test_an_invoke_payload_that_is_not_json(raw: Raw, payload: bytes) -> None:
    answer = raw("POST", INVOKE, payload)
    assert (answer.status, answer.code) == (400, "InvalidRequestContentException")
    assert answer.message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(
    ("header", "value", "code", "text"),
    [
        ("X-Amz-Invocation-Type", "Later", "InvalidParameterValueException", "[Event, RequestResponse, DryRun]"),
        ("X-Amz-Log-Type", "All", "InvalidParameterValueException", "[None, Tail]"),
        ("X-Amz-Durable-Execution-Name", "a.b", "InvalidParameterValueException", "DurableExecutionName"),
        ("X-Amz-Durable-Execution-Name", "n" * 65, "InvalidParameterValueException", "less than or equal to 64"),
        ("X-Amz-Tenant-Id", "a;b", "InvalidParameterValueException", "TenantId"),
        ("X-Amz-Client-Context", "not base64", "InvalidRequestContentException", "Base64-encoded JSON object"),
        ("X-Amz-Client-Context", "W10=", "InvalidRequestContentException", "Base64-encoded JSON object"),
    ],
)
def test_an_invoke_header_the_model_refuses(raw: Raw, header: str, value: str, code: str, text: str) -> None:
    answer = raw("POST", INVOKE, b"{}", {header: value})
    assert (answer.status, answer.code) == (400, code)
    assert text in answer.message


def test_a_query_cannot_stand_in_for_a_header(raw: Raw) -> None:
    answer = raw("POST", f"{INVOKE}?InvocationType=Event&Payload=7&FunctionName=other", b'"x"')
    assert (answer.status, answer.body) == (200, b'"x"')


def test_a_callback_result_that_is_not_utf_8(raw: Raw) -> None:
    answer = raw("POST", "/2025-12-01/durable-execution-callbacks/YQ%3D%3D/succeed", b"ok\xff")
    assert (answer.status, answer.code) == (400, "InvalidParameterValueException")
    assert answer.message == ("Result must be UTF-8 text, and byte 2 of it is not; encode binary data, e.g. as base64")


def test_bytes_that_are_not_http(standing_server: HttpServer) -> None:
    with closing(socket.create_connection(("127.0.0.1", standing_server.port), timeout=60)) as connection:
        connection.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_connection_is_kept_for_the_next_request_after_an_error(standing_server: HttpServer) -> None:
    request = f"POST {CHECKPOINT} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{{".encode()
    with closing(socket.create_connection(("127.0.0.1", standing_server.port), timeout=60)) as connection:
        answers = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(request)
            assert answers.readline() == b"HTTP/1.1 400 Bad Request\r\n"
            length = 0
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            assert json.loads(answers.read(length))["Type"] == "User"
        answers.close()
