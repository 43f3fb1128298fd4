"""Names of the durable execution API, under the official SDK's module name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wire.names import InvocationStatus, OperationAction, OperationStatus, OperationSubType, OperationType

if TYPE_CHECKING:
    from .concurrency.error_object import ErrorObject

__all__ = [
    "ErrorObject",
    "InvocationStatus",
    "OperationAction",
    "OperationStatus",
    "OperationSubType",
    "OperationType",
]


def __getattr__(name: str) -> Any:
    if name != "ErrorObject":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .concurrency.error_object import ErrorObject

    return ErrorObject
