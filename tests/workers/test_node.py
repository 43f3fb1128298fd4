"""JavaScript functions: real Node.js processes with the runtime client of the package."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from durably.service.ports import FunctionSpec, InvocationResult
from durably.workers.runtime_api import LambdaWorkers, RuntimeFunction
from durably.workers.template.runtimes import NODE_CLIENT
from interop.javascript import node_directory

from .conftest import call, send

Serve = Callable[..., LambdaWorkers]

SOURCE = """
import { appendFileSync } from "node:fs";
export const echo = async (event) => event;
export const nothing = async () => {};
export const plain = (event) => event.n + 1;
export const callback = (event, context, done) => { setTimeout(() => done(null, event.n + 2), 1); };
export const callbackError = (event, context, done) => done(new TypeError("by callback"));
export const described = async (event, context) => ({ ...context, left: context.getRemainingTimeInMillis() });
export const environment = async (names) => Object.fromEntries(names.map((name) => [name, process.env[name] ?? null]));
class PaymentError extends Error { name = "PaymentError"; }
export const fails = async () => { throw new PaymentError("card declined \\u20ac"); };
export const failsAtOnce = () => { throw new PaymentError("at once"); };
export const throwsText = async () => { throw "just text"; };
export const unserializable = async () => 10n;
export const uncaught = (event, context, done) => { setTimeout(() => { throw new RangeError("later"); }, 1); };
export const unhandled = (event, context, done) => { Promise.reject(new RangeError("nobody cares")); };
export const exits = async () => process.exit(3);
export const hangs = async () => new Promise(() => setInterval(() => {}, 1000));
export const large = async (event) => "\\u00e9".repeat(event);
export const says = async () => { console.log("to the log"); console.error("and there"); };
let count = 0;
export const counts = async () => ++count;
export const outer = { inner: { handler: async () => "inside" } };
export const notCallable = 7;
"""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    begun: list[LambdaWorkers] = []

    def start(
        *names: str, file: str = "index.mjs", source: str = SOURCE, spec: dict[str, Any] | None = None, **options: Any
    ) -> LambdaWorkers:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        reference = file.rpartition(".")[0]
        command = [str(node_directory() / "node"), str(NODE_CLIENT), "{handler}"]
        functions = [
            RuntimeFunction(FunctionSpec(name, **(spec or {})), f"{reference}.{name}", tmp_path, command)
            for name in names
        ]
        begun.append(LambdaWorkers(functions, endpoint_url="http://127.0.0.1:1", **options))
        return begun[-1]

    yield start
    for workers in begun:
        workers.close()


def value_of(result: InvocationResult) -> Any:
    assert result.kind == "returned", result
    return json.loads(result.payload or "")


def error_of(result: InvocationResult) -> tuple[str, str | None, str | None]:
    assert result.error is not None, result
    return result.kind, result.error.get("ErrorType"), result.error.get("ErrorMessage")


def test_what_handlers_return(serve: Serve) -> None:
    workers = serve("echo", "nothing", "plain", "callback", "large")
    event = {"text": "h\u00e9llo \U0001f600", "list": [1, None, True], "nested": {"a": 1.5}}
    assert value_of(call(workers, "echo", json.dumps(event))) == event
    assert value_of(call(workers, "nothing")) is None
    assert value_of(call(workers, "plain", '{"n": 1}')) == 2
    assert value_of(call(workers, "callback", '{"n": 1}')) == 3
    assert len(value_of(call(workers, "large", "2000000"))) == 2_000_000


def test_a_process_serves_one_invocation_after_another(serve: Serve) -> None:
    workers = serve("counts", concurrency=1)
    assert [value_of(call(workers, "counts")) for _ in range(3)] == [1, 2, 3]


def test_the_context(serve: Serve) -> None:
    workers = serve("described", spec={"memory_mb": 256})
    told = value_of(
        call(
            workers, "described", request_id="r-1", timeout=60, tenant_id="blue", client_context='{"custom": {"k": 1}}'
        )
    )
    assert told["logStreamName"]
    assert 0 < told.pop("left") <= 60_000
    del told["logStreamName"]
    assert told == {
        "callbackWaitsForEmptyEventLoop": True,
        "functionName": "described",
        "functionVersion": "$LATEST",
        "invokedFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:described",
        "memoryLimitInMB": "256",
        "logGroupName": "/aws/lambda/described",
        "awsRequestId": "r-1",
        "clientContext": {"custom": {"k": 1}},
        "tenantId": "blue",
    }


def test_the_environment(serve: Serve) -> None:
    workers = serve("environment", spec={"environment": {"OWN": "1"}})
    names = ["OWN", "_X_AMZN_TRACE_ID", "AWS_ENDPOINT_URL_LAMBDA", "AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT"]
    told = value_of(call(workers, "environment", json.dumps(names), trace_id="Root=1-2"))
    assert (told["OWN"], told["_X_AMZN_TRACE_ID"]) == ("1", "Root=1-2")
    assert (told["AWS_ENDPOINT_URL_LAMBDA"], told["AWS_LAMBDA_FUNCTION_NAME"]) == ("http://127.0.0.1:1", "environment")
    assert value_of(call(workers, "environment", json.dumps(names)))["_X_AMZN_TRACE_ID"] is None


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("fails", ("raised", "PaymentError", "card declined \u20ac")),
        ("failsAtOnce", ("raised", "PaymentError", "at once")),
        ("callbackError", ("raised", "TypeError", "by callback")),
        ("throwsText", ("raised", "string", "just text")),
        ("unserializable", ("raised", "TypeError", "Do not know how to serialize a BigInt")),
        ("uncaught", ("raised", "RangeError", "later")),
        ("unhandled", ("raised", "Runtime.UnhandledPromiseRejection", "nobody cares")),
    ],
)
def test_how_handlers_fail(serve: Serve, name: str, outcome: tuple[str, str, str]) -> None:
    result = call(serve(name), name)
    assert error_of(result) == outcome
    if name not in ("throwsText", "unserializable"):
        assert any("index.mjs" in line for line in (result.error or {}).get("StackTrace", []))


def test_after_an_uncaught_exception_another_process_serves(serve: Serve) -> None:
    workers = serve("uncaught", "fails", concurrency=1)
    for _ in range(2):
        assert error_of(call(workers, "uncaught"))[1] == "RangeError"


def test_the_end_and_the_timeout_of_a_process(serve: Serve) -> None:
    workers = serve("exits", "hangs", spec={"timeout_seconds": 0.3})
    assert error_of(call(workers, "exits", request_id="r"))[2] == (
        "RequestId: r Error: Runtime exited with error: exit status 3"
    )
    assert error_of(call(workers, "hangs", timeout=0.3))[:2] == ("timed_out", "Sandbox.Timedout")


def test_a_response_that_is_too_long(serve: Serve) -> None:
    assert error_of(call(serve("large"), "large", "4000000"))[1] == "Function.ResponseSizeTooLarge"


def test_what_is_written_belongs_to_the_invocation(serve: Serve) -> None:
    assert call(serve("says"), "says").log.splitlines() == ["to the log", "and there"]


@pytest.mark.parametrize(
    ("file", "source", "name"),
    [
        ("index.js", "exports.handler = async () => 'js'", "handler"),
        ("index.cjs", "module.exports = { handler: async () => 'js' }", "handler"),
        ("index.cjs", "module.exports['han' + 'dler'] = async () => 'js'", "handler"),
        ("src/deep/index.mjs", "export const handler = async () => 'js'", "handler"),
        ("index.mjs", "export default { handler: async () => 'js' }", "handler"),
        ("index.mjs", "await null; export const handler = async () => 'js'", "handler"),
    ],
)
def test_forms_of_modules(serve: Serve, file: str, source: str, name: str) -> None:
    assert value_of(call(serve(name, file=file, source=source), name)) == "js"


def test_a_handler_inside_an_object(tmp_path: Path, serve: Serve) -> None:
    serve("echo")
    command = [str(node_directory() / "node"), str(NODE_CLIENT), "{handler}"]
    function = RuntimeFunction(FunctionSpec("f"), "index.outer.inner.handler", tmp_path, command)
    workers = LambdaWorkers([function])
    try:
        assert value_of(call(workers, "f")) == "inside"
    finally:
        workers.close()


@pytest.mark.parametrize(
    ("name", "file", "source", "error"),
    [
        ("absent", "index.mjs", SOURCE, "Runtime.HandlerNotFound"),
        ("notCallable", "index.mjs", SOURCE, "Runtime.HandlerNotFound"),
        ("f", "index.mjs", "export const f = (", "Runtime.UserCodeSyntaxError"),
        ("f", "index.mjs", "import './absent.mjs'; export const f = 1", "Runtime.ImportModuleError"),
        ("f", "index.txt", "", "Runtime.ImportModuleError"),
        ("f", "index.mjs", "throw new RangeError('at import')", "RangeError"),
        ("f", "index.mjs", "process.exit(4)", "Runtime.ExitError"),
    ],
)
def test_a_module_that_does_not_load(serve: Serve, name: str, file: str, source: str, error: str) -> None:
    result = call(serve(name, file=file, source=source), name)
    assert error_of(result)[:2] == ("unavailable", error)


def test_many_at_once(serve: Serve) -> None:
    workers = serve("plain", concurrency=3)
    answers = [send(workers, "plain", json.dumps({"n": number})) for number in range(60)]
    assert [value_of(answer.get()) for answer in answers] == list(range(1, 61))
