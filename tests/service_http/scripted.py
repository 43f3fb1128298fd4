"""The function side: a Worker whose functions are played by the test."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Mapping
from typing import Any

from durably.service.ports import FunctionSpec, Invocation, InvocationResult

Done = Callable[[InvocationResult], None]
Play = Callable[["Turn"], None]


class Turn:
    """One invocation in the test's hands."""

    def __init__(self, invocation: Invocation, done: Done) -> None:
        self.invocation = invocation
        self.event: Any = json.loads(invocation.payload)
        self._done = done

    @property
    def arn(self) -> str:
        assert self.invocation.execution_arn is not None
        return self.invocation.execution_arn

    @property
    def token(self) -> str:
        token: str = self.event["CheckpointToken"]
        return token

    @property
    def operations(self) -> list[dict[str, Any]]:
        operations: list[dict[str, Any]] = self.event["InitialExecutionState"]["Operations"]
        return operations

    @property
    def input(self) -> Any:
        return json.loads(self.operations[0]["ExecutionDetails"]["InputPayload"])

    def answer(self, output: Any, log: str = "") -> None:
        self._done(InvocationResult("returned", json.dumps(output), log=log))

    def succeed(self, result: Any = None, log: str = "") -> None:
        self.answer({"Status": "SUCCEEDED", "Result": json.dumps(result)}, log)

    def suspend(self) -> None:
        self.answer({"Status": "PENDING"})

    def raises(self, error_type: str, message: str) -> None:
        self._done(InvocationResult("raised", error={"ErrorType": error_type, "ErrorMessage": message}))


class ScriptedWorker:
    """``functions`` maps names to a function of a Turn, or to None: then the test takes the turn itself."""

    def __init__(self, functions: Mapping[str, Play | None], plain: tuple[str, ...] = ()) -> None:
        self._plays = dict(functions)
        self._specs = {name: FunctionSpec(name, durable=name not in plain) for name in functions}
        self._turns: queue.SimpleQueue[Turn] = queue.SimpleQueue()

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._specs

    def submit(self, invocation: Invocation, done: Done) -> None:
        turn = Turn(invocation, done)
        play = self._plays[invocation.function_name]
        if play is None:
            self._turns.put(turn)
        else:
            play(turn)

    def take(self) -> Turn:
        """The next turn of a function left to the test."""
        return self._turns.get(timeout=60)

    def close(self) -> None:
        pass
