"""The protocol of wait_for_callback, inside the child context that the operation is: a callback, a step that hands
its id out, and the wait for its result. So the submitter is retried and recorded like any step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably._errors import type_name
from durably.config import StepConfig, WaitForCallbackConfig
from durably.exceptions import CallbackError, CallbackSubmitterError, ChildContextError, StepError
from durably.ids import CallbackId
from durably.serdes import MISSING, SerDesCodec, SerDesContext, codec_for

from .callback import callback_result, create_callback
from .operation import Op
from .run import Protocol
from .step import step

if TYPE_CHECKING:
    from durably.serdes import Codec
    from durably.wire.shapes import OperationTypeName

__all__ = ["callback_failure", "wait_for_callback"]


def wait_for_callback(
    callback_op: Op,
    number: Callable[[OperationTypeName, str, str | None], Op],
    submitter: Callable[..., Any],
    name: str | None,
    config: WaitForCallbackConfig,
    codec: Codec | None,
    make_context: Callable[[Op, int], Any],
) -> Protocol:
    """``number`` makes the next operation of the child context."""
    callback_id = yield from create_callback(callback_op, config)
    if callback_op.scope.replaying:
        callback_op.end()

    def submit(context: Any) -> Any:
        return submitter(CallbackId._trusted(callback_id), context)

    submit.__wrapped__ = submitter  # type: ignore[attr-defined]  # tells the driver whether it blocks
    op = number("STEP", "Step", f"{name} submitter" if name else "submitter")
    where = SerDesContext(op.id, op.run.arn)
    step_codec = codec_for(MISSING) if config.serdes is None else SerDesCodec(config.serdes, where)
    step_config = StepConfig(retry_strategy=config.retry_strategy)
    yield from op.watched(step(op, submit, step_config, step_codec, make_context))
    if op.scope.replaying:
        op.end()
    return (yield from callback_result(callback_op, codec))


def callback_failure(error: ChildContextError) -> Exception:
    """What the caller of wait_for_callback sees of a failure inside, the same on every run."""
    inner = error.__cause__
    if isinstance(inner, CallbackError):
        return inner  # external or timeout
    if isinstance(inner, StepError):
        known = None if inner.error_type == type_name(StepError) else inner.error_type
        return CallbackSubmitterError(
            inner.message or "the submitter failed", known, data=inner.data, stack_trace=inner.stack_trace
        )
    return error
