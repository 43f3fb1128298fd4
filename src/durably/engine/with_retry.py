"""A block of operations that is run again, with durable waits between the attempts, until it succeeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably.exceptions import ContextMisuseError, ExecutionError, InvocationError
from durably.retries import decide

from .requests import Body
from .run import Protocol
from .scope import Scope
from .wait import wait

if TYPE_CHECKING:
    from durably.config import RetryStrategy

    from .operation import Op

__all__ = ["attempts"]


def attempts(
    call: Callable[[int], Any], strategy: RetryStrategy, scope: Scope, number_wait: Callable[[int], Op]
) -> Protocol:
    """Return what ``call(attempt)`` returns in the first attempt that does not raise.

    ``number_wait`` makes the operation of the wait after an attempt. Raises what the last attempt raised.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return (yield Body(call, (attempt,), scope))
        except (ExecutionError, InvocationError, ContextMisuseError):
            raise  # they say themselves what is to become of the execution; misuse cannot go better the next time
        except Exception as error:
            decision = decide(strategy, error, attempt)
            if not decision.should_retry:
                raise
            delay = max(1, decision.delay_seconds)
        op = number_wait(attempt)
        yield from op.watched(wait(op, delay))
        if op.scope.replaying:
            op.end()
