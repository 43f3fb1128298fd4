"""What answers a mock context: everything that is begun has ended at once, as the test has said.

Waits are over, retries are due, callbacks are answered and invoked functions have returned by the time the call comes
back. There is no history, no token and no suspension.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from durably.engine.environment import Environment
from durably.exceptions import StepTimeoutError, error_object
from durably.serdes import json_codec_for
from durably.wire.shapes import CheckpointResponse, ErrorObject, ExecutionState, Operation, OperationUpdate

from .callbacks import NEVER, Answer, error_of, payload_of
from .errors import CallbackNotReady, UnknownFunction
from .stand_ins import TIMES_OUT, Mock, TimedOut, is_error

if TYPE_CHECKING:
    from durably.engine.operation import Op

__all__ = ["MockService", "StandInEnvironment"]

START_MS: Final = 1_767_225_600_000
"""2026-01-01."""
_TOKEN: Final = "bW9jaw=="
_DETAILS: Final = {
    "STEP": "StepDetails",
    "CONTEXT": "ContextDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
    "WAIT": "WaitDetails",
}
_ENDS: Final = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "CANCEL": "CANCELLED", "RETRY": "READY"}


class StandInEnvironment(Environment):
    """The real one, but for the time, which goes by what was waited for, and for steps that have a stand-in."""

    def __init__(self, service: MockService) -> None:
        self._service = service

    def now_ms(self) -> int:
        return self._service.now_ms

    def body(self, op: Op, attempt: int, func: Callable[..., Any], timeout: float | None) -> Callable[..., Any]:
        steps = self._service.steps
        if op.name is None or op.name not in steps:
            return func
        given = steps[op.name]
        mock = steps[op.name] = given if isinstance(given, Mock) else Mock(given)

        def body(*args: Any) -> Any:
            if mock.outcome(attempt) is TIMES_OUT:
                mock.calls.append(args[-1])
                raise StepTimeoutError(f"{op.describe()} took longer than its timeout")
            return mock.attempt(attempt, args)

        async def abody(*args: Any) -> Any:
            value = body(*args)
            return await value if hasattr(value, "__await__") else value

        return abody if op.run.is_async else body


class MockService:
    """A client without a service.

    Parameters:
        steps: stand-ins by the step's name; ``callbacks``: answers by name; ``functions``: by name.
    """

    def __init__(self, steps: dict[str, Any], callbacks: dict[str | None, Any], functions: dict[str, Any]) -> None:
        self.steps = steps
        self.callbacks = callbacks
        self.functions = functions
        self.now_ms = START_MS
        self.records: dict[str, dict[str, Any]] = {}
        self.environment = StandInEnvironment(self)

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        changed: dict[str, dict[str, Any]] = {}
        for update in updates:
            if update["Type"] != "EXECUTION":
                changed[update["Id"]] = self._apply(update)
        return {
            "CheckpointToken": _TOKEN,
            "NewExecutionState": {"Operations": cast("list[Operation]", list(changed.values()))},
        }

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        return {"Operations": []}

    async def acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        return self.checkpoint(arn, token, updates, client_token)

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        return {"Operations": []}

    # ---- what becomes of an update -----------------------------------------------------------------------------

    def _apply(self, update: OperationUpdate) -> dict[str, Any]:
        kind, action = update["Type"], update["Action"]
        record = dict(self.records.get(update["Id"]) or self._new(update))
        details: dict[str, Any] = dict(record.get(_DETAILS[kind]) or {})
        if action == "START":
            record["Status"] = "STARTED"
            self._start(update, record, details)
        else:
            record["Status"] = _ENDS[action]
            if kind == "STEP" and action != "CANCEL":
                details["Attempt"] = details.get("Attempt", 0) + 1
            if "Payload" in update:
                details["Result"] = update["Payload"]
            if "Error" in update:
                details["Error"] = update["Error"]
            if action == "RETRY":
                self.now_ms += 1000 * update.get("StepOptions", {}).get("NextAttemptDelaySeconds", 0)
        if record["Status"] not in ("STARTED", "READY"):
            record["EndTimestamp"] = self.now_ms
        record[_DETAILS[kind]] = details
        self.records[update["Id"]] = record
        return record

    def _new(self, update: OperationUpdate) -> dict[str, Any]:
        identity = {member: update.get(member) for member in ("Id", "Type", "SubType", "Name", "ParentId")}
        record: dict[str, Any] = {member: value for member, value in identity.items() if value is not None}
        return {**record, "StartTimestamp": self.now_ms}

    def _start(self, update: OperationUpdate, record: dict[str, Any], details: dict[str, Any]) -> None:
        kind = update["Type"]
        if kind == "STEP":
            details.setdefault("Attempt", 0)
        elif kind == "WAIT":
            self.now_ms += 1000 * update.get("WaitOptions", {}).get("WaitSeconds", 0)
            details["ScheduledEndTimestamp"] = self.now_ms
            record["Status"] = "SUCCEEDED"
        elif kind == "CALLBACK":
            details["CallbackId"] = f"callback-{sum(one['Type'] == 'CALLBACK' for one in self.records.values()) + 1}"
            self._answer(record, details)
        elif kind == "CHAINED_INVOKE":
            self._invoke(update, record, details)

    def _answer(self, record: dict[str, Any], details: dict[str, Any]) -> None:
        name = self.name_of(record)
        if name not in self.callbacks:
            return
        answer: Any = self.callbacks[name]
        if isinstance(answer, Answer):
            answer = answer.value
        if answer is NEVER:
            return
        if callable(answer) and not is_error(answer):
            try:
                answer = answer(details["CallbackId"])
            except Exception as error:
                answer = error
        if is_error(answer):
            failure: Any = answer() if isinstance(answer, type) else answer
            self._fail(record, details, error_of(failure))
            return
        record["Status"] = "SUCCEEDED"
        text = payload_of(answer)
        if text is not None:
            details["Result"] = text

    def name_of(self, record: Mapping[str, Any]) -> str | None:
        """Under which name a callback is answered: that of its wait_for_callback, if it belongs to one."""
        parent = self.records.get(record.get("ParentId", ""), {})
        name: str | None = parent.get("Name") if parent.get("SubType") == "WaitForCallback" else record.get("Name")
        return name

    def unanswered(self, op_id: str) -> CallbackNotReady | None:
        """Why the code cannot go on that waits for ``op_id``; None if that is meant."""
        record = self.records.get(op_id, {})
        name = self.name_of(record)
        if record.get("Type") != "CALLBACK" or name in self.callbacks:
            return None
        return CallbackNotReady(
            f"the code waits for the callback {name!r}, which nobody answers: give the mock context an answer, "
            f"callbacks={{{name!r}: ...}}; NEVER, if it is to lose a race"
        )

    def _invoke(self, update: OperationUpdate, record: dict[str, Any], details: dict[str, Any]) -> None:
        name = update.get("ChainedInvokeOptions", {}).get("FunctionName", "")
        known = name if name in self.functions else name.partition(":")[0]
        if known not in self.functions:
            raise UnknownFunction(
                f"the code invokes {name!r}, which the mock context does not know: functions={{{name!r}: ...}}"
            )
        target: Any = self.functions[known]
        payload = json.loads(update.get("Payload") or "null")
        try:
            value: Any = target(payload) if callable(target) and not is_error(target) else target
            if is_error(value):
                raise value
            details["Result"] = json_codec_for().encode(value)
        except TimedOut:
            record["Status"] = "TIMED_OUT"
            details["Error"] = {"ErrorType": "Sandbox.Timedout", "ErrorMessage": f"{name} timed out"}
        except Exception as error:
            self._fail(record, details, error_object(error))
        else:
            record["Status"] = "SUCCEEDED"

    def _fail(self, record: dict[str, Any], details: dict[str, Any], error: ErrorObject) -> None:
        record["Status"] = "FAILED"
        details["Error"] = {key: value for key, value in error.items() if key != "StackTrace"}
