"""ctx.recurse(): a fresh execution of the same function goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ContextMisuseError,
    DurableContext,
    Duration,
    InvokeError,
    SerDesError,
)
from durably.wire.ids import operation_id

from .harness import Call, Flavour, Killed
from .modes import ModeWorld

SECOND = Duration.from_seconds(1)


@dataclass
class Page:
    number: int
    seen: list[str] = field(default_factory=list)


class Chain(ModeWorld):
    """A world in which the function under test may have several executions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.arns: list[str] = []

    def _invoke(self, invocation: Any, done: Any) -> None:
        if invocation.execution_arn not in self.arns:
            self.arns.append(invocation.execution_arn)
        super()._invoke(invocation, done)

    def operations_of(self, arn: str) -> list[dict[str, Any]]:
        return [dict(op.view) for op in self.service._core.by_arn(arn).ops.values()]


def chain(flavour: Flavour, sync: Any, coroutine: Any, input: Any, **options: Any) -> Chain:
    return Chain(coroutine if flavour.is_async else sync, input, **options)


def counting(flavour: Flavour, last: int = 5, **options: Any) -> Chain:
    """An execution whose every run makes a step, waits, and goes on with the next number."""

    def sync(n: int, ctx: DurableContext) -> int:
        ctx.step(lambda step: world.effect(n), name="work")
        ctx.wait(SECOND)
        return n * 100 if n >= last else ctx.recurse(n + 1)

    async def coroutine(n: int, ctx: AsyncDurableContext) -> int:
        async def work(step: Any) -> None:
            world.effect(n)

        await ctx.step(work, name="work")
        await ctx.wait(SECOND)
        return n * 100 if n >= last else await ctx.recurse(n + 1)

    world = chain(flavour, sync, coroutine, 1, **options)
    return world


def test_a_chain_of_five_passes_its_result_through(flavour: Flavour) -> None:
    world = counting(flavour)
    world.run()
    assert world.value == 500
    assert world.effects == [1, 2, 3, 4, 5]
    assert len(world.arns) == 5
    assert world.invocations == 5 + 5 + 4  # begun, waited, answered


def test_what_is_recorded(flavour: Flavour) -> None:
    def sync(n: int, ctx: DurableContext) -> int:
        return n if n else ctx.recurse(1, name="next page")

    async def coroutine(n: int, ctx: AsyncDurableContext) -> int:
        return n if n else await ctx.recurse(1, name="next page")

    world = chain(flavour, sync, coroutine, 0)
    world.run()
    first, second = world.arns
    (invoked,) = [one for one in world.operations_of(first) if one["Type"] == "CHAINED_INVOKE"]
    assert invoked["Id"] == operation_id(None, 1)
    assert (invoked["SubType"], invoked["Name"]) == ("ChainedInvoke", "next page")
    assert invoked["ChainedInvokeDetails"]["Result"] == "1"
    (start,) = [update for update in world.updates if update["Type"] == "CHAINED_INVOKE"]
    assert start["Payload"] == "1"
    assert start["ChainedInvokeOptions"]["FunctionName"] == "under_test:$LATEST"
    assert world.operations_of(second) == []


def test_the_input_is_of_the_handlers_type(flavour: Flavour) -> None:
    def sync(page: Page, ctx: DurableContext) -> Page:
        assert type(page) is Page
        page.seen.append(f"page {page.number}")
        return page if page.number == 3 else ctx.recurse(Page(page.number + 1, page.seen))

    async def coroutine(page: Page, ctx: AsyncDurableContext) -> Page:
        assert type(page) is Page
        page.seen.append(f"page {page.number}")
        return page if page.number == 3 else await ctx.recurse(Page(page.number + 1, page.seen))

    world = chain(flavour, sync, coroutine, {"number": 1})
    world.run()
    assert world.value == {"number": 3, "seen": ["page 1", "page 2", "page 3"]}


def test_the_result_is_of_the_handlers_type(flavour: Flavour) -> None:
    def sync(n: int, ctx: DurableContext) -> Page:
        if n == 0:
            return Page(7)
        found = ctx.recurse(n - 1)
        assert type(found) is Page
        return Page(found.number + 1)

    async def coroutine(n: int, ctx: AsyncDurableContext) -> Page:
        if n == 0:
            return Page(7)
        found = await ctx.recurse(n - 1)
        assert type(found) is Page
        return Page(found.number + 1)

    world = chain(flavour, sync, coroutine, 2)
    world.run()
    assert world.value == {"number": 9, "seen": []}


@pytest.mark.parametrize("wrong", ["two", 2.5, None, {"n": 2}])
def test_an_input_that_does_not_fit_is_refused_where_it_is_given(flavour: Flavour, wrong: Any) -> None:
    def sync(n: int, ctx: DurableContext) -> str:
        try:
            return ctx.recurse(wrong)
        except SerDesError as error:
            return f"refused: {error}"

    async def coroutine(n: int, ctx: AsyncDurableContext) -> str:
        try:
            return await ctx.recurse(wrong)
        except SerDesError as error:
            return f"refused: {error}"

    world = chain(flavour, sync, coroutine, 1)
    world.run()
    assert world.value.startswith("refused: ")
    assert "int" in world.value
    assert len(world.arns) == 1
    assert not world.updates


def test_what_is_not_json_is_refused(flavour: Flavour) -> None:
    def sync(n: Any, ctx: DurableContext) -> Any:
        return ctx.recurse(object())

    async def coroutine(n: Any, ctx: AsyncDurableContext) -> Any:
        return await ctx.recurse(object())

    world = chain(flavour, sync, coroutine, 1)
    world.run()
    assert world.error["errorType"] == "durably.SerDesError"
    assert len(world.arns) == 1


def test_a_failing_continuation(flavour: Flavour) -> None:
    def sync(n: int, ctx: DurableContext) -> Any:
        if n == 3:
            raise LookupError("page 3 is gone")
        try:
            return ctx.recurse(n + 1)
        except InvokeError as error:
            if n == 1:
                return [error.error_type, str(error)]
            raise

    async def coroutine(n: int, ctx: AsyncDurableContext) -> Any:
        if n == 3:
            raise LookupError("page 3 is gone")
        try:
            return await ctx.recurse(n + 1)
        except InvokeError as error:
            if n == 1:
                return [error.error_type, str(error)]
            raise

    world = chain(flavour, sync, coroutine, 1)
    world.run()
    error_type, message = world.value
    assert error_type == "durably.InvokeError"  # what the second of the chain failed with
    assert "page 3 is gone" in message
    assert len(world.arns) == 3


def killing(world: Chain, number: int) -> Callable[[Call], BaseException | None]:
    """The fault that kills the invocation in one call."""
    return lambda call: Killed() if len(world.link.calls) == number + 1 else None


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_every_boundary(flavour: Flavour, when: str) -> None:
    calm = counting(flavour, last=3)
    calm.run()
    for number in range(len(calm.link.calls)):
        world = counting(flavour, last=3)
        setattr(world.link, when, killing(world, number))
        world.run()
        assert world.value == 300
        assert len(world.arns) == 3, "no execution is begun twice"
        assert set(world.effects) == {1, 2, 3}
        assert len(world.effects) <= 4


def test_in_a_child_context_and_beside_other_operations(flavour: Flavour) -> None:
    def sync(n: int, ctx: DurableContext) -> Any:
        def inside(inner: DurableContext) -> Any:
            return inner.recurse(n - 1)

        if n == 0:
            return 1
        return ctx.run_in_child_context(inside, name="below") + ctx.recurse(0)

    async def coroutine(n: int, ctx: AsyncDurableContext) -> Any:
        async def inside(inner: AsyncDurableContext) -> Any:
            return await inner.recurse(n - 1)

        if n == 0:
            return 1
        return await ctx.run_in_child_context(inside, name="below") + await ctx.recurse(0)

    world = chain(flavour, sync, coroutine, 3)
    world.run()
    assert world.value == 4
    assert len(world.arns) == 7


def test_not_in_a_step(flavour: Flavour) -> None:
    def sync(n: int, ctx: DurableContext) -> Any:
        def body(step: Any) -> None:
            with pytest.raises(ContextMisuseError, match="was used inside Step 's'"):
                ctx.recurse(2)

        ctx.step(body, name="s")

    async def coroutine(n: int, ctx: AsyncDurableContext) -> Any:
        async def body(step: Any) -> None:
            with pytest.raises(ContextMisuseError, match="was used inside Step 's'"):
                await ctx.recurse(2)

        await ctx.step(body, name="s")

    world = chain(flavour, sync, coroutine, 1)
    world.run()
    assert world.status == "SUCCEEDED"
    assert len(world.arns) == 1
