"""The API's actions on durable executions: from named parameters to the machine and back.

Each takes the parameters as the service model names them (timestamps in milliseconds) and returns the members of the
answer; it raises ApiError with a code that the model lists for the action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from durably.wire import limits
from durably.wire.api_errors import ApiError

from . import queries
from .core import Core
from .machine import lifecycle, signals
from .machine.checkpoint import check_token, checkpoint
from .machine.checks import checked_error, clipped, invalid, text
from .machine.model import Execution
from .machine.state import state_page

__all__ = ["ACTIONS", "Actions"]

Params = Mapping[str, Any]


class Actions:
    """The twelve actions. Runs on the writer's thread."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._env = core.env

    def handler(self, action: str) -> Callable[[Params], dict[str, Any]]:
        name = ACTIONS.get(action)
        if name is None:
            invalid(f"{clipped(action)} is no action of this service; it has {', '.join(ACTIONS)} and Invoke")
        found: Callable[[Params], dict[str, Any]] = getattr(self, name)
        return found

    # ---- what a running function calls -------------------------------------------------------------------

    def checkpoint(self, params: Params) -> Any:
        updates = params.get("Updates")
        if updates is None:
            updates = []
        if not isinstance(updates, (list, tuple)):
            invalid(f"Updates must be a list, not {clipped(updates)}")
        arn, token = params.get("DurableExecutionArn"), params.get("CheckpointToken")
        return self.fast_checkpoint(arn, token, updates, params.get("ClientToken"))

    def fast_checkpoint(self, arn: object, token: object, updates: Any, client_token: object) -> Any:
        if not isinstance(token, str) or not token:
            invalid(f"CheckpointToken must be a string of 1 to 2,048 characters, not {clipped(token)}")
        if client_token is not None and (not isinstance(client_token, str) or not 1 <= len(client_token) <= 64):
            invalid(f"ClientToken must be a string of 1 to 64 characters, not {clipped(client_token)}")
        core = self._core
        ex = self._own(arn)
        answer = checkpoint(ex, self._env, token, updates, client_token)
        core.changed(ex)
        return answer

    def state(self, params: Params) -> Any:
        marker, max_items = params.get("Marker"), params.get("MaxItems")
        return self.fast_state(params.get("DurableExecutionArn"), params.get("CheckpointToken"), marker, max_items)

    def fast_state(self, arn: object, token: object, marker: object, max_items: Any) -> Any:
        if not isinstance(token, str):
            invalid(f"CheckpointToken must be a string of 1 to 2,048 characters, not {clipped(token)}")
        ex = self._own(arn)
        check_token(ex, token)
        return state_page(ex, None if marker is None else text(marker, "Marker"), max_items, self._env.config)

    def _own(self, arn: object) -> Execution:
        """The execution; the two actions of a running function know no ResourceNotFoundException."""
        try:
            return self._core.by_arn(arn)
        except ApiError as failure:
            raise ApiError("InvalidParameterValueException", failure.message) from None

    # ---- executions ----------------------------------------------------------------------------------------

    def get(self, params: Params) -> dict[str, Any]:
        return queries.describe(self._ex(params), self._env.config, params)

    def history(self, params: Params) -> dict[str, Any]:
        return queries.history(self._core.store, self._ex(params), params)

    def list(self, params: Params) -> dict[str, Any]:
        return queries.list_executions(self._core.store, self._env, params)

    def stop(self, params: Params) -> dict[str, Any]:
        ex = self._ex(params)
        failure = checked_error(params.get("Error"), "Error", self._env.config.max_error_bytes)
        try:
            return lifecycle.stop(ex, self._env, failure)
        finally:
            self._core.changed(ex)

    def pause(self, params: Params) -> dict[str, Any]:
        stops_timeout = params.get("ExecutionTimeoutPaused")
        if stops_timeout is None:
            stops_timeout = True
        if not isinstance(stops_timeout, bool):
            invalid(f"ExecutionTimeoutPaused must be true or false, not {clipped(stops_timeout)}")
        reason, client_token = _reason(params), _client_token(params)
        ex = self._ex(params)
        lifecycle.pause(ex, self._env, reason, stops_timeout, client_token)
        self._core.changed(ex)
        return {}

    def resume(self, params: Params) -> dict[str, Any]:
        reason, client_token = _reason(params), _client_token(params)
        ex = self._ex(params)
        lifecycle.resume(ex, self._env, reason, client_token)
        self._core.changed(ex)
        return {}

    def delete(self, params: Params) -> dict[str, Any]:
        ex = self._ex(params)
        if not ex.ended:
            raise ApiError(
                "ResourceConflictException",
                f"{ex.facts.arn} is {ex.head.status}; only an ended execution can be deleted",
            )
        self._core.delete(ex)
        return {"DeletionRequestTimestamp": self._env.now}

    def _ex(self, params: Params) -> Execution:
        return self._core.by_arn(params.get("DurableExecutionArn"))

    # ---- callbacks -------------------------------------------------------------------------------------------

    def callback_succeed(self, params: Params) -> dict[str, Any]:
        result = params.get("Result")
        if isinstance(result, (bytes, bytearray)):
            try:
                result = result.decode()
            except UnicodeDecodeError:
                invalid("Result is not UTF-8 text; encode binary data, e.g. as base64")
        if result is not None:
            text(result, "Result")
        ex, op_id, callback_id = self._callback(params)
        signals.callback_succeed(ex, self._env, op_id, callback_id, result)
        self._core.changed(ex)
        return {}

    def callback_fail(self, params: Params) -> dict[str, Any]:
        failure = checked_error(params.get("Error"), "Error", self._env.config.max_error_bytes) or {}
        ex, op_id, callback_id = self._callback(params)
        signals.callback_fail(ex, self._env, op_id, callback_id, failure)
        self._core.changed(ex)
        return {}

    def callback_heartbeat(self, params: Params) -> dict[str, Any]:
        ex, op_id, callback_id = self._callback(params)
        signals.callback_heartbeat(ex, self._env, op_id, callback_id)
        self._core.changed(ex)
        return {}

    def _callback(self, params: Params) -> tuple[Execution, str, str]:
        callback_id = params.get("CallbackId")
        if (
            not isinstance(callback_id, str)
            or not 1 <= len(callback_id) <= 1024
            or limits.TOKEN_PATTERN.fullmatch(callback_id) is None
        ):
            invalid(f"CallbackId {clipped(callback_id)} must be 1 to 1,024 characters of base64")
        key, op_id = signals.locate_callback(callback_id)
        ex = self._core.execution(key)
        if ex is None:
            raise signals.no_callback(callback_id)
        return ex, op_id, callback_id


ACTIONS: Final[dict[str, str]] = {
    "CheckpointDurableExecution": "checkpoint",
    "GetDurableExecutionState": "state",
    "GetDurableExecution": "get",
    "GetDurableExecutionHistory": "history",
    "ListDurableExecutionsByFunction": "list",
    "StopDurableExecution": "stop",
    "PauseDurableExecution": "pause",
    "ResumeDurableExecution": "resume",
    "DeleteDurableExecution": "delete",
    "SendDurableExecutionCallbackSuccess": "callback_succeed",
    "SendDurableExecutionCallbackFailure": "callback_fail",
    "SendDurableExecutionCallbackHeartbeat": "callback_heartbeat",
}


def _reason(params: Params) -> str | None:
    reason = params.get("Reason")
    if reason is not None and len(text(reason, "Reason")) > 1024:
        invalid(f"Reason is {len(reason):,} characters long, more than the 1,024 allowed")
    return reason


def _client_token(params: Params) -> str | None:
    token = params.get("ClientToken")
    if token is not None and not 1 <= len(text(token, "ClientToken")) <= 64:
        invalid(f"ClientToken must be a string of 1 to 64 characters, not {clipped(token)}")
    return token
