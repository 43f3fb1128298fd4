"""The protocol of race, any, all and all_settled: a step that records the decision.

Which of several operations came first is a matter of timing, so the decision is recorded like a step's result; on
replay the same operation has won. What the winner returned is in its own record.

The losers are cut off before the decision is sent, so nothing of them is recorded after it. The decision names them,
and no later invocation runs them again: an operation that is given up stays given up (:func:`given_up`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal, Protocol

from durably.exceptions import ExecutionError, InvocationError
from durably.wire.ids import operation_id

from .cancel_wait import cancel_wait
from .operation import GIVE_UP, Op, is_terminal
from .requests import Body, Turn
from .run import Protocol as OperationProtocol
from .run import Run
from .scope import Scope

__all__ = ["Decision", "Kind", "Started", "decide_among", "decides", "give_up", "given_up", "recorded_decision"]

Kind = Literal["race", "any", "all", "all_settled"]
SUB_TYPES: Final[dict[str, str]] = {"race": "Race", "any": "Any", "all": "All", "all_settled": "AllSettled"}
_NAMING: Final = frozenset({"Race", "Any", "All", GIVE_UP})


class Started(Protocol):
    """What the protocol needs of a future.

    Attributes:
        operation_id: empty where it is not known.
        is_wait: the operation is a wait.
        order: greater than that of those that ended before it.
        fresh: made for this decision; nobody else knows it.
    """

    operation_id: str
    is_wait: bool
    order: int
    fresh: bool

    def peek(self) -> BaseException | bool | None:
        """False: not done. Otherwise what it failed with, or None."""
        ...

    def cut(self) -> None:
        """Give it up: it records nothing more."""
        ...

    @property
    def abandoned(self) -> bool:
        """An earlier invocation has given it up, so it was not started in this one."""
        ...


class Decision:
    """``index``: the operation that decided; None: all of them did."""

    __slots__ = ("index",)

    def __init__(self, index: int | None) -> None:
        self.index: int | None = index

    def lost(self, index: int) -> bool:
        return self.index is not None and index != self.index


def decide_among(
    op: Op, kind: Kind, futures: Sequence[Started], wait_for: Callable[[Sequence[Any]], Any], scope: Scope
) -> OperationProtocol:
    """Return the Decision. ``wait_for(futures)`` waits until one of those given is done, and may wait for more of them
    as long as none decides."""
    record = op.begin()
    if record is not None and record["Status"] == "SUCCEEDED":
        if op.run.must_queue(op.id):
            yield Turn(op.id)
        decided = _read(op.details(record).get("Result"))
        losers = [one for one in futures if one.abandoned]
        for one in losers:
            one.cut()
    else:
        decision: Decision | None = None
        while True:
            while not op.run.is_async and (told := [one for one in futures if _is_due(op.run, one)]):
                yield Body(wait_for, (told,), scope)  # threads tell in any order what is recorded in one
            decision = _decided(kind, futures, op.run)
            if decision is not None:
                break
            yield Body(wait_for, ([one for one in futures if one.peek() is False],), scope)
        decided = decision
        for future in futures:
            if isinstance(failure := future.peek(), (ExecutionError, InvocationError)):
                raise failure  # says what is to become of the execution or the invocation
        losers = [] if decided.index is None else [one for one in futures if one.peek() is False]
        for one in losers:
            one.cut()
        named = [one.operation_id for one in losers if not one.fresh]
        if record is None:
            op.post("START")
        yield op.put("SUCCEED", _written(decided.index, named), None, True)
        given_up(op.run).update(named)
    for one in losers:
        if one.is_wait:
            yield from cancel_wait(op.run, op.scope, one.operation_id)
    return decided


def recorded_decision(run: Run, scope: Scope, kind: Kind, fresh: int) -> Decision | None:
    """What an earlier invocation decided in the call that takes its id after ``fresh`` others, from ``scope``."""
    record = run.ops.get(operation_id(scope.prefix, scope.count + fresh + 1))
    if record is None or record.get("SubType") != SUB_TYPES[kind] or record["Status"] != "SUCCEEDED":
        return None
    return _read(record.get("StepDetails", {}).get("Result"))


def _is_due(run: Run, one: Started) -> bool:
    """Whether the end of this one is recorded and still on its way to the program."""
    record = None if one.abandoned else run.ops.get(one.operation_id)
    return record is not None and is_terminal(record) and one.peek() is False


def _decided(kind: Kind, futures: Sequence[Started], run: Run) -> Decision | None:
    ended = sorted((one.order, index) for index, one in enumerate(futures) if one.peek() is not False)
    if len(ended) > 1 and not run.is_async and kind != "all_settled":
        ended = _as_recorded(ended, futures, run)
    for _, index in ended:
        if decides(kind, futures[index]):
            return Decision(index)
    return Decision(None) if len(ended) == len(futures) else None


def _as_recorded(ended: list[tuple[int, int]], futures: Sequence[Started], run: Run) -> list[tuple[int, int]]:
    """In the order of the records, by time and then in the order of the service's list, if all have one."""
    ids = [futures[index].operation_id for _, index in ended]
    records = [run.ops.get(op_id) for op_id in ids]
    times = {one["Id"]: one.get("EndTimestamp", one["StartTimestamp"]) for one in records if one and is_terminal(one)}
    if len(times) < len(set(ids)):
        return ended
    # A copy, for in sync code other threads bring records meanwhile.
    places = {op_id: place for place, op_id in enumerate(list(run.ops)) if op_id in times}
    ranked = sorted((times[op_id], places[op_id], one) for op_id, one in zip(ids, ended, strict=True))
    return [one for *_, one in ranked]


def decides(kind: Kind, ended: Started) -> bool:
    """Whether the end of this one is enough, whatever becomes of the others."""
    return kind == "race" or (kind != "all_settled" and (ended.peek() is None) is (kind == "any"))


def _read(text: str | None) -> Decision:
    return Decision(_parsed(text).get("index"))


def _parsed(text: str | None) -> dict[str, Any]:
    value = json.loads(text or "{}")
    return value if isinstance(value, dict) else {}  # a step of the program's own may have such a sub type


def _written(index: int | None, named: Sequence[str]) -> str:
    decided: dict[str, Any] = {"index": index}
    if named:
        decided["cancelled"] = list(named)
    return json.dumps(decided, separators=(",", ":"))


# ---- operations that are given up -----------------------------------------------------------------------------


def give_up(run: Run, scope: Scope, op_id: str, parent_id: str | None, *, is_wait: bool) -> OperationProtocol:
    """Record that ``op_id`` is given up, unless that is known; a wait is cancelled.

    The record takes no id of the program's: its own is derived from that of what is given up.
    """
    known = given_up(run)
    if op_id not in known:
        known.add(op_id)
        op = Op(run, scope, operation_id(f"{op_id}-c", 0), "STEP", GIVE_UP, None, parent_id)
        op.post("START")
        yield op.put("SUCCEED", _written(None, [op_id]))
    if is_wait:
        yield from cancel_wait(run, scope, op_id)


def given_up(run: Run) -> set[str]:
    """Ids of the operations that the program has given up, by a decision or one by one."""
    if run.given_up is None:
        run.given_up = set(_named(list(run.ops.values())))
    return run.given_up


def _named(records: Iterable[Any]) -> Iterable[str]:
    for record in records:
        if record["Type"] == "STEP" and record.get("SubType") in _NAMING and record["Status"] == "SUCCEEDED":
            yield from _parsed(record.get("StepDetails", {}).get("Result")).get("cancelled", ())
