"""The client of a function on AWS Lambda: two calls over signed HTTPS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durably.wire.timestamps import to_millis

from .clock import Clock
from .transport import Transport
from .urls import quote

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate

__all__ = ["LambdaClient"]

_JSON = {"content-type": "application/json"}


class LambdaClient:
    """Checkpoints to AWS Lambda, or to whatever speaks its API. Thread-safe; costs next to nothing to make.

    Parameters:
        region: default AWS_REGION, AWS_DEFAULT_REGION.
        endpoint_url: default AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the region's public endpoint.
        credentials: ``Credentials(access_key, secret_key, token)``, botocore credentials, or a function returning
            either. Default: the environment's, then botocore's chain (``pip install 'durably[aws]'``). Requests to a
            plain-HTTP endpoint go out unsigned when the environment has none.
        connect_timeout: seconds.
        read_timeout: seconds until more of an answer must have come.
        max_attempts: tries of one call in all, where another can help (throttled, 5xx, no answer).
        user_agent_extra: appended to ``durably/<version>``.

    Raises:
        ValueError: no region and no endpoint, or a malformed value.
    """

    def __init__(
        self,
        region: str | None = None,
        endpoint_url: str | None = None,
        credentials: Any = None,
        *,
        connect_timeout: float = 5,
        read_timeout: float = 50,
        max_attempts: int = 4,
        user_agent_extra: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._transport = Transport(
            region=region,
            endpoint_url=endpoint_url,
            credentials=credentials,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            max_attempts=max_attempts,
            user_agent_extra=user_agent_extra,
            clock=clock,
        )
        self._paths: dict[str, str] = {}
        self._pool: ThreadPoolExecutor | None = None

    @property
    def endpoint_url(self) -> str:
        return self._transport.endpoint.url

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        from msgspec.json import encode

        body = encode(
            {"CheckpointToken": token, "Updates": updates, "ClientToken": client_token or self._transport.clock.token()}
        )
        response = self._transport.send("POST", self._path(arn) + "/checkpoint", body=body, headers=_JSON)
        answer: Any = self._transport.parse(response)
        answer["NewExecutionState"] = _as_state(answer.get("NewExecutionState") or {})
        return answer  # type: ignore[no-any-return]

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        query = [("CheckpointToken", token), ("MaxItems", str(max_items))]
        if marker:
            query.append(("Marker", marker))
        response = self._transport.send("GET", self._path(arn) + "/state", query=query)
        return _as_state(self._transport.parse(response))

    async def acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        """The same from an event loop: the call runs on a thread of the client's own."""
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(
            self._threads(), self.checkpoint, arn, token, updates, client_token
        )

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        from asyncio import get_running_loop

        return await get_running_loop().run_in_executor(self._threads(), self.get_state, arn, token, marker, max_items)

    def close(self) -> None:
        """Close idle connections and threads. The client stays usable."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)
        self._transport.close()

    def __repr__(self) -> str:
        return f"LambdaClient(region={self._transport.region!r}, endpoint_url={self.endpoint_url!r})"

    def _path(self, arn: str) -> str:
        """An invocation's calls all go to one path; a process sees few invocations at a time."""
        path = self._paths.get(arn)
        if path is None:
            if len(self._paths) >= 64:
                self._paths.clear()
            path = self._paths[arn] = "/2025-12-01/durable-executions/" + quote(arn)
        return path

    def _threads(self) -> ThreadPoolExecutor:
        pool = self._pool
        if pool is None:
            from concurrent.futures import ThreadPoolExecutor

            # Two may race to here once; the loser's pool ends with its last call.
            pool = self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="durably-lambda-client")
        return pool


def _as_state(state: Any) -> ExecutionState:
    """A page in event form, converted in place: it was parsed a moment ago and is nobody else's."""
    operations = state.setdefault("Operations", [])
    for operation in operations:
        operation["StartTimestamp"] = to_millis(operation["StartTimestamp"])
        if "EndTimestamp" in operation:
            operation["EndTimestamp"] = to_millis(operation["EndTimestamp"])
        step = operation.get("StepDetails")
        if step and "NextAttemptTimestamp" in step:
            step["NextAttemptTimestamp"] = to_millis(step["NextAttemptTimestamp"])
        wait = operation.get("WaitDetails")
        if wait and "ScheduledEndTimestamp" in wait:
            wait["ScheduledEndTimestamp"] = to_millis(wait["ScheduledEndTimestamp"])
    if not state.get("NextMarker"):
        state.pop("NextMarker", None)
    return state  # type: ignore[no-any-return]
