"""wait_for_callback: a holiday that somebody has to approve, asked for once, however often the program is replayed.

    durably dev examples/callbacks/approval.py
    durably invoke holiday '{"who": "Ada", "days": 10}'
    durably callback succeed ID '{"approved": true, "by": "Grace"}'

The function that hands out the id runs as a step: it is recorded, retried when it fails, and not repeated when the
process dies after it.
"""

from dataclasses import dataclass
from datetime import timedelta

from durably import (
    CallbackTimeoutError,
    DurableContext,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
    durable_wait_for_callback,
)


@dataclass(frozen=True)
class Holiday:
    who: str
    days: int


@dataclass(frozen=True)
class Approval:
    approved: bool
    by: str


@durable_wait_for_callback
def ask(callback_id: str, context: WaitForCallbackContext, holiday: Holiday) -> None:
    context.logger.info("may %s have %d days off? durably callback succeed %s", holiday.who, holiday.days, callback_id)


@durable_execution
def holiday(event: Holiday, ctx: DurableContext) -> str:
    config = WaitForCallbackConfig(timeout=timedelta(hours=24))
    try:
        answer = ctx.wait_for_callback(ask(event), name="approval", config=config, result_type=Approval)
    except CallbackTimeoutError:
        return "nobody said no, so have a nice time"
    return f"{'yes' if answer.approved else 'no'}, says {answer.by}"
