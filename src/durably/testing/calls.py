"""The calls between a function under test and the service, for those who watch or disturb them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from durably.wire.shapes import OperationUpdate

if TYPE_CHECKING:
    from ._world import World

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
    world: World | None = field(default=None, repr=False)
    """The service that it is made to."""
    _revoked: bool = field(default=False, repr=False)

    @property
    def names(self) -> list[str]:
        """Names of the operations in it."""
        return [update["Name"] for update in self.updates if "Name" in update]

    @property
    def actions(self) -> list[str]:
        """As in ``STEP START charge``, for messages and comparisons."""
        return [" ".join(filter(None, (one["Type"], one["Action"], one.get("Name")))) for one in self.updates]

    def revoke(self) -> None:
        """The service takes the execution away from this invocation, with this call; another one follows.

        For an interceptor's ``before``: the call is carried out, its answer has no token.
        """
        assert self.world is not None
        self.world.call("PauseDurableExecution", DurableExecutionArn=self.execution_arn, ExecutionTimeoutPaused=False)
        self._revoked = True


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
