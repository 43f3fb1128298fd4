"""The Python side."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from durably import DurableContext, InvokeError, durable_execution


@durable_execution
def leaf(event: dict[str, Any], ctx: DurableContext) -> dict[str, Any]:
    if event.get("refuse"):
        raise ValueError(f"refused {event['n']}")
    doubled = ctx.step(lambda _: event["n"] * 2, name="double")
    ctx.wait(timedelta(seconds=1), name="rest")
    return {"doubled": doubled, "text": "é\U0001f600"}


@durable_execution
def caller(event: dict[str, Any], ctx: DurableContext) -> Any:
    """Calls functions in JavaScript."""
    echoed = ctx.invoke("Echo:$LATEST", {"n": event["n"], "text": "é\U0001f600"}, name="echo")
    plain = ctx.invoke("Plain", {"n": event["n"]}, name="plain")
    try:
        ctx.invoke("Fails:$LATEST", event["n"], name="fails")
    except InvokeError as error:
        return [echoed, plain, error.error_type, str(error)]
    return None
