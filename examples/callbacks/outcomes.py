"""Everything that may become of a callback: a result, a refusal, silence, and a question that could not be asked.

durably dev examples/callbacks/outcomes.py
durably invoke quote '"a piano"'
durably callback fail ID --error-type TooHeavy --message "four people needed"
"""

from datetime import timedelta

from durably import (
    CallbackExternalError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    DurableContext,
    RetryPresets,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
)

A_DAY = WaitForCallbackConfig(timeout=timedelta(days=1), retry_strategy=RetryPresets.none())


@durable_execution
def quote(thing: str, ctx: DurableContext) -> str:
    def ask_carrier(callback_id: str, context: WaitForCallbackContext) -> None:
        if not thing:
            raise ValueError("there is nothing to carry")

    try:
        price = ctx.wait_for_callback(ask_carrier, name="price", config=A_DAY, result_type=int)
    except CallbackExternalError as error:
        return f"refused, {error.error_type}: {error.message}"
    except CallbackTimeoutError:
        return "no answer within a day"
    except CallbackSubmitterError as error:
        return f"could not ask: {error.message}"
    return f"{price} for {thing}"
