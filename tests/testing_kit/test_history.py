"""Histories: what they hold, where they come from, how they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, durable_execution
from durably.client import InProcessClient
from durably.client.api import LambdaApi
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.testing import History, HistoryError, LocalRunner, export_history, replay
from durably.testing.history_state import StateBuilder, invocation_states
from durably.wire.api_errors import ApiError
from durably.wire.timestamps import millis_to_seconds
from durably.workers.in_process import InProcessWorker


@durable_execution
def steps(count: int, ctx: DurableContext) -> int:
    for number in range(count):
        ctx.step(lambda step, number=number: number, name=f"step {number}")  # type: ignore[misc]
    return count


@durable_execution
async def question(event: Any, ctx: AsyncDurableContext) -> Any:
    return await ctx.wait_for_callback(lambda callback_id, step: None, name="question")


def everything(event: Any, ctx: DurableContext) -> Any:
    """One of each."""

    def flaky(step: Any) -> str:
        if step.attempt == 1:
            raise ValueError("at first")
        return "then"

    ctx.step(flaky, name="flaky")
    ctx.wait(timedelta(seconds=5), name="wait")
    ctx.wait_for_callback(lambda callback_id, step: None, name="callback")
    ctx.invoke("double", 4, name="invoke")
    ctx.run_in_child_context(lambda child: child.step(lambda step: 1, name="inner"), name="child")
    ctx.map([1, 2], lambda branch, item: branch.step(lambda step: item, name="item"), name="map")
    try:
        ctx.invoke("broken", 4, name="broken")
    except Exception as error:
        return str(error)


@pytest.fixture(scope="module")
def run() -> Any:
    runner: LocalRunner[Any, Any] = LocalRunner(
        everything, callbacks={"callback": "yes"}, functions={"double": lambda n: n * 2, "broken": ValueError("no")}
    )
    return runner.run({"id": 1})


# ---- from events to operations -----------------------------------------------------------------------------------


def test_the_events_come_to_what_the_service_says_of_the_operations(run: Any) -> None:
    told = {operation.id: operation.record for operation in run.operations.all}
    built = History({"DurableExecutionArn": run.execution_arn}, run.history).operations
    assert [one["Id"] for one in built] == [one["Id"] for one in History.of_run(run).operations]
    for operation in built:
        expected: dict[str, Any] = dict(told[operation["Id"]])
        if "ContextDetails" in expected:
            expected["ContextDetails"] = {"ReplayChildren": False, **expected["ContextDetails"]}
        assert operation == expected


def test_every_invocation_gets_the_state_that_the_service_gave_it() -> None:
    given: list[Any] = []

    runner: LocalRunner[Any, Any] = LocalRunner(
        everything, callbacks={"callback": "yes"}, functions={"double": lambda n: n * 2, "broken": ValueError("no")}
    )
    original = runner.handler.run_sync

    def noting(event: Any, context: Any, *, client: Any = None) -> Any:
        given.append({one["Id"]: one["Status"] for one in event["InitialExecutionState"]["Operations"]})
        return original(event, context, client=client)

    runner.handler.run_sync = noting  # type: ignore[method-assign]
    history = History.of_run(runner.run({"id": 1}))
    builder = StateBuilder(history.execution_id, history.name)
    states = invocation_states(builder, history.events)
    assert len(states) == len(given) == history.invocations
    for state, expected in zip(states, given, strict=True):
        found = {one["Id"]: one["Status"] for one in state.operations if one["Id"] in expected}
        assert found == expected
    assert [state.number for state in states] == list(range(1, len(given) + 1))
    assert states[-1].is_last


def test_what_it_says_of_the_execution(run: Any) -> None:
    history = History.of_run(run)
    assert history.status == "SUCCEEDED"
    assert history.is_ended
    assert history.function_name == "everything"
    assert json.loads(history.input or "") == {"id": 1}
    assert history.result is not None
    assert history.error is None
    assert history.missing_data() is None
    assert repr(history).startswith("<History of everything ")


# ---- files -----------------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_is_the_same(run: Any, tmp_path: Path) -> None:
    history = History.of_run(run)
    path = history.save(tmp_path / "deep" / "run.json")
    assert History.load(path).to_dict() == history.to_dict()
    assert json.loads(path.read_text())["DurablyHistory"] == 1


def test_saved_without_the_names_of_files(run: Any, tmp_path: Path) -> None:
    history = History.of_run(run)
    assert "StackTrace" in history.save(tmp_path / "with.json").read_text()
    path = history.save(tmp_path / "without.json", stack_traces=False)
    assert "StackTrace" not in path.read_text()
    assert replay(everything, path).ok


@pytest.mark.parametrize("form", ["seconds", "iso", "list"])
def test_other_tools_exports(run: Any, form: str, tmp_path: Path) -> None:
    history = History.of_run(run)
    events: Any = millis_to_seconds(history.events)
    document: Any = {"Events": events, "DurableExecutionArn": history.arn}
    if form == "iso":
        for event in events:
            event["EventTimestamp"] = "2026-01-01T00:00:00.5+00:00"
    elif form == "list":
        document = events
    path = tmp_path / "events.json"
    path.write_text(json.dumps(document))
    loaded = History.load(path)
    if form == "seconds":
        assert loaded.events == history.events
    assert loaded.status == "SUCCEEDED"
    assert replay(everything, loaded).ok
    assert [one["Status"] for one in loaded.operations] == [one["Status"] for one in history.operations]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("7", "this is no history"),
        ('{"Operations": []}', "this is no history"),
        ('{"Events": []}', "this one with nothing"),
        ('{"Events": [{"EventType": "StepStarted"}]}', "this one with StepStarted"),
        ('{"Events": [{"EventType": "ExecutionStarted"}]}', "it has no 'EventTimestamp'"),
        ('{"Events": [{}]}', "it has no 'EventType'"),
        ('{"Events": [7]}', "its events are not those of an execution"),
        ('{"DurablyHistory": 2, "Events": []}', "it has format 2, and this durably reads up to 1"),
        ('{"NextMarker": "x", "Events": []}', "one page of several"),
        ('{"DurableExecutionArn": "x", "Events": [{"EventType": "ExecutionStarted", "EventTimestamp": 1}]}', "'x' is"),
    ],
)
def test_what_is_no_history(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(HistoryError, match=message) as failure:
        History.load(path)
    assert str(failure.value).startswith(str(path))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="No such file"):
        History.load(tmp_path / "nothing.json")


# ---- from a service ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    service = Service(MemoryStore())
    worker = InProcessWorker({"steps": steps, "question": question}, client_factory=lambda: InProcessClient(service))
    service.attach(worker)
    service.start()
    server = HttpServer(service, "127.0.0.1", 0)
    server.start()
    yield server
    server.stop()
    worker.close()
    service.close()


@pytest.fixture(scope="module")
def api(server: HttpServer) -> Iterator[LambdaApi]:
    with closing(LambdaApi("us-east-1", server.url)) as api:
        yield api


@pytest.fixture(scope="module")
def arn(api: LambdaApi) -> str:
    """An execution whose history has several pages."""
    answer = api.call("Invoke", FunctionName="steps", Qualifier="$LATEST", Payload="600")
    return str(answer["DurableExecutionArn"])


def test_all_pages_of_a_history_over_http(api: LambdaApi, arn: str) -> None:
    history = export_history(arn, api)
    assert len(history.events) == 1203
    assert [event["EventId"] for event in history.events] == list(range(1, 1204))
    assert history.result == "600"
    assert len(history.operations) == 600
    assert history.execution["FunctionArn"].endswith("function:steps:$LATEST")
    assert replay(steps, history).ok


def test_with_a_boto3_client(server: HttpServer, arn: str) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "lambda",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    with closing(client):
        history = export_history(arn, client)
        assert history.events == export_history(arn, LambdaApi("us-east-1", server.url)).events
        with pytest.raises(ApiError, match="ResourceNotFoundException"):
            export_history(arn[:-3] + "000", client)


def test_with_the_environments_service(server: HttpServer, arn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert export_history(arn).status == "SUCCEEDED"


def test_without_data_it_says_so(api: LambdaApi, arn: str) -> None:
    history = export_history(arn, api, include_execution_data=False)
    assert history.result is None
    assert history.missing_data() == "it was exported without the execution's data (IncludeExecutionData=false)"


def test_with_the_token_of_an_invocation_the_operations_are_the_services_own() -> None:
    """A function that exports itself: large results are known to be rebuilt."""
    service = Service(MemoryStore())
    exported: list[History] = []

    @durable_execution
    def own(event: Any, ctx: DurableContext) -> None:
        ctx.run_in_child_context(lambda child: child.step(lambda step: "x", name="x") * 300_000, name="large")
        token = ctx.run.token
        exported.append(export_history(ctx.execution_arn, service, checkpoint_token=token))

    worker = InProcessWorker({"own": own}, client_factory=lambda: InProcessClient(service))
    service.attach(worker)
    service.start()
    try:
        service.call("Invoke", FunctionName="own", Qualifier="$LATEST", Payload="{}")
    finally:
        worker.close()
        service.close()
    (history,) = exported
    assert history.operations[0]["ContextDetails"] == {"ReplayChildren": True, "Result": ""}


def test_what_is_no_client() -> None:
    with pytest.raises(TypeError, match="is no client"):
        export_history("arn", object())
