"""Recording and scripted clients, and the assertions about what was called."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, durable_execution
from durably.client import InProcessClient
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.testing import (
    History,
    LocalRunner,
    MockClient,
    MockDurableContext,
    RecordingClient,
    assert_checkpoint_count,
    assert_no_checkpoints,
    assert_no_duplicate_effects,
    assert_operation_count,
    assert_operation_names,
    assert_operation_order,
    assert_operations,
    assert_step_called,
    assert_step_not_called,
    invocation_event,
)
from durably.wire.api_errors import ApiError
from durably.wire.ids import operation_id
from durably.workers.in_process import InProcessWorker


@durable_execution
def order(event: Any, ctx: DurableContext) -> str:
    ctx.step(lambda step: "reserved", name="reserve")
    ctx.wait(timedelta(hours=1), name="cool")
    return ctx.run_in_child_context(lambda child: child.step(lambda step: "charged", name="charge"), name="paying")


@durable_execution
async def order_async(event: Any, ctx: AsyncDurableContext) -> str:
    await ctx.step(lambda step: "reserved", name="reserve")
    await ctx.wait(timedelta(hours=1), name="cool")
    return await ctx.step(lambda step: "charged", name="charge")


RESERVED = {
    "Id": operation_id(None, 1),
    "Type": "STEP",
    "SubType": "Step",
    "Name": "reserve",
    "Status": "SUCCEEDED",
    "StartTimestamp": 1,
    "StepDetails": {"Attempt": 1, "Result": '"reserved"'},
}
COOLED = {
    "Id": operation_id(None, 2),
    "Type": "WAIT",
    "SubType": "Wait",
    "Name": "cool",
    "Status": "SUCCEEDED",
    "StartTimestamp": 1,
    "WaitDetails": {},
}


# ---- a script -------------------------------------------------------------------------------------------------


def test_a_handler_over_a_script() -> None:
    client = MockClient()
    assert order.run_sync(invocation_event({"id": 1}), None, client=client) == {"Status": "PENDING"}
    assert [str(one) for one in client.operations] == ["step:reserve", "wait:cool"]
    assert [update["Action"] for update in client.updates][-1] == "START"
    client.clear()
    event = invocation_event({"id": 1}, [RESERVED, COOLED])
    assert order.run_sync(event, None, client=client) == {"Status": "SUCCEEDED", "Result": '"charged"'}
    assert_operations(client, ["child:paying", "step:charge"])
    assert_operation_names(client, ["paying", "charge"])
    assert_operation_names(client, ["paying"], nested=False)


def test_async_over_a_script() -> None:
    async def test() -> None:
        client = MockClient()
        event = invocation_event(None, [RESERVED, COOLED])
        output = await order_async.run_async(event, None, client=client)
        assert output == {"Status": "SUCCEEDED", "Result": '"charged"'}
        assert_checkpoint_count(client, 1)

    asyncio.run(test())


def test_what_is_recorded_needs_no_checkpoint() -> None:
    client = MockClient()
    charged = {**RESERVED, "Id": operation_id(None, 3), "Name": "charge"}
    asyncio.run(order_async.run_async(invocation_event(None, [RESERVED, COOLED, charged]), None, client=client))
    assert_no_checkpoints(client)
    with pytest.raises(AssertionError, match="there were 0 checkpoints, not 1: none"):
        assert_checkpoint_count(client, 1)


def test_scripted_answers_come_in_turn() -> None:
    client = MockClient().add_state(COOLED)
    event = invocation_event(None, [RESERVED], next_marker="more")
    client.add_failure(ApiError("TooManyRequestsException", "slowly"))
    with pytest.raises(Exception, match="slowly"):
        order.run_sync(event, None, client=client)
    assert [call.kind for call in client.calls] == ["get_state", "checkpoint"]
    assert client.calls[0].marker == "more"
    assert isinstance(client.calls[1].error, ApiError)
    revoked = MockClient([]).add_checkpoint(token=None)
    assert order.run_sync(invocation_event(), None, client=revoked) == {"Status": "PENDING"}
    told = MockClient().add_checkpoint().add_checkpoint(COOLED)
    assert order.run_sync(invocation_event(None, [RESERVED]), None, client=told)["Status"] == "PENDING"
    assert repr(told).startswith("<MockClient, ")


# ---- a recorder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [order, order_async], ids=["sync", "async"])
def test_a_recorder_before_a_real_client(handler: Any) -> None:
    service = Service(MemoryStore())
    recorder = RecordingClient(InProcessClient(service))

    @durable_execution
    def one(event: Any, ctx: DurableContext) -> str:
        return ctx.step(lambda step: "x", name="only")

    @durable_execution
    async def one_async(event: Any, ctx: AsyncDurableContext) -> str:
        return await ctx.step(lambda step: "x", name="only")

    chosen = one if handler is order else one_async
    worker = InProcessWorker({"one": chosen}, client_factory=lambda: recorder)
    service.attach(worker)
    service.start()
    try:
        service.call("Invoke", FunctionName="one", Qualifier="$LATEST", Payload="{}")
    finally:
        worker.close()
        service.close()
    assert [update["Action"] for update in recorder.updates] == ["START", "SUCCEED"]
    assert recorder.checkpoints[-1].answer["CheckpointToken"]
    assert_step_called(recorder, "only", times=1)
    assert "calls>" in repr(recorder)


def test_a_recorder_before_coroutines_of_ones_own_and_failures() -> None:
    class Own:
        async def checkpoint(self, arn: str, token: str, updates: Any, client_token: str | None) -> Any:
            raise ApiError("ServiceException", "oops")

        async def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
            return {"Operations": [COOLED]}

    async def test() -> None:
        recorder = RecordingClient(Own())
        event = invocation_event(None, [RESERVED], next_marker="m")
        with pytest.raises(Exception, match="oops"):
            await order_async.run_async(event, None, client=recorder)
        assert [call.kind for call in recorder.calls] == ["get_state", "checkpoint"]
        assert isinstance(recorder.calls[1].error, ApiError)

    asyncio.run(test())

    class Blocking:
        def checkpoint(self, *args: Any) -> Any:
            raise ApiError("ServiceException", "oops")

        def get_state(self, *args: Any) -> Any:
            raise ApiError("ServiceException", "no state")

    recorder = RecordingClient(Blocking())
    with pytest.raises(Exception, match="no state"):
        order.run_sync(invocation_event(next_marker="m"), None, client=recorder)
    assert isinstance(recorder.calls[0].error, ApiError)
    with pytest.raises(Exception, match="oops"):
        order.run_sync(invocation_event(), None, client=recorder)


# ---- assertions --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["run", "history", "mock"])
def done(request: pytest.FixtureRequest) -> Any:
    """What has called the operations of ``order``, in the forms in which a test may have it."""
    if request.param == "mock":
        ctx = MockDurableContext()
        order.handler(None, ctx)
        return ctx
    result = LocalRunner(order).run()
    return History.of_run(result) if request.param == "history" else result


def test_what_holds(done: Any) -> None:
    assert_step_called(done, "reserve")
    assert_step_called(done, "reserve", times=1, result="reserved")
    assert_step_not_called(done, "refund")
    assert_step_not_called(done, "cool")  # a wait is no step
    assert_operation_order(done, ["reserve", "charge"])
    assert_operation_order(done, ["step:reserve", "wait:cool", "child:paying", "step:charge"])
    assert_operations(done, ["step:reserve", "wait:cool", "child:paying", "charge"])
    assert_operations(done, ["reserve", "cool", "paying"], nested=False)
    assert_operation_names(done, ["reserve", "cool", "paying", "charge"])
    assert_operation_count(done, 4)
    assert_operation_count(done, 2, kind="step")


CALLED = "called were step:reserve, wait:cool, child:paying, step:charge"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda run: assert_step_called(run, "refund"), f"no step 'refund' was called; {CALLED}"),
        (lambda run: assert_step_called(run, "charge", times=2), "the step 'charge' was called once, not twice"),
        (lambda run: assert_step_called(run, "charge", result="x"), "the step 'charge' came to 'charged', not 'x'"),
        (lambda run: assert_step_not_called(run, "charge"), f"the step 'charge' was called once; {CALLED}"),
        (lambda run: assert_operation_order(run, ["charge", "reserve"]), f"'reserve' was begun before: {CALLED}"),
        (lambda run: assert_operation_order(run, ["reserve", "refund"]), "'refund' was not begun after 'reserve'"),
        (lambda run: assert_operation_order(run, ["wait:reserve"]), f"'wait:reserve' was not begun: {CALLED}"),
        (lambda run: assert_operations(run, ["reserve", "charge"]), "operation 2 is wait:cool, not 'charge'"),
        (lambda run: assert_operations(run, ["reserve"]), "there is one more than the 1: wait:cool"),
        (
            lambda run: assert_operations(run, ["reserve", "cool", "paying", "charge", "refund"]),
            "operation 5, 'refund', was not begun",
        ),
        (lambda run: assert_operation_names(run, ["reserve"]), "not ['reserve']; called were"),
        (lambda run: assert_operation_count(run, 3), f"there are 4 operations, not 3; {CALLED}"),
        (lambda run: assert_operation_count(run, 1, kind="step"), "there are 2 operations of kind step, not 1"),
    ],
)
def test_what_does_not_hold_says_what_does(done: Any, check: Any, message: str) -> None:
    with pytest.raises(AssertionError) as failure:
        check(done)
    assert message in str(failure.value)


def test_checkpoints_of_a_mock_context() -> None:
    ctx = MockDurableContext()
    assert_no_checkpoints(ctx)
    order.handler(None, ctx)
    with pytest.raises(AssertionError, match=r"there were 4 checkpoints, not 9: 1\. STEP START reserve, STEP SUCCEED"):
        assert_checkpoint_count(ctx, 9)


def test_effects_of_a_ledger() -> None:
    assert_no_duplicate_effects(["charge 1", "charge 2"])
    assert_no_duplicate_effects([])
    with pytest.raises(AssertionError, match=r"side effects were repeated: 'charge 1' twice, \{'b': 2\} 3 times"):
        assert_no_duplicate_effects(["charge 1", {"b": 2}, "charge 1", {"b": 2}, {"b": 2}])


def test_what_knows_nothing() -> None:
    with pytest.raises(TypeError, match="does not know of operations"):
        assert_step_called(7, "x")
    with pytest.raises(TypeError, match="has no record of calls"):
        assert_checkpoint_count(LocalRunner(order).run(), 1)
    client = MockClient()
    order.run_sync(invocation_event(), None, client=client)
    with pytest.raises(TypeError, match="does not know results"):
        assert_step_called(client, "reserve", result="reserved")
    with pytest.raises(AssertionError, match="nothing was called"):
        assert_step_called(MockClient(), "x")
