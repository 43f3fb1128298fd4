"""Callbacks and chained invokes (laws 5, 9, 14)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from durably.service.ports import FunctionSpec, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.wire import limits
from durably.wire.ids import ExecutionArn

from .conftest import Run, World, callback, invoke, step, wait

SUCCEED, FAIL, HEARTBEAT = (
    "SendDurableExecutionCallbackSuccess",
    "SendDurableExecutionCallbackFailure",
    "SendDurableExecutionCallbackHeartbeat",
)


def open_callback(world: World, **options: int) -> tuple[Run, str]:
    run = world.start()
    answer = run.checkpoint(callback("c", **options))
    return run, answer["NewExecutionState"]["Operations"][0]["CallbackDetails"]["CallbackId"]


def test_callback_succeeds(world: World) -> None:
    run, callback_id = open_callback(world, timeout=60, heartbeat=10)
    assert limits.TOKEN_PATTERN.fullmatch(callback_id)
    assert world.history(run.arn)[-1]["CallbackStartedDetails"] == {
        "CallbackId": callback_id,
        "HeartbeatTimeout": 10,
        "Timeout": 60,
    }
    run.suspends()
    assert world.call(SUCCEED, CallbackId=callback_id, Result='"yes"') == {}
    run = world.next_run()
    done = run.operations[1]
    assert done["Status"] == "SUCCEEDED"
    assert done["CallbackDetails"] == {"CallbackId": callback_id, "Result": '"yes"'}
    succeeded = world.history(run.arn)[-1]
    assert succeeded["CallbackSucceededDetails"] == {"Result": {"Payload": '"yes"', "Truncated": False}}
    before = world.kinds(run.arn)
    world.advance(61)
    assert world.kinds(run.arn) == before, "its timeouts are gone"
    run.suspends_in_vain()


def test_callback_result_as_bytes_and_without(world: World) -> None:
    run, first = open_callback(world)
    world.call(SUCCEED, CallbackId=first, Result=b'{"a":1}')
    _, second = open_callback(world)
    world.call(SUCCEED, CallbackId=second)
    run.suspends()
    assert world.history(run.arn)[2]["CallbackSucceededDetails"]["Result"]["Payload"] == '{"a":1}'


def test_callback_fails(world: World) -> None:
    run, callback_id = open_callback(world)
    run.suspends()
    world.call(FAIL, CallbackId=callback_id, Error={"ErrorType": "Rejected", "ErrorMessage": "no"})
    run = world.next_run()
    assert run.operations[1]["CallbackDetails"]["Error"] == {"ErrorType": "Rejected", "ErrorMessage": "no"}
    _, other = open_callback(world)
    world.call(FAIL, CallbackId=other)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"timeout": 5}, "Callback.Timeout"),
        ({"heartbeat": 5}, "Callback.Heartbeat"),
        ({"timeout": 5, "heartbeat": 6}, "Callback.Timeout"),
    ],
)
def test_callback_times_out(world: World, options: dict[str, int], error: str) -> None:
    run, callback_id = open_callback(world, **options)
    run.suspends()
    world.advance(4.999)
    assert world.idle
    world.advance(0.001)
    run = world.next_run()
    assert run.operations[1]["Status"] == "TIMED_OUT"
    assert run.operations[1]["CallbackDetails"]["Error"]["ErrorType"] == error
    event = world.history(run.arn)[-1]
    assert event["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == error
    for action in (SUCCEED, FAIL, HEARTBEAT):
        assert world.refused(action, CallbackId=callback_id).code == "CallbackTimeoutException"


def test_heartbeats_keep_a_callback_alive(world: World) -> None:
    run, callback_id = open_callback(world, timeout=20, heartbeat=5)
    run.suspends()
    history = world.history(run.arn)
    for _ in range(4):
        world.advance(4)
        assert world.call(HEARTBEAT, CallbackId=callback_id) == {}
    assert world.history(run.arn) == history, "a heartbeat leaves no event"
    world.reopen()
    world.advance(4)
    assert world.history(run.arn)[-1]["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"] == "Callback.Timeout"


def test_heartbeat_is_no_news_to_the_function(world: World) -> None:
    run, callback_id = open_callback(world)
    world.call(HEARTBEAT, CallbackId=callback_id)
    assert run.checkpoint()["NewExecutionState"]["Operations"] == []


def test_closed_callbacks(world: World) -> None:
    run, callback_id = open_callback(world)
    world.call(SUCCEED, CallbackId=callback_id)
    for action in (SUCCEED, FAIL, HEARTBEAT):
        assert world.refused(action, CallbackId=callback_id).code == "CallbackTimeoutException", "law 5"
    run, callback_id = open_callback(world)
    world.call("StopDurableExecution", DurableExecutionArn=run.arn)
    assert world.refused(SUCCEED, CallbackId=callback_id).code == "CallbackTimeoutException"


def test_callback_ids_cannot_be_made_up(world: World) -> None:
    run, callback_id = open_callback(world)
    run.checkpoint(step("a"))
    key, op_id, nonce = base64.b64decode(callback_id).decode().split(":")
    made_up = [f"{key}:{op_id}:{'0' * 24}", f"{key}:a:{nonce}", f"{key}:zz:{nonce}", f"99:{op_id}:{nonce}", "x"]
    for text in made_up:
        forged = base64.b64encode(text.encode()).decode()
        for action in (SUCCEED, FAIL, HEARTBEAT):
            assert world.refused(action, CallbackId=forged).code == "ResourceNotFoundException"
    assert world.refused(SUCCEED, CallbackId="abc").code == "ResourceNotFoundException"
    for odd in ("", None, 5, "not base64!", "A" * 1025):
        assert world.refused(SUCCEED, CallbackId=odd).code == "InvalidParameterValueException"
    run.succeeds()


def test_callback_payload_limits(world: World) -> None:
    run, callback_id = open_callback(world)
    big = "x" * (limits.MAX_OPERATION_PAYLOAD + 1)
    refusal = world.refused(SUCCEED, CallbackId=callback_id, Result=big)
    assert refusal.code == "InvalidParameterValueException"
    assert "1,048,577" in refusal.message
    assert "UTF-8" in world.refused(SUCCEED, CallbackId=callback_id, Result=b"\xff").message
    assert "shorten" in world.refused(FAIL, CallbackId=callback_id, Error={"ErrorData": big}).message
    world.call(SUCCEED, CallbackId=callback_id, Result="fine")
    run.suspends()


# ---- chained invokes ----------------------------------------------------------------------------------


def test_durable_target(world: World) -> None:
    """Law 14."""
    parent = world.start()
    parent.checkpoint(invoke("i", "child:$LATEST", '{"n":1}', TenantId="t1"))
    assert world.idle, "the target waits for the invocation that asked for it"
    parent.suspends()
    child = world.next_run()
    started = world.history(parent.arn)[1]["ChainedInvokeStartedDetails"]
    assert started == {
        "FunctionName": "child:$LATEST",
        "Input": {"Payload": '{"n":1}', "Truncated": False},
        "TenantId": "t1",
        "ExecutedVersion": "$LATEST",
        "DurableExecutionArn": child.arn,
    }
    assert child.invocation.tenant_id == "t1"
    assert child.operations[0]["ExecutionDetails"]["InputPayload"] == '{"n":1}'
    assert ExecutionArn.parse(child.arn).function == "child"
    child.checkpoint(wait("w", 60))
    child.suspends()
    world.advance(60)
    world.next_run().succeeds('"done"')
    parent = world.next_run()
    assert parent.operations[1]["Status"] == "SUCCEEDED"
    assert parent.operations[1]["ChainedInvokeDetails"] == {"Result": '"done"'}
    assert parent.event["UpdatedOperationIds"] == ["i"]
    assert world.kinds(parent.arn) == [
        "ExecutionStarted",
        "ChainedInvokeStarted",
        "InvocationCompleted",
        "ChainedInvokeSucceeded",
    ]


def test_ends_of_a_durable_target(world: World) -> None:
    world.worker.specs["child"] = FunctionSpec("child", execution_timeout_seconds=30)

    def child_of(op_id: str) -> Run:
        run = world.start()
        run.checkpoint(invoke(op_id, "child:$LATEST"))
        run.suspends()
        return world.next_run()

    child_of("failed").fails(ErrorType="E", ErrorMessage="m")
    failed = world.next_run()
    assert failed.operations[1]["Status"] == "FAILED"
    assert failed.operations[1]["ChainedInvokeDetails"] == {"Error": {"ErrorType": "E", "ErrorMessage": "m"}}
    stopped = child_of("stopped")
    world.call("StopDurableExecution", DurableExecutionArn=stopped.arn, Error={"ErrorType": "Enough"})
    assert world.next_run().operations[1]["Status"] == "STOPPED"
    child_of("late")
    world.advance(30)
    late = world.next_run()
    assert late.operations[1]["Status"] == "TIMED_OUT"
    assert late.operations[1]["ChainedInvokeDetails"]["Error"]["ErrorType"] == "Execution.Timeout"


def test_plain_target(world: World) -> None:
    run = world.start()
    run.checkpoint(invoke("i", "plain", "1"), invoke("j", "plain", None), invoke("k", "plain", "3"))
    run.suspends()
    i, j, k = (world.next_run() for _ in range(3))
    assert [r.invocation.payload for r in (i, j, k)] == ["1", "{}", "3"]
    i.returns("2")
    run = world.next_run()
    j.end(InvocationResult("raised", error={"ErrorType": "E", "ErrorMessage": "m"}))
    k.end(InvocationResult("timed_out"))
    run.suspends()
    ops = {o["Id"]: o for o in world.next_run().operations}
    assert world.service._core.by_arn(run.arn).head.calls == 0, "recovery has nothing to do again"
    assert ops["i"]["ChainedInvokeDetails"] == {"Result": "2"}
    assert ops["j"]["ChainedInvokeDetails"] == {"Error": {"ErrorType": "E", "ErrorMessage": "m"}}
    assert ops["k"]["Status"] == "TIMED_OUT"
    assert ops["k"]["ChainedInvokeDetails"]["Error"]["ErrorType"] == "Sandbox.Timedout"


@pytest.mark.parametrize(
    ("function", "payload", "error"),
    [
        ("nobody", "1", "ResourceNotFoundException"),
        ("child", "1", "InvalidParameterValueException"),
        ("plain", "{bad", "InvalidRequestContentException"),
    ],
)
def test_targets_that_cannot_start(world: World, function: str, payload: str, error: str) -> None:
    run = world.start()
    run.checkpoint(invoke("i", function, payload))
    run.suspends()
    run = world.next_run()
    assert run.operations[1]["Status"] == "FAILED"
    assert run.operations[1]["ChainedInvokeDetails"]["Error"]["ErrorType"] == error
    assert world.kinds(run.arn)[1:] == ["ChainedInvokeStarted", "InvocationCompleted", "ChainedInvokeFailed"]


def test_target_starts_at_the_next_checkpoint_or_after_the_grace(world: World) -> None:
    run = world.start()
    run.checkpoint(invoke("i", "plain"))
    assert world.idle
    run.checkpoint(step("a"))
    world.next_run().returns("1")
    run.checkpoint(invoke("j", "plain"))
    world.advance(0.02)
    world.next_run().returns("2")
    answer = run.checkpoint(step("a", "SUCCEED"))
    assert [o["Id"] for o in answer["NewExecutionState"]["Operations"]] == ["j", "a"]


def test_result_of_a_target_that_is_too_long() -> None:
    world = World(MemoryStore(), max_operation_payload=10)
    run = world.start()
    run.checkpoint(invoke("i", "plain"))
    run.suspends()
    world.next_run().returns('"' + "x" * 20 + '"')
    details = world.next_run().operations[1]["ChainedInvokeDetails"]
    assert "22" in details["Error"]["ErrorMessage"]
    world.service.close()


def test_chained_invokes_go_on_after_a_restart(world: World) -> None:
    run = world.start()
    run.checkpoint(invoke("d", "child:$LATEST"), invoke("p", "plain", "5"))
    world.reopen()
    world.advance(0.25)
    runs = {r.invocation.function_name: r for r in (world.next_run() for _ in range(3))}
    runs["order"].suspends()
    world.reopen()
    world.advance(0.25)
    runs = {r.invocation.function_name: r for r in (world.next_run() for _ in range(2))}
    assert runs["plain"].invocation.payload == "5"
    runs["plain"].returns("6")
    world.next_run().suspends()
    runs["child"].succeeds("7")
    ops = {o["Id"]: o for o in world.next_run().operations}
    assert ops["p"]["ChainedInvokeDetails"] == {"Result": "6"}
    assert ops["d"]["ChainedInvokeDetails"] == {"Result": "7"}


def test_child_outlives_its_parent(world: World) -> None:
    parent = world.start()
    parent.checkpoint(invoke("i", "child:$LATEST"))
    parent.suspends()
    child = world.next_run()
    world.call("StopDurableExecution", DurableExecutionArn=parent.arn)
    history: list[Any] = world.history(parent.arn)
    child.succeeds()
    assert world.status(child.arn) == "SUCCEEDED"
    assert world.history(parent.arn) == history
    orphan = world.start()
    orphan.checkpoint(invoke("i", "child:$LATEST"))
    orphan.suspends()
    child = world.next_run()
    world.call("StopDurableExecution", DurableExecutionArn=orphan.arn)
    world.call("DeleteDurableExecution", DurableExecutionArn=orphan.arn)
    child.succeeds()
    assert world.status(child.arn) == "SUCCEEDED"
