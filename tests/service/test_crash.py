"""Crash at every commit: the outcome and what was acknowledged are the crash-free run's (law 11)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from durably.service.kernel import Service
from durably.service.store.base import WriteBatch
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError

from .conftest import Run, World, callback, invoke, step, wait


class Faulty(MemoryStore):
    """Fails the commit of that number, before or after it took effect."""

    def __init__(self, fail_at: int, *, after: bool) -> None:
        super().__init__()
        self.commits = 0
        self.fail_at = fail_at
        self.after = after
        self.crashed = False

    def commit(self, batch: WriteBatch) -> None:
        self.commits += 1
        if self.commits == self.fail_at and not self.after:
            self.crashed = True
            raise OSError("disk on fire")
        super().commit(batch)
        if self.commits == self.fail_at:
            self.crashed = True
            raise OSError("disk on fire")


def play(run: Run, ledger: list[str]) -> None:
    """An order: charge, wait, ask another function, wait for a callback; written as a replaying function is."""
    ops = {o["Id"]: o for o in run.operations}
    if "charge" not in ops:
        run.checkpoint(step("charge"))
        ledger.append("charge")
        answer = run.checkpoint(step("charge", "SUCCEED", Payload="1"))
        ops["charge"] = answer["NewExecutionState"]["Operations"][-1]
    elif ops["charge"]["Status"] == "STARTED":
        ledger.append("charge")
        run.checkpoint(step("charge", "SUCCEED", Payload="1"))
    for op_id, update in (("w", wait("w", 5)), ("i", invoke("i", "child:$LATEST")), ("c", callback("c", timeout=9))):
        if op_id not in ops:
            run.checkpoint(update)
            run.suspends()
            return
        if ops[op_id]["Status"] == "STARTED":
            run.suspends()
            return
    run.succeeds(json.dumps([ops["i"]["ChainedInvokeDetails"]["Result"], ops["c"]["Status"]]))


def drive(world: World, arn: str, ledger: list[str], store: Faulty) -> None:
    """Run functions and time until the execution ends; a restart is a service that is dropped without a word."""
    for _ in range(60):
        while world.worker.running:
            run = world.next_run()
            try:
                if run.invocation.function_name == "child":
                    run.succeeds('"child"')
                else:
                    play(run, ledger)
            except ApiError as failure:
                if failure.code != "ServiceException" and not failure.is_stale_token:
                    raise
                run.crashes()
            if store.crashed:
                restart(world, store)
        if world.status(arn) != "RUNNING":
            return
        due = world.service.next_timer_ms()
        assert due is not None, "law 9"
        world.clock.advance_to(due)
        world.service.drain()
        if store.crashed:
            restart(world, store)
    pytest.fail("the execution does not end")


def restart(world: World, store: Faulty) -> None:
    """The process died in the middle: no close, no last words."""
    store.crashed = False
    store._open = False
    world.worker.running.clear()
    world.service = Service(store, world.worker, clock=world.clock, ids=world.ids, config=world.config)
    world.service.start(thread=False)
    world.service.drain()


def outcome(fail_at: int, *, after: bool) -> tuple[dict[str, Any], list[str], int]:
    store = Faulty(fail_at, after=after)
    world = World(store)
    params = {
        "FunctionName": "order:$LATEST",
        "InvocationType": "Event",
        "Payload": "{}",
        "DurableExecutionName": "mine",
    }
    try:
        arn = world.call("Invoke", **params)["DurableExecutionArn"]
    except ApiError:
        restart(world, store)
        arn = world.call("Invoke", **params)["DurableExecutionArn"]
    ledger: list[str] = []
    drive(world, arn, ledger, store)
    events = world.history(arn)
    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1)), "law 7"
    found = world.get(arn)
    shown = {name: found.get(name) for name in ("Status", "Result")}
    recorded = [e["EventType"] for e in events if e["EventType"] not in ("InvocationCompleted", "ExecutionStarted")]
    world.service.close()
    return shown | {"events": recorded}, ledger, store.commits


EXPECTED, LEDGER, COMMITS = outcome(0, after=False)


def test_the_crash_free_run() -> None:
    assert EXPECTED["Status"] == "SUCCEEDED"
    assert EXPECTED["Result"] == '["\\"child\\"", "TIMED_OUT"]'
    assert LEDGER == ["charge"]
    assert COMMITS > 10


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fail_at", range(1, COMMITS + 1))
def test_crash_at_each_commit(fail_at: int, after: bool) -> None:
    found, ledger, _ = outcome(fail_at, after=after)
    assert found == EXPECTED
    # What was acknowledged is never done again; what was not may be.
    assert ledger in (["charge"], ["charge", "charge"])


@pytest.mark.parametrize("fail_at", range(1, COMMITS + 1))
def test_a_commit_that_fails_once_without_a_crash(fail_at: int) -> None:
    """The service lives on: callers hear of it, its own commands are done again, nothing is built on what was lost."""
    store = Faulty(fail_at, after=False)
    world = World(store)
    params = {"FunctionName": "order:$LATEST", "InvocationType": "Event", "Payload": "{}"}
    try:
        arn = world.call("Invoke", **params)["DurableExecutionArn"]
    except ApiError as failure:
        if failure.code != "ServiceException" or "disk on fire" not in failure.message:
            raise
        arn = world.call("Invoke", **params)["DurableExecutionArn"]
    store.crashed = False
    ledger: list[str] = []
    for _ in range(60):
        while world.worker.running:
            run = world.next_run()
            try:
                if run.invocation.function_name == "child":
                    run.succeeds('"child"')
                else:
                    play(run, ledger)
            except ApiError as failure:
                if failure.code != "ServiceException":
                    raise
                run.crashes()
        if world.status(arn) != "RUNNING":
            break
        due = world.service.next_timer_ms()
        assert due is not None, "law 9"
        world.clock.advance_to(due)
        world.service.drain()
    found = world.get(arn)
    assert {name: found.get(name) for name in ("Status", "Result")} == {
        "Status": EXPECTED["Status"],
        "Result": EXPECTED["Result"],
    }
    world.service.close()


def test_a_bug_in_one_command_spares_the_others(memory_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from durably.service import actions

    runs = [memory_world.start(str(n)) for n in range(2)]
    real = actions.checkpoint

    def broken(ex: Any, *args: Any) -> Any:
        if ex.facts.input == "0":
            ex.token = "a mess left behind"
            raise RuntimeError("a bug")
        return real(ex, *args)

    monkeypatch.setattr(actions, "checkpoint", broken)
    replies: list[Any] = []
    for run in runs:
        memory_world.service.submit_checkpoint(run.arn, run.token, [step("a")], None, replies.append)
    memory_world.service.drain()
    assert isinstance(replies[0], ApiError)
    assert replies[0].code == "ServiceException"
    assert replies[1]["CheckpointToken"]
    monkeypatch.undo()
    runs[0].checkpoint(step("a"))
    assert memory_world.kinds(runs[0].arn) == ["ExecutionStarted", "StepStarted"]


def test_what_is_to_be_launched_waits_for_a_worker(world: World) -> None:
    """A service that starts before its worker is there knows no functions; that is no reason to say there is none."""
    run = world.start()
    run.checkpoint(invoke("durable", "child:$LATEST"), invoke("plain", "plain"))
    world.service.close()
    world.worker.running.clear()
    world.service = Service(world.store, clock=world.clock, ids=world.ids, config=world.config)
    world.service.start(thread=False)
    world.advance(30)
    assert world.kinds(run.arn) == ["ExecutionStarted", *["ChainedInvokeStarted"] * 2, "InvocationCompleted"]

    world.service.attach(world.worker)
    world.advance(30)
    for _ in range(4):
        running = world.next_run()
        if running.invocation.function_name == "order":
            running.suspends()
        elif running.invocation.function_name == "child":
            running.succeeds("1")
        else:
            running.returns("2")
        if world.idle:
            break
    assert sorted(world.kinds(run.arn))[:3] == ["ChainedInvokeStarted"] * 2 + ["ChainedInvokeSucceeded"]
    assert world.kinds(run.arn).count("ChainedInvokeSucceeded") == 2
