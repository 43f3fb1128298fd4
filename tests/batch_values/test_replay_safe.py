"""Values that a replay makes again: the vectors hold for every release, or executions in flight break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import RFC_4122

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.exceptions import ValidationError
from durably.replay_safe import (
    random_from_operation,
    timestamp_from_execution,
    timestamp_seconds_from_execution,
    uuid_from_operation,
    uuid_string_from_operation,
)

RANDOM = [0.9934730631328068, 0.09778705043989377, 0.14466565194709557]
BITS = 14375125785132408197

seeds = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("op_id", "seed", "text"),
    [
        ("my-operation-123", 0, "bc4d5388-118b-4be1-9c2a-4d8fcc4e374f"),
        ("my-operation-123", 1, "68b8ddd5-443a-4761-9785-d880bcd2fcfd"),
    ],
)
def test_uuid_vectors(op_id: str, seed: int, text: str) -> None:
    assert uuid_string_from_operation(op_id, seed) == str(uuid_from_operation(op_id, seed)) == text


def test_the_seed_is_zero_unless_given() -> None:
    assert uuid_from_operation("a") == uuid_from_operation("a", 0)
    assert random_from_operation("a").random() == random_from_operation("a", 0).random()


@given(st.text(), seeds)
def test_a_uuid_looks_random_and_is_the_same_again(op_id: str, seed: int) -> None:
    value = uuid_from_operation(op_id, seed)
    assert (value.version, value.variant) == (4, RFC_4122)
    assert value == uuid_from_operation(op_id, seed)


def test_uuids_differ_by_operation_and_by_seed() -> None:
    made = {uuid_from_operation(f"op-{number}", seed) for number in range(50) for seed in range(20)}
    assert len(made) == 1000


def test_random_vectors() -> None:
    source = random_from_operation("my-operation-123", 7)
    assert [source.random() for _ in range(3)] == RANDOM
    assert source.getrandbits(64) == BITS


def test_random_differs_by_operation_and_by_seed() -> None:
    first = {random_from_operation(f"op-{number}", seed).random() for number in range(20) for seed in range(20)}
    assert len(first) == 400


@given(st.integers(0, 253_402_300_799_999))
def test_timestamps(start_ms: int) -> None:
    moment = timestamp_from_execution(start_ms)
    assert moment.utcoffset() == timedelta(0)
    assert moment - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(milliseconds=start_ms)
    assert timestamp_seconds_from_execution(start_ms) == start_ms // 1000 == int(moment.timestamp())


def test_timestamp_vectors() -> None:
    assert timestamp_from_execution(1_700_000_000_123).isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert timestamp_seconds_from_execution(1_700_000_000_999) == 1_700_000_000


@pytest.mark.parametrize("start_ms", [-1, 253_402_300_800_000, 10**30, float("nan"), None, "0", True])
def test_what_is_no_time_is_refused_by_name(start_ms: Any) -> None:
    for make in (timestamp_from_execution, timestamp_seconds_from_execution):
        with pytest.raises(ValidationError, match="start_ms is") as error:
            make(start_ms)
        assert repr(start_ms) in str(error.value)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None, True])
def test_what_is_no_seed_is_refused_by_name(seed: Any) -> None:
    for make in (uuid_from_operation, random_from_operation):
        with pytest.raises(ValidationError, match="seed is") as error:
            make("op", seed)
        assert repr(seed) in str(error.value)


def test_an_operation_id_is_text() -> None:
    with pytest.raises(ValidationError, match="op_id is 3"):
        uuid_from_operation(3)  # type: ignore[arg-type]
