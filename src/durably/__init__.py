"""Durable execution for Python: ordinary functions that survive crashes, deploys and months of waiting.

Every public name is importable from here; modules are loaded when a name is first used, so that importing durably
stays cheap where it matters, in a Lambda cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from ._logging.options import (
        LoggerInterface as LoggerInterface,
        ReplayLogging as ReplayLogging,
    )
    from .checkpointing import (
        CheckpointConfig as CheckpointConfig,
        CheckpointMode as CheckpointMode,
    )
    from .client import (
        AsyncDurableServiceClient as AsyncDurableServiceClient,
        Boto3Client as Boto3Client,
        DurableServiceClient as DurableServiceClient,
        LambdaClient as LambdaClient,
    )
    from .concurrency.error_object import (
        ErrorObject as ErrorObject,
    )
    from .concurrency.models import (
        BatchCompletionError as BatchCompletionError,
        BatchItem as BatchItem,
        BatchResult as BatchResult,
        CompletionReason as CompletionReason,
    )
    from .config import (
        BatchItemStatus as BatchItemStatus,
        CallbackConfig as CallbackConfig,
        ChildConfig as ChildConfig,
        CompletionConfig as CompletionConfig,
        CompletionDecision as CompletionDecision,
        CompletionItemStatus as CompletionItemStatus,
        CompletionOutcome as CompletionOutcome,
        CompletionStatus as CompletionStatus,
        Duration as Duration,
        InvokeConfig as InvokeConfig,
        ItemBatcher as ItemBatcher,
        JitterStrategy as JitterStrategy,
        MapConfig as MapConfig,
        NestingType as NestingType,
        ParallelBranch as ParallelBranch,
        ParallelConfig as ParallelConfig,
        StepConfig as StepConfig,
        StepSemantics as StepSemantics,
        WaitForCallbackConfig as WaitForCallbackConfig,
        complete_batch as complete_batch,
        continue_batch as continue_batch,
    )
    from .context import (
        AsyncCallback as AsyncCallback,
        AsyncDurableContext as AsyncDurableContext,
        AsyncDurableFuture as AsyncDurableFuture,
        AsyncSaga as AsyncSaga,
        Callback as Callback,
        DurableContext as DurableContext,
        DurableFuture as DurableFuture,
        Saga as Saga,
        StepContext as StepContext,
        WaitForCallbackContext as WaitForCallbackContext,
        WaitForConditionCheckContext as WaitForConditionCheckContext,
        durable_parallel_branch as durable_parallel_branch,
        durable_step as durable_step,
        durable_wait_for_callback as durable_wait_for_callback,
        durable_with_child_context as durable_with_child_context,
    )
    from .context.protocols import (
        AsyncDurableContextProtocol as AsyncDurableContextProtocol,
        DurableContextProtocol as DurableContextProtocol,
    )
    from .exceptions import (
        AllFailedError as AllFailedError,
        CallbackError as CallbackError,
        CallbackExternalError as CallbackExternalError,
        CallbackSubmitterError as CallbackSubmitterError,
        CallbackTimeoutError as CallbackTimeoutError,
        CheckpointError as CheckpointError,
        ChildContextError as ChildContextError,
        CompensationError as CompensationError,
        ContextMisuseError as ContextMisuseError,
        DurableExecutionsError as DurableExecutionsError,
        DurableOperationError as DurableOperationError,
        ExecutionError as ExecutionError,
        GetExecutionStateError as GetExecutionStateError,
        InvalidStateError as InvalidStateError,
        InvocationError as InvocationError,
        InvokeError as InvokeError,
        NonDeterministicExecutionError as NonDeterministicExecutionError,
        PluginLoadError as PluginLoadError,
        RetryableSerDesError as RetryableSerDesError,
        SerDesError as SerDesError,
        StepError as StepError,
        StepInterruptedError as StepInterruptedError,
        StepTimeoutError as StepTimeoutError,
        TerminationReason as TerminationReason,
        UnrecoverableError as UnrecoverableError,
        ValidationError as ValidationError,
        WaitForConditionError as WaitForConditionError,
    )
    from .execution import (
        DurableFunction as DurableFunction,
        DurableMethod as DurableMethod,
        durable_execution as durable_execution,
    )
    from .failures import (
        ExecutionFailure as ExecutionFailure,
        OperationNode as OperationNode,
    )
    from .filesystem_serdes import (
        FileSystemPathEncoding as FileSystemPathEncoding,
        FileSystemSerDes as FileSystemSerDes,
        FileSystemSerDesConfig as FileSystemSerDesConfig,
        FileSystemSerDesMode as FileSystemSerDesMode,
    )
    from .ids import (
        CallbackId as CallbackId,
        ExecutionArn as ExecutionArn,
        OperationId as OperationId,
    )
    from .logger import (
        DurableLogger as DurableLogger,
        JsonFormatter as JsonFormatter,
        json_logger as json_logger,
        setup_logging as setup_logging,
        simple_logger as simple_logger,
    )
    from .plugin import (
        DurableInstrumentationPlugin as DurableInstrumentationPlugin,
        DurableInstrumentationPluginFactory as DurableInstrumentationPluginFactory,
        InvocationEndInfo as InvocationEndInfo,
        InvocationInfo as InvocationInfo,
        InvocationStartInfo as InvocationStartInfo,
        OperationChangeInfo as OperationChangeInfo,
        OperationEndInfo as OperationEndInfo,
        OperationInfo as OperationInfo,
        OperationStartInfo as OperationStartInfo,
        PropagationInput as PropagationInput,
        PropagationMetadata as PropagationMetadata,
        UserFunctionEndInfo as UserFunctionEndInfo,
        UserFunctionOutcome as UserFunctionOutcome,
        UserFunctionStartInfo as UserFunctionStartInfo,
    )
    from .preview import (
        FieldMatchMode as FieldMatchMode,
        PreviewConfig as PreviewConfig,
        PreviewField as PreviewField,
        PreviewMode as PreviewMode,
        build_preview as build_preview,
    )
    from .retries import (
        ExponentialBackoff as ExponentialBackoff,
        FixedDelay as FixedDelay,
        LinearBackoff as LinearBackoff,
        LinearRetryStrategyConfig as LinearRetryStrategyConfig,
        NoRetry as NoRetry,
        RetryDecision as RetryDecision,
        RetryPresets as RetryPresets,
        RetryStrategyConfig as RetryStrategyConfig,
        WithRetryConfig as WithRetryConfig,
        create_linear_retry_strategy as create_linear_retry_strategy,
        create_retry_strategy as create_retry_strategy,
        retry_if as retry_if,
        with_retry as with_retry,
    )
    from .saga import (
        CompensationItem as CompensationItem,
        CompensationResult as CompensationResult,
    )
    from .serdes import (
        CompressSerDes as CompressSerDes,
        DefaultSerDes as DefaultSerDes,
        ExtendedTypeSerDes as ExtendedTypeSerDes,
        JsonSerDes as JsonSerDes,
        PassThroughSerDes as PassThroughSerDes,
        PipelineSerDes as PipelineSerDes,
        SerDes as SerDes,
        SerDesContext as SerDesContext,
        custom_serdes as custom_serdes,
    )
    from .styles import (
        DurableBuilder as DurableBuilder,
        DurableHandler as DurableHandler,
        durable as durable,
    )
    from .summaries import (
        map_summary as map_summary,
        parallel_summary as parallel_summary,
    )
    from .tracing import (
        TraceSpan as TraceSpan,
    )
    from .waits import (
        ExponentialWait as ExponentialWait,
        FixedWait as FixedWait,
        LinearWait as LinearWait,
        WaitForConditionConfig as WaitForConditionConfig,
        WaitForConditionDecision as WaitForConditionDecision,
        WaitStrategyConfig as WaitStrategyConfig,
        create_wait_strategy as create_wait_strategy,
    )
    from .wire.names import (
        OperationStatus as OperationStatus,
        OperationSubType as OperationSubType,
        OperationType as OperationType,
    )

# fmt: off
__all__ = [
    "__version__", "AllFailedError", "AsyncCallback", "AsyncDurableContext", "AsyncDurableContextProtocol",
    "AsyncDurableFuture", "AsyncDurableServiceClient", "AsyncSaga", "BatchCompletionError", "BatchItem",
    "BatchItemStatus", "BatchResult", "Boto3Client", "Callback", "CallbackConfig", "CallbackError",
    "CallbackExternalError", "CallbackId", "CallbackSubmitterError", "CallbackTimeoutError", "CheckpointConfig",
    "CheckpointError", "CheckpointMode", "ChildConfig", "ChildContextError", "CompensationError",
    "CompensationItem", "CompensationResult", "CompletionConfig", "CompletionDecision", "CompletionItemStatus",
    "CompletionOutcome", "CompletionReason", "CompletionStatus", "CompressSerDes", "ContextMisuseError",
    "DefaultSerDes", "DurableBuilder", "DurableContext", "DurableContextProtocol", "DurableExecutionsError",
    "DurableFunction", "DurableFuture", "DurableHandler", "DurableInstrumentationPlugin",
    "DurableInstrumentationPluginFactory", "DurableLogger", "DurableMethod", "DurableOperationError",
    "DurableServiceClient", "Duration", "ErrorObject", "ExecutionArn", "ExecutionError", "ExecutionFailure",
    "ExponentialBackoff", "ExponentialWait", "ExtendedTypeSerDes", "FieldMatchMode", "FileSystemPathEncoding",
    "FileSystemSerDes", "FileSystemSerDesConfig", "FileSystemSerDesMode", "FixedDelay", "FixedWait",
    "GetExecutionStateError", "InvalidStateError", "InvocationEndInfo", "InvocationError", "InvocationInfo",
    "InvocationStartInfo", "InvokeConfig", "InvokeError", "ItemBatcher", "JitterStrategy", "JsonFormatter",
    "JsonSerDes", "LambdaClient", "LinearBackoff", "LinearRetryStrategyConfig", "LinearWait", "LoggerInterface",
    "MapConfig", "NestingType", "NoRetry", "NonDeterministicExecutionError", "OperationChangeInfo",
    "OperationEndInfo", "OperationId", "OperationInfo", "OperationNode", "OperationStartInfo", "OperationStatus",
    "OperationSubType", "OperationType", "ParallelBranch", "ParallelConfig", "PassThroughSerDes",
    "PipelineSerDes", "PluginLoadError", "PreviewConfig", "PreviewField", "PreviewMode", "PropagationInput",
    "PropagationMetadata", "ReplayLogging", "RetryDecision", "RetryPresets", "RetryStrategyConfig",
    "RetryableSerDesError", "Saga", "SerDes", "SerDesContext", "SerDesError", "StepConfig", "StepContext",
    "StepError", "StepInterruptedError", "StepSemantics", "StepTimeoutError", "TerminationReason", "TraceSpan",
    "UnrecoverableError", "UserFunctionEndInfo", "UserFunctionOutcome", "UserFunctionStartInfo",
    "ValidationError", "WaitForCallbackConfig", "WaitForCallbackContext", "WaitForConditionCheckContext",
    "WaitForConditionConfig", "WaitForConditionDecision", "WaitForConditionError", "WaitStrategyConfig",
    "WithRetryConfig", "build_preview", "complete_batch", "continue_batch", "create_linear_retry_strategy",
    "create_retry_strategy", "create_wait_strategy", "custom_serdes", "durable", "durable_execution",
    "durable_parallel_branch", "durable_step", "durable_wait_for_callback", "durable_with_child_context",
    "json_logger", "map_summary", "parallel_summary", "retry_if", "setup_logging", "simple_logger", "with_retry",
]
# fmt: on

_HOMES = {
    "_logging.options": "LoggerInterface ReplayLogging",
    "checkpointing": "CheckpointConfig CheckpointMode",
    "client": "AsyncDurableServiceClient Boto3Client DurableServiceClient LambdaClient",
    "concurrency.error_object": "ErrorObject",
    "concurrency.models": "BatchCompletionError BatchItem BatchResult CompletionReason",
    "config": (
        "BatchItemStatus CallbackConfig ChildConfig CompletionConfig CompletionDecision "
        "CompletionItemStatus CompletionOutcome CompletionStatus Duration InvokeConfig ItemBatcher "
        "JitterStrategy MapConfig NestingType ParallelBranch ParallelConfig StepConfig StepSemantics "
        "WaitForCallbackConfig complete_batch continue_batch"
    ),
    "context": (
        "AsyncCallback AsyncDurableContext AsyncDurableFuture AsyncSaga Callback DurableContext "
        "DurableFuture Saga StepContext WaitForCallbackContext WaitForConditionCheckContext "
        "durable_parallel_branch durable_step durable_wait_for_callback durable_with_child_context"
    ),
    "context.protocols": "AsyncDurableContextProtocol DurableContextProtocol",
    "exceptions": (
        "AllFailedError CallbackError CallbackExternalError CallbackSubmitterError CallbackTimeoutError "
        "CheckpointError ChildContextError CompensationError ContextMisuseError DurableExecutionsError "
        "DurableOperationError ExecutionError GetExecutionStateError InvalidStateError InvocationError "
        "InvokeError NonDeterministicExecutionError PluginLoadError RetryableSerDesError SerDesError "
        "StepError StepInterruptedError StepTimeoutError TerminationReason UnrecoverableError "
        "ValidationError WaitForConditionError"
    ),
    "execution": "DurableFunction DurableMethod durable_execution",
    "failures": "ExecutionFailure OperationNode",
    "filesystem_serdes": "FileSystemPathEncoding FileSystemSerDes FileSystemSerDesConfig FileSystemSerDesMode",
    "ids": "CallbackId ExecutionArn OperationId",
    "logger": "DurableLogger JsonFormatter json_logger setup_logging simple_logger",
    "plugin": (
        "DurableInstrumentationPlugin DurableInstrumentationPluginFactory InvocationEndInfo "
        "InvocationInfo InvocationStartInfo OperationChangeInfo OperationEndInfo OperationInfo "
        "OperationStartInfo PropagationInput PropagationMetadata UserFunctionEndInfo UserFunctionOutcome "
        "UserFunctionStartInfo"
    ),
    "preview": "FieldMatchMode PreviewConfig PreviewField PreviewMode build_preview",
    "retries": (
        "ExponentialBackoff FixedDelay LinearBackoff LinearRetryStrategyConfig NoRetry RetryDecision "
        "RetryPresets RetryStrategyConfig WithRetryConfig create_linear_retry_strategy "
        "create_retry_strategy retry_if with_retry"
    ),
    "saga": "CompensationItem CompensationResult",
    "serdes": (
        "CompressSerDes DefaultSerDes ExtendedTypeSerDes JsonSerDes PassThroughSerDes PipelineSerDes "
        "SerDes SerDesContext custom_serdes"
    ),
    "styles": "DurableBuilder DurableHandler durable",
    "summaries": "map_summary parallel_summary",
    "tracing": "TraceSpan",
    "waits": (
        "ExponentialWait FixedWait LinearWait WaitForConditionConfig WaitForConditionDecision "
        "WaitStrategyConfig create_wait_strategy"
    ),
    "wire.names": "OperationStatus OperationSubType OperationType",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'durably' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
