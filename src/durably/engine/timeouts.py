"""A step's time limit, for one attempt.

A thread cannot be stopped. So a plain function with a limit runs in a thread of its own; when the limit passes, that
thread is left behind, and whatever it still returns is not looked at.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from durably.exceptions import StepTimeoutError

from .environment import Environment
from .requests import Body
from .scope import CURRENT

__all__ = ["call_in_time", "run_body", "timed_out"]


def timed_out(body: Body) -> StepTimeoutError:
    return StepTimeoutError(f"{body.scope.where} took longer than its timeout of {body.timeout:g} s")


def run_body(body: Body) -> Any:
    return body.func(*body.args)


def call_in_time(body: Body, environment: Environment) -> Any:
    """Call the body's function in another thread, with this thread's context variables.

    Raises StepTimeoutError when it has not returned in time.
    """
    ended = environment.waiter()
    outcome: list[tuple[Any, BaseException | None]] = []
    late = False
    context = copy_context()
    context.run(CURRENT.set, body.scope)

    def call() -> None:
        if late:
            return  # the thread has come to run when the time was over
        try:
            made: tuple[Any, BaseException | None] = (context.run(run_body, body), None)
        except BaseException as error:
            made = (None, error)
        outcome.append(made)
        ended.wake()

    environment.borrow(call)
    if not ended.wait(body.timeout) and not outcome:
        late = True
        raise timed_out(body)
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
