"""Contexts used where they do not belong: each is refused at once, with the remedy in the message.

    durably dev examples/errors/wrong_context.py
    durably invoke mistakes '{}'

Inside a child context its own context is to be used; inside a step there are no operations; a thread has no context.
Otherwise a replay could not tell which operation is which.
"""

import threading
from datetime import timedelta
from typing import Any

from durably import ContextMisuseError, DurableContext, RetryPresets, StepConfig, StepError, durable_execution

ONCE = StepConfig(RetryPresets.none())


@durable_execution
def mistakes(event: dict[str, Any], ctx: DurableContext) -> list[str]:
    found: list[str] = []

    def uses_the_parent(inner: DurableContext) -> None:
        try:
            ctx.step(lambda step: None, name="of the parent")
        except ContextMisuseError as error:
            found.append(f"in a child: {error.code}")

    def uses_a_context(step: Any) -> None:
        ctx.wait(timedelta(seconds=1))

    def in_a_thread() -> None:
        try:
            ctx.step(lambda step: None, name="elsewhere")
        except ContextMisuseError as error:
            found.append(f"in a thread: {error.code}")

    ctx.run_in_child_context(uses_the_parent, name="child")
    try:
        ctx.step(uses_a_context, name="step", config=ONCE)
    except StepError as error:
        found.append(f"in a step: {error.error_type}")
    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    return found
