"""Histories of executions in a service: the embedded one, AWS Lambda, or anything that speaks the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol, cast

from durably.wire.shapes import Operation
from durably.wire.timestamps import seconds_to_millis

from .history import History, HistoryError

__all__ = ["Api", "api_of", "export_history"]

_PAGE: Final = 1000


class Api(Protocol):
    """The API from outside an execution, as :class:`durably.client.api.LambdaApi` has it."""

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """The result of an action; timestamps in milliseconds. Raises ApiError."""
        ...

    def pages(self, action: str, member: str, **params: Any) -> Iterator[Any]:
        """The items under ``member`` of every page of a listing action."""
        ...


def export_history(
    arn: str, client: Any = None, *, checkpoint_token: str | None = None, include_execution_data: bool = True
) -> History:
    """The history of the execution ``arn``, every page of it.

    Parameters:
        client: a boto3 Lambda client, a :class:`~durably.client.api.LambdaApi`, or an embedded service in this
            process. By default the service that AWS_ENDPOINT_URL_LAMBDA names, or AWS Lambda.
        checkpoint_token: of a running invocation, if you have one: then the operations are the service's own
            (GetDurableExecutionState), which also say which results are only summaries.
        include_execution_data: payloads too. A history without them cannot be replayed.

    Raises:
        ApiError: there is no such execution, or the service did not answer.
    """
    api = api_of(client)
    included: dict[str, Any] = {"IncludeExecutionData": include_execution_data}
    described = api.call("GetDurableExecution", DurableExecutionArn=arn, **included)
    events = list(
        api.pages("GetDurableExecutionHistory", "Events", DurableExecutionArn=arn, MaxItems=_PAGE, **included)
    )
    if not events:
        raise HistoryError(f"the service knows the execution {arn}, but has no history of it")
    operations: list[Operation] | None = None
    if checkpoint_token is not None:
        found = api.pages(
            "GetDurableExecutionState",
            "Operations",
            DurableExecutionArn=arn,
            CheckpointToken=checkpoint_token,
            MaxItems=_PAGE,
        )
        operations = cast("list[Operation]", list(found))
    described.setdefault("ExecutionDataIncluded", include_execution_data)
    return History(described, events, operations)


def api_of(client: Any) -> Api:
    """``client`` as an :class:`Api`. Raises TypeError for what cannot be one."""
    if client is None:
        from durably.client.api import LambdaApi

        return LambdaApi()
    if callable(getattr(client, "call", None)):
        return cast(Api, client) if callable(getattr(client, "pages", None)) else _Caller(client.call)
    if callable(getattr(client, "get_durable_execution_history", None)):
        return _Caller(_Boto3(client).call)
    if getattr(getattr(client, "meta", None), "service_model", None) is not None:
        raise TypeError(
            "this boto3 client does not know durable executions: it has to be boto3.client('lambda'), with boto3 "
            "1.44.5 or newer for all of the API"
        )
    raise TypeError(
        f"{client!r} is no client: pass a boto3 Lambda client, a durably.client.api.LambdaApi, or nothing for the "
        "service that the environment names"
    )


class _Caller:
    """Pages for what can only be called."""

    def __init__(self, call: Callable[..., dict[str, Any]]) -> None:
        self._call = call

    def call(self, action: str, *, read_timeout: float | None = None, **params: Any) -> dict[str, Any]:
        return self._call(action, **{name: value for name, value in params.items() if value is not None})

    def pages(self, action: str, member: str, **params: Any) -> Iterator[Any]:
        marker: str | None = None
        while True:
            page = self.call(action, Marker=marker, **params)
            yield from page.get(member, ())
            marker = page.get("NextMarker")
            if not marker:
                return


class _Boto3:
    """A boto3 client under the API's own names, timestamps in milliseconds, failures as ApiError."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        from durably.client.boto3_client import api_error

        try:
            answer: Mapping[str, Any] = getattr(self._client, _snake(action))(**params)
        except Exception as failure:
            error = api_error(failure)
            if error is None:
                raise
            raise error from failure
        result = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        if hasattr(result.get("Payload"), "read"):
            result["Payload"] = result["Payload"].read().decode("utf-8", "replace")
        return cast("dict[str, Any]", seconds_to_millis(result))


def _snake(action: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in action).lstrip("_")
