"""CheckpointDurableExecution.

The token is the fence. Each invocation gets a chain of its own, named by a secret nonce; each checkpoint uses up one
link and hands out the next. Whoever holds anything but the newest link of the newest chain can write nothing: not a
worker that froze before its successor began, not a second copy of a request. One repetition is answered instead of
refused: the latest call of the chain, sent again with the same ClientToken because its answer was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from durably.service.store.base import MAX_REVISION
from durably.wire.api_errors import INVALID_TOKEN_MESSAGE, ApiError
from durably.wire.shapes import CheckpointResponse, OperationUpdate

from .checks import checked_error, clipped, invalid, payload, text
from .env import Env
from .lifecycle import settle_pause
from .model import Effect, Execution, Outcome, op_timers
from .stage import Stage
from .state import changes_page
from .transitions import apply_update

__all__ = ["check_token", "checkpoint", "launch_all", "stale_token"]

_AFTER_START: Final = frozenset({"SUCCEED", "FAIL", "RETRY"})
_STARTABLE: Final = frozenset({"STEP", "CONTEXT"})


def stale_token(reason: str) -> ApiError:
    return ApiError("InvalidParameterValueException", f"{INVALID_TOKEN_MESSAGE}: {reason}")


def check_token(ex: Execution, token: str) -> None:
    """Refuse all but the newest token of the newest chain."""
    if token != ex.token or not token:
        raise stale_token(
            "it has been used, or another invocation has begun since; only the latest token of the latest "
            "invocation is valid"
        )


def checkpoint(
    ex: Execution, env: Env, token: str, updates: Sequence[OperationUpdate], client_token: str | None
) -> CheckpointResponse:
    """Apply ``updates``, all or none, and hand out the next token.

    Raises:
        ApiError: InvalidParameterValueException; nothing has changed.
    """
    head = ex.head
    if token != ex.token or not token:
        if _repeated(ex, env, token, client_token):
            return _answer(ex, env, head.told_before)
        check_token(ex, token)
    if ex.ended or head.revoked or ex.closing:
        return {"NewExecutionState": {"Operations": []}}
    if ex.revision >= MAX_REVISION - 2:
        invalid(
            f"the execution has recorded {ex.revision:,} changes, the most one execution may; "
            "continue the work in a new execution"
        )
    stage = Stage(ex, env)
    outcome = _stage_updates(stage, updates)

    # Nothing below refuses.
    waiting = list(ex.launches) if ex.launches else None
    quiet = head.told == head.seq
    for op_id, op in stage.ops.items():
        ex.put(op)
        if op_id in ex.pending:
            for due, kind in op_timers(op):
                ex.arm(due, kind, op)
            if op.data is not None and "launch_at" in op.data:
                ex.launches.append(op_id)
    for event in stage.events:
        ex.log(event)
    if stage.events or outcome is not None:
        head.progressed = True
    head.seq = stage.seq
    head.told_before = head.told
    head.told = stage.seq
    head.link += 1
    head.client_token = client_token
    if client_token is not None:
        head.client_token_ms = env.now
    ex.token = f"{head.nonce}{head.link}"
    ex.touched = True
    if outcome is not None:
        ex.outcome = outcome
        ex.new_outcome = True
    if waiting:
        launch_all(ex, waiting)
    if head.pause is not None and head.status == "PAUSING" and outcome is None:
        head.revoked = True
        settle_pause(ex, env)
    if quiet and len(stage.ops) <= env.config.page_operations:
        response: CheckpointResponse = {"NewExecutionState": {"Operations": [op.view for op in stage.ops.values()]}}  # type: ignore[misc]
        if outcome is None and not head.revoked:
            response["CheckpointToken"] = ex.token
        return response
    return _answer(ex, env, head.told_before)


def _repeated(ex: Execution, env: Env, token: str, client_token: str | None) -> bool:
    head = ex.head
    return (
        client_token is not None
        and client_token == head.client_token
        and head.link > 0
        and token == f"{head.nonce}{head.link - 1}"
        and env.now - head.client_token_ms <= env.config.idempotency_window_ms
    )


def _answer(ex: Execution, env: Env, since: int) -> CheckpointResponse:
    response: CheckpointResponse = {"NewExecutionState": changes_page(ex, since, env.config)}
    if not (ex.ended or ex.closing or ex.head.revoked):
        response["CheckpointToken"] = ex.token
    return response


def _stage_updates(stage: Stage, updates: Sequence[OperationUpdate]) -> Outcome | None:
    config = stage.env.config
    count = len(updates)
    if count > config.max_updates:
        invalid(f"Updates has {count:,} members, more than the {config.max_updates:,} of one checkpoint; send several")
    if count > 1:
        _check_size(updates, config.max_checkpoint_bytes)
    last: dict[str, str] = {}
    outcome: Outcome | None = None
    for update in updates:
        if not isinstance(update, Mapping):
            invalid(f"an update must be an object, not {clipped(update)}")
        op_id = text(update.get("Id"), "Id of an update")
        kind = text(update.get("Type"), f"Type of operation {op_id}")
        action = text(update.get("Action"), f"Action of operation {op_id}")
        if outcome is not None:
            invalid(f"the EXECUTION update must be the last of its checkpoint, but operation {op_id} follows it")
        before = last.get(op_id)
        if before is not None and not (before == "START" and kind in _STARTABLE and action in _AFTER_START):
            invalid(
                f"operation {op_id} has two updates in one checkpoint ({before}, {action}); "
                "only START with a completion of a STEP or CONTEXT may share one"
            )
        last[op_id] = action
        if kind == "EXECUTION":
            outcome = _end(stage, update, op_id, action)
        else:
            apply_update(stage, update, op_id, kind, action)
    return outcome


def _end(stage: Stage, update: Mapping[str, Any], op_id: str, action: str) -> Outcome:
    if action == "SUCCEED":
        if update.get("Error") is not None:
            invalid("EXECUTION SUCCEED carries a Payload, not an Error")
        config, limit = stage.env.config, stage.ex.facts.payload_limit
        if limit > config.max_async_payload:
            limit = max(limit, config.max_recorded_result)
        result = payload(update.get("Payload"), "Payload of the EXECUTION", limit)
        return Outcome("SUCCEEDED", result=result)
    if action == "FAIL":
        if update.get("Payload") is not None:
            invalid("EXECUTION FAIL carries an Error, not a Payload")
        limit = stage.env.config.max_error_bytes
        return Outcome("FAILED", error=checked_error(update.get("Error"), "Error of the EXECUTION", limit))
    invalid(f"Action {clipped(action)} is not one of an EXECUTION (operation {op_id})")


def _check_size(updates: Sequence[OperationUpdate], limit: int) -> None:
    """The call as JSON is at most ``limit`` bytes. Encodes only when a rough bound leaves a doubt."""
    bound = 1500 * len(updates)
    for update in updates:
        if isinstance(update, Mapping):
            body = update.get("Payload")
            if isinstance(body, str):
                bound += 6 * len(body)
            if update.get("Error") is not None:
                bound += limit
    if bound > limit:
        size = len(msgspec.json.encode(updates))
        if size > limit:
            invalid(f"the updates are {size:,} bytes long, more than the {limit:,} of one checkpoint; send several")


def launch_all(ex: Execution, waiting: Sequence[str]) -> None:
    """Start the targets of the chained invokes ``waiting``."""
    for op_id in waiting:
        op = ex.ops[op_id]
        data = dict(op.data or {})
        data.pop("launch_at", None)
        op.data = data
        ex.changed[op_id] = op
        ex.touched = True
        ex.effects.append(Effect("launch", op_id, data))
    started = set(waiting)
    ex.launches = [op_id for op_id in ex.launches if op_id not in started]
