"""A world whose handler has a checkpoint mode and a Lambda context."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from durably import durable_execution

from .harness import Flavour, World

__all__ = ["ModeWorld", "world_of"]


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
