"""Plugins that print what they see, one JSON object a line, as the requirements of suite ``plugin`` describe it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from durably.plugin import (
    DurableInstrumentationPlugin,
    InvocationEndInfo,
    InvocationInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationEndInfo,
    OperationInfo,
    OperationStartInfo,
    OperationType,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)

STEP, WAIT, CONTEXT = OperationType.STEP, OperationType.WAIT, OperationType.CONTEXT


class Making:
    """The factory of all of them."""

    def __init__(self, plugin: Callable[[str], DurableInstrumentationPlugin], label: str = "CONFPLUGIN") -> None:
        self.plugin = plugin
        self.label = label

    def create_plugin(self, info: InvocationStartInfo) -> DurableInstrumentationPlugin:
        return self.plugin(self.label)


class Reporting(DurableInstrumentationPlugin):
    """Base class: keeps the ARN that the start hook was given, and prints it in every record.

    ``types``: only operations of these are reported.
    """

    types: Collection[OperationType] = OperationType

    def __init__(self, label: str) -> None:
        self.label = label
        self.arn: str | None = None

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.arn = info.execution_arn

    def report(self, hook: str, **fields: Any) -> None:
        record = {"plugin": self.label, "hook": hook, **fields, "durableExecutionArn": self.arn}
        print(json.dumps(record), flush=True)


def or_none(value: Any) -> Any:
    return "NONE" if value is None else value


# ---- invocations -----------------------------------------------------------------------------------------------


class InvocationHooks(Reporting):
    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        super().on_invocation_start(info)
        self.report("invocation-start", first=info.is_first_invocation)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        self.report("invocation-end", status=info.status.value, terminal=info.status.value in ("SUCCEEDED", "FAILED"))


class UpdatedWaits(Reporting):
    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        super().on_invocation_start(info)
        for one in info.updated_operations.values():
            if one.operation_type is WAIT:
                fields = {"op": one.operation_id, "status": one.status.value, "first": info.is_first_invocation}
                self.report("updated-on-invoke", **fields)


# ---- operations --------------------------------------------------------------------------------------------------


class OperationHooks(Reporting):
    """Every field that a requirement asks for, but for those of whole dumps."""

    def on_operation_start(self, info: OperationStartInfo) -> None:
        if info.operation_type in self.types:
            pending = info.end_time is None and info.status.value in ("STARTED", "PENDING", "READY")
            self.report("operation-start", **_identity(info), replay=info.is_replayed, pending=pending)

    def on_operation_end(self, info: OperationEndInfo) -> None:
        if info.operation_type in self.types:
            outcome = {"result": or_none(info.result), "error": or_none(info.error and info.error.message)}
            self.report("operation-end", **_identity(info), status=info.status.value, **outcome)


class StepOperations(OperationHooks):
    types = (STEP,)


class WaitOperations(OperationHooks):
    types = (WAIT,)


class EndsOfOperations(OperationHooks):
    def on_operation_start(self, info: OperationStartInfo) -> None: ...


class StepEnds(EndsOfOperations):
    types = (STEP,)


class StepChanges(Reporting):
    def on_operation_change(self, info: OperationChangeInfo) -> None:
        for op_id, one in info.updated_operations.items():
            if one.operation_type is STEP:
                fields = {"op": op_id, "status": one.status.value, "in_full_map": op_id in info.operations}
                self.report("operation-change", **fields)


def _identity(info: OperationInfo) -> dict[str, Any]:
    return {
        "op": info.operation_id,
        "type": info.operation_type.value,
        "name": info.name,
        "parent": or_none(info.parent_id),
    }


# ---- user functions ------------------------------------------------------------------------------------------------


class StepAttempts(Reporting):
    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        if info.operation_type is STEP:
            self.report("attempt-start", n=info.attempt, op=info.operation_id)

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        if info.operation_type is STEP:
            self.report("attempt-end", n=info.attempt, outcome=info.outcome.value, op=info.operation_id)


class StepAttemptsAndEnds(StepAttempts, StepEnds):
    pass


class BranchFunctions(Reporting):
    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        if info.sub_type == "ParallelBranch":
            self.report("fn-start", op=info.operation_id, parent=or_none(info.parent_id))

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        if info.sub_type == "ParallelBranch":
            fields = {"op": info.operation_id, "parent": or_none(info.parent_id), "outcome": info.outcome.value}
            self.report("fn-end", **fields)


class EveryHook(InvocationHooks, StepAttempts, StepOperations):
    pass


class Faulty(EveryHook):
    """Prints that a hook was called, and raises."""

    def report(self, hook: str, **fields: Any) -> None:
        super().report(hook)
        raise RuntimeError(f"{hook} of a faulty plugin")


# ---- whole infos -----------------------------------------------------------------------------------------------------


class InvocationDumps(Reporting):
    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        super().on_invocation_start(info)
        count = len(info.updated_operations)
        self.report(
            "invocation-start", **_of_invocation(info), updatedOperationsCount=count, updated_nonempty=count > 0
        )

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        fields = {
            "status": info.status.value,
            "terminal": info.status.value in ("SUCCEEDED", "FAILED"),
            "has_result": info.execution_result is not None,
            "has_error": info.error is not None,
            "executionError": info.error and info.error.message,
        }
        self.report("invocation-end", **_of_invocation(info), **_set(fields))


class StepDumps(Reporting):
    def on_operation_start(self, info: OperationStartInfo) -> None:
        if info.operation_type is STEP:
            self.report("operation-start", **_of_operation(info))

    def on_operation_end(self, info: OperationEndInfo) -> None:
        if info.operation_type is STEP:
            self.report("operation-end", **_of_operation(info))


class AttemptDumps(Reporting):
    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        if info.operation_type is STEP:
            self.report("attempt-start", **_of_operation(info), isReplayingChildren=info.is_replay_children)

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        if info.operation_type is STEP:
            fields = {"isReplayingChildren": info.is_replay_children, "outcome": info.outcome.value}
            self.report("attempt-end", **_of_operation(info), **fields)


class ChangeDumps(Reporting):
    def on_operation_change(self, info: OperationChangeInfo) -> None:
        for op_id, one in info.updated_operations.items():
            if one.operation_type is STEP:
                known = op_id in info.operations
                whole = {
                    "executionArn": info.execution_arn,
                    "updatedOperationsCount": len(info.updated_operations),
                    "operationsCount": len(info.operations),
                    "inFullMap": known,
                    "in_full_map": known,
                    "has_arn": info.execution_arn is not None,
                }
                item = _of_operation(one)
                parts = {f"item_{key}": value for key, value in item.items() if key.islower()}
                self.report("operation-change", **whole, **item, **parts)


class ContextDumps(Reporting):
    def on_operation_start(self, info: OperationStartInfo) -> None:
        if info.operation_type is CONTEXT:
            self.report("operation-start", **_of_operation(info))

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        if info.operation_type is CONTEXT:
            self.report("fn-start", **_of_operation(info), isReplayingChildren=info.is_replay_children)


def _of_invocation(info: InvocationInfo) -> dict[str, Any]:
    return _set(
        {
            "isFirstInvocation": info.is_first_invocation,
            "first": info.is_first_invocation,
            "requestId": info.request_id,
            "has_request_id": info.request_id is not None,
            "input": info.execution_input,
            "has_input": info.execution_input is not None,
            "operationsCount": len(info.operations),
            "has_operations": len(info.operations) > 0,
            "executionStartTimestamp": _text(info.execution_start_time),
            "has_start_time": info.execution_start_time is not None,
        }
    )


def _of_operation(info: OperationInfo) -> dict[str, Any]:
    """All that it says, under the canonical names of the requirements, and as flags of what is there."""
    return _set(
        {
            "id": info.operation_id,
            "op": info.operation_id,
            "name": info.name,
            "type": info.operation_type.value,
            "subType": info.sub_type,
            "parentId": info.parent_id,
            "status": info.status.value,
            "startTimestamp": _text(info.start_time),
            "endTimestamp": _text(info.end_time),
            "result": info.result,
            "error": info.error and info.error.message,
            "attempt": info.attempt,
            "isReplay": info.is_replayed,
            "replay": info.is_replayed,
            "has_status": True,
            "has_start_time": info.start_time is not None,
            "has_end_time": info.end_time is not None,
            "has_result": info.result is not None,
            "has_error": info.error is not None,
            "has_attempt": info.attempt is not None,
            "has_replay": True,
        }
    )


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
