"""The two calls a running function makes, as protocols anyone can implement.

``token`` is the checkpoint token of the invocation event or of the previous response. Responses are in event
form: timestamps are integer milliseconds. Failures raise :class:`durably.wire.api_errors.ApiError`, whose
``retry_invocation`` decides what becomes of the invocation. One object may offer both worlds by naming the
asynchronous methods ``acheckpoint`` and ``aget_state``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate

__all__ = ["AsyncDurableServiceClient", "DurableServiceClient"]


@runtime_checkable
class DurableServiceClient(Protocol):
    """A client whose calls block the calling thread."""

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None
    ) -> CheckpointResponse:
        """Record ``updates``, all or none. No updates: a refresh.

        ``client_token`` makes a repeated call answer as the first did; None: the client chooses one.
        """
        ...

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        """One page of the execution's operations; ``marker`` is the previous page's ``NextMarker``."""
        ...


@runtime_checkable
class AsyncDurableServiceClient(Protocol):
    """The same for an event loop."""

    async def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None
    ) -> CheckpointResponse: ...

    async def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState: ...
