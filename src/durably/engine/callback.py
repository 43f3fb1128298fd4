"""The protocol of a callback: START (awaited) makes the service hand out a callback id; the result comes later.

Creating never fails on replay, whatever has become of the callback since: the code between creating and asking
for the result must always run. Outcomes are raised by :func:`callback_result`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durably.config import CallbackConfig, as_seconds
from durably.exceptions import CallbackError, CallbackExternalError, CallbackTimeoutError, operation_error

from .operation import Op, is_terminal
from .requests import Park, Turn
from .run import Protocol

if TYPE_CHECKING:
    from durably.serdes import Codec

__all__ = ["callback_result", "create_callback"]


def create_callback(op: Op, config: CallbackConfig) -> Protocol:
    """Return the callback id. Raises CallbackError when the service did not give one."""
    record = op.begin()
    if record is None:
        options = {
            "TimeoutSeconds": as_seconds(config.timeout, "timeout"),
            "HeartbeatTimeoutSeconds": as_seconds(config.heartbeat_timeout, "heartbeat_timeout"),
        }
        yield op.put("START", None, {"CallbackOptions": options})
        record = op.record()
    callback_id = None if record is None else op.details(record).get("CallbackId")
    if not callback_id:
        raise CallbackError(f"the service gave no callback id for {op.describe()} (operation {op.id})")
    return callback_id


def callback_result(op: Op, codec: Codec | None) -> Protocol:
    """Wait for the outcome of the callback that ``op`` created. Without a codec the raw text is the result.

    Raises CallbackExternalError (the other side reported a failure, or the callback was cancelled or stopped)
    or CallbackTimeoutError (no answer, or no heartbeat, in time).
    """
    op.asked = True
    record = op.record()
    waited = False
    while record is None or not is_terminal(record):
        waited = True
        yield Park(op)
        record = op.record()
    if not waited and op.run.must_queue(op.id):
        yield Turn(op.id)
    details = op.details(record)
    status = record["Status"]
    if status == "SUCCEEDED":
        text = details.get("Result")
        return text if text is None or codec is None else op.run.consult(codec.decode, text)
    if status == "TIMED_OUT":
        raise operation_error(CallbackTimeoutError, op.error(record, f"{op.describe()} timed out"))
    ending = "failed" if status == "FAILED" else f"was {status}"
    raise operation_error(CallbackExternalError, op.error(record, f"{op.describe()} {ending}"))
