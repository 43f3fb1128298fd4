"""Typed errors: why a step failed, in a form that a replay finds again.

    durably dev examples/steps/typed_errors.py
    durably invoke withdraw '{"account": "DE-1", "amount": 80}'

What a step raised is recorded: its type's name, its message, its stack trace, and its `error_data` if it has any. The
caller catches StepError and finds them there, in the first run as in every replay.
"""

import json
from dataclasses import dataclass

from durably import DurableContext, RetryPresets, StepConfig, StepContext, StepError, durable_execution, durable_step

BALANCE = {"DE-1": 50, "DE-2": 500}


class InsufficientFunds(Exception):
    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} short")
        self.error_data = {"missing": missing}


class NoSuchAccount(Exception):
    pass


@dataclass(frozen=True)
class Withdrawal:
    account: str
    amount: int


@durable_step
def debit(step: StepContext, wanted: Withdrawal) -> int:
    if wanted.account not in BALANCE:
        raise NoSuchAccount(wanted.account)
    left = BALANCE[wanted.account] - wanted.amount
    if left < 0:
        raise InsufficientFunds(-left)
    return left


@durable_execution
def withdraw(wanted: Withdrawal, ctx: DurableContext) -> str:
    try:
        left = ctx.step(debit(wanted), config=StepConfig(RetryPresets.none()))
    except StepError as error:
        kind = error.error_type.rpartition(".")[2]
        if kind == "InsufficientFunds":
            return f"pay in {json.loads(error.data or '{}')['missing']} first"
        return f"{kind}: {error.message}"
    return f"{left} left"
