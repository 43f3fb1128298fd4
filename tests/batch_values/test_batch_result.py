"""What a map or a parallel returns."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import durably.exceptions
from durably.concurrency import BatchCompletionError, BatchItem, BatchResult, CompletionReason, ErrorObject
from durably.config import BatchItemStatus as S
from durably.config import CompletionConfig
from durably.exceptions import ChildContextError, DurableOperationError, InvalidStateError, SerDesError, StepError
from durably.summaries import map_summary, parallel_summary

ALL = CompletionReason.ALL_COMPLETED
TOO_MANY = CompletionReason.FAILURE_TOLERANCE_EXCEEDED
OUT = ErrorObject("none left", "shop.OutOfStock", '{"sku":"x"}', ['File "shop.py", line 3'])
MIXED: BatchResult[int] = BatchResult(
    [
        BatchItem(0, S.SUCCEEDED, 10),
        BatchItem(1, S.FAILED, error=OUT),
        BatchItem(2, S.STARTED),
        BatchItem(3, S.SUCCEEDED, 13, name="last"),
    ],
    TOO_MANY,
)
EMPTY: BatchResult[int] = BatchResult([], ALL)


def test_items_by_status_in_input_order() -> None:
    assert [item.index for item in MIXED.succeeded()] == [0, 3]
    assert [item.index for item in MIXED.failed()] == [1]
    assert [item.index for item in MIXED.started()] == [2]
    assert (MIXED.success_count, MIXED.failure_count, MIXED.started_count, MIXED.total_count) == (2, 1, 1, 4)
    assert MIXED.get_results() == [10, 13]
    assert MIXED.get_errors() == [OUT]
    assert MIXED.has_failure
    assert not EMPTY.has_failure


def all_succeeded(results: list[Any]) -> tuple[BatchResult[Any], BatchResult[Any]]:
    """As the engine makes it of many results, and as a program does of its items."""
    return BatchResult._of_results(results, ALL), BatchResult(
        [BatchItem(index, S.SUCCEEDED, result) for index, result in enumerate(results)], ALL
    )


@pytest.mark.parametrize("results", [[], [1], [1, None, "x", [2]]])
def test_items_that_are_made_when_they_are_asked_for_are_the_same(results: list[Any]) -> None:
    questions = [
        lambda one: one.all,
        lambda one: list(one),
        lambda one: one[-1:],
        len,
        bool,
        repr,
        lambda one: (one.succeeded(), one.failed(), one.started()),
        lambda one: (one.success_count, one.failure_count, one.started_count, one.total_count),
        lambda one: (one.has_failure, one.status, one.get_results(), one.get_errors(), one.throw_if_error()),
        lambda one: one.to_dict(),
        lambda one: pickle.loads(pickle.dumps(one)),
        copy.copy,
        copy.deepcopy,
        lambda one: one == BatchResult(one.all, ALL),
        map_summary,
        parallel_summary,
    ]
    for question in questions:
        made, usual = all_succeeded(results)
        assert question(made) == question(usual)  # type: ignore[operator]
        assert made == usual


def test_the_list_of_items_is_the_same_each_time_and_the_programs_own() -> None:
    made, _ = all_succeeded([1, 2, 3])
    results = made.get_results()
    results.clear()
    assert made.get_results() == [1, 2, 3]
    made.all.pop()
    assert made.all is made.all
    assert (len(made), made.get_results(), made.success_count) == (2, [1, 2], 2)
    with pytest.raises(AttributeError):
        made.all = []  # type: ignore[misc]


def test_none_is_a_result() -> None:
    assert BatchResult([BatchItem(0, S.SUCCEEDED)], ALL).get_results() == [None]


def test_as_a_sequence() -> None:
    assert [item.index for item in MIXED] == [0, 1, 2, 3]
    assert len(MIXED) == 4
    assert MIXED[3].name == "last"
    assert [item.index for item in MIXED[1:3]] == [1, 2]
    assert bool(EMPTY)
    assert len(EMPTY) == 0


@pytest.mark.parametrize("value", [MIXED, EMPTY, MIXED[1], OUT])
def test_are_values(value: Any) -> None:
    assert value == copy.deepcopy(value) == pickle.loads(pickle.dumps(value))
    assert type(value).__module__ in ("durably", "durably.concurrency")
    with pytest.raises(AttributeError, match="frozen"):
        value.index = 1


@pytest.mark.parametrize(
    ("statuses", "reason", "status"),
    [
        ([], ALL, S.SUCCEEDED),
        ([S.SUCCEEDED], ALL, S.SUCCEEDED),
        ([S.SUCCEEDED, S.STARTED], CompletionReason.MIN_SUCCESSFUL_REACHED, S.SUCCEEDED),
        ([S.SUCCEEDED, S.FAILED], ALL, S.FAILED),
        ([S.FAILED], CompletionReason.CUSTOM_COMPLETION_SUCCEEDED, S.SUCCEEDED),
        ([S.SUCCEEDED], CompletionReason.CUSTOM_COMPLETION_FAILED, S.FAILED),
    ],
)
def test_status(statuses: list[S], reason: CompletionReason, status: S) -> None:
    assert BatchResult([BatchItem(i, one) for i, one in enumerate(statuses)], reason).status is status


class TestErrors:
    def test_the_first_failed_item_is_raised_as_a_failed_branch(self) -> None:
        with pytest.raises(ChildContextError, match=r"^none left$") as caught:
            MIXED.throw_if_error()
        error = caught.value
        assert (error.error_type, error.data, error.stack_trace) == (OUT.type, OUT.data, OUT.stack_trace)
        assert type(error.__cause__) is DurableOperationError

    def test_a_cause_of_ours_is_rebuilt_as_its_class(self) -> None:
        item: BatchItem[int] = BatchItem(0, S.FAILED, error=ErrorObject("m", "durably.StepError"))
        with pytest.raises(ChildContextError) as caught:
            item.get_result()
        assert type(caught.value.__cause__) is StepError

    def test_a_serdes_error_stays_one(self) -> None:
        item: BatchItem[int] = BatchItem(0, S.FAILED, error=ErrorObject("m", "durably.SerDesError"))
        with pytest.raises(SerDesError, match=r"^m$"):
            BatchResult([item], ALL).throw_if_error()

    def test_an_item_without_an_error_says_which_it_is(self) -> None:
        with pytest.raises(ChildContextError, match=r"item 1 \(b\) failed, and no error was recorded"):
            BatchResult([BatchItem(0, S.SUCCEEDED, 1), BatchItem(1, S.FAILED, name="b")], ALL).throw_if_error()

    def test_nothing_failed_nothing_raised(self) -> None:
        EMPTY.throw_if_error()
        BatchResult([BatchItem(0, S.SUCCEEDED, 1), BatchItem(1, S.STARTED)], ALL).throw_if_error()

    def test_a_predicate_that_failed_the_batch_is_raised_if_no_item_failed(self) -> None:
        reason = CompletionReason.CUSTOM_COMPLETION_FAILED
        with pytest.raises(BatchCompletionError, match="CUSTOM_COMPLETION_FAILED") as caught:
            BatchResult([BatchItem(0, S.SUCCEEDED, 1)], reason).throw_if_error()
        assert caught.value.completion_reason is reason
        with pytest.raises(ChildContextError):
            BatchResult(MIXED.all, reason).throw_if_error()

    def test_result_of_an_item(self) -> None:
        assert MIXED[0].get_result() == 10
        with pytest.raises(InvalidStateError, match="item 2 was not done"):
            MIXED[2].get_result()

    @pytest.mark.parametrize(
        "recorded",
        ["durably.BatchCompletionError", "aws_durable_execution_sdk_python.concurrency.models.BatchCompletionError"],
    )
    def test_the_completion_error_is_rebuilt_from_its_record(self, recorded: str) -> None:
        error = DurableOperationError.from_error_fields(recorded, "no quorum")
        assert type(error) is BatchCompletionError
        assert (error.message, error.completion_reason) == ("no quorum", CompletionReason.CUSTOM_COMPLETION_FAILED)
        assert error.code == "BATCH_COMPLETION_FAILED"

    def test_the_completion_error_records_its_name(self) -> None:
        record = durably.exceptions.error_object(BatchCompletionError())
        assert record["ErrorType"] == "durably.BatchCompletionError"


class TestErrorObject:
    def test_to_and_from_the_wire(self) -> None:
        wire = {
            "ErrorMessage": "none left",
            "ErrorType": "shop.OutOfStock",
            "ErrorData": '{"sku":"x"}',
            "StackTrace": ['File "shop.py", line 3'],
        }
        assert OUT.to_dict() == wire
        assert ErrorObject.from_dict(wire) == OUT
        assert ErrorObject().to_dict() == {}
        assert ErrorObject.from_dict({}) == ErrorObject()
        assert ErrorObject.from_message("m") == ErrorObject("m")

    def test_from_an_exception_is_what_would_be_recorded(self) -> None:
        error = ErrorObject.from_exception(ValueError("no"))
        assert (error.message, error.type, error.data) == ("no", "ValueError", None)

    def test_can_be_raised(self) -> None:
        with pytest.raises(ChildContextError, match="none left"):
            raise OUT.to_exception()
        with pytest.raises(StepError, match="none left"):
            OUT.raise_as_operation_error(StepError)
        assert type(OUT.to_durable_operation_error()) is DurableOperationError
        assert str(OUT) == "shop.OutOfStock: none left"
        assert str(ErrorObject()) == "unknown error"

    def test_hashable_with_its_lines(self) -> None:
        assert len({OUT, copy.deepcopy(OUT), ErrorObject("other")}) == 2


class TestDicts:
    def test_the_recorded_form(self) -> None:
        assert MIXED.to_dict() == {
            "all": [
                {"index": 0, "status": "SUCCEEDED", "result": 10, "error": None},
                {"index": 1, "status": "FAILED", "result": None, "error": OUT.to_dict()},
                {"index": 2, "status": "STARTED", "result": None, "error": None},
                {"index": 3, "status": "SUCCEEDED", "result": 13, "error": None, "name": "last"},
            ],
            "completionReason": "FAILURE_TOLERANCE_EXCEEDED",
        }
        assert BatchResult.from_dict(MIXED.to_dict()) == MIXED

    @pytest.mark.parametrize(
        ("statuses", "config", "reason"),
        [
            (["SUCCEEDED", "SUCCEEDED"], None, ALL),
            (["SUCCEEDED", "FAILED"], None, TOO_MANY),
            (["SUCCEEDED", "FAILED"], CompletionConfig.all_completed(), ALL),
            (["SUCCEEDED", "STARTED"], CompletionConfig(1), CompletionReason.MIN_SUCCESSFUL_REACHED),
            (["SUCCEEDED", "STARTED"], None, ALL),
        ],
    )
    def test_a_missing_reason_is_inferred(
        self, statuses: list[str], config: CompletionConfig | None, reason: CompletionReason
    ) -> None:
        data = {"all": [{"index": index, "status": status} for index, status in enumerate(statuses)]}
        assert BatchResult.from_dict(data, config).completion_reason is reason


@pytest.mark.parametrize(
    ("statuses", "reason", "status"),
    [
        ([], ALL, "completed"),
        ([S.SUCCEEDED, S.SUCCEEDED], ALL, "completed"),
        ([S.SUCCEEDED, S.STARTED], CompletionReason.MIN_SUCCESSFUL_REACHED, "completed"),
        ([S.SUCCEEDED, S.FAILED], ALL, "partial"),
        ([S.FAILED, S.FAILED], ALL, "failed"),
        ([S.FAILED, S.STARTED], TOO_MANY, "failed"),
        ([S.SUCCEEDED, S.SUCCEEDED], CompletionReason.CUSTOM_COMPLETION_FAILED, "failed"),
    ],
)
def test_summaries(statuses: list[S], reason: CompletionReason, status: str) -> None:
    result: BatchResult[int] = BatchResult([BatchItem(i, one) for i, one in enumerate(statuses)], reason)
    counts = (
        f'"totalCount":{len(statuses)},"successCount":{statuses.count(S.SUCCEEDED)},'
        f'"failureCount":{statuses.count(S.FAILED)},"status":"{status}"'
    )
    assert map_summary(result) == f'{{"type":"map",{counts}}}'
    assert parallel_summary(result) == f'{{"type":"parallel",{counts}}}'
