"""The protocol of race, any, all and all_settled: a step that records the decision.

Which of several operations came first is a matter of timing, so the decision is recorded like a step's result; on
replay the same operation has won. What the winner returned is in its own record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from durably.exceptions import ExecutionError, InvocationError

from .operation import Op
from .requests import Body, Turn
from .run import Protocol as OperationProtocol
from .scope import Scope

__all__ = ["Decision", "Started", "decide_among"]

Kind = Literal["race", "any", "all", "all_settled"]


class Started(Protocol):
    """What the protocol needs of a future."""

    def peek(self) -> BaseException | bool | None:
        """False: not done. Otherwise what it failed with, or None."""
        ...


class Decision:
    """``index``: the operation that decided; None: all of them did."""

    __slots__ = ("index",)

    def __init__(self, index: int | None) -> None:
        self.index = index


def decide_among(
    op: Op, kind: Kind, futures: Sequence[Started], wait_for: Callable[[Sequence[Any]], Any], scope: Scope
) -> OperationProtocol:
    """Return the Decision. ``wait_for(futures)`` waits until one of those given is done."""
    record = op.begin()
    if record is not None and record["Status"] == "SUCCEEDED":
        if op.run.must_queue(op.id):
            yield Turn(op.id)
        return Decision(json.loads(op.details(record).get("Result") or "{}").get("index"))
    while True:
        decided = _decided(kind, futures)
        if decided is not None:
            break
        open_ones = [future for future in futures if future.peek() is False]
        yield Body(wait_for, (open_ones,), scope, is_step=False)
    for future in futures:
        if isinstance(failure := future.peek(), (ExecutionError, InvocationError)):
            raise failure  # says what is to become of the execution or the invocation
    if record is None:
        op.post("START")
    yield op.put("SUCCEED", completion=True, Payload=json.dumps({"index": decided.index}, separators=(",", ":")))
    return decided


def _decided(kind: Kind, futures: Sequence[Started]) -> Decision | None:
    states = [future.peek() for future in futures]
    for index, state in enumerate(states):
        if state is False:
            continue
        if kind == "race" or (kind == "any" and state is None) or (kind == "all" and state is not None):
            return Decision(index)
    return Decision(None) if all(state is not False for state in states) else None
