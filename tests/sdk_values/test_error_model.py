"""The error model, frozen: programs match on codes, and dashboards count them, so none of this may change."""

from __future__ import annotations

from typing import Any

import pytest

import durably
from durably import (
    CheckpointError,
    CompensationError,
    CompensationItem,
    CompensationResult,
    DurableExecutionsError,
    DurableOperationError,
    ErrorObject,
    ExecutionError,
    GetExecutionStateError,
    InvocationError,
    TerminationReason,
    UnrecoverableError,
)
from durably.exceptions import error_object, reason_of
from durably.wire.api_errors import ApiError

# class: code, retriable, termination reason, base
MODEL = {
    "DurableExecutionsError": ("DURABLE_EXECUTIONS_ERROR", False, "UNHANDLED_ERROR", "Exception"),
    "ValidationError": ("VALIDATION", False, "UNHANDLED_ERROR", "DurableExecutionsError"),
    "ContextMisuseError": ("CONTEXT_MISUSE", False, "CONTEXT_VALIDATION_ERROR", "ValidationError"),
    "PluginLoadError": ("PLUGIN_LOAD", False, "UNHANDLED_ERROR", "ValidationError"),
    "InvalidStateError": ("INVALID_STATE", False, "UNHANDLED_ERROR", "DurableExecutionsError"),
    "SerDesError": ("SERIALIZATION", False, "SERIALIZATION_ERROR", "DurableExecutionsError"),
    "StepTimeoutError": ("STEP_TIMEOUT", True, "UNHANDLED_ERROR", "DurableExecutionsError"),
    "UnrecoverableError": ("UNRECOVERABLE", False, "OF ITS OWN", "DurableExecutionsError"),
    "ExecutionError": ("EXECUTION_ERROR", False, "EXECUTION_ERROR", "UnrecoverableError"),
    "NonDeterministicExecutionError": ("REPLAY_MISMATCH", False, "NON_DETERMINISTIC_EXECUTION", "ExecutionError"),
    "InvocationError": ("INVOCATION_ERROR", True, "INVOCATION_ERROR", "UnrecoverableError"),
    "CheckpointError": ("CHECKPOINT_FAILED", True, "CHECKPOINT_FAILED", "InvocationError"),
    "GetExecutionStateError": ("GET_EXECUTION_STATE_FAILED", True, "INVOCATION_ERROR", "InvocationError"),
    "RetryableSerDesError": ("SERIALIZATION_RETRYABLE", True, "SERIALIZATION_ERROR", "InvocationError"),
    "StepInterruptedError": ("STEP_INTERRUPTED", True, "STEP_INTERRUPTED", "InvocationError"),
    "DurableOperationError": ("OPERATION_FAILED", False, "UNHANDLED_ERROR", "DurableExecutionsError"),
    "StepError": ("STEP_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "InvokeError": ("INVOKE_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "ChildContextError": ("CHILD_CONTEXT_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "WaitForConditionError": ("WAIT_FOR_CONDITION_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "AllFailedError": ("ALL_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "CompensationError": ("COMPENSATION_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "BatchCompletionError": ("BATCH_COMPLETION_FAILED", False, "UNHANDLED_ERROR", "DurableOperationError"),
    "CallbackError": ("CALLBACK_FAILED", False, "CALLBACK_ERROR", "DurableOperationError"),
    "CallbackExternalError": ("CALLBACK_EXTERNAL_FAILURE", False, "CALLBACK_ERROR", "CallbackError"),
    "CallbackTimeoutError": ("CALLBACK_TIMEOUT", False, "CALLBACK_ERROR", "CallbackError"),
    "CallbackSubmitterError": ("CALLBACK_SUBMITTER_FAILED", False, "CALLBACK_ERROR", "CallbackError"),
}
PUBLIC = {
    name: value
    for name in durably.__all__
    if isinstance(value := getattr(durably, name), type) and issubclass(value, BaseException)
}


def make(cls: type[Any]) -> Any:
    if cls is UnrecoverableError:
        return cls("it broke", TerminationReason.EXECUTION_ERROR)
    return cls(message="it broke") if issubclass(cls, DurableOperationError) else cls("it broke")


def test_every_public_error_is_in_the_model() -> None:
    assert set(PUBLIC) == set(MODEL)


@pytest.mark.parametrize("name", MODEL)
def test_code_retriable_and_reason(name: str) -> None:
    code, retriable, reason, base = MODEL[name]
    cls = PUBLIC[name]
    error = make(cls)
    assert isinstance(error, DurableExecutionsError)
    assert (error.code, error.retriable) == (code, retriable)
    assert isinstance(error.termination_reason, TerminationReason)
    assert error.termination_reason.value == ("EXECUTION_ERROR" if reason == "OF ITS OWN" else reason)
    assert base in [parent.__name__ for parent in cls.__mro__[1:]]
    assert str(error) == "it broke"


def test_codes_are_unique() -> None:
    codes = [code for code, *_ in MODEL.values()]
    assert len(codes) == len(set(codes))


def test_every_reason_is_given_by_something() -> None:
    given = {reason for _, _, reason, _ in MODEL.values()} - {"OF ITS OWN"}
    # A refused call that was too large, and the deadline: see below, and tests/engine/test_termination.py.
    given |= {"SIZE_LIMIT_EXCEEDED", "LAMBDA_TIMEOUT_APPROACHING"}
    # Of invocations that end without an error: see tests/plugins/test_reasons.py.
    given |= {"RETRY_SCHEDULED", "WAIT_SCHEDULED", "CALLBACK_PENDING", "INVOKE_PENDING", "OPERATION_TERMINATED"}
    assert given == {reason.value for reason in TerminationReason}


@pytest.mark.parametrize("cls", [CheckpointError, GetExecutionStateError])
@pytest.mark.parametrize(
    ("code", "status", "retriable"),
    [
        ("TooManyRequestsException", None, True),
        ("ServiceException", None, True),
        ("ConnectionError", None, True),
        ("InvalidParameterValueException", None, False),
        ("ResourceNotFoundException", None, False),
        ("KMSNotFoundException", None, False),
        ("RequestTooLargeException", None, False),
        ("Unknown", 413, False),
        ("Unknown", 503, True),
    ],
)
def test_a_refused_call_says_whether_another_invocation_may_help(
    cls: type[CheckpointError | GetExecutionStateError], code: str, status: int | None, retriable: bool
) -> None:
    answer = ApiError(code, "no", status)
    error = cls("a call failed", answer)
    assert (error.retriable, error.is_retryable(), error.error) == (retriable, retriable, answer)
    too_large = answer.status == 413
    assert (error.termination_reason is TerminationReason.SIZE_LIMIT_EXCEEDED) is too_large
    assert error.code == cls.code


@pytest.mark.parametrize("name", sorted(set(MODEL) - {"UnrecoverableError", "BatchCompletionError", "PluginLoadError"}))
@pytest.mark.parametrize("module", ["durably", "aws_durable_execution_sdk_python.exceptions"])
def test_the_reason_is_known_by_the_recorded_type(name: str, module: str) -> None:
    assert reason_of(f"{module}.{name}").value == MODEL[name][2]


@pytest.mark.parametrize(
    "recorded", [None, "", "ValueError", "shop.SerDesError", "durably.Duration", "durably.nothing"]
)
def test_any_other_type_is_an_error_of_the_program(recorded: str | None) -> None:
    assert reason_of(recorded) is TerminationReason.UNHANDLED_ERROR


def test_a_reason_can_be_given() -> None:
    for cls in (ExecutionError, InvocationError):
        error = cls("over", TerminationReason.CALLBACK_ERROR)
        assert error.termination_reason is TerminationReason.CALLBACK_ERROR


# ---- compensations -----------------------------------------------------------------------------------------------


def test_compensations_that_succeeded_raise_nothing() -> None:
    CompensationResult([]).throw_if_error()
    CompensationResult([CompensationItem("room"), CompensationItem(None)]).throw_if_error()


def test_failed_compensations_are_named() -> None:
    first = ErrorObject("nobody answers", "OSError", "data", ["line"])
    result = CompensationResult(
        [
            CompensationItem("car"),
            CompensationItem("room", first),
            CompensationItem(None, ErrorObject("lost", "KeyError")),
        ]
    )
    with pytest.raises(CompensationError) as caught:
        result.throw_if_error()
    error = caught.value
    assert str(error) == "2 of 3 compensations failed: room: nobody answers; (without a name): lost"
    assert (error.error_type, error.data, error.stack_trace) == ("OSError", "data", ["line"])
    assert error_object(error)["ErrorType"] == "durably.CompensationError"
