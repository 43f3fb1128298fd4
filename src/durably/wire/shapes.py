"""The contract's structures, under the service model's own member names.

Timestamps are **integer milliseconds since the epoch** throughout durably, as in the invocation event. Only
the HTTP API says seconds with a fraction; its edge converts (see :mod:`durably.wire.timestamps`).
"""

from __future__ import annotations

from typing import Literal, NotRequired, Required, TypedDict

OperationTypeName = Literal["EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]
OperationStatusName = Literal["STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"]
OperationActionName = Literal["START", "SUCCEED", "FAIL", "RETRY", "CANCEL"]


class ErrorObject(TypedDict, total=False):
    """Shape ErrorObject: every member optional."""

    ErrorMessage: str
    ErrorType: str
    ErrorData: str
    StackTrace: list[str]


# ---- operations (what is recorded) ---------------------------------------------------------------


class ExecutionDetails(TypedDict, total=False):
    InputPayload: str


class ContextDetails(TypedDict, total=False):
    ReplayChildren: bool
    Result: str
    Error: ErrorObject


class StepDetails(TypedDict, total=False):
    Attempt: int
    NextAttemptTimestamp: int
    Result: str
    Error: ErrorObject


class WaitDetails(TypedDict, total=False):
    ScheduledEndTimestamp: int


class CallbackDetails(TypedDict, total=False):
    CallbackId: str
    Result: str
    Error: ErrorObject


class ChainedInvokeDetails(TypedDict, total=False):
    Result: str
    Error: ErrorObject


class Operation(TypedDict, total=False):
    """Shape Operation: the current record of one operation."""

    Id: Required[str]
    Type: Required[OperationTypeName]
    Status: Required[OperationStatusName]
    StartTimestamp: Required[int]
    EndTimestamp: int
    ParentId: str
    Name: str
    SubType: str
    ExecutionDetails: ExecutionDetails
    ContextDetails: ContextDetails
    StepDetails: StepDetails
    WaitDetails: WaitDetails
    CallbackDetails: CallbackDetails
    ChainedInvokeDetails: ChainedInvokeDetails


# ---- updates (what a checkpoint asks for) -----------------------------------------------------------


class ContextOptions(TypedDict, total=False):
    ReplayChildren: bool


class StepOptions(TypedDict, total=False):
    NextAttemptDelaySeconds: int


class WaitOptions(TypedDict, total=False):
    WaitSeconds: int


class CallbackOptions(TypedDict, total=False):
    TimeoutSeconds: int
    HeartbeatTimeoutSeconds: int


class ChainedInvokeOptions(TypedDict, total=False):
    FunctionName: Required[str]
    TenantId: str
    XAmznTraceId: str


class OperationUpdate(TypedDict, total=False):
    """Shape OperationUpdate."""

    Id: Required[str]
    Type: Required[OperationTypeName]
    Action: Required[OperationActionName]
    ParentId: str
    Name: str
    SubType: str
    Payload: str
    Error: ErrorObject
    ContextOptions: ContextOptions
    StepOptions: StepOptions
    WaitOptions: WaitOptions
    CallbackOptions: CallbackOptions
    ChainedInvokeOptions: ChainedInvokeOptions


# ---- the two calls a running function makes ------------------------------------------------------------


class ExecutionState(TypedDict):
    """Shapes CheckpointUpdatedExecutionState and GetDurableExecutionStateResponse: one page of operations."""

    Operations: list[Operation]
    NextMarker: NotRequired[str]


class CheckpointResponse(TypedDict):
    """Shape CheckpointDurableExecutionResponse. No token: done, or the invocation has been revoked."""

    CheckpointToken: NotRequired[str]
    NewExecutionState: ExecutionState


# ---- the invocation envelope ---------------------------------------------------------------------------


class InvocationInput(TypedDict):
    """The event a durable function receives."""

    DurableExecutionArn: str
    CheckpointToken: str
    InitialExecutionState: ExecutionState
    UpdatedOperationIds: NotRequired[list[str]]


class InvocationOutput(TypedDict, total=False):
    """What a durable function answers."""

    Status: Required[Literal["SUCCEEDED", "FAILED", "PENDING"]]
    Result: str
    Error: ErrorObject


# ---- history ------------------------------------------------------------------------------------------------


class Event(TypedDict, total=False):
    """Shape Event; ``<EventType>Details`` members are added under their own names."""

    EventType: Required[str]
    EventId: Required[int]
    EventTimestamp: Required[int]
    Id: str
    ParentId: str
    Name: str
    SubType: str
