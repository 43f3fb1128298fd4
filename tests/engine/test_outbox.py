"""How what waits is cut into calls: in order, nothing lost, and no two updates together that the service refuses so."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from durably.engine.outbox import Outbox
from durably.wire.limits import MAX_CHECKPOINT_BYTES, MAX_UPDATES_PER_CHECKPOINT

PAIRS = {"SUCCEED", "FAIL", "RETRY"}


def update(number: int, kind: str, action: str, size: int = 0, letter: str = "x") -> dict[str, Any]:
    made: dict[str, Any] = {"Id": f"{number:064d}", "Type": kind, "Action": action, "SubType": "Step", "Name": "n" * 60}
    if action in ("FAIL", "RETRY"):
        made["Error"] = {"ErrorMessage": letter * size}
    elif size:
        made["Payload"] = letter * size
    return made


def check_call(call: list[Any], following: dict[str, Any] | None) -> None:
    """What the service asks of one call, and that no fuller one was possible."""
    assert 0 < len(call) <= MAX_UPDATES_PER_CHECKPOINT
    assert len(call) == 1 or len(json.encode(call)) <= MAX_CHECKPOINT_BYTES
    seen: dict[str, str] = {}
    for one in call:
        if one["Id"] in seen:
            assert seen[one["Id"]] == "START"
            assert one["Action"] in PAIRS
            assert one["Type"] in ("STEP", "CONTEXT")
        seen[one["Id"]] = one["Action"]
    if following is not None and len(call) < MAX_UPDATES_PER_CHECKPOINT:
        clashes = following["Id"] in seen
        estimate = sum(600 + 6 * len(json.encode(one)) for one in (*call, following))
        assert clashes or estimate > MAX_CHECKPOINT_BYTES


def drain(outbox: Outbox) -> list[list[Any]]:
    calls: list[list[Any]] = []
    while outbox.has_pending:
        calls.append(outbox.take())
        outbox.acknowledge()
    return calls


SIZES = st.one_of(st.just(0), st.integers(1, 300), st.integers(4000, 4200), st.integers(100_000, 800_000))
UPDATES = st.lists(
    st.builds(
        update,
        st.integers(0, 40),
        st.sampled_from(["STEP", "CONTEXT", "WAIT", "CALLBACK"]),
        st.sampled_from(["START", "SUCCEED", "FAIL", "RETRY", "CANCEL"]),
        SIZES,
        st.sampled_from(["x", "é", '"', "\x00"]),
    ),
    max_size=30,
)


def as_the_engine_makes_them(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """No operation is started, or succeeds, twice; and what succeeds is a step or a context."""
    made: dict[tuple[str, str], dict[str, Any]] = {}
    for number, one in enumerate(some):
        action = one["Action"]
        if action == "SUCCEED":
            one["Type"] = "STEP"
        if action == "START" and any(op_id == one["Id"] for op_id, _ in made):
            continue
        made.setdefault((one["Id"], action if action in ("START", "SUCCEED") else f"{action} {number}"), one)
    return list(made.values())


@given(UPDATES, st.integers(0, 600))
def test_every_update_travels_once_and_in_order(some: list[dict[str, Any]], simple: int) -> None:
    """``simple``: as many that need no look at each other, before the others."""
    given_ = [update(1000 + n // 2, "STEP", "SUCCEED" if n % 2 else "START", 3 * (n % 2)) for n in range(simple)]
    given_ += as_the_engine_makes_them(some)
    outbox = Outbox()
    for n, one in enumerate(given_, 1):
        assert outbox.add(one) == n  # type: ignore[arg-type]
    assert outbox.pending_bytes == sum(len(one.get("Payload", "").encode()) for one in given_)
    calls = drain(outbox)
    assert [one for call in calls for one in call] == given_
    for number, call in enumerate(calls):
        check_call(call, calls[number + 1][0] if number + 1 < len(calls) else None)
    assert outbox.acknowledged == outbox.last == len(given_)
    assert outbox.pending_bytes == 0


def test_simple_updates_fill_calls_to_the_last_place() -> None:
    outbox = Outbox()
    for n in range(600):
        outbox.add(update(n, "STEP", "START"))  # type: ignore[arg-type]
    assert [len(call) for call in drain(outbox)] == [250, 250, 100]


def test_a_start_behind_a_retry_of_the_same_step_goes_with_the_next_call() -> None:
    outbox = Outbox()
    for action in ("START", "RETRY", "START", "SUCCEED"):
        outbox.add(update(1, "STEP", action))  # type: ignore[arg-type]
    assert [[one["Action"] for one in call] for call in drain(outbox)] == [["START", "RETRY"], ["START", "SUCCEED"]]


def test_a_cancelled_wait_is_not_started_in_the_same_call() -> None:
    outbox = Outbox()
    outbox.add(update(1, "WAIT", "START"))  # type: ignore[arg-type]
    outbox.add(update(1, "WAIT", "CANCEL"))  # type: ignore[arg-type]
    assert [len(call) for call in drain(outbox)] == [1, 1]


def test_many_payloads_that_are_short_each_are_too_much_together() -> None:
    outbox = Outbox()
    for n in range(250):
        outbox.add(update(n, "STEP", "SUCCEED", 4000, "\x00"))  # type: ignore[arg-type]
    calls = drain(outbox)
    assert len(calls) > 5
    for call in calls:
        assert len(json.encode(call)) <= MAX_CHECKPOINT_BYTES


def test_a_payload_above_the_limit_of_a_call_goes_alone() -> None:
    outbox = Outbox()
    for n, size in enumerate((10, 900_000, 10)):
        outbox.add(update(n, "STEP", "SUCCEED", size))  # type: ignore[arg-type]
    assert [len(call) for call in drain(outbox)] == [1, 1, 1]


def test_what_is_discarded_leaves_nothing_behind() -> None:
    outbox = Outbox()
    outbox.add(update(1, "WAIT", "CANCEL", 5000))  # type: ignore[arg-type]
    outbox.discard()
    assert not outbox.has_pending
    assert outbox.pending_bytes == 0
    outbox.add(update(2, "STEP", "START"))  # type: ignore[arg-type]
    assert len(outbox.take()) == 1
