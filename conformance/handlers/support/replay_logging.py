"""Log lines that show even while their context replays."""

from __future__ import annotations

from durably import AsyncDurableContext, DurableContext


def log_in_replay_too(context: DurableContext | AsyncDurableContext, message: str) -> None:
    """Log through the context's logger, past the silence it keeps during replay."""
    context.logger.get_logger().info(message, extra={"executionArn": context.execution_arn})
