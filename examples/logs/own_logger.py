"""A logger of your own: one function for all levels, or an object with a method for each.

    durably dev examples/logs/own_logger.py
    durably invoke lighthouse '3'
    durably invoke foghorn '2'

`replay_logging` says what is shown again while the program is replayed: nothing, errors, warnings too, or all of it.
Both return what their last invocation wrote, which replayed all but the end: of the lighthouse, an error.
"""

from datetime import timedelta
from typing import Any

from durably import AsyncDurableContext, DurableContext, ReplayLogging, durable_execution, simple_logger

written: list[str] = []


def write(level: str, message: str, fields: dict[str, Any]) -> None:
    written.append(f"{level} {message}")


class Bell:
    """Anything with these five methods is a logger."""

    def debug(self, message: object, *args: object, **options: Any) -> None: ...

    def info(self, message: object, *args: object, **options: Any) -> None:
        written.append(f"ding: {message}")

    def warning(self, message: object, *args: object, **options: Any) -> None:
        written.append(f"dong: {message}")

    def error(self, message: object, *args: object, **options: Any) -> None:
        written.append(f"dong dong: {message}")

    def exception(self, message: object, *args: object, **options: Any) -> None:
        self.error(message)


@durable_execution(logger=simple_logger(write), replay_logging=ReplayLogging.ERRORS_ONLY)
def lighthouse(nights: int, ctx: DurableContext) -> list[str]:
    written.clear()
    for night in range(1, nights + 1):
        ctx.logger.info(f"lit, night {night}")
        if night == 1:
            ctx.logger.error("a bulb is out")
        ctx.wait(timedelta(days=1))
    return written


@durable_execution(logger=Bell())
async def foghorn(blasts: int, ctx: AsyncDurableContext) -> list[str]:
    written.clear()
    for blast in range(blasts):
        ctx.logger.warning(f"fog {blast}")
        await ctx.wait(timedelta(minutes=1))
    ctx.logger.info("clear")
    return written
