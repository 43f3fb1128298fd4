"""How invocations end and what follows (laws 7, 9, 10, 12)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from durably.service.ports import InvocationResult
from durably.service.store.memory import MemoryStore

from .conftest import ScriptedWorker, World, callback, context, invoke, retry, step, wait


def test_event_and_success(world: World) -> None:
    run = world.start('{"id":7}')
    assert run.event["InitialExecutionState"]["NextMarker"] == ""
    assert run.event["UpdatedOperationIds"] == []
    execution_id = run.arn.rsplit("/", 1)[1]
    assert run.operations == [
        {
            "Id": execution_id,
            "Name": execution_id,
            "Type": "EXECUTION",
            "Status": "STARTED",
            "StartTimestamp": world.clock.now_ms(),
            "ExecutionDetails": {"InputPayload": '{"id":7}'},
        }
    ]
    begun = world.clock.now_ms()
    world.clock.advance(40)
    run.succeeds('"ok"')
    completed, ended = world.history(run.arn)[1:]
    assert completed["InvocationCompletedDetails"] == {
        "StartTimestamp": begun,
        "EndTimestamp": begun + 40,
        "RequestId": run.invocation.request_id,
    }
    assert ended["ExecutionSucceededDetails"] == {"Result": {"Payload": '"ok"', "Truncated": False}}
    assert world.idle
    assert world.service.next_timer_ms() is None


def test_failure(world: World) -> None:
    run = world.start()
    run.fails(ErrorType="E", ErrorMessage="m", StackTrace=["t"], Odd=1)
    assert world.get(run.arn)["Error"] == {"ErrorType": "E", "ErrorMessage": "m", "StackTrace": ["t"]}
    assert world.history(run.arn)[-1]["ExecutionFailedDetails"]["Error"]["Payload"]["ErrorType"] == "E"


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("not json", "not JSON"),
        ("null", "not an object"),
        ('"SUCCEEDED"', "not an object"),
        ("{}", "Status is None"),
        ('{"Status":"RUNNING"}', "Status is 'RUNNING'"),
        ('{"Status":"SUCCEEDED","Result":{"a":1}}', "must be a string"),
        ('{"Status":"FAILED","Error":"bad"}', "must be an object"),
        (json.dumps({"Status": "SUCCEEDED", "Result": "x" * 1_048_577}), "1,048,576"),
    ],
)
def test_answers_that_fail_the_execution(world: World, answer: str, word: str) -> None:
    run = world.start()
    run.returns(answer)
    error = world.get(run.arn)["Error"]
    assert error["ErrorType"] == "InvalidParameterValueException"
    assert word in error["ErrorMessage"]


@pytest.mark.parametrize(
    "updates",
    [[wait("w", 9)], [callback("c")], [step("a"), retry("a", 9)]],
    ids=["wait", "callback", "step"],
)
def test_pending_with_a_reason(world: World, updates: list[dict[str, Any]]) -> None:
    """Law 12."""
    run = world.start()
    run.checkpoint(*updates)
    run.suspends()
    assert world.status(run.arn) == "RUNNING"
    assert world.idle


@pytest.mark.parametrize(
    "updates", [[step("a")], [context("c")], [wait("w"), {"Id": "w", "Type": "WAIT", "Action": "CANCEL"}]]
)
def test_pending_without_a_reason(world: World, updates: list[dict[str, Any]]) -> None:
    """Law 12: what only the function can go on with is no reason."""
    run = world.start()
    for update in updates:
        run.checkpoint(update)
    run.suspends_in_vain()


def test_pending_without_a_reason_once(world: World) -> None:
    """Law 12: a function that was misled, by an answer cut short or a race in its SDK, goes on when it is replayed."""
    run = world.start()
    run.checkpoint(step("a"))
    for number in range(5):  # progress forgives
        run.suspends()
        world.advance(0.25)
        run = world.next_run()
        run.checkpoint(step(f"b{number}"))
    run.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_pending_with_an_untold_completion_is_invoked_at_once(world: World) -> None:
    """Law 9."""
    run = world.start()
    run.checkpoint(wait("w", 1))
    world.advance(1)
    assert world.idle, "one invocation at a time (law 10)"
    run.suspends()
    run = world.next_run()
    assert run.event["UpdatedOperationIds"] == ["w"]
    run.succeeds()
    assert world.kinds(run.arn) == [
        "ExecutionStarted",
        "WaitStarted",
        "WaitSucceeded",
        "InvocationCompleted",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_untold_while_something_else_is_pending(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 1), callback("c"))
    world.advance(1)
    run.suspends()
    assert world.next_run().event["UpdatedOperationIds"] == ["w"]


def test_told_and_still_pending_waits_for_the_rest(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 1), wait("v", 60))
    world.advance(1)
    run.checkpoint(step("a"))
    run.suspends()
    assert world.idle
    world.advance(59)
    assert world.next_run().event["UpdatedOperationIds"] == ["w", "v"]


def test_told_on_its_last_call_and_nothing_else_pending(world: World) -> None:
    """Law 9: it had stopped listening; failing it would lose the execution for a race."""
    run = world.start()
    run.checkpoint(wait("w", 1))
    world.advance(1)
    run.checkpoint(step("a"))
    run.suspends()
    world.next_run().suspends_in_vain()


def test_updated_ids_leave_out_its_own(world: World) -> None:
    run = world.start()
    run.checkpoint(step("a"), wait("w", 1), callback("c", timeout=1))
    run.suspends()
    world.advance(1)
    run = world.next_run()
    assert sorted(run.event["UpdatedOperationIds"]) == ["c", "w"]
    run.checkpoint(step("b", "SUCCEED"), wait("v", 1))
    run.suspends()
    world.advance(1)
    assert world.next_run().event["UpdatedOperationIds"] == ["v"]


@pytest.mark.parametrize(
    ("kind", "error_type"),
    [
        ("raised", "Runtime.HandlerError"),
        ("crashed", "Runtime.ExitError"),
        ("timed_out", "Sandbox.Timedout"),
        ("unavailable", "Runtime.Unavailable"),
    ],
)
def test_a_lost_invocation_is_tried_again(world: World, kind: Any, error_type: str) -> None:
    run = world.start()
    run.checkpoint(step("a"))
    run.end(InvocationResult(kind))
    assert world.idle
    error = world.history(run.arn)[-1]["InvocationCompletedDetails"]["Error"]["Payload"]
    assert error["ErrorType"] == error_type
    assert error["ErrorMessage"]
    world.advance(0.25)
    run = world.next_run()
    assert [o["Id"] for o in run.operations[1:]] == ["a"]
    run.checkpoint(step("a", "SUCCEED"))
    run.succeeds()
    assert world.kinds(run.arn) == [
        "ExecutionStarted",
        "StepStarted",
        "InvocationCompleted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_the_runtime_s_own_error_is_kept(world: World) -> None:
    run = world.start()
    run.end(InvocationResult("raised", error={"ErrorType": "KeyError", "ErrorMessage": "'x'"}))
    error = world.history(run.arn)[-1]["InvocationCompletedDetails"]["Error"]
    assert error == {"Payload": {"ErrorType": "KeyError", "ErrorMessage": "'x'"}, "Truncated": False}


def test_backoff_doubles_up_to_its_cap_and_ends() -> None:
    world = World(MemoryStore(), retry_initial_ms=100, retry_cap_ms=500, retry_attempts=5)
    run = world.start()
    for delay in (100, 200, 400, 500):
        run.crashes()
        due = world.service.next_timer_ms()
        assert due == world.clock.now_ms() + delay
        world.advance(delay / 1000)
        run = world.next_run()
    run.crashes()
    assert world.get(run.arn)["Error"]["ErrorType"] == "Runtime.ExitError"
    assert world.kinds(run.arn)[-2:] == ["InvocationCompleted", "ExecutionFailed"]
    world.service.close()


def test_a_function_that_cannot_be_started_never_fails_its_execution() -> None:
    world = World(MemoryStore(), retry_cap_ms=500, retry_attempts=3)
    run = world.start()
    for _ in range(20):
        run.end(InvocationResult("unavailable"))
        assert world.status(run.arn) == "RUNNING"
        world.advance(0.5)
        run = world.next_run()
    for status in ("RUNNING", "RUNNING", "FAILED"):
        run.crashes()
        assert world.status(run.arn) == status
        if status == "RUNNING":
            world.advance(0.5)
            run = world.next_run()
    world.service.close()


def test_the_end_of_the_service_is_no_fault_of_the_function() -> None:
    world = World(MemoryStore(), retry_initial_ms=250, retry_attempts=3)
    run = world.start()
    for _ in range(20):
        world.reopen()
        run = world.next_run()  # it is not slowed down
    error = world.history(run.arn)[-1]["InvocationCompletedDetails"]["Error"]["Payload"]
    assert error["ErrorType"] == "Runtime.ExitError"
    assert error["ErrorMessage"].endswith("the service stopped while the function was running")
    run.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"
    world.service.close()


def test_the_end_of_the_service_does_not_cut_a_delay_short() -> None:
    world = World(MemoryStore(), retry_initial_ms=1000)
    run = world.start()
    for delay in (1, 2):
        run.crashes()
        world.reopen()
        assert world.idle
        world.advance(delay)
        run = world.next_run()
    world.reopen()
    assert world.idle, "it has failed before"
    world.advance(2)
    assert world.next_run().arn == run.arn
    world.service.close()


def test_many_interrupted_invocations_begin_again_in_waves() -> None:
    world = World(MemoryStore())
    arns = [world.start(str(n)).arn for n in range(1200)]
    world.reopen()
    assert len(world.worker.running) == 500
    newcomer = world.call("Invoke", FunctionName="order:$LATEST", InvocationType="Event", Payload="0")
    assert world.worker.running[-1][0].execution_arn == newcomer["DurableExecutionArn"], "it does not wait for them"
    stopped = arns[-1]  # its turn has not come yet
    world.call("StopDurableExecution", DurableExecutionArn=stopped)
    for _ in range(400):
        world.next_run().succeeds()
    assert world.service.in_flight <= 500
    before = world.service.in_flight
    world.advance(0.5)
    assert world.service.in_flight == before + 250, "they do not end, and hold the others up no longer"
    while not world.idle:
        world.next_run().succeeds()
    assert world.service.next_timer_ms() is None
    assert world.status(stopped) == "STOPPED"
    assert {world.status(arn) for arn in arns[:-1]} == {"SUCCEEDED"}
    world.service.close()


def test_progress_renews_hope() -> None:
    world = World(MemoryStore(), retry_attempts=2)
    run = world.start()
    for n in range(5):
        run.checkpoint(step(f"a{n}", "SUCCEED"))
        run.crashes()
        world.advance(1)
        run = world.next_run()
    run.crashes()
    assert world.status(run.arn) == "FAILED"
    world.service.close()


def test_backoff_is_not_cut_short_by_a_completion(world: World) -> None:
    run = world.start()
    callback_id = run.checkpoint(callback("c"))["NewExecutionState"]["Operations"][0]["CallbackDetails"]["CallbackId"]
    run.crashes()
    world.call("SendDurableExecutionCallbackSuccess", CallbackId=callback_id)
    assert world.idle
    world.advance(0.25)
    assert world.next_run().operations[1]["Status"] == "SUCCEEDED"


def test_function_that_is_gone(world: World) -> None:
    run = world.start()
    run.checkpoint(wait("w", 1))
    run.suspends()
    spec = world.worker.specs.pop("order")
    world.advance(1)
    assert world.history(run.arn)[-1]["InvocationCompletedDetails"]["Error"]["Payload"] == {
        "ErrorType": "Runtime.Unavailable",
        "ErrorMessage": "no function named order is served",
    }
    world.worker.specs["order"] = spec
    world.advance(5)
    world.next_run().succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_without_a_worker_invocations_wait(store: Any) -> None:
    world = World(store)
    run = world.start()
    world.service.close()
    from durably.service.kernel import Service

    service = Service(store, clock=world.clock, ids=world.ids)
    service.start(thread=False)
    world.service = service
    world.advance(1)
    assert world.idle
    world.advance(2000)
    service.attach(world.worker)
    again = world.next_run()
    assert again.invocation.deadline_ms == world.clock.now_ms() + 900_000, "waiting for a worker is not its time"
    again.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"
    service.close()


def test_what_a_replaced_worker_ran_begins_again_on_the_new_one(world: World) -> None:
    """Laws 3 and 10: what the old one still does of it is void, whether it reports or was closed."""
    old = world.start()
    old.checkpoint(step("a", "SUCCEED"))
    former, world.worker = world.worker, ScriptedWorker()
    world.service.attach(world.worker)
    former.close()
    world.service.drain()
    assert world.service.in_flight == 1
    assert old.refused(step("b")).code == "InvalidParameterValueException"
    run = world.next_run()
    assert [o["Id"] for o in run.operations[1:]] == ["a"]
    old.succeeds('"void"')
    assert world.status(run.arn) == "RUNNING"
    run.succeeds('"good"')
    assert world.get(run.arn)["Result"] == '"good"'
    errors = [event.get("InvocationCompletedDetails", {}).get("Error") for event in world.history(run.arn)]
    (told,) = [error["Payload"] for error in errors if error]
    assert told["ErrorMessage"].endswith("the worker was replaced while the function was running")


def test_a_plain_function_of_a_replaced_worker_runs_again(world: World) -> None:
    caller = world.start()
    caller.checkpoint(invoke("i", "plain", "5"))
    caller.suspends()
    world.advance(1)
    replies: list[Any] = []
    world.service.submit("Invoke", {"FunctionName": "plain", "Payload": "6"}, replies.append)
    old = [world.next_run(), world.next_run()]
    world.worker = ScriptedWorker()
    world.clock.advance(5000)
    world.service.attach(world.worker)
    for run in old:
        run.returns('"void"')
    new = sorted([world.next_run(), world.next_run()], key=lambda run: run.invocation.payload)
    assert [run.invocation.payload for run in new] == ["5", "6"]
    assert {run.invocation.deadline_ms for run in new} == {world.clock.now_ms() + 900_000}
    assert world.service.in_flight == 2
    for run in new:
        run.returns(run.invocation.payload)
    assert replies == [{"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": "6"}]
    assert world.next_run().operations[1]["ChainedInvokeDetails"] == {"Result": "5"}


def test_attaching_the_same_worker_again_changes_nothing(world: World) -> None:
    run = world.start()
    world.service.attach(world.worker)
    assert world.service.in_flight == 1
    run.succeeds('"once"')
    assert world.idle
    assert world.get(run.arn)["Result"] == '"once"'


def test_first_page_of_many() -> None:
    """The event carries a page; the rest is fetched; completed contexts keep their children to themselves."""
    world = World(MemoryStore(), page_operations=10)
    run = world.start()
    run.checkpoint(context("box"), *(step(f"in{n}", "SUCCEED", ParentId="box") for n in range(5)))
    run.checkpoint(context("keep"), *(step(f"kept{n}", "SUCCEED", ParentId="keep") for n in range(5)))
    run.checkpoint(
        context("box", "SUCCEED", Payload="1"), context("keep", "SUCCEED", ContextOptions={"ReplayChildren": True})
    )
    run.checkpoint(context("outer"), context("inner", ParentId="outer"), step("deep", "SUCCEED", ParentId="inner"))
    run.checkpoint(context("inner", "SUCCEED", ContextOptions={"ReplayChildren": True}))
    run.checkpoint(context("outer", "FAIL"), *(step(f"z{n}", "SUCCEED") for n in range(10)), wait("w", 1))
    run.suspends()
    world.advance(1)
    run = world.next_run()
    assert len(run.operations) == 10
    seen = [o["Id"] for o in run.operations[1:]]
    marker = run.event["InitialExecutionState"]["NextMarker"]
    while marker:
        page = world.call(
            "GetDurableExecutionState",
            DurableExecutionArn=run.arn,
            CheckpointToken=run.token,
            Marker=marker,
            MaxItems=3,
        )
        assert 0 < len(page["Operations"]) <= 3
        seen += [o["Id"] for o in page["Operations"]]
        marker = page.get("NextMarker")
    expected = [f"kept{n}" for n in range(5)] + ["box", "keep", "outer"] + [f"z{n}" for n in range(10)] + ["w"]
    assert seen == expected
    everything = world.call(
        "GetDurableExecutionState", DurableExecutionArn=run.arn, CheckpointToken=run.token, MaxItems=0
    )
    assert [o["Id"] for o in everything["Operations"][1:]] == expected
    for odd in ("x", "s", "s-1"):
        refusal = world.refused(
            "GetDurableExecutionState", DurableExecutionArn=run.arn, CheckpointToken=run.token, Marker=odd
        )
        assert "NextMarker" in refusal.message
    refusal = world.refused(
        "GetDurableExecutionState", DurableExecutionArn=run.arn, CheckpointToken=run.token, MaxItems=1001
    )
    assert "1,000" in refusal.message
    world.service.close()


def test_pages_by_size() -> None:
    world = World(MemoryStore(), page_bytes=10_000)
    run = world.start()
    for n in range(4):
        run.checkpoint(step(f"a{n}", "SUCCEED", Payload="x" * 4000))
    run.checkpoint(wait("w", 1))
    run.suspends()
    world.advance(1)
    run = world.next_run()
    assert [o["Id"] for o in run.operations[1:]] == ["a0", "a1"]
    world.service.close()


def test_checkpoint_answers_are_paged_too() -> None:
    world = World(MemoryStore(), page_operations=3)
    run = world.start()
    run.checkpoint(*(wait(f"w{n}", 1) for n in range(3)))
    run.checkpoint(*(wait(f"v{n}", 1) for n in range(3)))
    world.advance(1)
    answer = run.checkpoint(step("a"))["NewExecutionState"]
    seen = [o["Id"] for o in answer["Operations"]]
    assert seen == ["w0", "w1", "w2"]
    while "NextMarker" in answer:
        answer = world.call(
            "GetDurableExecutionState",
            DurableExecutionArn=run.arn,
            CheckpointToken=run.token,
            Marker=answer["NextMarker"],
            MaxItems=2,
        )
        seen += [o["Id"] for o in answer["Operations"]]
    assert seen == ["w0", "w1", "w2", "v0", "v1", "v2", "a"]
    world.service.close()
