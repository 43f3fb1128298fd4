"""What each action accepts: the members of its request with the service model's own types, lengths and patterns.

The shapes are TypedDicts, so that one pass of msgspec parses a body, refuses what the model refuses, drops what it
does not know and leaves plain dictionaries under the model's names. Limits that depend on the state of an
execution, or on how the service is configured, are the service's own business.

Source: the ``lambda`` service model; a shape's name there stands beside each alias here.
"""

# No "from __future__ import annotations" here: TypedDict does not see Required inside a string.

from typing import Annotated, Final, Required, TypedDict

from msgspec import Meta

from durably.wire import limits
from durably.wire.ids import ARN_PATTERN

ENUM_MARK: Final = "(?#enum)"
"""Begins a pattern that is a list of values, so that an error can list them."""


def _enum(*values: str) -> Meta:
    return Meta(pattern=rf"\A{ENUM_MARK}(?:{'|'.join(values)})\Z")


def _text(pattern: str, shortest: int, longest: int) -> Meta:
    return Meta(pattern=rf"\A(?:{pattern})\Z", min_length=shortest, max_length=longest)


# ---- scalars ----------------------------------------------------------------------------------------------

Arn = Annotated[str, _text(ARN_PATTERN.pattern, 1, 1024)]  # DurableExecutionArn
CallbackId = Annotated[str, _text(limits.TOKEN_PATTERN.pattern, 1, 1024)]
ClientToken = Annotated[str, _text(r"[\x21-\x7E]+", 1, 64)]
ExecutionName = Annotated[str, _text("[a-zA-Z0-9_-]+", 1, 64)]  # DurableExecutionName
FunctionName = Annotated[str, _text(limits.FUNCTION_NAME_PATTERN.pattern, 1, 256)]  # NamespacedFunctionName
ItemCount = Annotated[int, Meta(ge=0, le=limits.MAX_STATE_PAGE)]
OperationId = Annotated[str, _text("[a-zA-Z0-9_-]+", 1, limits.MAX_ID_LENGTH)]
Payload = Annotated[str, Meta(max_length=limits.MAX_PAYLOAD)]  # OperationPayload
Recorded = Annotated[str, Meta(max_length=limits.MAX_RECORDED_RESULT)]  # of other operations the machine takes less
Qualifier = Annotated[str, _text(r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9_$-]+", 1, 128)]
Reason = Annotated[str, Meta(max_length=1024)]  # PauseReason, ResumeReason
Tenant = Annotated[str, _text(r"[a-zA-Z0-9._:/=+\-@ ]+", 1, 256)]  # TenantId
Token = Annotated[str, _text(limits.TOKEN_PATTERN.pattern, 1, 2048)]  # CheckpointToken
TraceId = Annotated[str, Meta(max_length=8192)]  # XAmznTraceId
Status = Annotated[
    str, _enum("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING", "PAUSING", "PAUSED")
]  # ExecutionStatus


# ---- what a checkpoint's body holds -----------------------------------------------------------------------


class Error(TypedDict, total=False):  # ErrorObject
    ErrorMessage: str
    ErrorType: str
    ErrorData: str
    StackTrace: list[str]


class ContextOptions(TypedDict, total=False):
    ReplayChildren: bool


class StepOptions(TypedDict, total=False):
    NextAttemptDelaySeconds: Annotated[int, Meta(ge=1, le=limits.MAX_WAIT_SECONDS)]


class WaitOptions(TypedDict, total=False):
    WaitSeconds: Annotated[int, Meta(ge=limits.MIN_WAIT_SECONDS, le=limits.MAX_WAIT_SECONDS)]


class CallbackOptions(TypedDict, total=False):
    TimeoutSeconds: Annotated[int, Meta(ge=0, le=limits.MAX_CALLBACK_TIMEOUT_SECONDS)]
    HeartbeatTimeoutSeconds: Annotated[int, Meta(ge=0, le=limits.MAX_CALLBACK_TIMEOUT_SECONDS)]


class ChainedInvokeOptions(TypedDict, total=False):
    FunctionName: Required[FunctionName]
    TenantId: Tenant
    XAmznTraceId: TraceId


class Update(TypedDict, total=False):  # OperationUpdate
    Id: Required[OperationId]
    Type: Required[Annotated[str, _enum("EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE")]]
    Action: Required[Annotated[str, _enum("START", "SUCCEED", "FAIL", "RETRY", "CANCEL")]]
    ParentId: OperationId
    Name: Annotated[str, _text(r"[\x20-\x7E]+", 1, limits.MAX_NAME_LENGTH)]
    SubType: Annotated[str, _text("[a-zA-Z0-9_-]+", 1, 32)]
    Payload: Recorded
    Error: Error
    ContextOptions: ContextOptions
    StepOptions: StepOptions
    WaitOptions: WaitOptions
    CallbackOptions: CallbackOptions
    ChainedInvokeOptions: ChainedInvokeOptions


# ---- bodies -----------------------------------------------------------------------------------------------


class CheckpointBody(TypedDict, total=False):
    CheckpointToken: Required[Token]
    Updates: list[Update]
    ClientToken: ClientToken


class PauseBody(TypedDict, total=False):
    ClientToken: ClientToken
    Reason: Reason
    ExecutionTimeoutPaused: bool


class ResumeBody(TypedDict, total=False):
    ClientToken: ClientToken
    Reason: Reason


# ---- members in the path, the query and the headers -------------------------------------------------------


class OfExecution(TypedDict):
    DurableExecutionArn: Arn


class OfCallback(TypedDict):
    CallbackId: CallbackId


class GetExecution(OfExecution, total=False):
    IncludeExecutionData: bool


class GetHistory(GetExecution, total=False):
    MaxItems: ItemCount
    Marker: str
    ReverseOrder: bool


class GetState(OfExecution, total=False):
    CheckpointToken: Required[Token]
    Marker: str
    MaxItems: ItemCount


class ListExecutions(TypedDict, total=False):
    FunctionName: Required[FunctionName]
    Qualifier: Qualifier
    DurableExecutionName: ExecutionName
    Statuses: Annotated[list[Status], Meta(min_length=1, max_length=10)]
    StartedAfter: str
    StartedBefore: str
    ReverseOrder: bool
    Marker: str
    MaxItems: ItemCount


class Invoke(TypedDict, total=False):
    FunctionName: Required[FunctionName]
    Qualifier: Qualifier
    InvocationType: Annotated[str, _enum("Event", "RequestResponse", "DryRun")]
    LogType: Annotated[str, _enum("None", "Tail")]
    ClientContext: str
    DurableExecutionName: ExecutionName
    TenantId: Tenant
    TraceId: TraceId
