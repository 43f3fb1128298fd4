"""The invocation envelope: from Lambda's event to a run, and from an outcome to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from durably.exceptions import ExecutionError, GetExecutionStateError, error_object
from durably.wire.api_errors import ApiError
from durably.wire.limits import MAX_LAMBDA_RESPONSE, MAX_RESPONSE
from durably.wire.payloads import utf8_size

from .run import Run
from .suspension import Verdict

if TYPE_CHECKING:
    from durably.wire.shapes import ErrorObject, InvocationOutput, Operation, OperationUpdate

__all__ = ["Envelope", "failed", "from_verdict", "oversized", "state_failure", "succeeded"]

_ENVELOPE: Final = len('{"Status": "SUCCEEDED", "Result": }')


class Envelope:
    """A checked invocation event."""

    __slots__ = ("arn", "marker", "operations", "token", "updated")

    def __init__(self, event: Any) -> None:
        try:
            self.arn: str = _text(event, "DurableExecutionArn")
            self.token: str = _text(event, "CheckpointToken")
            state = event.get("InitialExecutionState") or {}
            self.operations: list[Operation] = list(state.get("Operations") or ())
            self.marker: str | None = state.get("NextMarker") or None
            self.updated: list[str] = list(event.get("UpdatedOperationIds") or ())
            for operation in self.operations:
                if not {"Id", "Type", "Status"} <= operation.keys():
                    raise KeyError("InitialExecutionState.Operations[].Id, Type and Status")
        except (KeyError, TypeError, AttributeError) as error:
            missing = f"it has no {error}" if isinstance(error, KeyError) else f"it is {type(event).__name__}"
            raise ExecutionError(
                f"the event is not the start of a durable invocation: {missing}. The function was probably invoked "
                "without durable execution: check that it has a DurableConfig and is invoked by a qualified name, or "
                "serve it locally with `durably dev`."
            ) from error


def _text(event: Any, member: str) -> str:
    value = event[member]
    if not isinstance(value, str) or not value:
        raise KeyError(member)
    return value


def succeeded(result: str) -> InvocationOutput:
    return {"Status": "SUCCEEDED", "Result": result}


def failed(error: ErrorObject) -> InvocationOutput:
    return {"Status": "FAILED", "Error": error}


def from_verdict(verdict: Verdict) -> InvocationOutput:
    """The answer of a run that ended before its handler. Raises to ask for another invocation."""
    if verdict.pending:
        return {"Status": "PENDING"}
    if verdict.error is not None:
        return failed(verdict.error)
    if verdict.output is not None:
        return verdict.output
    assert verdict.raises is not None
    raise verdict.raises


def oversized(run: Run, output: InvocationOutput) -> tuple[OperationUpdate, InvocationOutput] | None:
    """What to record instead of answering, if ``output`` does not fit into an answer; and what to answer then.

    Source: language-SDK specification 3.4; the id is the official SDK's form.
    """
    result = output.get("Result")
    error = output.get("Error")
    update: OperationUpdate = {
        "Id": f"execution-result-{run.environment.now_ms()}",
        "Type": "EXECUTION",
        "Action": "SUCCEED",
    }
    if result is not None and not _fits(result):
        update["Payload"] = result
        return update, {"Status": "SUCCEEDED", "Result": ""}
    if error is not None and sum(utf8_size(str(part)) for part in error.values()) > MAX_RESPONSE:
        update["Action"] = "FAIL"
        update["Error"] = error
        return update, {"Status": "FAILED"}
    return None


def _fits(result: str) -> bool:
    """Whether an answer can carry ``result``: it is text within the answer's JSON, in which quotes count double."""
    if len(result) * 6 <= MAX_RESPONSE:
        return True
    import json

    return utf8_size(result) <= MAX_RESPONSE and len(json.dumps(result)) + _ENVELOPE <= MAX_LAMBDA_RESPONSE


def state_failure(error: ApiError) -> InvocationOutput:
    """The recorded state could not be read: FAILED, or raised to be tried again."""
    failure = GetExecutionStateError(f"the recorded state could not be read: {error}", error)
    if failure.retriable:
        raise failure from error
    failure.__cause__ = error
    return failed(error_object(failure))
