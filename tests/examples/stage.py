"""Runs the functions of one example file with the testing kit: on the embedded service, in virtual time.

The file is loaded as ``durably dev`` loads it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from durably.testing import LocalExecution, LocalRunner, OpenCallback
from durably.workers.loader import load_functions

ROOT = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Answer:
    """What somebody outside does with a callback, ``after`` seconds with nothing else to wait for."""

    result: str | None = None
    failure: Mapping[str, str] | None = None
    heartbeat: bool = False
    after: int = 0


@dataclass(frozen=True)
class Ended:
    """How an execution ended: ``value``, or ``error`` with its message."""

    value: Any
    error: str | None
    seconds: float
    """that passed, in virtual time"""
    operations: dict[str, str]
    """status by name, for what has a name"""


def play(path: str, name: str, event: Any, answers: Mapping[str, Sequence[Answer]]) -> Ended:
    """One execution of the function ``name`` of ``examples/<path>``.

    Parameters:
        answers: by the name of the callback's operation, in order.
    """
    loaded = {each: found.handler for each, found in load_functions(str(ROOT / path)).functions.items()}
    others = {each: handler for each, handler in loaded.items() if each != name}
    script = {callback: deque(given) for callback, given in answers.items()}
    with LocalRunner(loaded[name], functions=others) as runner:
        execution = runner.start(event)
        while not execution.ended:
            open_ones = [one for one in runner.open_callbacks() if script.get(_name(execution, one))]
            if not open_ones:
                due = runner.world.next_due_ms()
                assert due is not None, f"the execution waits for something that never comes: {execution}"
                execution.advance((due - runner.clock.now_ms()) / 1000)
            else:
                _answer(runner, execution, open_ones[0], script[_name(execution, open_ones[0])])
        result = execution.snapshot()
    assert not any(script.values()), f"nobody asked for {script}"
    value = json.loads(result.payload) if result.payload is not None else None
    error = None if result.error is None else result.error.get("ErrorMessage", "")
    statuses = {one.name: one.status for one in result.operations.all if one.name is not None}
    return Ended(value, error, result.duration / timedelta(seconds=1), statuses)


def _name(execution: LocalExecution[Any], callback: OpenCallback) -> str:
    return execution.operations.by_id(callback.operation_id).name or ""


def _answer(
    runner: LocalRunner[Any, Any], execution: LocalExecution[Any], callback: OpenCallback, waiting: deque[Answer]
) -> None:
    """Give the next answer, unless something else happens before; then time goes on to that."""
    at = runner.clock.now_ms() + waiting[0].after * 1000
    due = runner.world.next_due_ms()
    if due is not None and due < at:
        execution.advance((due - runner.clock.now_ms()) / 1000)
        return
    execution.advance(waiting[0].after)
    answer = waiting.popleft()
    if answer.heartbeat:
        callback.heartbeat()
    elif answer.failure is not None:
        callback.fail({"ErrorType": answer.failure["ErrorType"], "ErrorMessage": answer.failure["ErrorMessage"]})
    else:
        callback.succeed(answer.result)
    execution.settle()
