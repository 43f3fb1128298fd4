"""What users configure a batch with: the official SDK's fields and defaults, checked where they are written."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
from typing import Any

import aws_durable_execution_sdk_python.config as official
import pytest
from hypothesis import given
from hypothesis import strategies as st

import durably.config as config
from durably.config import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
    ItemBatcher,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    complete_batch,
    continue_batch,
)
from durably.exceptions import ValidationError
from durably.serdes import JsonSerDes
from durably.summaries import map_summary

SAME = [
    "MapConfig",
    "ParallelConfig",
    "ParallelBranch",
    "CompletionConfig",
    "CompletionDecision",
    "CompletionStatus",
    "CompletionItemStatus",
]


@pytest.mark.parametrize("name", SAME)
def test_positional_parameters_are_the_official_ones(name: str) -> None:
    theirs = inspect.signature(getattr(official, name)).parameters
    ours = inspect.signature(getattr(config, name)).parameters
    assert [p.name for p in ours.values() if p.kind is not p.KEYWORD_ONLY] == list(theirs)
    for parameter in theirs.values():
        default = parameter.default
        if default is parameter.empty or isinstance(default, (int, str, tuple, type(None))):
            assert ours[parameter.name].default == default
    added = {p.name for p in ours.values() if p.kind is p.KEYWORD_ONLY}
    assert added == {"MapConfig": {"item_batcher", "result_type"}, "ParallelConfig": {"result_type"}}.get(name, set())


@pytest.mark.parametrize("name", ["NestingType", "BatchItemStatus", "CompletionOutcome"])
def test_enums_have_the_official_members(name: str) -> None:
    ours, theirs = getattr(config, name), getattr(official, name)
    assert {m.name: m.value for m in ours} == {m.name: m.value for m in theirs}


def test_defaults() -> None:
    assert MapConfig[Any]().completion_config == CompletionConfig()
    assert ParallelConfig().completion_config == CompletionConfig.all_successful()
    assert MapConfig[Any]().nesting_type is ParallelConfig().nesting_type is NestingType.NESTED
    assert ItemBatcher() == ItemBatcher(max_items_per_batch=100, max_bytes_per_batch=262_144)


def test_presets_are_the_official_ones() -> None:
    for preset in ("first_successful", "all_completed", "all_successful"):
        ours, theirs = getattr(CompletionConfig, preset)(), getattr(official.CompletionConfig, preset)()
        assert ours._get() == dataclasses.asdict(theirs)


@pytest.mark.parametrize(
    "value",
    [
        MapConfig(3, CompletionConfig(2), item_batcher=ItemBatcher(5), result_type=int),
        ParallelConfig(2, CompletionConfig(tolerated_failure_percentage=12.5)),
        CompletionStatus(1, 2, 3, 4, [CompletionItemStatus(0, "a", BatchItemStatus.FAILED)]),
        complete_batch(CompletionOutcome.FAILED),
        ItemBatcher(7, 8),
    ],
)
def test_are_values(value: Any) -> None:
    assert value == copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == dataclasses.replace(value)
    assert hash(value) == hash(copy.copy(value))
    assert type(value).__module__ == "durably.config"
    with pytest.raises(AttributeError, match="frozen"):
        value.max_concurrency = 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: MapConfig(0), "max_concurrency is 0, and must be at least 1"),
        (lambda: ParallelConfig(-1), "max_concurrency is -1"),
        (lambda: MapConfig(1.5), "max_concurrency is 1.5, and must be an int"),  # type: ignore[arg-type]
        (lambda: MapConfig(True), "max_concurrency is True"),
        (lambda: MapConfig(completion_config=None), "CompletionConfig.all_completed"),  # type: ignore[arg-type]
        (lambda: MapConfig(serdes=JsonSerDes), "JsonSerDes"),  # type: ignore[arg-type]
        (lambda: ParallelConfig(item_serdes=3), "item_serdes is 3"),  # type: ignore[arg-type]
        (lambda: MapConfig(summary_generator="x"), "summary_generator is 'x'"),  # type: ignore[arg-type]
        (lambda: MapConfig(nesting_type="FLAT"), "NestingType.FLAT"),  # type: ignore[arg-type]
        (lambda: MapConfig(item_namer="x"), "item_namer is 'x'"),  # type: ignore[arg-type]
        (lambda: MapConfig(item_batcher=10), "pass an ItemBatcher"),  # type: ignore[arg-type]
        (lambda: MapConfig(item_serdes=JsonSerDes(), result_type=int), "item_serdes and result_type"),
        (lambda: ParallelConfig(serdes=JsonSerDes(), result_type=int), "serdes and result_type"),
        (lambda: ItemBatcher(0), "max_items_per_batch is 0, and must be at least 1"),
        (lambda: ItemBatcher(5, None), "max_bytes_per_batch is None"),  # type: ignore[arg-type]
        (lambda: ParallelBranch("f"), "func is 'f'"),  # type: ignore[arg-type]
        (lambda: ParallelBranch(len, 3), "name is 3"),  # type: ignore[arg-type]
        (lambda: CompletionConfig(0), "min_successful is 0, and must be at least 1"),
        (lambda: CompletionConfig(tolerated_failure_count=-1), "tolerated_failure_count is -1"),
        (lambda: CompletionConfig(tolerated_failure_percentage=101), "from 0 to 100"),
        (lambda: CompletionConfig(tolerated_failure_percentage=math.nan), "nan"),
        (lambda: CompletionConfig(tolerated_failure_percentage="5"), "'5'"),  # type: ignore[arg-type]
        (lambda: CompletionConfig(should_complete=True), "should_complete is True"),  # type: ignore[arg-type]
        (
            lambda: CompletionConfig(1, 2, should_complete=lambda status: continue_batch()),
            "leave out min_successful and tolerated_failure_count",
        ),
        (lambda: CompletionDecision(True), "complete_batch()"),
        (lambda: CompletionDecision(False, CompletionOutcome.FAILED), "continue_batch()"),
        (lambda: complete_batch("FAILED"), "'FAILED'"),  # type: ignore[arg-type]
        (lambda: CompletionDecision(1), "complete is 1"),  # type: ignore[arg-type]
        (lambda: CompletionConfig(4).validate_for_total(3), "min_successful is 4, and there are only 3 items"),
        (lambda: CompletionConfig.first_successful().validate_for_total(0), "only 0 items"),
    ],
)
def test_what_cannot_work_is_refused_by_name(make: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        make()
    assert says in str(error.value)


def test_what_fits_the_total_passes() -> None:
    CompletionConfig(3).validate_for_total(3)
    CompletionConfig.all_completed().validate_for_total(0)


def test_a_branch_is_called_like_its_function() -> None:
    branch = ParallelBranch(lambda context, *, twice: (context, twice), "pair")
    assert branch("c", twice=True) == ("c", True)
    assert ParallelBranch(len, "n") == ParallelBranch(func=len, name="n") != ParallelBranch(len)


def test_ready_made_summaries_fit() -> None:
    assert MapConfig(summary_generator=map_summary).summary_generator is map_summary


# ---- ItemBatcher -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batcher", "sizes", "batches"),
    [
        (ItemBatcher(), [], []),
        (ItemBatcher(2), [1, 1, 1, 1, 1], [(0, [1, 1]), (2, [1, 1]), (4, [1])]),
        (ItemBatcher(100, 10), [4, 6, 1], [(0, [4, 6]), (2, [1])]),
        (ItemBatcher(100, 10), [4, 7, 3], [(0, [4]), (1, [7, 3])]),
        (ItemBatcher(100, 10), [1, 50, 1], [(0, [1]), (1, [50]), (2, [1])]),
        (ItemBatcher(100, 10), [50, 50], [(0, [50]), (1, [50])]),
        (ItemBatcher(100, 10), [10, 0, 0], [(0, [10, 0, 0])]),
        (ItemBatcher(1, 10), [0, 0], [(0, [0]), (1, [0])]),
    ],
)
def test_batches(batcher: ItemBatcher, sizes: list[int], batches: list[tuple[int, list[int]]]) -> None:
    assert batcher.batches(sizes, lambda size: size) == batches


@given(
    st.lists(st.integers(0, 30)),
    st.integers(1, 6),
    st.integers(1, 40),
)
def test_every_item_is_in_exactly_one_batch_and_no_batch_could_be_longer(
    sizes: list[int], most_items: int, most_bytes: int
) -> None:
    items = list(enumerate(sizes))
    batches = ItemBatcher(most_items, most_bytes).batches(items, lambda item: item[1])
    assert [item for _, batch in batches for item in batch] == items
    for position, (start, batch) in enumerate(batches):
        assert batch[0][0] == start
        assert len(batch) <= most_items
        assert len(batch) == 1 or sum(size for _, size in batch) <= most_bytes
        if position + 1 < len(batches):
            longer = [*batch, batches[position + 1][1][0]]
            assert len(longer) > most_items or sum(size for _, size in longer) > most_bytes
