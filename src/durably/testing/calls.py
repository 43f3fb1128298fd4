"""The calls between a function under test and the service, for those who watch or disturb them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from durably.wire.shapes import OperationUpdate

__all__ = ["Crash", "Interceptor", "ServiceCall"]


class Crash(BaseException):
    """The function's process is killed here. Whatever its code still does has no effect."""


@dataclass(slots=True)
class ServiceCall:
    """One call of CheckpointDurableExecution or GetDurableExecutionState.

    Attributes:
        number: counted from 1 over all calls of the execution.
        invocation: which invocation of the execution makes it, from 1.
        function: name of the function that makes it.
        updates: what a checkpoint asks to record.
        applied: the service has carried it out.
        answer: what the service answered: a response, or the ApiError. An interceptor's ``after`` may replace it.
    """

    number: int
    invocation: int
    execution_arn: str
    function: str
    kind: Literal["checkpoint", "get_state"]
    updates: Sequence[OperationUpdate] = ()
    applied: bool = False
    answer: Any = field(default=None, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the operations in it."""
        return [update["Name"] for update in self.updates if "Name" in update]

    @property
    def actions(self) -> list[str]:
        """As in ``STEP START charge``, for messages and comparisons."""
        return [" ".join(filter(None, (one["Type"], one["Action"], one.get("Name")))) for one in self.updates]


class Interceptor(Protocol):
    """Sees every call; :attr:`durably.testing.LocalRunner.interceptors` holds them.

    Each method may raise an ``ApiError`` (an answer of the service, or ``ConnectionError``: none came), raise
    :class:`Crash`, or return how many virtual seconds the call is on its way.
    """

    def before(self, call: ServiceCall) -> float | None:
        """The call has not reached the service yet."""
        ...

    def after(self, call: ServiceCall) -> float | None:
        """The service has carried it out; its answer has not arrived yet."""
        ...
