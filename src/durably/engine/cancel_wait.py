"""The protocol of cancelling a wait: CANCEL, awaited, so that the program goes on knowing that it is cancelled.

It is no operation: it takes no id, and what it did is in the wait's own record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durably.exceptions import ValidationError

from .operation import Op, describe, is_terminal
from .requests import Body, Flush
from .run import Protocol, Run
from .scope import Scope

__all__ = ["cancel_wait"]


def cancel_wait(run: Run, scope: Scope, op_id: str, begun: Callable[[], Any] | None = None) -> Protocol:
    """Return whether the wait is cancelled: False if it has ended by itself, or nothing has that id.

    ``begun()`` waits until an operation that the program has started has made its first update. Raises
    ValidationError for an operation that is no wait.
    """
    if begun is not None and op_id not in run.ops:
        yield Body(begun, (), scope)
    if op_id not in run.ops and run.outbox.last > run.outbox.acknowledged:
        branch = scope.branch  # its START may be on its way
        yield Flush(run.outbox.last, op_id, None if branch is None else branch.strand)
    record = run.ops.get(op_id)
    if record is None:
        return False
    if record["Type"] != "WAIT":
        what = describe(record["Type"], record.get("SubType"), record.get("Name"))
        raise ValidationError(f"only a wait can be cancelled at the service; operation {op_id} is {what}")
    if is_terminal(record):
        return record["Status"] == "CANCELLED"
    op = Op(run, scope, op_id, "WAIT", record.get("SubType") or "Wait", record.get("Name"), record.get("ParentId"))
    yield op.put("CANCEL")
    return True
