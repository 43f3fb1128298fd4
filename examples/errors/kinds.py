"""Errors: what ends an execution, what has an invocation tried again, and what the program can catch.

    durably dev examples/errors/kinds.py
    durably invoke launch '"bad weather"'

Every error of durably has a stable `code`, says whether it is `retriable`, and for what reason it ends what it ends.
"""

from durably import (
    AsyncDurableContext,
    DurableExecutionsError,
    ExecutionError,
    InvocationError,
    RetryPresets,
    StepConfig,
    StepContext,
    durable_execution,
    durable_step,
)

tries: list[str] = []


@durable_step
async def ignite(step: StepContext, trouble: str) -> str:
    if trouble == "wet powder":
        raise OSError(trouble)
    return "lift-off"


@durable_execution
async def launch(trouble: str, ctx: AsyncDurableContext) -> str:
    if trouble == "no rocket":
        raise ExecutionError("there is nothing to launch")  # FAILED, and no other try
    if trouble == "bad weather" and not tries:
        tries.append(trouble)
        raise InvocationError("the weather changes")  # the invocation is made again
    try:
        return await ctx.step(ignite(trouble), config=StepConfig(RetryPresets.none()))
    except DurableExecutionsError as error:  # here a StepError
        return f"{error.code}, retriable: {error.retriable}, {error}"
