"""The embedded durable execution service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durably.service.clock import Clock, Ids
from durably.service.config import ServiceConfig
from durably.service.ports import Worker
from durably.service.store.base import Store
from durably.wire.api_errors import ApiError
from durably.wire.shapes import CheckpointResponse, Event, ExecutionState, OperationUpdate

__all__ = ["Service", "ServiceConfig"]


class Service:
    def __init__(
        self,
        store: Store,
        worker: Worker | None = None,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        config: ServiceConfig | None = None,
    ) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...

    def attach(self, worker: Worker) -> None: ...

    def submit(self, action: str, params: dict[str, Any], reply: Callable[[dict[str, Any] | ApiError], None]) -> None:
        ...

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        raise NotImplementedError

    async def acall(self, action: str, **params: Any) -> dict[str, Any]:
        raise NotImplementedError

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

    def subscribe(self, listener: Callable[[str, list[Event]], None]) -> Callable[[], None]:
        raise NotImplementedError
