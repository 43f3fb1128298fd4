"""Every exception that durably raises.

    DurableExecutionsError
    +-- ValidationError (ValueError)          an argument that cannot work
    |   +-- ContextMisuseError                a context used in a step, by a foreign thread or task, or after the end
    |   +-- PluginLoadError                   a plugin that cannot be registered
    +-- InvalidStateError                     an object asked for what it cannot do now
    +-- SerDesError                           a value that cannot be written, or a payload that cannot be read
    +-- StepTimeoutError (TimeoutError)       an attempt of a step took longer than its timeout; may be retried
    +-- UnrecoverableError                    ends the invocation, whoever catches it
    |   +-- ExecutionError                    the execution fails
    |   |   +-- NonDeterministicExecutionError   the code no longer matches what was recorded
    |   +-- InvocationError                   the invocation is to be tried again
    |       +-- CheckpointError               a checkpoint was refused or unanswered
    |       +-- GetExecutionStateError        the recorded state could not be read
    |       +-- RetryableSerDesError          a serdes failed for the moment only
    |       +-- StepInterruptedError          an at-most-once step was cut off; its retry strategy decides
    +-- DurableOperationError                 an operation failed; ``__cause__`` stands for what escaped it
        +-- StepError
        +-- InvokeError
        +-- ChildContextError
        +-- WaitForConditionError
        +-- AllFailedError                    none of the operations given to any() succeeded
        +-- CompensationError                 a compensation failed, and the program wants to know
        +-- BatchCompletionError              a batch was ended as a failure by its predicate
        +-- CallbackError
            +-- CallbackExternalError         whoever held the callback reported a failure
            +-- CallbackTimeoutError          the callback's timeout or heartbeat timeout passed
            +-- CallbackSubmitterError        the function that hands out the callback id failed

Each class has a stable ``code`` to log or match on, ``retriable``: whether the same thing may succeed when it is tried
again without changing anything, and ``termination_reason``: why an execution or invocation that it ends has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from ._errors import OUR_MODULES, error_object, operation_error, register_operation_error, registered_error

if TYPE_CHECKING:
    from .wire.api_errors import ApiError

__all__ = [
    "TerminationReason",
    "DurableExecutionsError",
    "ValidationError",
    "ContextMisuseError",
    "PluginLoadError",
    "InvalidStateError",
    "SerDesError",
    "StepTimeoutError",
    "UnrecoverableError",
    "ExecutionError",
    "NonDeterministicExecutionError",
    "InvocationError",
    "CheckpointError",
    "GetExecutionStateError",
    "RetryableSerDesError",
    "StepInterruptedError",
    "DurableOperationError",
    "StepError",
    "InvokeError",
    "ChildContextError",
    "WaitForConditionError",
    "AllFailedError",
    "CompensationError",
    "CallbackError",
    "CallbackExternalError",
    "CallbackTimeoutError",
    "CallbackSubmitterError",
    "error_object",
    "operation_error",
    "reason_of",
    "register_operation_error",
]


class TerminationReason(Enum):
    """Why an execution or an invocation ended."""

    UNHANDLED_ERROR = "UNHANDLED_ERROR"
    """An error that the handler did not catch."""
    INVOCATION_ERROR = "INVOCATION_ERROR"
    """Something that another invocation may do better."""
    EXECUTION_ERROR = "EXECUTION_ERROR"
    """The program, or durably, decided that the execution fails."""
    CHECKPOINT_FAILED = "CHECKPOINT_FAILED"
    """What was done could not be recorded."""
    NON_DETERMINISTIC_EXECUTION = "NON_DETERMINISTIC_EXECUTION"
    """The code does not match the record."""
    STEP_INTERRUPTED = "STEP_INTERRUPTED"
    """An at-most-once step was cut off."""
    SERIALIZATION_ERROR = "SERIALIZATION_ERROR"
    """A value could not be written or read."""
    CALLBACK_ERROR = "CALLBACK_ERROR"
    """A callback failed or was not answered in time."""
    SIZE_LIMIT_EXCEEDED = "SIZE_LIMIT_EXCEEDED"
    """The service refused a call because it was too large."""
    CONTEXT_VALIDATION_ERROR = "CONTEXT_VALIDATION_ERROR"
    """A context was used where it does not belong."""
    LAMBDA_TIMEOUT_APPROACHING = "LAMBDA_TIMEOUT_APPROACHING"
    """The invocation stopped by itself before its function's timeout."""
    RETRY_SCHEDULED = "RETRY_SCHEDULED"
    """Nothing is left to do until a step, or a poll of a condition, is tried again."""
    WAIT_SCHEDULED = "WAIT_SCHEDULED"
    """Nothing is left to do until a wait is over."""
    CALLBACK_PENDING = "CALLBACK_PENDING"
    """Nothing is left to do until a callback is answered."""
    INVOKE_PENDING = "INVOKE_PENDING"
    """Nothing is left to do until an invoked function has ended."""
    OPERATION_TERMINATED = "OPERATION_TERMINATED"
    """The service ended it: the execution was stopped or paused, or another invocation has taken over."""


class DurableExecutionsError(Exception):
    """Base class of everything durably raises."""

    code: ClassVar[str] = "DURABLE_EXECUTIONS_ERROR"
    retriable: bool = False
    termination_reason: TerminationReason = TerminationReason.UNHANDLED_ERROR

    def __reduce__(self) -> Any:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[DurableExecutionsError], args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


# ---- misuse --------------------------------------------------------------------------------------------


class ValidationError(DurableExecutionsError, ValueError):
    """An argument that cannot work. The message names the value and says what to write instead."""

    code = "VALIDATION"


class ContextMisuseError(ValidationError):
    """A durable context used where it does not belong: in a step, by a thread or task that did not receive it, or
    after its invocation or its child context ended."""

    code = "CONTEXT_MISUSE"
    termination_reason = TerminationReason.CONTEXT_VALIDATION_ERROR


class PluginLoadError(ValidationError):
    """What was given or named as a plugin is none, is not installed, or is there twice. See :mod:`durably.plugin`."""

    code = "PLUGIN_LOAD"


class InvalidStateError(DurableExecutionsError):
    """An object was asked for what it cannot do in its present state."""

    code = "INVALID_STATE"


# ---- data and time ---------------------------------------------------------------------------------------


class SerDesError(DurableExecutionsError):
    """A value that cannot be written, or a payload that cannot be read. Trying again would not help.

    It fails its operation at once, without the retry strategy, and reaches the caller as itself.

    Parameters:
        message: names the path of the value (``$.items[3].price``), its type and the remedy.
        error_type: the recorded ErrorType; by default ``durably.SerDesError``.
        data: user data to record as ErrorData.
        stack_trace: lines of the original stack trace.
    """

    code = "SERIALIZATION"
    termination_reason = TerminationReason.SERIALIZATION_ERROR

    def __init__(
        self,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_type: str = error_type or f"{type(self).__module__}.{type(self).__qualname__}"
        self.data = data
        self.stack_trace = stack_trace

    def __str__(self) -> str:
        return self.message or ""


class StepTimeoutError(DurableExecutionsError, TimeoutError):
    """An attempt of a step took longer than ``StepConfig.timeout``. The step's retry strategy decides what follows."""

    code = "STEP_TIMEOUT"
    retriable = True


# ---- what ends an invocation, whoever catches it -----------------------------------------------------------


class UnrecoverableError(DurableExecutionsError):
    """Ends the invocation: catching it in user code does not keep the execution going."""

    code = "UNRECOVERABLE"

    def __init__(self, message: str, termination_reason: TerminationReason) -> None:
        super().__init__(message)
        self.termination_reason = termination_reason


class ExecutionError(UnrecoverableError):
    """The execution ends FAILED, without another invocation."""

    code = "EXECUTION_ERROR"
    termination_reason = TerminationReason.EXECUTION_ERROR

    def __init__(self, message: str, termination_reason: TerminationReason = TerminationReason.EXECUTION_ERROR) -> None:
        super().__init__(message, termination_reason)


class NonDeterministicExecutionError(ExecutionError):
    """The code called another operation than the one recorded in this place.

    Parameters:
        message: what was recorded, what was called, and where.
        step_id: id of the recorded operation.
    """

    code = "REPLAY_MISMATCH"
    termination_reason = TerminationReason.NON_DETERMINISTIC_EXECUTION

    def __init__(self, message: str, step_id: str | None = None) -> None:
        super().__init__(message, TerminationReason.NON_DETERMINISTIC_EXECUTION)
        self.step_id = step_id


class InvocationError(UnrecoverableError):
    """The invocation fails and the service is to invoke the function again."""

    code = "INVOCATION_ERROR"
    termination_reason = TerminationReason.INVOCATION_ERROR
    retriable = True

    def __init__(
        self, message: str, termination_reason: TerminationReason = TerminationReason.INVOCATION_ERROR
    ) -> None:
        super().__init__(message, termination_reason)

    def is_retryable(self) -> bool:
        """Whether another invocation may succeed; when not, the execution fails."""
        return self.retriable


class _ServiceCallError(InvocationError):
    """A call of the durable execution API failed.

    Parameters:
        message: for people.
        error: the service's answer. It decides ``retriable`` (WIRE.md, API errors); without one, the call may be
            tried again.
    """

    def __init__(self, message: str, error: ApiError | None = None) -> None:
        too_large = error is not None and error.status == 413
        reason = TerminationReason.SIZE_LIMIT_EXCEEDED if too_large else type(self).termination_reason
        super().__init__(message, reason)
        self.error = error
        self.retriable: bool = error is None or error.retry_invocation

    def is_retriable(self) -> bool:
        return self.is_retryable()


BotoClientError = _ServiceCallError
"""The official SDK's name for it."""


class CheckpointError(_ServiceCallError):
    """A checkpoint was refused, or went unanswered for too long."""

    code = "CHECKPOINT_FAILED"
    termination_reason = TerminationReason.CHECKPOINT_FAILED


class GetExecutionStateError(_ServiceCallError):
    """The recorded state of the execution could not be read."""

    code = "GET_EXECUTION_STATE_FAILED"


class RetryableSerDesError(InvocationError):
    """For a serdes to raise when it fails for the moment only (say, its store does not answer): the invocation is
    tried again. For a failure that stays, raise :class:`SerDesError`."""

    code = "SERIALIZATION_RETRYABLE"
    termination_reason = TerminationReason.SERIALIZATION_ERROR

    def __init__(
        self, message: str, termination_reason: TerminationReason = TerminationReason.SERIALIZATION_ERROR
    ) -> None:
        super().__init__(message, termination_reason)


class StepInterruptedError(InvocationError):
    """An at-most-once step began in an earlier invocation that ended before the step's outcome was recorded.

    It is handed to the step's retry strategy, which decides whether to run the step again.
    """

    code = "STEP_INTERRUPTED"
    termination_reason = TerminationReason.STEP_INTERRUPTED

    def __init__(self, message: str, step_id: str | None = None) -> None:
        super().__init__(message, TerminationReason.STEP_INTERRUPTED)
        self.step_id = step_id


# ---- a failed operation --------------------------------------------------------------------------------------


class DurableOperationError(DurableExecutionsError):
    """An operation failed.

    The class says which kind of operation; the attributes describe what escaped it. Everything is rebuilt from the
    record, in the first run as in a replay, so ``__cause__`` is a stand-in for the original exception.

    Parameters:
        message: the original message.
        error_type: qualified class name of the original, e.g. ``ValueError`` or ``shop.OutOfStock``.
        data: the original's ``error_data`` (see :func:`error_object`).
        stack_trace: lines of the original's stack trace.
    """

    code = "OPERATION_FAILED"

    def __init__(
        self,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.error_type: str = error_type or f"{type(self).__module__}.{type(self).__qualname__}"
        self.data = data
        self.stack_trace = stack_trace

    def __str__(self) -> str:
        return self.message or ""

    @classmethod
    def from_error_fields(
        cls,
        error_type: str | None,
        message: str | None,
        data: str | None = None,
        stack_trace: Sequence[str] | None = None,
    ) -> DurableOperationError:
        """The stand-in for a recorded error: the class its ErrorType names if it is one of ours, else this base."""
        lines = None if stack_trace is None else list(stack_trace)
        return registered_error(error_type)(message=message, error_type=error_type, data=data, stack_trace=lines)


class StepError(DurableOperationError):
    """A step failed, and its retry strategy declined another attempt."""

    code = "STEP_FAILED"


class InvokeError(DurableOperationError):
    """An invoked function failed, timed out or was stopped."""

    code = "INVOKE_FAILED"


class ChildContextError(DurableOperationError):
    """The function of a child context raised."""

    code = "CHILD_CONTEXT_FAILED"


class WaitForConditionError(DurableOperationError):
    """A wait_for_condition failed."""

    code = "WAIT_FOR_CONDITION_FAILED"


class AllFailedError(DurableOperationError):
    """None of the operations given to ``any()`` succeeded.

    Attributes:
        errors: what each failed with, in their order; empty when the error was rebuilt from a record.
    """

    code = "ALL_FAILED"

    def __init__(
        self,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
        *,
        errors: Sequence[Exception] = (),
    ) -> None:
        if message is None and errors:
            message = f"all {len(errors)} operations failed: " + "; ".join(str(error) for error in errors)
        super().__init__(message, error_type, data, stack_trace)
        self.errors: list[Exception] = list(errors)


class CompensationError(DurableOperationError):
    """A compensation failed: raised by :meth:`CompensationResult.throw_if_error` only."""

    code = "COMPENSATION_FAILED"


class CallbackError(DurableOperationError):
    """A callback failed; the subclasses say how."""

    code = "CALLBACK_FAILED"
    termination_reason = TerminationReason.CALLBACK_ERROR


class CallbackExternalError(CallbackError):
    """Whoever held the callback id reported a failure."""

    code = "CALLBACK_EXTERNAL_FAILURE"


class CallbackTimeoutError(CallbackError):
    """The callback's timeout passed, or no heartbeat came in time."""

    code = "CALLBACK_TIMEOUT"


class CallbackSubmitterError(CallbackError):
    """The function that hands out the callback id failed."""

    code = "CALLBACK_SUBMITTER_FAILED"


def reason_of(error_type: str | None) -> TerminationReason:
    """The termination reason of an error that is only known by its recorded type."""
    module, _, name = (error_type or "").rpartition(".")
    cls = globals().get(name) if module in OUR_MODULES else None
    if isinstance(cls, type) and issubclass(cls, DurableExecutionsError):
        return cls.termination_reason
    return TerminationReason.UNHANDLED_ERROR


def _publish() -> None:
    """Public names look public, and the record says ``durably.StepError`` wherever the class is defined."""
    for name in __all__:
        entry = globals()[name]
        if isinstance(entry, type):
            entry.__module__ = "durably"
            if issubclass(entry, DurableOperationError):
                register_operation_error(entry)


_publish()


def __getattr__(name: str) -> Any:
    """SuspendExecution, for a program that names it to let it pass; it lives where it is raised."""
    if name != "SuspendExecution":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .engine.suspension import SuspendExecution

    return SuspendExecution
