"""CloudRunner against the embedded service, over HTTP."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, StepConfig, durable_execution
from durably.client import InProcessClient
from durably.client.api import LambdaApi
from durably.client.clock import Clock
from durably.exceptions import DurableOperationError, ExecutionError
from durably.retries import NoRetry
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.testing import (
    NEVER,
    Answer,
    CallbackNotReady,
    CloudError,
    CloudRunner,
    History,
    LocalRunner,
    OperationNotFound,
    RunTimeout,
    StepOperation,
    TestingError,
    assert_matches_snapshot,
    replay,
)
from durably.wire.api_errors import CONNECTION_ERROR, ApiError
from durably.workers.in_process import InProcessWorker


@dataclass
class Order:
    id: int


@dataclass
class Receipt:
    order: int
    approved: str


@durable_execution
async def order(event: Order, ctx: AsyncDurableContext) -> Receipt:
    async def charge(step: Any) -> int:
        return event.id * 2

    await ctx.step(charge, name="charge")
    approved = await ctx.wait_for_callback(lambda callback_id, step: None, name="approval")
    return Receipt(event.id, approved)


@durable_execution
def failing(event: Any, ctx: DurableContext) -> None:
    def break_(step: Any) -> None:
        raise ValueError("no paper")

    ctx.step(break_, name="print", config=StepConfig(retry_strategy=NoRetry()))


@durable_execution
def many(event: int, ctx: DurableContext) -> int:
    ctx.create_callback(name="go").result()
    for number in range(event):
        ctx.step(lambda step: None, name=f"step {number}")
    return event


def plain(event: Any, context: Any) -> Any:
    return event


class Hurried(Clock):
    """Sleeps hardly at all, and says that it did."""

    slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        threading.Event().wait(0.001)

    def now(self) -> float:
        return super().now() + self.slept

    def monotonic(self) -> float:
        return super().monotonic() + self.slept


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service(MemoryStore())
    functions = {"order": order, "failing": failing, "many": many, "plain": plain}
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service))
    service.attach(worker)
    service.start()
    yield service
    worker.close()
    service.close()


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with HttpServer(service, "127.0.0.1", 0) as server:
        yield server.url


@pytest.fixture
def runner(url: str) -> Iterator[CloudRunner[Order, Receipt]]:
    with CloudRunner(
        "order", handler=order, region="us-east-1", endpoint_url=url, callbacks={"approval": "yes"}, clock=Hurried()
    ) as runner:
        yield runner


@pytest.fixture
def by_hand(url: str) -> Iterator[CloudRunner[Order, Receipt]]:
    """Without answers to callbacks."""
    with CloudRunner("order", handler=order, region="us-east-1", endpoint_url=url, clock=Hurried()) as runner:
        yield runner


# ---- the same as LocalRunner --------------------------------------------------------------------------------------


def test_a_run_gives_what_a_local_run_gives(runner: CloudRunner[Order, Receipt], tmp_path: Path) -> None:
    cloud = runner.run(Order(7))
    local = LocalRunner(order, callbacks={"approval": "yes"}).run(Order(7))
    assert cloud.value == local.value == Receipt(7, "yes")
    assert cloud.status == "SUCCEEDED"
    assert [one.name for one in cloud.operations.all] == [one.name for one in local.operations.all]
    step = cloud.step("charge")
    assert isinstance(step, StepOperation)
    assert step.result == 14
    assert step.attempt == 1
    assert cloud.callback("approval").callback_id
    assert len(cloud.invocations) == 2
    assert str(cloud).startswith("order SUCCEEDED after ")
    assert_matches_snapshot(local, tmp_path / "order.json", update=True)
    assert_matches_snapshot(cloud, tmp_path / "order.json")
    assert replay(order, History.of_run(cloud)).ok


def test_awaited(runner: CloudRunner[Order, Receipt], by_hand: CloudRunner[Order, Receipt]) -> None:
    async def test() -> None:
        assert (await runner.arun(Order(8))).value == Receipt(8, "yes")
        execution = await by_hand.astart(Order(9))
        assert (await execution.wait_for("charge", ended=True)).result == 18
        await execution.callback("approval").succeed("perhaps")
        assert (await execution.result()).value == Receipt(9, "perhaps")
        assert execution.status == "SUCCEEDED"
        assert len(execution.operations.all) == 4
        assert execution.snapshot().succeeded

    asyncio.run(test())


def test_without_the_handler_input_and_result_are_json(url: str) -> None:
    with CloudRunner[Any, Any](
        "order:$LATEST", region="us-east-1", endpoint_url=url, callbacks={"approval": "yes"}, clock=Hurried()
    ) as runner:
        assert runner.run({"id": 3}).value == {"order": 3, "approved": "yes"}


def test_a_failed_execution(url: str) -> None:
    with CloudRunner[Any, None]("failing", region="us-east-1", endpoint_url=url, clock=Hurried()) as runner:
        result = runner.run()
        assert result.status == "FAILED"
        assert result.error is not None
        with pytest.raises(DurableOperationError, match="no paper"):
            result.get_result()


def test_with_boto3(url: str, service: Service) -> None:
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "lambda", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with closing(client):
        runner = CloudRunner("order", handler=order, client=client, callbacks={"approval": "yes"}, clock=Hurried())
        assert runner.run(Order(4)).value == Receipt(4, "yes")


def test_with_a_service_in_this_process(service: Service) -> None:
    runner = CloudRunner("order", handler=order, client=service, callbacks={"approval": "yes"}, clock=Hurried())
    assert runner.run(Order(5)).value == Receipt(5, "yes")


def test_the_same_name_joins_the_execution(runner: CloudRunner[Order, Receipt]) -> None:
    first = runner.run(Order(6), name="once-6")
    assert runner.run(Order(6), name="once-6").execution_arn == first.execution_arn
    with pytest.raises(ApiError, match="DurableExecutionAlreadyStarted"):
        runner.run(Order(7), name="once-6")


# ---- during the run --------------------------------------------------------------------------------------------------


def test_driven_by_hand(by_hand: CloudRunner[Order, Receipt]) -> None:
    execution = by_hand.start(Order(1))
    handle = execution.callback("approval").wait()
    assert handle.is_open
    assert execution.status == "RUNNING"
    assert not execution.ended
    assert execution.operations["charge"].result == 2
    with pytest.raises(ExecutionError, match="RUNNING"):
        execution.last().get_result()
    handle.heartbeat()
    handle.succeed("at last")
    assert execution.result().value == Receipt(1, "at last")
    assert execution.ended
    assert execution.history.status == "SUCCEEDED"
    assert repr(execution).startswith("<CloudExecution arn:aws:lambda:")
    with pytest.raises(CallbackNotReady, match="the execution has ended"):
        execution.callback("approval").wait()


def test_a_callback_that_fails(by_hand: CloudRunner[Order, Receipt]) -> None:
    execution = by_hand.start(Order(1))
    execution.callback("approval").fail(ValueError("too expensive"))
    result = execution.result()
    assert result.status == "FAILED"
    assert result.callback("approval").error == {"ErrorType": "ValueError", "ErrorMessage": "too expensive"}


def test_answers_by_rule(url: str) -> None:
    clock = Hurried()
    rule = Answer(lambda callback: f"to {callback.name}", after=30, heartbeat_every=10)
    with CloudRunner(
        "order", handler=order, region="us-east-1", endpoint_url=url, callbacks={"approval": rule}, clock=clock
    ) as runner:
        assert runner.run(Order(2)).value == Receipt(2, "to approval")
        assert clock.slept >= 29
        runner.answer_callback("approval", OSError("no"))
        assert runner.run(Order(3)).status == "FAILED"


def test_waiting_for_an_operation(url: str, by_hand: CloudRunner[Order, Receipt]) -> None:
    execution = by_hand.start(Order(1))
    assert execution.wait_for("charge", ended=True).status == "SUCCEEDED"
    assert execution.wait_for("approval").is_open
    stopped = execution.stop("enough")
    assert stopped.status == "STOPPED"
    assert stopped.error == {"ErrorType": "Error", "ErrorMessage": "enough"}
    with pytest.raises(OperationNotFound, match="nothing of the kind"):
        execution.wait_for("nothing of the kind")


def test_an_execution_that_somebody_else_started(by_hand: CloudRunner[Order, Receipt], url: str) -> None:
    arn = by_hand.start(Order(1)).arn
    with CloudRunner("order", handler=order, region="us-east-1", endpoint_url=url, clock=Hurried()) as other:
        execution = other.attach(arn)
        execution.callback("approval").succeed("by the other")
        assert execution.result().value == Receipt(1, "by the other")
        with pytest.raises(ValueError, match="is not a durable execution ARN"):
            other.attach("x")


def test_a_long_history_is_read_in_pages_and_each_event_once(url: str) -> None:
    with CloudRunner[int, int]("many", region="us-east-1", endpoint_url=url, clock=Hurried()) as runner:
        execution = runner.start(700)
        execution.callback("go").succeed()
        result = execution.result()
        assert result.value == 700
        assert [event["EventId"] for event in result.history] == list(range(1, len(result.history) + 1))
        assert len(result.operations.all) == 701


def test_time_can_be_let_pass(by_hand: CloudRunner[Order, Receipt]) -> None:
    execution = by_hand.start(Order(1))
    execution.advance(60)  # on the hurried clock
    assert execution.status == "RUNNING"
    execution.stop()


# ---- what goes wrong ----------------------------------------------------------------------------------------------


def test_too_long(by_hand: CloudRunner[Order, Receipt], url: str) -> None:
    with pytest.raises(RunTimeout, match="it waits for <WaitForCallback 'approval' STARTED>, <Callback") as failure:
        by_hand.run(Order(1), name="too-long")
    assert "within 300 s" in str(failure.value)
    arn = str(failure.value).split()[0]
    assert by_hand.attach(arn).status == "STOPPED"
    with CloudRunner(
        "order",
        handler=order,
        endpoint_url=url,
        region="us-east-1",
        callbacks={"approval": NEVER},
        timeout=5,
        stop_on_timeout=False,
        clock=Hurried(),
    ) as patient:
        with pytest.raises(RunTimeout, match="within 5 s") as failure:
            patient.run(Order(1))
        execution = patient.attach(str(failure.value).split()[0])
        assert execution.status == "RUNNING"
        execution.stop()


def test_a_function_that_is_not_there(url: str) -> None:
    runner = CloudRunner[Any, Any]("nobody", region="us-east-1", endpoint_url=url)
    with closing(runner), pytest.raises(CloudError, match="there is no function 'nobody' at http"):
        runner.run()


def test_a_function_that_is_not_durable(url: str) -> None:
    runner = CloudRunner[Any, Any]("plain", region="us-east-1", endpoint_url=url)
    with closing(runner), pytest.raises(CloudError, match="plain is not a durable function"):
        runner.run()


def test_nothing_listens() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        api = LambdaApi("us-east-1", address, max_attempts=1)
        with closing(api), pytest.raises(CloudError, match=f"nothing answers at {address}.*durably dev app.py"):
            CloudRunner[Any, Any]("order", client=api).run()


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL_LAMBDA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    runner = CloudRunner[Any, Any]("order", region="eu-west-1")
    with closing(runner), pytest.raises(CloudError, match=r"order cannot be invoked: .*credentials"):
        runner.run()


def test_no_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(CloudError, match="region"):
        CloudRunner[Any, Any]("order")


def test_a_name_that_is_none(by_hand: CloudRunner[Order, Receipt]) -> None:
    with pytest.raises(CloudError, match="not 'two words'"):
        by_hand.run(Order(1), name="two words")


def test_two_ways_to_say_where(service: Service) -> None:
    with pytest.raises(CloudError, match="leave out region= and endpoint_url="):
        CloudRunner[Any, Any]("order", client=service, region="eu-west-1")


class Scripted:
    """An API whose answers fail now and then."""

    def __init__(self, service: Service, failures: dict[str, list[ApiError]]) -> None:
        self.service = service
        self.failures = failures

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        if self.failures.get(action):
            raise self.failures[action].pop(0)
        return self.service.call(action, **params)


def test_a_service_that_is_away_for_a_moment_is_waited_for(service: Service) -> None:
    failures = {
        "GetDurableExecutionHistory": [
            ApiError("ResourceNotFoundException", "not yet"),
            ApiError("TooManyRequestsException", "slowly"),
            ApiError(CONNECTION_ERROR, "gone"),
        ],
        "GetDurableExecution": [ApiError("ServiceException", "oops")],
    }
    api = Scripted(service, failures)
    runner = CloudRunner("order", handler=order, client=api, callbacks={"approval": "yes"}, clock=Hurried())
    assert runner.run(Order(1)).succeeded
    assert failures == {"GetDurableExecutionHistory": [], "GetDurableExecution": []}


def test_one_that_stays_away_is_not_waited_for_for_ever(service: Service) -> None:
    failures = {"GetDurableExecutionHistory": [ApiError("ServiceException", "oops")] * 10_000}
    runner = CloudRunner("order", handler=order, client=Scripted(service, failures), clock=Hurried())
    with pytest.raises(ApiError, match="oops"):
        runner.run(Order(1))
    denied = {"Invoke": [ApiError("AccessDeniedException", "not you", 403)]}
    with pytest.raises(CloudError, match="do not allow to invoke order"):
        CloudRunner("order", handler=order, client=Scripted(service, denied)).run(Order(1))


def test_an_answer_that_comes_too_late_is_let_go(service: Service) -> None:
    late = {"SendDurableExecutionCallbackSuccess": [ApiError("CallbackTimeoutException", "too late")]}
    runner = CloudRunner(
        "order",
        handler=order,
        client=Scripted(service, late),
        callbacks={"approval": "yes"},
        timeout=2,
        clock=Hurried(),
    )
    with pytest.raises(RunTimeout):
        runner.run(Order(1))


class Unmarked:
    """An API that starts what is not durable without a word, as Lambda does."""

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return {"StatusCode": 202}


def test_a_service_that_does_not_mind_is_no_better() -> None:
    with pytest.raises(TestingError, match="plain was invoked, but is not a durable function"):
        CloudRunner[Any, Any]("plain", client=Unmarked()).run()


def test_against_worker_processes(tmp_path: Path) -> None:
    from durably.workers.loader import load_functions
    from durably.workers.runtime_api import LambdaWorkers

    (tmp_path / "deployed_app.py").write_text(
        "from durably import durable_execution\n\n\n"
        "@durable_execution\n"
        "def deployed(event, ctx):\n"
        '    first = ctx.step(lambda step: event["n"] + 1, name="add")\n'
        '    return [first, ctx.wait_for_callback(lambda callback_id, step: None, name="ask")]\n'
    )
    service = Service(MemoryStore())
    with HttpServer(service, "127.0.0.1", 0) as server:
        workers = LambdaWorkers(
            load_functions(str(tmp_path / "deployed_app.py")), endpoint_url=server.url, region="us-east-1"
        )
        service.attach(workers)
        service.start()
        try:
            with CloudRunner[Any, Any](
                "deployed", region="us-east-1", endpoint_url=server.url, callbacks={"ask": "told"}
            ) as runner:
                result = runner.run({"n": 1})
        finally:
            workers.close()
            service.close()
    assert result.value == [2, "told"]
    assert result.step("add").result == 2
