"""A record that nothing asks for holds back nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from durably import AsyncDurableContext, StepContext, durable_execution
from durably.testing import LocalRunner
from durably.testing.calls import Crash, ServiceCall


class Once:
    """Kills the function when step 'b' has been recorded."""

    killed = False

    def before(self, call: ServiceCall) -> None:
        pass

    def after(self, call: ServiceCall) -> None:
        if not self.killed and "STEP SUCCEED b" in call.actions:
            self.killed = True
            raise Crash


def test_what_follows_a_future_that_was_given_up_comes_at_once_beside_a_long_step() -> None:
    @durable_execution
    async def handler(event: None, ctx: AsyncDurableContext) -> float:
        async def lost(inner: AsyncDurableContext) -> None:
            await inner.wait(timedelta(days=9), name="never")

        async def long(step: StepContext) -> None:
            await asyncio.sleep(600)

        async def flow() -> float:
            await ctx.step(lambda s: 2, name="b")
            await ctx.step(lambda s: 3, name="c")
            return (ctx.now() - ctx.execution_start_time).total_seconds()

        given_up = ctx.start(ctx.run_in_child_context, lost, name="lost")
        await ctx.step(lambda s: 1, name="a")
        given_up.cancel()
        seconds, _ = await asyncio.gather(flow(), ctx.step(long, name="long"))
        return seconds

    assert LocalRunner(handler, interceptors=[Once()]).run().value == 0.25
