"""Invoke: names, ways and outcomes; many at once; callers that leave."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from durably.service.http import HttpServer

from .scripted import ScriptedWorker


def payload(answer: Any) -> Any:
    with closing(answer["Payload"]) as stream:
        return json.loads(stream.read())


@pytest.mark.parametrize(
    "name",
    [
        {"FunctionName": "echo", "Qualifier": "$LATEST"},
        {"FunctionName": "echo:$LATEST"},
        {"FunctionName": "000000000000:echo:$LATEST"},
        {"FunctionName": "000000000000:function:echo", "Qualifier": "$LATEST"},
        {"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST"},
    ],
)
def test_a_function_by_every_form_of_its_name(api: Any, name: dict[str, str]) -> None:
    answer = api.invoke(**name, Payload=b'{"a": "\xc3\xbc"}')
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert answer["DurableExecutionArn"].startswith("arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST/")
    assert "FunctionError" not in answer
    assert payload(answer) == {"a": "ü"}


def test_the_answer_waits_for_the_end(api: Any, worker: ScriptedWorker, threads: ThreadPoolExecutor) -> None:
    waiting = threads.submit(api.invoke, FunctionName="held:$LATEST", Payload=b"1")
    turn = worker.take()
    assert not waiting.done()
    turn.succeed({"done": True})
    answer = waiting.result(timeout=60)
    assert payload(answer) == {"done": True}
    history = api.get_durable_execution_history(DurableExecutionArn=turn.arn)["Events"]
    assert history[-1]["EventType"] == "ExecutionSucceeded"


def test_event(api: Any, worker: ScriptedWorker) -> None:
    answer = api.invoke(FunctionName="held:$LATEST", InvocationType="Event", Payload=b"1")
    assert answer["StatusCode"] == 202
    answer["Payload"].close()
    turn = worker.take()
    assert answer["DurableExecutionArn"] == turn.arn
    assert turn.input == 1


def test_dry_run(api: Any) -> None:
    answer = api.invoke(FunctionName="echo:$LATEST", InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert "DurableExecutionArn" not in answer
    answer["Payload"].close()
    assert api.list_durable_executions_by_function(FunctionName="echo")["DurableExecutions"] == []


def test_without_a_payload(api: Any) -> None:
    assert payload(api.invoke(FunctionName="echo:$LATEST")) == {}


def test_a_failed_execution_is_a_function_error(api: Any) -> None:
    answer = api.invoke(FunctionName="fails:$LATEST")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert payload(answer) == {"errorType": "OrderError", "errorMessage": "no such order"}


def test_functions_that_are_not_durable(api: Any) -> None:
    answer = api.invoke(FunctionName="plain", Payload=b"[1]")
    assert payload(answer) == {"got": [1]}
    assert "DurableExecutionArn" not in answer
    broken = api.invoke(FunctionName="broken")
    assert broken["FunctionError"] == "Unhandled"
    assert payload(broken)["errorType"] == "ValueError"


@pytest.mark.parametrize("name", ["echo:$LATEST", "plain"])
def test_log_tail(api: Any, name: str) -> None:
    tailed = api.invoke(FunctionName=name, LogType="Tail", Payload=b'"hello"')
    log = base64.b64decode(tailed["LogResult"]).decode()
    assert log in ("echoing 'hello'\n", "plain log\n")
    tailed["Payload"].close()
    silent = api.invoke(FunctionName=name, LogType="None")
    assert "LogResult" not in silent
    silent["Payload"].close()


def test_what_a_function_is_told(api: Any, worker: ScriptedWorker) -> None:
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    api.invoke(FunctionName="held:$LATEST", InvocationType="Event", ClientContext=context, TenantId="tenant 1")[
        "Payload"
    ].close()
    invocation = worker.take().invocation
    assert invocation.tenant_id == "tenant 1"
    assert invocation.function_name == "held"
    assert invocation.function_version == "$LATEST"


def test_the_trace_is_kept(worker: ScriptedWorker, api: Any, server: HttpServer) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        headers = {"X-Amz-Invocation-Type": "Event", "X-Amzn-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793"}
        connection.request("POST", "/2015-03-31/functions/held%3A%24LATEST/invocations", b"1", headers)
        connection.getresponse().read()
    turn = worker.take()
    found = api.get_durable_execution(DurableExecutionArn=turn.arn)
    assert found["TraceHeader"]["XAmznTraceId"] == headers["X-Amzn-Trace-Id"]


def test_an_execution_name_is_used_once(api: Any, worker: ScriptedWorker, threads: ThreadPoolExecutor) -> None:
    request = {"FunctionName": "held:$LATEST", "DurableExecutionName": "order-7", "Payload": b'{"id": 7}'}
    first = threads.submit(api.invoke, **request)
    turn = worker.take()
    second = threads.submit(api.invoke, **request)
    again = api.invoke(**request, InvocationType="Event")
    again["Payload"].close()
    assert again["DurableExecutionArn"] == turn.arn
    with pytest.raises(api.exceptions.DurableExecutionAlreadyStartedException, match="order-7"):
        api.invoke(**{**request, "Payload": b'{"id": 8}'})
    turn.succeed("shipped")
    for answer in (first.result(timeout=60), second.result(timeout=60), api.invoke(**request)):
        assert answer["DurableExecutionArn"] == turn.arn
        assert payload(answer) == "shipped"


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ({"FunctionName": "nobody:$LATEST"}, "ResourceNotFoundException", "functions served: broken, echo"),
        ({"FunctionName": "echo:7"}, "ResourceNotFoundException", "LATEST"),
        ({"FunctionName": "echo"}, "InvalidParameterValueException", "qualified name"),
        ({"FunctionName": "echo:1", "Qualifier": "2"}, "InvalidParameterValueException", "Qualifier"),
        ({"FunctionName": "no function"}, "InvalidParameterValueException", "FunctionName"),
        ({"FunctionName": "plain", "DurableExecutionName": "n"}, "InvalidParameterValueException", "durable"),
        ({"FunctionName": "echo:$LATEST", "Payload": b"{"}, "InvalidRequestContentException", "json"),
        (
            {"FunctionName": "echo:$LATEST", "Payload": b'"%s"' % (b"x" * (6 * 1024 * 1024))},
            "RequestTooLargeException",
            "6,291,456",
        ),
        (
            {"FunctionName": "echo:$LATEST", "Payload": b'"%s"' % (b"x" * 1024 * 1024), "InvocationType": "Event"},
            "RequestTooLargeException",
            "1,048,576",
        ),
        ({"FunctionName": "echo:$LATEST", "ClientContext": "e"}, "InvalidRequestContentException", "Client context"),
    ],
)
def test_refusals(api: Any, request_: dict[str, Any], code: str, text: str) -> None:
    with pytest.raises(getattr(api.exceptions, code), match=text):
        api.invoke(**request_)


def test_fifty_synchronous_invokes_take_no_thread_each(
    make_client: Callable[..., Any], worker: ScriptedWorker, threads: ThreadPoolExecutor
) -> None:
    api = make_client(max_pool_connections=64)
    before = {thread.name for thread in threading.enumerate()}
    waiting = [
        threads.submit(api.invoke, FunctionName="held:$LATEST", Payload=str(number).encode()) for number in range(50)
    ]
    turns = [worker.take() for _ in waiting]
    callers = {thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")}
    assert {thread.name for thread in threading.enumerate()} - before - callers == set()
    for turn in reversed(turns):
        turn.succeed(turn.input * 2)
    assert [payload(future.result(timeout=60)) for future in waiting] == [number * 2 for number in range(50)]


def test_a_caller_that_leaves_does_not_end_the_execution(server: HttpServer, api: Any, worker: ScriptedWorker) -> None:
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("POST", "/2015-03-31/functions/held%3A%24LATEST/invocations", b"1")
        turn = worker.take()
    turn.succeed("after all")
    assert api.get_durable_execution(DurableExecutionArn=turn.arn)["Status"] == "SUCCEEDED"
