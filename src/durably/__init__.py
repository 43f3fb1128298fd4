"""Durable execution for Python: ordinary functions that survive crashes, deploys and months of waiting.

Every public name is importable from here; modules are loaded when a name is first used, so that importing durably
stays cheap where it matters, in a Lambda cold start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

_HOMES = {
    "execution": ["DurableFunction", "durable_execution"],
    "context": [
        "AsyncCallback",
        "AsyncDurableContext",
        "Callback",
        "DurableContext",
        "StepContext",
        "WaitForCallbackContext",
        "durable_step",
        "durable_wait_for_callback",
        "durable_with_child_context",
    ],
    "config": [
        "CallbackConfig",
        "ChildConfig",
        "Duration",
        "InvokeConfig",
        "JitterStrategy",
        "StepConfig",
        "StepSemantics",
        "WaitForCallbackConfig",
    ],
    "retries": [
        "ExponentialBackoff",
        "FixedDelay",
        "LinearBackoff",
        "LinearRetryStrategyConfig",
        "NoRetry",
        "RetryDecision",
        "RetryPresets",
        "RetryStrategyConfig",
        "create_linear_retry_strategy",
        "create_retry_strategy",
        "retry_if",
    ],
    "serdes": ["DefaultSerDes", "ExtendedTypeSerDes", "JsonSerDes", "PassThroughSerDes", "SerDes", "SerDesContext"],
    "exceptions": [
        "CallbackError",
        "CallbackExternalError",
        "CallbackSubmitterError",
        "CallbackTimeoutError",
        "CheckpointError",
        "ChildContextError",
        "ContextMisuseError",
        "DurableExecutionsError",
        "DurableOperationError",
        "ExecutionError",
        "GetExecutionStateError",
        "InvalidStateError",
        "InvocationError",
        "InvokeError",
        "NonDeterministicExecutionError",
        "RetryableSerDesError",
        "SerDesError",
        "StepError",
        "StepInterruptedError",
        "StepTimeoutError",
        "TerminationReason",
        "UnrecoverableError",
        "ValidationError",
        "WaitForConditionError",
    ],
    "client": ["AsyncDurableServiceClient", "Boto3Client", "DurableServiceClient", "LambdaClient"],
    "logger": ["DurableLogger"],
    "wire.names": ["OperationStatus", "OperationSubType", "OperationType"],
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]  # noqa: PLE0604 - names only


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
