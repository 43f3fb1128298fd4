"""Assertions about what was called, with messages that say what was called instead.

``run`` is whatever knows: the result of a runner, an execution, a mock context, a :class:`History`, or a recording
client. An operation is written ``"charge"``, or ``"step:charge"`` where its kind matters; kinds are ``step``, ``wait``,
``callback``, ``invoke``, ``child``, ``map``, ``item``, ``parallel``, ``parallel_branch``, ``wait_for_callback``,
``wait_for_condition`` and, for others, the operation's subtype in that manner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .recorders import MockClient, OperationRecord, RecordingClient, kind_of

__all__ = [
    "assert_checkpoint_count",
    "assert_no_checkpoints",
    "assert_no_duplicate_effects",
    "assert_operation_count",
    "assert_operation_names",
    "assert_operation_order",
    "assert_operations",
    "assert_step_called",
    "assert_step_not_called",
]

_ANY: Any = object()


class _Called(NamedTuple):
    kind: str
    name: str
    status: str | None
    result: Any
    depth: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def matches(self, wanted: str) -> bool:
        return wanted in (self.name, str(self))


def assert_step_called(run: Any, name: str, *, times: int | None = None, result: Any = _ANY) -> None:
    """A step (or wait_for_condition) of that name was called.

    Parameters:
        times: so often, as operations; attempts of one step do not count.
        result: and this is what (one of) it came to.
    """
    called = _called(run)
    found = [one for one in called if one.name == name and one.kind in ("step", "wait_for_condition")]
    if not found:
        raise AssertionError(f"no step {name!r} was called; {_shown(called)}")
    if times is not None and len(found) != times:
        raise AssertionError(
            f"the step {name!r} was called {_often(len(found))}, not {_often(times)}; {_shown(called)}"
        )
    if result is not _ANY:
        if isinstance(run, (RecordingClient, MockClient)):
            raise TypeError("a recording client does not know results; give the run or the mock context")
        if result not in [one.result for one in found]:
            raise AssertionError(
                f"the step {name!r} came to {', '.join(repr(one.result) for one in found)}, not {result!r}"
            )


def assert_step_not_called(run: Any, name: str) -> None:
    """No step of that name was called."""
    called = _called(run)
    count = sum(one.name == name and one.kind in ("step", "wait_for_condition") for one in called)
    if count:
        raise AssertionError(f"the step {name!r} was called {_often(count)}; {_shown(called)}")


def assert_operation_order(run: Any, wanted: Sequence[str]) -> None:
    """These operations were begun, in this order; others may have been before, between and after."""
    called = _called(run)
    left = iter(called)
    before = ""
    for name in wanted:
        if not any(one.matches(name) for one in left):
            where = f" after {before!r}" if before else ""
            anywhere = any(one.matches(name) for one in called)
            what = "was begun before" if anywhere and before else "was not begun"
            raise AssertionError(f"{name!r} {what}{'' if anywhere and before else where}: {_shown(called)}")
        before = name


def assert_operations(run: Any, wanted: Sequence[str], *, nested: bool = True) -> None:
    """Exactly these operations were begun, in this order: ``["step:reserve", "wait:cool", "charge"]``.

    Parameters:
        nested: those inside of contexts, too; False: only those of the handler's own context.
    """
    called = [one for one in _called(run) if nested or not one.depth]
    for number, (one, name) in enumerate(zip(called, wanted, strict=False), 1):
        if not one.matches(name):
            raise AssertionError(f"operation {number} is {one}, not {name!r}; {_shown(called)}")
    if len(called) > len(wanted):
        raise AssertionError(f"there is one more than the {len(wanted)}: {called[len(wanted)]}; {_shown(called)}")
    if len(called) < len(wanted):
        raise AssertionError(f"operation {len(called) + 1}, {wanted[len(called)]!r}, was not begun; {_shown(called)}")


def assert_operation_names(run: Any, wanted: Sequence[str | None], *, nested: bool = True) -> None:
    """The operations have exactly these names, in the order of their starts; None for one without a name."""
    called = [one for one in _called(run) if nested or not one.depth]
    names = [one.name or None for one in called]
    if names != list(wanted):
        raise AssertionError(f"the operations are named {names}, not {list(wanted)}; {_shown(called)}")


def assert_operation_count(run: Any, count: int, *, kind: str | None = None) -> None:
    """So many operations were begun, of one kind (``step``, ``wait``, ...) or of all."""
    called = _called(run)
    found = [one for one in called if kind in (None, one.kind)]
    if len(found) != count:
        what = "operations" if kind is None else f"operations of kind {kind}"
        raise AssertionError(f"there are {len(found)} {what}, not {count}; {_shown(called)}")


def assert_checkpoint_count(client: Any, count: int) -> None:
    """So many calls of CheckpointDurableExecution were made. ``client`` is a recording one, or a mock context."""
    calls = _client(client).checkpoints
    if len(calls) != count:
        shown = "; ".join(f"{n}. {', '.join(call.actions) or 'nothing'}" for n, call in enumerate(calls, 1))
        raise AssertionError(f"there were {len(calls)} checkpoints, not {count}: {shown or 'none'}")


def assert_no_checkpoints(client: Any) -> None:
    """Everything was recorded already: nothing was sent."""
    assert_checkpoint_count(client, 0)


def assert_no_duplicate_effects(effects: Iterable[Any]) -> None:
    """No side effect happened twice. ``effects`` is the ledger that the test's steps write to."""
    counted: Counter[str] = Counter(repr(effect) for effect in effects)
    twice = {effect: count for effect, count in counted.items() if count > 1}
    if twice:
        shown = ", ".join(f"{effect} {_often(count)}" for effect, count in twice.items())
        raise AssertionError(f"side effects were repeated: {shown}")


# ---- whatever knows ------------------------------------------------------------------------------------------------


def _client(given: Any) -> RecordingClient | MockClient:
    found = getattr(given, "client", given)
    if not isinstance(found, (RecordingClient, MockClient)):
        raise TypeError(f"{given!r} has no record of calls: pass a RecordingClient, a MockClient or a mock context")
    return found


def _called(run: Any) -> list[_Called]:
    """The operations in the order of their starts, parents before what is in them."""
    operations = getattr(run, "operations", None)
    if isinstance(run, (RecordingClient, MockClient)):
        records: list[OperationRecord] = run.operations
        parents = {record.id: record.parent_id for record in records}
        return [
            _Called(kind_of(one.type, one.sub_type), one.name or "", None, None, _depth(one.id, parents))
            for one in records
        ]
    if isinstance(operations, list):  # a History's: plain records
        from .operations import Operations

        operations = Operations.of(operations, run.events)
    if operations is None or not hasattr(operations, "all"):
        raise TypeError(f"{run!r} does not know of operations: pass the result of a run, a mock context or a client")
    parents = {one.id: None if one.parent is None else one.parent.id for one in operations.all}
    return [
        _Called(
            kind_of(one.type, one.sub_type),
            one.name or "",
            one.status,
            one.result,
            _depth(one.id, parents),
        )
        for one in operations.all
    ]


def _depth(op_id: str, parents: Mapping[str, str | None]) -> int:
    depth = 0
    parent = parents.get(op_id)
    while parent is not None:
        depth += 1
        parent = parents.get(parent)
    return depth


def _shown(called: Sequence[_Called]) -> str:
    if not called:
        return "nothing was called"
    names = [str(one) for one in called[:40]]
    return f"called were {', '.join(names)}" + (", ..." if len(called) > 40 else "")


def _often(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")
