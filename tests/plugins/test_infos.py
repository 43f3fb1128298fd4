"""Infos: views that decode nothing until they are read, and otherwise the frozen dataclasses they look like."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from durably import ErrorObject
from durably.plugin import (
    DurableInstrumentationPlugin,
    InvocationEndInfo,
    InvocationStartInfo,
    InvocationStatus,
    OperationChangeInfo,
    OperationEndInfo,
    OperationInfo,
    OperationStartInfo,
    OperationStatus,
    OperationType,
    UserFunctionEndInfo,
    UserFunctionOutcome,
    UserFunctionStartInfo,
    view,
)

RECORD: dict[str, Any] = {
    "Id": "ab12",
    "Type": "STEP",
    "SubType": "Step",
    "Name": "charge",
    "ParentId": "cd34",
    "Status": "FAILED",
    "StartTimestamp": 1_700_000_000_123,
    "EndTimestamp": 1_700_000_001_000,
    "StepDetails": {"Attempt": 3, "Error": {"ErrorType": "ValueError", "ErrorMessage": "boom", "StackTrace": ["a"]}},
}


class Untouchable(dict[str, Any]):
    """A record that nobody may look at."""

    def _refuse(self, *args: Any) -> Any:
        raise AssertionError("it was looked at")

    __getitem__ = get = __iter__ = __contains__ = items = values = keys = _refuse  # type: ignore[assignment]


def test_nothing_is_decoded_until_it_is_asked_for() -> None:
    info = view(OperationEndInfo, Untouchable(RECORD), is_replayed=True)
    assert info.is_replayed is True
    with pytest.raises(AssertionError, match="looked at"):
        info.name  # noqa: B018


def test_what_is_read_is_read_once() -> None:
    info = view(OperationEndInfo, RECORD)
    assert info.error is info.error
    assert info.start_time is info.start_time


def test_a_view_reads_like_what_it_shows() -> None:
    info = view(OperationEndInfo, RECORD)
    assert info == OperationEndInfo(
        operation_id="ab12",
        operation_type=OperationType.STEP,
        sub_type="Step",
        name="charge",
        parent_id="cd34",
        start_time=datetime(2023, 11, 14, 22, 13, 20, 123000, UTC),
        is_replayed=False,
        status=OperationStatus.FAILED,
        end_time=datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC),
        error=ErrorObject("boom", "ValueError", None, ["a"]),
        attempt=3,
    )
    assert hash(info) == hash(view(OperationEndInfo, RECORD))
    assert "name='charge'" in repr(info)
    assert info.result is None


@pytest.mark.parametrize("details", ["StepDetails", "CallbackDetails", "ChainedInvokeDetails", "ContextDetails"])
def test_results_and_errors_are_found_wherever_the_type_keeps_them(details: str) -> None:
    record = {key: value for key, value in RECORD.items() if key != "StepDetails"}
    info = view(OperationInfo, record | {details: {"Result": "1", "Error": {"ErrorMessage": "m"}}})
    assert info.result == "1"
    assert info.error == ErrorObject("m")


def test_what_a_record_does_not_have_is_none() -> None:
    info = view(OperationInfo, {"Id": "e", "Type": "EXECUTION", "Status": "STARTED"})
    assert (info.sub_type, info.name, info.parent_id, info.start_time, info.end_time) == (None,) * 5
    assert (info.result, info.error, info.attempt) == (None,) * 3
    assert info.operation_type == "EXECUTION"


def test_a_view_can_be_copied_pickled_replaced_and_taken_apart() -> None:
    info = view(OperationEndInfo, RECORD)
    assert copy.copy(view(OperationEndInfo, RECORD)) == info
    assert copy.deepcopy(view(OperationEndInfo, RECORD)) == info
    assert pickle.loads(pickle.dumps(view(OperationEndInfo, RECORD))) == info
    assert dataclasses.replace(view(OperationEndInfo, RECORD), name="other").name == "other"
    assert dataclasses.asdict(view(OperationEndInfo, RECORD))["operation_id"] == "ab12"
    assert [field.name for field in dataclasses.fields(info)][:3] == ["operation_id", "operation_type", "sub_type"]


def test_infos_are_frozen() -> None:
    info = view(OperationEndInfo, RECORD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="'OperationEndInfo' object has no attribute 'nmae'"):
        info.nmae  # type: ignore[attr-defined]  # noqa: B018


COMMON: dict[str, Any] = {
    "operation_id": "a",
    "operation_type": OperationType.STEP,
    "sub_type": None,
    "name": None,
    "parent_id": None,
    "start_time": None,
    "is_replayed": False,
    "status": OperationStatus.STARTED,
}


def test_a_plugins_own_tests_can_make_infos() -> None:
    """With the parameters of the official SDK's."""
    assert OperationStartInfo(**COMMON).end_time is None
    assert UserFunctionStartInfo(**COMMON).is_replay_children is False
    end = UserFunctionEndInfo(**COMMON, is_replay_children=True, outcome=UserFunctionOutcome.FAILED, attempt=2)
    assert (end.attempt, end.error, end.outcome) == (2, None, UserFunctionOutcome.FAILED)
    start = InvocationStartInfo(request_id="r", execution_arn="arn", is_first_invocation=True)
    assert (start.operations, start.updated_operations, start.execution_input) == ({}, {}, None)
    over = InvocationEndInfo("r", "arn", False, status=InvocationStatus.PENDING)
    assert (over.error, over.execution_result, over.execution_start_time) == (None, None, None)
    change = OperationChangeInfo("arn", {}, {})
    assert change.updated_operations == {}
    assert DurableInstrumentationPlugin().on_operation_start(OperationStartInfo(**COMMON)) is None


def test_inputs_and_results_stay_out_of_logs() -> None:
    info = InvocationEndInfo(
        "r", "arn", True, execution_input={"card": "secret"}, status=InvocationStatus.FAILED, execution_result="secret"
    )
    assert "secret" not in repr(info)
    assert info == dataclasses.replace(info, execution_input=None)
    assert isinstance(hash(info), int)


def test_functions_without_plugins_do_not_load_them() -> None:
    program = """
import sys
from durably import durable_execution
class Client:
    def checkpoint(self, *args): ...
@durable_execution(client=Client())
def handler(event, ctx): return 1
state = {"Operations": [{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}]}
handler({"DurableExecutionArn": "a", "CheckpointToken": "t", "InitialExecutionState": state}, None)
print([name for name in sys.modules if "plugin" in name or name == "dataclasses"])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
