"""Hypothesis drives two services, one in memory, one on SQLite with a cache of one, with the same commands.

They must give the same answers, reach the same state, and keep every law of durably.service.machine that can be read
off a history: gapless ids, final ends, attempts, one invocation at a time, no lost wake-up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from durably.service.ports import InvocationResult
from durably.service.store.memory import MemoryStore
from durably.service.store.sqlite import SqliteStore
from durably.wire.api_errors import ApiError

from .conftest import Run, World, callback, context, invoke, retry, step, wait

OP_IDS = st.sampled_from(["a", "b", "c", "d"])
PARENTS = st.sampled_from([None, None, "a", "b"])
SECONDS = st.integers(1, 4)
ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped")
ERROR = {"ErrorType": "E", "ErrorMessage": "m"}


@st.composite
def an_update(draw: st.DrawFn) -> dict[str, Any]:
    op_id = draw(OP_IDS)
    makers: list[Callable[[], dict[str, Any]]] = [
        lambda: step(op_id),
        lambda: step(op_id, "SUCCEED", Payload="1"),
        lambda: step(op_id, "FAIL", Error=ERROR),
        lambda: retry(op_id, draw(SECONDS), Error=ERROR),
        lambda: retry(op_id, draw(SECONDS), Payload="2"),
        lambda: context(op_id),
        lambda: context(op_id, "SUCCEED", Payload="3", ContextOptions={"ReplayChildren": draw(st.booleans())}),
        lambda: wait(op_id, draw(SECONDS)),
        lambda: {"Id": op_id, "Type": "WAIT", "Action": "CANCEL"},
        lambda: callback(op_id, timeout=draw(st.integers(0, 3))),
        lambda: callback(op_id, heartbeat=draw(st.integers(0, 3))),
        lambda: invoke(op_id, draw(st.sampled_from(["plain", "child:$LATEST", "nobody"]))),
    ]
    made = draw(st.sampled_from(makers))()
    parent = draw(PARENTS)
    return made if parent is None else made | {"ParentId": parent}


class TwoStores(RuleBasedStateMachine):
    executions = Bundle("executions")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.worlds = [
            World(MemoryStore(), retry_attempts=3),
            World(SqliteStore(Path(self.folder.name) / "s.db"), retry_attempts=3, cached_executions=1),
        ]
        self.arns: list[str] = []
        self.ended: dict[str, tuple[Any, Any]] = {}
        self.tokens: dict[str, list[str]] = {}

    def teardown(self) -> None:
        for world in self.worlds:
            world.service.close()
        self.folder.cleanup()

    def both(self, action: Callable[[World], Any]) -> Any:
        """The answer of both worlds, which must be one."""
        answers: list[Any] = []
        for world in self.worlds:
            try:
                answers.append(action(world))
            except ApiError as refusal:
                answers.append((refusal.code, refusal.message))
        assert answers[0] == answers[1]
        return answers[0]

    def runs(self, index: int) -> list[Run]:
        return [Run(world, *world.worker.running[index]) for world in self.worlds]

    @rule(target=executions, name=st.sampled_from(["n1", "n2", None]), payload=st.sampled_from(["1", "2"]))
    def start(self, name: str | None, payload: str) -> Any:
        answer = self.both(
            lambda world: world.call(
                "Invoke",
                FunctionName="order:$LATEST",
                InvocationType="Event",
                Payload=payload,
                DurableExecutionName=name,
            )
        )
        if isinstance(answer, tuple):
            assert answer[0] == "DurableExecutionAlreadyStartedException"
            return multiple()
        arn = answer["DurableExecutionArn"]
        if arn not in self.arns:
            self.arns.append(arn)
        return arn

    @rule(
        pick=st.integers(0, 9),
        updates=st.lists(an_update(), max_size=3),
        client_token=st.sampled_from([None, "x"]),
        stale=st.booleans(),
    )
    def checkpoint(self, pick: int, updates: list[dict[str, Any]], client_token: str | None, stale: bool) -> None:
        running = self.worlds[0].worker.running
        durable = [n for n, (invocation, _) in enumerate(running) if invocation.execution_arn is not None]
        if not durable:
            return
        index = durable[pick % len(durable)]
        run = self.runs(index)[0]
        arn, request_id = run.arn, run.invocation.request_id
        known = self.tokens.setdefault(request_id, [run.token])
        token = known[0] if stale else known[-1]
        answer = self.both(
            lambda world: world.call(
                "CheckpointDurableExecution",
                DurableExecutionArn=arn,
                CheckpointToken=token,
                Updates=updates,
                ClientToken=client_token,
            )
        )
        if isinstance(answer, dict) and "CheckpointToken" in answer and answer["CheckpointToken"] not in known:
            known.append(answer["CheckpointToken"])

    @rule(
        pick=st.integers(0, 9),
        how=st.sampled_from(["pending", "pending", "pending", "succeeded", "failed", "crashed", "raised", "junk"]),
    )
    def finish(self, pick: int, how: str) -> None:
        running = self.worlds[0].worker.running
        if not running:
            return
        index = pick % len(running)
        results = {
            "pending": InvocationResult("returned", payload='{"Status":"PENDING"}'),
            "succeeded": InvocationResult("returned", payload='{"Status":"SUCCEEDED","Result":"9"}'),
            "failed": InvocationResult("returned", payload='{"Status":"FAILED","Error":{"ErrorType":"E"}}'),
            "crashed": InvocationResult("crashed"),
            "raised": InvocationResult("raised", error={"ErrorType": "R"}),
            "junk": InvocationResult("returned", payload="junk"),
        }
        for run in self.runs(index):
            run.world.worker.running.pop(index)
            run.end(results[how])

    @rule(milliseconds=st.sampled_from([1, 20, 250, 1000, 4000]))
    def pass_time(self, milliseconds: int) -> None:
        for world in self.worlds:
            world.advance(milliseconds / 1000)

    @rule(arn=executions, action=st.sampled_from(["Stop", "Pause", "Pause", "Resume", "Resume"]))
    def control(self, arn: str, action: str) -> None:
        self.both(lambda world: world.call(f"{action}DurableExecution", DurableExecutionArn=arn))

    @rule(arn=consumes(executions))
    def delete(self, arn: str) -> None:
        answer = self.both(lambda world: world.call("DeleteDurableExecution", DurableExecutionArn=arn))
        if isinstance(answer, dict) and arn in self.arns:
            self.arns.remove(arn)
            self.ended.pop(arn, None)

    @rule(arn=executions, action=st.sampled_from(["Success", "Failure", "Heartbeat"]))
    def answer_callback(self, arn: str, action: str) -> None:
        if arn not in self.arns:
            return
        for event in self.worlds[0].history(arn):
            if event["EventType"] == "CallbackStarted":
                params = {"CallbackId": event["CallbackStartedDetails"]["CallbackId"]}
                self.both(lambda world, params=params: world.call(f"SendDurableExecutionCallback{action}", **params))

    @rule()
    def restart(self) -> None:
        for world in self.worlds:
            world.reopen()

    @invariant()
    def same_state(self) -> None:
        for arn in self.arns:
            self.both(lambda world, arn=arn: (world.get(arn), world.history(arn)))
        self.both(lambda world: world.call("ListDurableExecutionsByFunction", FunctionName="order"))
        self.both(lambda world: world.service.next_timer_ms())
        self.both(lambda world: [invocation for invocation, _ in world.worker.running])

    @invariant()
    def laws(self) -> None:
        world = self.worlds[0]
        running = [invocation.execution_arn for invocation, _ in world.worker.running if invocation.execution_arn]
        for arn in self.arns:
            events, found = world.history(arn), world.get(arn)
            assert [event["EventId"] for event in events] == list(range(1, len(events) + 1)), "law 7"
            ends = [
                e for e in events if e["EventType"] in ("ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped")
            ]
            assert len(ends) <= 1
            if ends:
                assert ends[0] == events[-1], "law 7"
                assert self.ended.setdefault(arn, (events, found)) == (events, found), "law 5"
            else:
                ex = world.service._core.by_arn(arn)
                assert running.count(arn) == (1 if ex.head.request_id else 0), "law 10"
                if found["Status"] == "RUNNING" and not ex.head.request_id:
                    assert ex.pending or ex.head.retry_at is not None, "law 9"
            attempts: dict[str, int] = {}
            closed: set[str] = set()
            for event in events:
                op_id, kind = event.get("Id", ""), event["EventType"]
                if kind in ("StepSucceeded", "StepFailed"):
                    details = event[kind + "Details"]["RetryDetails"]
                    attempts[op_id] = attempts.get(op_id, 0) + 1
                    assert details["CurrentAttempt"] == attempts[op_id], "law 13"
                    assert op_id not in closed, "law 5"
                    if "NextAttemptDelaySeconds" not in details:
                        closed.add(op_id)
                elif kind.startswith(("Wait", "Callback", "ChainedInvoke", "Context")) and not kind.endswith("Started"):
                    assert op_id not in closed, "law 5"
                    closed.add(op_id)


TestTwoStores = pytest.mark.timeout(300)(TwoStores.TestCase)  # each commit waits for the disk, however busy
TestTwoStores.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
