"""One invocation of the function: how it begins and what becomes of the execution when it ends."""

from __future__ import annotations

import msgspec

from .env import Env
from .model import Effect, Execution
from .state import first_page

__all__ = ["begin"]


def begin(ex: Execution, env: Env) -> None:
    """A fresh token chain, which fences off all older ones, and an event with all that is recorded."""
    head = ex.head
    updated: list[str] = []
    for op_id, op in reversed(ex.ops.items()):
        if op.seq <= head.began:
            break
        if op.by != head.invocation:
            updated.append(op_id)
    updated.reverse()
    head.invocation += 1
    head.request_id = env.ids.request_id()
    head.started_ms = env.now
    head.nonce = env.ids.nonce()
    head.link = 0
    head.client_token = None
    head.began = head.told = head.told_before = head.seq
    head.revoked = False
    head.progressed = False
    head.retry_at = None
    ex.token = f"{head.nonce}0"
    ex.touched = True
    page = first_page(ex, env.config)
    payload = msgspec.json.encode(
        {
            "DurableExecutionArn": ex.facts.arn,
            "CheckpointToken": ex.token,
            "InitialExecutionState": {
                "Operations": page["Operations"],
                "NextMarker": page.get("NextMarker", ""),
            },
            "UpdatedOperationIds": updated,
        }
    ).decode()
    ex.effects.append(Effect("dispatch", data={"request_id": head.request_id, "payload": payload}))
