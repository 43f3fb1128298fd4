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
    )
    from ._logging.options import (
        ReplayLogging as ReplayLogging,
    )
    from .checkpointing import (
        CheckpointConfig as CheckpointConfig,
    )
    from .checkpointing import (
        CheckpointMode as CheckpointMode,
    )
    from .client import (
        AsyncDurableServiceClient as AsyncDurableServiceClient,
    )
    from .client import (
        Boto3Client as Boto3Client,
    )
    from .client import (
        DurableServiceClient as DurableServiceClient,
    )
    from .client import (
        LambdaClient as LambdaClient,
    )
    from .concurrency.error_object import (
        ErrorObject as ErrorObject,
    )
    from .concurrency.models import (
        BatchCompletionError as BatchCompletionError,
    )
    from .concurrency.models import (
        BatchItem as BatchItem,
    )
    from .concurrency.models import (
        BatchResult as BatchResult,
    )
    from .concurrency.models import (
        CompletionReason as CompletionReason,
    )
    from .config import (
        BatchItemStatus as BatchItemStatus,
    )
    from .config import (
        CallbackConfig as CallbackConfig,
    )
    from .config import (
        ChildConfig as ChildConfig,
    )
    from .config import (
        CompletionConfig as CompletionConfig,
    )
    from .config import (
        CompletionDecision as CompletionDecision,
    )
    from .config import (
        CompletionItemStatus as CompletionItemStatus,
    )
    from .config import (
        CompletionOutcome as CompletionOutcome,
    )
    from .config import (
        CompletionStatus as CompletionStatus,
    )
    from .config import (
        Duration as Duration,
    )
    from .config import (
        InvokeConfig as InvokeConfig,
    )
    from .config import (
        ItemBatcher as ItemBatcher,
    )
    from .config import (
        JitterStrategy as JitterStrategy,
    )
    from .config import (
        MapConfig as MapConfig,
    )
    from .config import (
        NestingType as NestingType,
    )
    from .config import (
        ParallelBranch as ParallelBranch,
    )
    from .config import (
        ParallelConfig as ParallelConfig,
    )
    from .config import (
        StepConfig as StepConfig,
    )
    from .config import (
        StepSemantics as StepSemantics,
    )
    from .config import (
        WaitForCallbackConfig as WaitForCallbackConfig,
    )
    from .config import (
        complete_batch as complete_batch,
    )
    from .config import (
        continue_batch as continue_batch,
    )
    from .context import (
        AsyncCallback as AsyncCallback,
    )
    from .context import (
        AsyncDurableContext as AsyncDurableContext,
    )
    from .context import (
        AsyncDurableFuture as AsyncDurableFuture,
    )
    from .context import (
        AsyncSaga as AsyncSaga,
    )
    from .context import (
        Callback as Callback,
    )
    from .context import (
        DurableContext as DurableContext,
    )
    from .context import (
        DurableFuture as DurableFuture,
    )
    from .context import (
        Saga as Saga,
    )
    from .context import (
        StepContext as StepContext,
    )
    from .context import (
        WaitForCallbackContext as WaitForCallbackContext,
    )
    from .context import (
        WaitForConditionCheckContext as WaitForConditionCheckContext,
    )
    from .context import (
        durable_parallel_branch as durable_parallel_branch,
    )
    from .context import (
        durable_step as durable_step,
    )
    from .context import (
        durable_wait_for_callback as durable_wait_for_callback,
    )
    from .context import (
        durable_with_child_context as durable_with_child_context,
    )
    from .exceptions import (
        AllFailedError as AllFailedError,
    )
    from .exceptions import (
        CallbackError as CallbackError,
    )
    from .exceptions import (
        CallbackExternalError as CallbackExternalError,
    )
    from .exceptions import (
        CallbackSubmitterError as CallbackSubmitterError,
    )
    from .exceptions import (
        CallbackTimeoutError as CallbackTimeoutError,
    )
    from .exceptions import (
        CheckpointError as CheckpointError,
    )
    from .exceptions import (
        ChildContextError as ChildContextError,
    )
    from .exceptions import (
        CompensationError as CompensationError,
    )
    from .exceptions import (
        ContextMisuseError as ContextMisuseError,
    )
    from .exceptions import (
        DurableExecutionsError as DurableExecutionsError,
    )
    from .exceptions import (
        DurableOperationError as DurableOperationError,
    )
    from .exceptions import (
        ExecutionError as ExecutionError,
    )
    from .exceptions import (
        GetExecutionStateError as GetExecutionStateError,
    )
    from .exceptions import (
        InvalidStateError as InvalidStateError,
    )
    from .exceptions import (
        InvocationError as InvocationError,
    )
    from .exceptions import (
        InvokeError as InvokeError,
    )
    from .exceptions import (
        NonDeterministicExecutionError as NonDeterministicExecutionError,
    )
    from .exceptions import (
        RetryableSerDesError as RetryableSerDesError,
    )
    from .exceptions import (
        SerDesError as SerDesError,
    )
    from .exceptions import (
        StepError as StepError,
    )
    from .exceptions import (
        StepInterruptedError as StepInterruptedError,
    )
    from .exceptions import (
        StepTimeoutError as StepTimeoutError,
    )
    from .exceptions import (
        TerminationReason as TerminationReason,
    )
    from .exceptions import (
        UnrecoverableError as UnrecoverableError,
    )
    from .exceptions import (
        ValidationError as ValidationError,
    )
    from .exceptions import (
        WaitForConditionError as WaitForConditionError,
    )
    from .execution import (
        DurableFunction as DurableFunction,
    )
    from .execution import (
        durable_execution as durable_execution,
    )
    from .filesystem_serdes import (
        FileSystemPathEncoding as FileSystemPathEncoding,
    )
    from .filesystem_serdes import (
        FileSystemSerDes as FileSystemSerDes,
    )
    from .filesystem_serdes import (
        FileSystemSerDesConfig as FileSystemSerDesConfig,
    )
    from .filesystem_serdes import (
        FileSystemSerDesMode as FileSystemSerDesMode,
    )
    from .logger import (
        DurableLogger as DurableLogger,
    )
    from .logger import (
        JsonFormatter as JsonFormatter,
    )
    from .logger import (
        json_logger as json_logger,
    )
    from .logger import (
        setup_logging as setup_logging,
    )
    from .logger import (
        simple_logger as simple_logger,
    )
    from .preview import (
        FieldMatchMode as FieldMatchMode,
    )
    from .preview import (
        PreviewConfig as PreviewConfig,
    )
    from .preview import (
        PreviewField as PreviewField,
    )
    from .preview import (
        PreviewMode as PreviewMode,
    )
    from .preview import (
        build_preview as build_preview,
    )
    from .retries import (
        ExponentialBackoff as ExponentialBackoff,
    )
    from .retries import (
        FixedDelay as FixedDelay,
    )
    from .retries import (
        LinearBackoff as LinearBackoff,
    )
    from .retries import (
        LinearRetryStrategyConfig as LinearRetryStrategyConfig,
    )
    from .retries import (
        NoRetry as NoRetry,
    )
    from .retries import (
        RetryDecision as RetryDecision,
    )
    from .retries import (
        RetryPresets as RetryPresets,
    )
    from .retries import (
        RetryStrategyConfig as RetryStrategyConfig,
    )
    from .retries import (
        WithRetryConfig as WithRetryConfig,
    )
    from .retries import (
        create_linear_retry_strategy as create_linear_retry_strategy,
    )
    from .retries import (
        create_retry_strategy as create_retry_strategy,
    )
    from .retries import (
        retry_if as retry_if,
    )
    from .retries import (
        with_retry as with_retry,
    )
    from .saga import (
        CompensationItem as CompensationItem,
    )
    from .saga import (
        CompensationResult as CompensationResult,
    )
    from .serdes import (
        CompressSerDes as CompressSerDes,
    )
    from .serdes import (
        DefaultSerDes as DefaultSerDes,
    )
    from .serdes import (
        ExtendedTypeSerDes as ExtendedTypeSerDes,
    )
    from .serdes import (
        JsonSerDes as JsonSerDes,
    )
    from .serdes import (
        PassThroughSerDes as PassThroughSerDes,
    )
    from .serdes import (
        PipelineSerDes as PipelineSerDes,
    )
    from .serdes import (
        SerDes as SerDes,
    )
    from .serdes import (
        SerDesContext as SerDesContext,
    )
    from .serdes import (
        custom_serdes as custom_serdes,
    )
    from .summaries import (
        map_summary as map_summary,
    )
    from .summaries import (
        parallel_summary as parallel_summary,
    )
    from .waits import (
        ExponentialWait as ExponentialWait,
    )
    from .waits import (
        FixedWait as FixedWait,
    )
    from .waits import (
        LinearWait as LinearWait,
    )
    from .waits import (
        WaitForConditionConfig as WaitForConditionConfig,
    )
    from .waits import (
        WaitForConditionDecision as WaitForConditionDecision,
    )
    from .waits import (
        WaitStrategyConfig as WaitStrategyConfig,
    )
    from .waits import (
        create_wait_strategy as create_wait_strategy,
    )
    from .wire.names import (
        OperationStatus as OperationStatus,
    )
    from .wire.names import (
        OperationSubType as OperationSubType,
    )
    from .wire.names import (
        OperationType as OperationType,
    )

# fmt: off
__all__ = [
    "__version__", "AllFailedError", "AsyncCallback", "AsyncDurableContext", "AsyncDurableFuture",
    "AsyncDurableServiceClient", "AsyncSaga", "BatchCompletionError", "BatchItem", "BatchItemStatus",
    "BatchResult", "Boto3Client", "Callback", "CallbackConfig", "CallbackError", "CallbackExternalError",
    "CallbackSubmitterError", "CallbackTimeoutError", "CheckpointConfig", "CheckpointError", "CheckpointMode",
    "ChildConfig", "ChildContextError", "CompensationError", "CompensationItem", "CompensationResult",
    "CompletionConfig", "CompletionDecision", "CompletionItemStatus", "CompletionOutcome", "CompletionReason",
    "CompletionStatus", "CompressSerDes", "ContextMisuseError", "DefaultSerDes", "DurableContext",
    "DurableExecutionsError", "DurableFunction", "DurableFuture", "DurableLogger", "DurableOperationError",
    "DurableServiceClient", "Duration", "ErrorObject", "ExecutionError", "ExponentialBackoff", "ExponentialWait",
    "ExtendedTypeSerDes", "FieldMatchMode", "FileSystemPathEncoding", "FileSystemSerDes",
    "FileSystemSerDesConfig", "FileSystemSerDesMode", "FixedDelay", "FixedWait", "GetExecutionStateError",
    "InvalidStateError", "InvocationError", "InvokeConfig", "InvokeError", "ItemBatcher", "JitterStrategy",
    "JsonFormatter", "JsonSerDes", "LambdaClient", "LinearBackoff", "LinearRetryStrategyConfig", "LinearWait",
    "LoggerInterface", "MapConfig", "NestingType", "NoRetry", "NonDeterministicExecutionError", "OperationStatus",
    "OperationSubType", "OperationType", "ParallelBranch", "ParallelConfig", "PassThroughSerDes",
    "PipelineSerDes", "PreviewConfig", "PreviewField", "PreviewMode", "ReplayLogging", "RetryDecision",
    "RetryPresets", "RetryStrategyConfig", "RetryableSerDesError", "Saga", "SerDes", "SerDesContext",
    "SerDesError", "StepConfig", "StepContext", "StepError", "StepInterruptedError", "StepSemantics",
    "StepTimeoutError", "TerminationReason", "UnrecoverableError", "ValidationError", "WaitForCallbackConfig",
    "WaitForCallbackContext", "WaitForConditionCheckContext", "WaitForConditionConfig",
    "WaitForConditionDecision", "WaitForConditionError", "WaitStrategyConfig", "WithRetryConfig", "build_preview",
    "complete_batch", "continue_batch", "create_linear_retry_strategy", "create_retry_strategy",
    "create_wait_strategy", "custom_serdes", "durable_execution", "durable_parallel_branch", "durable_step",
    "durable_wait_for_callback", "durable_with_child_context", "json_logger", "map_summary", "parallel_summary",
    "retry_if", "setup_logging", "simple_logger", "with_retry",
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
    "exceptions": (
        "AllFailedError CallbackError CallbackExternalError CallbackSubmitterError CallbackTimeoutError "
        "CheckpointError ChildContextError CompensationError ContextMisuseError DurableExecutionsError "
        "DurableOperationError ExecutionError GetExecutionStateError InvalidStateError InvocationError "
        "InvokeError NonDeterministicExecutionError RetryableSerDesError SerDesError StepError "
        "StepInterruptedError StepTimeoutError TerminationReason UnrecoverableError ValidationError "
        "WaitForConditionError"
    ),
    "execution": "DurableFunction durable_execution",
    "filesystem_serdes": "FileSystemPathEncoding FileSystemSerDes FileSystemSerDesConfig FileSystemSerDesMode",
    "logger": "DurableLogger JsonFormatter json_logger setup_logging simple_logger",
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
    "summaries": "map_summary parallel_summary",
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
