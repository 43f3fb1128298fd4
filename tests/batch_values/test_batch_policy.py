"""When a batch is complete: against a naive oracle, and against the official SDK's own policy."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import aws_durable_execution_sdk_python.concurrency.models as official_models
import aws_durable_execution_sdk_python.config as official
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.concurrency import BatchItem, BatchResult, CompletionReason, ErrorObject
from durably.config import (
    BatchItemStatus,
    CompletionConfig,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
    complete_batch,
    continue_batch,
)
from durably.engine.batch_policy import CompletionPolicy, CompletionRecord, ItemStatuses
from durably.exceptions import ValidationError

ALL = CompletionReason.ALL_COMPLETED
MIN = CompletionReason.MIN_SUCCESSFUL_REACHED
TOO_MANY = CompletionReason.FAILURE_TOLERANCE_EXCEEDED


@pytest.mark.parametrize(
    ("config", "total", "succeeded", "failed", "reason"),
    [
        (None, 0, 0, 0, ALL),
        (None, 3, 2, 0, None),
        (None, 3, 3, 0, ALL),
        (None, 3, 0, 1, TOO_MANY),
        (None, 1, 0, 1, TOO_MANY),
        (CompletionConfig.all_completed(), 3, 0, 2, None),
        (CompletionConfig.all_completed(), 3, 0, 3, ALL),
        (CompletionConfig.all_completed(), 0, 0, 0, ALL),
        (CompletionConfig.all_successful(), 3, 2, 1, TOO_MANY),
        (CompletionConfig.first_successful(), 3, 0, 2, None),
        (CompletionConfig.first_successful(), 3, 0, 3, ALL),
        (CompletionConfig.first_successful(), 3, 1, 1, MIN),
        (CompletionConfig.first_successful(), 1, 1, 0, ALL),
        (CompletionConfig(2, 1), 5, 2, 2, TOO_MANY),
        (CompletionConfig(2, 1), 5, 2, 1, MIN),
        (CompletionConfig(2, 1), 3, 2, 1, ALL),
        (CompletionConfig(tolerated_failure_count=1, tolerated_failure_percentage=10), 5, 0, 1, TOO_MANY),
        (CompletionConfig(tolerated_failure_count=0, tolerated_failure_percentage=90), 5, 0, 1, TOO_MANY),
        (CompletionConfig(tolerated_failure_percentage=20), 5, 0, 1, None),
        (CompletionConfig(tolerated_failure_percentage=20), 5, 0, 2, TOO_MANY),
        # 7 / 100 * 100 is a little more than 7 in binary fractions, 33.3 a little less than 33.3.
        (CompletionConfig(tolerated_failure_percentage=7), 100, 0, 7, None),
        (CompletionConfig(tolerated_failure_percentage=7), 100, 0, 8, TOO_MANY),
        (CompletionConfig(tolerated_failure_percentage=33.3), 1000, 0, 333, None),
        (CompletionConfig(tolerated_failure_percentage=33.3), 1000, 0, 334, TOO_MANY),
    ],
)
def test_decisions(
    config: CompletionConfig | None, total: int, succeeded: int, failed: int, reason: CompletionReason | None
) -> None:
    assert CompletionPolicy(total, config).decide(succeeded, failed) is reason


totals = st.integers(0, 60)
configs = st.builds(
    CompletionConfig,
    min_successful=st.none() | st.integers(1, 20),
    tolerated_failure_count=st.none() | st.integers(0, 20),
    tolerated_failure_percentage=st.none() | st.integers(0, 100) | st.sampled_from([12.5, 33.3, 66.6, 99.9]),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[bool]]:
    """How many items there are, and the outcomes of those that are done, in order."""
    total = draw(totals)
    return total, draw(st.lists(st.booleans(), max_size=total))


def naive(total: int, config: CompletionConfig, succeeded: int, failed: int) -> CompletionReason | None:
    count, share = config.tolerated_failure_count, config.tolerated_failure_percentage
    if count is share is config.min_successful is None and failed:
        return TOO_MANY
    if count is not None and failed > count:
        return TOO_MANY
    if share is not None and failed * 100 > Fraction(str(share)) * total:
        return TOO_MANY
    if succeeded + failed == total:
        return ALL
    if config.min_successful is not None and succeeded >= config.min_successful:
        return MIN
    return None


@given(histories(), configs)
def test_decides_as_the_naive_oracle(history: tuple[int, list[bool]], config: CompletionConfig) -> None:
    total, outcomes = history
    succeeded = sum(outcomes)
    failed = len(outcomes) - succeeded
    policy = CompletionPolicy(total, config)
    reason = policy.decide(succeeded, failed)
    assert reason is naive(total, config, succeeded, failed)
    assert policy.may_admit(failed) is (reason is not TOO_MANY)


@given(histories(), configs)
def test_a_decision_stands_and_all_done_is_one(history: tuple[int, list[bool]], config: CompletionConfig) -> None:
    total, outcomes = history
    policy = CompletionPolicy(total, config)
    decided = admits = None
    for done in range(len(outcomes) + 1):
        succeeded = sum(outcomes[:done])
        reason = policy.decide(succeeded, done - succeeded)
        assert decided is None or reason is not None
        assert admits is None or admits or not policy.may_admit(done - succeeded)
        decided, admits = reason, policy.may_admit(done - succeeded)
    if len(outcomes) == total:
        assert decided is not None


@given(histories(), configs)
def test_decides_as_the_official_policy(history: tuple[int, list[bool]], config: CompletionConfig) -> None:
    total, outcomes = history
    succeeded = sum(outcomes)
    failed = len(outcomes) - succeeded
    share = config.tolerated_failure_percentage
    if share is not None and total and abs(failed * 100 / total - share) < 1e-6:
        return  # where binary fractions decide theirs
    theirs = official_models.CompletionPolicy.from_config(total, official.CompletionConfig(**config._get()))
    ends = theirs.is_complete(succeeded, failed) or not theirs.should_continue(failed)
    expected = theirs.reason(succeeded, failed).value if ends else None
    reason = CompletionPolicy(total, config).decide(succeeded, failed)
    assert (reason and reason.value) == expected


# ---- a predicate --------------------------------------------------------------------------------------------


def test_a_predicate_decides_alone_and_sees_everything() -> None:
    seen: list[CompletionStatus] = []

    def quorum(status: CompletionStatus) -> Any:
        seen.append(status)
        first = status.items[0].status
        return complete_batch() if first is BatchItemStatus.SUCCEEDED else continue_batch()

    policy = CompletionPolicy(3, CompletionConfig(should_complete=quorum))
    statuses = ItemStatuses(["a", None, "c"])
    assert policy.has_predicate
    assert policy.decide(0, 0, statuses) is None
    statuses.set(1, BatchItemStatus.FAILED)
    statuses.set(2, BatchItemStatus.FAILED)
    assert policy.decide(0, 2, statuses) is None
    assert policy.may_admit(2)
    statuses.set(0, BatchItemStatus.SUCCEEDED)
    assert policy.decide(1, 2, statuses) is CompletionReason.CUSTOM_COMPLETION_SUCCEEDED
    assert len(seen) == 3
    assert seen[0] == CompletionStatus(
        0, 0, 0, 3, [CompletionItemStatus(0, "a"), CompletionItemStatus(1), CompletionItemStatus(2, "c")]
    )
    assert [item.status for item in seen[1].items] == [None, BatchItemStatus.FAILED, BatchItemStatus.FAILED]
    assert seen[2]._get() | {"items": ()} == CompletionStatus(1, 2, 3, 3)._get()


def test_a_predicate_may_fail_the_batch_and_comes_before_all_done() -> None:
    config = CompletionConfig(should_complete=lambda status: complete_batch(CompletionOutcome.FAILED))
    assert CompletionPolicy(2, config).decide(2, 0) is CompletionReason.CUSTOM_COMPLETION_FAILED
    assert CompletionPolicy(0, config).decide(0, 0) is CompletionReason.CUSTOM_COMPLETION_FAILED


def test_all_done_is_complete_whatever_the_predicate_says() -> None:
    policy = CompletionPolicy(2, CompletionConfig(should_complete=lambda status: continue_batch()))
    assert policy.decide(0, 1) is None
    assert policy.decide(0, 2) is ALL


async def _later(status: CompletionStatus) -> Any:
    return complete_batch()


@pytest.mark.parametrize(
    ("predicate", "says"),
    [
        (lambda status: True, "answered True: return continue_batch() or complete_batch()"),
        (lambda status: None, "answered None"),
        (_later, "should_complete is async"),
    ],
)
def test_what_is_no_decision_is_refused(predicate: Any, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        CompletionPolicy(1, CompletionConfig(should_complete=predicate)).decide(0, 0)
    assert says in str(error.value)


def test_what_a_predicate_raises_goes_through() -> None:
    def broken(status: CompletionStatus) -> Any:
        raise ZeroDivisionError("no items")

    with pytest.raises(ZeroDivisionError):
        CompletionPolicy(1, CompletionConfig(should_complete=broken)).decide(0, 0)


# ---- the record ----------------------------------------------------------------------------------------------

S = BatchItemStatus


def result_of(statuses: list[BatchItemStatus], reason: CompletionReason = ALL) -> BatchResult[int]:
    return BatchResult(
        [BatchItem(i, status, i if status is S.SUCCEEDED else None) for i, status in enumerate(statuses)], reason
    )


def test_the_envelope_is_the_official_one() -> None:
    failed = BatchItem[Any](1, S.FAILED, error=ErrorObject("out"))
    result = BatchResult([BatchItem(0, S.SUCCEEDED, 1), failed, BatchItem(2, S.STARTED)], TOO_MANY)
    assert CompletionRecord.envelope(result, "MapResult", "two words") == (
        '{"type":"MapResult","totalCount":3,"completionReason":"FAILURE_TOLERANCE_EXCEEDED","startedIndexes":[2],'
        '"startedCount":1,"successCount":1,"failureCount":1,"status":"FAILED","summary":"two words"}'
    )
    assert CompletionRecord.envelope(result_of([S.SUCCEEDED, S.STARTED, S.STARTED], MIN), "ParallelResult") == (
        '{"type":"ParallelResult","totalCount":3,"completionReason":"MIN_SUCCESSFUL_REACHED","completedIndexes":[0],'
        '"startedCount":2,"successCount":1,"failureCount":0,"status":"SUCCEEDED"}'
    )


@given(st.lists(st.sampled_from(list(S))), st.sampled_from(list(CompletionReason)), st.none() | st.text())
def test_the_record_is_read_back_by_both_sdks(
    statuses: list[BatchItemStatus], reason: CompletionReason, summary: str | None
) -> None:
    payload = CompletionRecord.envelope(result_of(statuses, reason), "MapResult", summary)
    started = {index for index, status in enumerate(statuses) if status is S.STARTED}
    assert CompletionRecord.from_payload(payload) == CompletionRecord(reason, len(statuses), started)
    theirs = official_models.CompletionRecord.from_summary_payload(payload)
    assert theirs is not None
    assert (theirs.completion_reason.value, theirs.started_total) == (reason.value, len(statuses))
    assert theirs.started_indexes == started
    assert json.loads(payload).get("summary") == summary


GOOD = {"totalCount": 3, "completionReason": "ALL_COMPLETED", "startedIndexes": [2]}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "",
        "not JSON",
        "null",
        "[]",
        '"text"',
        "[" * 100_000,
        '{"totalCount":3}',
        *(
            json.dumps(GOOD | change)
            for change in (
                {"completionReason": "SUSPENDED"},
                {"completionReason": None},
                {"completionReason": ["ALL_COMPLETED"]},
                {"totalCount": -1},
                {"totalCount": True},
                {"totalCount": 3.0},
                {"totalCount": None},
                {"startedIndexes": [3]},
                {"startedIndexes": [-1]},
                {"startedIndexes": [True]},
                {"startedIndexes": ["2"]},
                {"startedIndexes": None},
                {"startedIndexes": {}, "completedIndexes": 3},
                {"startedIndexes": None, "completedIndexes": [7]},
            )
        ),
    ],
)
def test_a_payload_without_a_decision_is_none(payload: str | None) -> None:
    assert CompletionRecord.from_payload(json.dumps(GOOD)) == CompletionRecord(ALL, 3, [2])
    assert CompletionRecord.from_payload(payload) is None
