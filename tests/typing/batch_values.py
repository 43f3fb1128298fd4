"""What type checkers make of batches and wait strategies. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from durably.concurrency import BatchItem, BatchResult, CompletionReason, ErrorObject
from durably.config import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionStatus,
    Duration,
    ItemBatcher,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    complete_batch,
    continue_batch,
)
from durably.summaries import map_summary, parallel_summary
from durably.waits import (
    ExponentialWait,
    FixedWait,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WaitStrategyConfig,
    create_wait_strategy,
    decide_wait,
)

# results
result: BatchResult[int] = BatchResult([BatchItem(0, BatchItemStatus.SUCCEEDED, 1)], CompletionReason.ALL_COMPLETED)
assert_type(result.get_results(), list[int])
assert_type(result[0], BatchItem[int])
assert_type(result[0].get_result(), int)
assert_type(result[0].result, int | None)
assert_type(result[:1], list[BatchItem[int]])
assert_type(result.get_errors(), list[ErrorObject | None])
for item in result:
    assert_type(item, BatchItem[int])
wider: BatchResult[object] = result
narrower: BatchResult[bool] = result  # type: ignore[assignment]
result.all = []  # type: ignore[misc]


# configs
def two_of_three(status: CompletionStatus) -> CompletionDecision:
    return complete_batch() if status.success_count >= 2 else continue_batch()


def wrong(status: CompletionStatus) -> bool:
    return status.success_count >= 2


CompletionConfig(should_complete=two_of_three)
CompletionConfig(should_complete=wrong)  # type: ignore[arg-type]
MapConfig[str](3, summary_generator=map_summary, item_namer=lambda item, index: item.upper())
in_batches = MapConfig(item_batcher=ItemBatcher(10), result_type=int)
assert_type(in_batches, MapConfig[Any])
named: MapConfig[str] = MapConfig(item_namer=lambda item, index: item.upper())
MapConfig(3, item_batchers=None)  # type: ignore[call-overload]
ParallelConfig(completion_config=CompletionConfig.first_successful(), summary_generator=parallel_summary)
ParallelConfig(3, None)  # type: ignore[arg-type]
assert_type(ItemBatcher().batches(["a"], len), list[tuple[int, list[str]]])


def fetch(context: Any) -> float:
    return 1.0


assert_type(ParallelBranch(fetch, "prices"), ParallelBranch[float])
assert_type(ParallelBranch(fetch)(None), float)


# waits
def finished(state: str) -> bool:
    return state == "done"


def every_minute(state: str, attempts: int) -> timedelta | None:
    return None if finished(state) else timedelta(minutes=1)


assert_type(FixedWait(finished), FixedWait[str])
assert_type(create_wait_strategy(WaitStrategyConfig(finished)), ExponentialWait[str])
assert_type(WaitForConditionConfig(every_minute, "new").initial_state, str)
assert_type(decide_wait(every_minute, "new", 1), WaitForConditionDecision)
WaitForConditionConfig(every_minute, 3)  # type: ignore[arg-type]
WaitForConditionConfig(every_minute, "new", timeout=60)  # type: ignore[call-overload]
WaitForConditionConfig(every_minute, "new", timeout=Duration(60))
