"""An adapter for a Lambda client the user already has: boto3's, or anything shaped like it.

Nothing of botocore is imported. Its errors are told apart by their shape and by the names in their class's
ancestry, so that stubs, proxies and instrumented clients work as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from durably._version import __version__
from durably.wire.api_errors import CONNECTION_ERROR, ApiError
from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate
from durably.wire.timestamps import seconds_to_millis

from .clock import Clock

__all__ = ["Boto3Client", "api_error"]

_ATTEMPTS: Final = 4
_NO_ANSWER: Final = frozenset({"ConnectionError", "HTTPClientError", "OSError"})
_REFUSED_LOCALLY: Final = frozenset({"ParamValidationError"})


def check_boto3_client(client: Any) -> None:
    """Raise TypeError if ``client`` lacks an operation that a running function calls."""
    for operation in ("checkpoint_durable_execution", "get_durable_execution_state"):
        if not callable(getattr(client, operation, None)):
            raise TypeError(
                f"{type(client).__name__} has no {operation}(): pass a Lambda client, boto3.client('lambda'), "
                "of boto3 1.42.1 or newer"
            )


class Boto3Client:
    """Checkpoints through ``client``, e.g. ``boto3.client("lambda")``.

    Raises:
        TypeError: ``client`` lacks the two operations (boto3 knows them since 1.42.1).
    """

    def __init__(self, client: Any, *, clock: Clock | None = None) -> None:
        check_boto3_client(client)
        self._client = client
        self._clock = clock or Clock()
        _announce(client)

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        answer = self._call(
            "checkpoint_durable_execution",
            {
                "DurableExecutionArn": arn,
                "CheckpointToken": token,
                "Updates": list(updates),
                "ClientToken": client_token or self._clock.token(),
            },
            "NewExecutionState",
        )
        answer["NewExecutionState"] = _state(answer["NewExecutionState"] or {})
        return answer  # type: ignore[return-value]  # as the service model says

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        arguments: dict[str, Any] = {"DurableExecutionArn": arn, "CheckpointToken": token, "MaxItems": max_items}
        if marker:
            arguments["Marker"] = marker
        return _state(self._call("get_durable_execution_state", arguments, "Operations"))

    def __repr__(self) -> str:
        return f"Boto3Client({self._client!r})"

    def _call(self, operation: str, arguments: dict[str, Any], required: str) -> dict[str, Any]:
        """The answer, with timestamps in milliseconds.

        A connection that breaks in the middle of an answer is no error to botocore: it returns what it could make of
        the rest, an answer without members. So one without ``required``, which the service model demands, did not
        arrive; the call is repeated, with the same ClientToken.
        """
        for _ in range(_ATTEMPTS):
            answer = self._ask(operation, arguments)
            if required in answer:
                return {
                    key: seconds_to_millis(value)
                    for key, value in answer.items()
                    if key == required or (key != "ResponseMetadata" and value is not None)
                }
        raise ApiError(
            CONNECTION_ERROR,
            f"{operation} was answered {_ATTEMPTS} times without {required}: the answers were cut short",
        )

    def _ask(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**arguments)
        except ApiError:
            raise
        except Exception as exc:
            error = api_error(exc)
            if error is None:
                raise
            raise error from exc
        return answer


def _state(state: dict[str, Any]) -> ExecutionState:
    state.setdefault("Operations", [])
    if not state.get("NextMarker"):
        state.pop("NextMarker", None)
    return state  # type: ignore[return-value]


def api_error(exc: Exception) -> ApiError | None:
    """What the exception means to the engine; None when it is not about the call (no credentials, a bug)."""
    response = getattr(exc, "response", None)
    if isinstance(response, dict) and isinstance(response.get("Error"), dict):
        error = response["Error"]
        code = str(error.get("Code") or type(exc).__name__)
        metadata = response.get("ResponseMetadata")
        status = metadata.get("HTTPStatusCode") if isinstance(metadata, dict) else None
        return ApiError(code, str(error.get("Message") or exc), status if isinstance(status, int) else None)
    ancestry = {ancestor.__name__ for ancestor in type(exc).__mro__}
    if ancestry & _NO_ANSWER:
        return ApiError(CONNECTION_ERROR, str(exc))
    if ancestry & _REFUSED_LOCALLY:
        return ApiError("InvalidParameterValueException", str(exc))
    return None


def _announce(client: Any) -> None:
    """Name durably in the user agent of the two calls, where the client has botocore's event system."""
    register = getattr(getattr(getattr(client, "meta", None), "events", None), "register", None)
    if not callable(register):
        return
    for operation in ("CheckpointDurableExecution", "GetDurableExecutionState"):
        # The unique id makes a second adapter around one client add nothing.
        register(f"before-send.lambda.{operation}", _add_user_agent, unique_id=f"durably-user-agent-{operation}")


def _add_user_agent(request: Any, **_: Any) -> None:
    """At the last moment: botocore writes the header anew for each attempt. It is not part of the signature."""
    ours = f"durably/{__version__}"
    agent = request.headers.get("User-Agent", "")
    text = agent.decode("latin-1") if isinstance(agent, bytes) else str(agent)
    if ours not in text.split():
        request.headers["User-Agent"] = f"{text} {ours}".strip()
