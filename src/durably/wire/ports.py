"""The doors between the two halves: what each side may ask of the other without importing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from .api_errors import ApiError
from .shapes import CheckpointResponse, ExecutionState, InvocationOutput, OperationUpdate


class CheckpointPort(Protocol):
    """What a running function needs of a service that lives in the same process.

    Calls return at once. ``reply`` is called exactly once, on a thread of the service's choosing, after the
    result is durable (or was refused). It must not block or raise.
    """

    def submit_checkpoint(
        self,
        arn: str,
        token: str,
        updates: Sequence[OperationUpdate],
        client_token: str | None,
        reply: Callable[[CheckpointResponse | ApiError], None],
    ) -> None: ...

    def submit_get_state(
        self,
        arn: str,
        token: str,
        marker: str | None,
        max_items: int,
        reply: Callable[[ExecutionState | ApiError], None],
    ) -> None: ...


class InvocationContext(Protocol):
    """The members of Lambda's context object that durably relies on."""

    aws_request_id: str
    function_name: str
    invoked_function_arn: str

    def get_remaining_time_in_millis(self) -> int: ...


@runtime_checkable
class DurableFunctionPort(Protocol):
    """What the workers need of a durable function object. ``client`` is opaque to them.

    ``is_async`` tells which of the two ways to run one invocation applies; both return the InvocationOutput and
    raise to ask for another invocation.
    """

    is_async: bool
    __name__: str

    def run_sync(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput: ...

    async def run_async(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput: ...
