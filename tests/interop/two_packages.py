"""A stage for programs of either Python package: the embedded service in this process, in virtual time.

An invocation runs in a thread of its own and checkpoints through something shaped like boto3's client, which can be
killed at a given call. So a program of a thousand waits takes a moment, and an execution can change hands anywhere.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from durably.service.clock import ManualClock, SequentialIds
from durably.service.kernel import Service
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError
from durably.workers._lambda_context import LambdaContext

__all__ = ["Boto", "TwoPackages"]

Make: TypeAlias = "Callable[[str, Boto, int], Callable[[Any, Any], Any]]"
"""The handler of that name, for the invocation that has this client; the last is how many were killed before."""
Answer: TypeAlias = "Callable[[dict[str, Any]], tuple[str, dict[str, Any]] | None]"
_TIMES = frozenset({"StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp"})
_PATIENCE = 180
"""Seconds for an execution that takes a few hundredths."""


class Refused(Exception):
    """As botocore's ClientError looks."""

    def __init__(self, code: str, message: str, status: int | None) -> None:
        super().__init__(message)
        metadata = {"HTTPStatusCode": status}
        self.response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}


class Boto:
    """The client of one invocation."""

    def __init__(self, stage: TwoPackages, done: Callable[[InvocationResult], None]) -> None:
        self._stage = stage
        self._done: list[Callable[[InvocationResult], None]] = [done]
        self._dead = False

    def end(self, result: InvocationResult) -> None:
        try:
            done = self._done.pop()
        except IndexError:
            return  # it has been killed
        done(result)

    def checkpoint_durable_execution(self, **params: Any) -> Any:
        return self._call("CheckpointDurableExecution", params)

    def get_durable_execution_state(self, **params: Any) -> Any:
        return self._call("GetDurableExecutionState", params)

    def _call(self, action: str, params: dict[str, Any]) -> Any:
        number = self._stage.next_call()
        self._perhaps_die("before", number)
        answered = threading.Event()
        answers: list[Any] = []

        def reply(answer: Any) -> None:
            answers.append(answer)
            answered.set()

        self._stage.service.submit(action, copy.deepcopy(params), reply)
        assert answered.wait(_PATIENCE)
        self._perhaps_die("after", number)
        if isinstance(answers[0], ApiError):
            raise Refused(answers[0].code, answers[0].message, answers[0].status)
        return _with_datetimes(answers[0])

    def _perhaps_die(self, when: str, number: int) -> None:
        if self._stage.kill == (when, number):
            self._dead = True
            self._stage.kills += 1
            self.end(InvocationResult("crashed", error={"ErrorType": "Runtime.ExitError", "ErrorMessage": "killed"}))
        if self._dead:
            raise Refused("ServiceException", "this process is dead", 500)


def _with_datetimes(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return {member: _with_datetimes(one, member) for member, one in value.items()}
    if isinstance(value, list):
        return [_with_datetimes(one) for one in value]
    return datetime.fromtimestamp(value / 1000, UTC) if key in _TIMES and value is not None else value


class TwoPackages:
    """Runs one execution to its end. It is the service's worker, too.

    Parameters:
        kill: ``("before", n)`` or ``("after", n)``: the process dies around its call number n.
    """

    def __init__(self, functions: Mapping[str, FunctionSpec], make: Make, kill: tuple[str, int] | None = None) -> None:
        self._functions = functions
        self._make = make
        self.kill = kill
        self.kills = 0
        self.calls = 0
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # ahead of real time, by which AWS's SDK judges whether a wait is over
        self._clock = ManualClock(1000 * int(time.time() + 3600))
        self.service = Service(MemoryStore(), clock=self._clock, ids=SequentialIds())
        self.service.start(thread=False)
        self.service.attach(self)

    def next_call(self) -> int:
        with self._lock:
            self.calls += 1
            return self.calls

    # ---- the worker ----------------------------------------------------------------------------------------

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._functions

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        thread = threading.Thread(target=self._invoke, args=(invocation, Boto(self, done)), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _invoke(self, invocation: Invocation, boto: Boto) -> None:
        name = invocation.function_name
        try:
            handler = self._make(name, boto, self.kills)
            context = LambdaContext.of(
                invocation, self._functions[name], "stream", invocation.deadline_ms, self._clock.now_ms
            )
            result = InvocationResult("returned", json.dumps(handler(json.loads(invocation.payload), context)))
        except Exception as error:
            result = InvocationResult("raised", error={"ErrorType": type(error).__name__, "ErrorMessage": str(error)})
        boto.end(result)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(_PATIENCE)
        self.service.close()

    # ---- the driver ----------------------------------------------------------------------------------------

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        answers: list[Any] = []
        self.service.submit(action, params, answers.append)
        self.service.drain()
        if isinstance(answers[0], ApiError):
            raise answers[0]
        found: dict[str, Any] = answers[0]
        return found

    def run(self, function: str, answer: Answer) -> dict[str, Any]:
        """Start an execution, and let time pass whenever nothing runs and no callback is to be answered."""
        started = self.call("Invoke", FunctionName=f"{function}:$LATEST", InvocationType="Event", Payload="{}")
        self.arn = started["DurableExecutionArn"]
        answered: set[str] = set()
        deadline = time.monotonic() + _PATIENCE
        while True:
            assert time.monotonic() < deadline, "it does not come to an end"
            self.service.drain()
            if self.service.in_flight:
                self.service.step(0.05)
                continue
            described = self.call("GetDurableExecution", DurableExecutionArn=self.arn)
            if described["Status"] != "RUNNING":
                return described
            if not self._answer(answer, answered):
                due = self.service.next_timer_ms()
                assert due is not None, "nothing is due any more"
                self._clock.advance_to(due)

    def _answer(self, answer: Answer, answered: set[str]) -> bool:
        for operation in sorted(self.operations(), key=lambda one: one["Id"]):
            if operation["Type"] == "CALLBACK" and operation["Status"] == "STARTED" and operation["Id"] not in answered:
                answered.add(operation["Id"])
                given = answer(operation)
                if given is not None:
                    kind, members = given
                    callback_id = operation["CallbackDetails"]["CallbackId"]
                    self.call(f"SendDurableExecutionCallback{kind}", CallbackId=callback_id, **members)
                    return True
        return False

    def operations(self) -> list[dict[str, Any]]:
        return [dict(operation) for operation in self.service.operations(self.arn)]

    def history(self) -> list[dict[str, Any]]:
        params = {"DurableExecutionArn": self.arn, "MaxItems": 1000, "IncludeExecutionData": True}
        page = self.call("GetDurableExecutionHistory", **params)
        events: list[dict[str, Any]] = page["Events"]
        while page.get("NextMarker"):
            page = self.call("GetDurableExecutionHistory", **params, Marker=page["NextMarker"])
            events += page["Events"]
        return events
