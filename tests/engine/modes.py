"""Worlds whose handlers have a checkpoint mode and a Lambda context, and programs to run in them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from durably import AsyncDurableContext, durable_execution

from .harness import Flavour, World

__all__ = ["ModeProgram", "ModeWorld", "Pair", "Steps", "go", "names", "world_of"]


@dataclass
class ModeWorld(World):
    """See :class:`World`.

    Parameters:
        checkpointing: of the handler.
        lambda_context: makes the context object of each invocation.
    """

    checkpointing: Any = None
    lambda_context: Callable[[], Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.function = durable_execution(client=self.link, checkpointing=self.checkpointing)(self.handler)

    def _call(self, event: Any) -> Any:
        context = None if self.lambda_context is None else self.lambda_context()
        if self.loop_factory is None:
            return self.function(event, context)
        with asyncio.Runner(loop_factory=self.loop_factory) as runner:
            return runner.run(self.function.run_async(event, context))

    @property
    def flushed(self) -> list[list[str]]:
        """The names completed (SUCCEED, FAIL, RETRY) by each call, in order."""
        done = ("SUCCEED", "FAIL", "RETRY")
        return [[name or "" for _, action, name in batch if action in done] for batch in self.batches]


def world_of(flavour: Flavour, source: Callable[..., Any], input: Any = None, **options: Any) -> ModeWorld:
    """Of a handler in the style of :class:`Flavour`; not run yet."""
    return ModeWorld(flavour(source), input, **options)


class ModeProgram:
    """Handlers of a flavour, and what their steps have done."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.world: ModeWorld

    def run(self, source: Any, mode: Any, **options: Any) -> ModeWorld:
        self.world = world_of(self.flavour, source, checkpointing=mode, **options)
        self.world.run()
        return self.world

    def step(self, ctx: Any, name: str, value: Any = None, **options: Any) -> Any:
        def body(step: Any) -> Any:
            self.world.effect(name)
            return name if value is None else value

        return ctx.step(self.flavour(body), name=name, **options)

    def recorded(self) -> list[str]:
        """The names of the steps that the service knows to be done."""
        views = self.world.operations.values()
        return sorted(view["Name"] for view in views if view["Type"] == "STEP" and view["Status"] == "SUCCEEDED")


class Pair:
    """A handler in both worlds, written twice: a block's two forms are what is tested."""

    def __init__(self, sync: Any, coroutine: Any) -> None:
        self.of = {"sync": sync, "async": coroutine}


class Steps:
    """Steps that leave their names behind."""

    def __init__(self) -> None:
        self.world: ModeWorld

    def __call__(self, ctx: Any, name: str, **options: Any) -> Any:
        def body(step: Any) -> str:
            self.world.effect(name)
            return name

        async def coroutine(step: Any) -> str:
            return body(step)

        return ctx.step(coroutine if isinstance(ctx, AsyncDurableContext) else body, name=name, **options)

    def recorded(self) -> set[str]:
        views = self.world.operations.values()
        return {view["Name"] for view in views if view["Type"] == "STEP" and view["Status"] == "SUCCEEDED"}


def go(flavour: Flavour, steps: Steps, pair: Pair, **options: Any) -> ModeWorld:
    steps.world = ModeWorld(pair.of[flavour.name], **options)
    steps.world.run()
    return steps.world


def names(world: ModeWorld) -> list[list[str]]:
    return [call for call in world.flushed if call]
