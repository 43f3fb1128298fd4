"""Heartbeats: a climber who reports every two hours at least, or is searched for.

    durably dev examples/callbacks/heartbeat.py
    durably invoke climb '"the north face"'
    durably callback heartbeat ID
    durably callback succeed ID '"at the top"'

Each heartbeat starts the two hours anew; the whole climb may take two days.
"""

from datetime import timedelta

from durably import (
    AsyncDurableContext,
    CallbackTimeoutError,
    WaitForCallbackConfig,
    WaitForCallbackContext,
    durable_execution,
)

REPORTS = WaitForCallbackConfig(timeout=timedelta(days=2), heartbeat_timeout=timedelta(hours=2))


async def give_radio(callback_id: str, context: WaitForCallbackContext) -> None:
    context.logger.info("report with: durably callback heartbeat %s", callback_id)


@durable_execution
async def climb(wall: str, ctx: AsyncDurableContext) -> str:
    try:
        return str(await ctx.wait_for_callback(give_radio, name=wall, config=REPORTS, result_type=str))
    except CallbackTimeoutError as error:
        return "a search party leaves" if error.error_type == "Callback.Heartbeat" else "a long climb"
