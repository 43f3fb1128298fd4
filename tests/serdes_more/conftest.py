from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durably import SerDesContext, durable_execution
from engine.harness import Flavour, World


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Each test that asks for it runs twice: as a plain handler and as a coroutine."""
    return Flavour(request.param)


def world_of(flavour: Flavour, source: Callable[..., Any], input: Any = None, **options: Any) -> World:
    """A world in which ``source`` is a handler decorated with ``options``; not run yet."""
    world = flavour.world(source, input)
    world.function = durable_execution(client=world.link, **options)(flavour(source))
    return world


def run(flavour: Flavour, source: Callable[..., Any], input: Any = None, **options: Any) -> World:
    return world_of(flavour, source, input, **options).run()


ARN = "arn:aws:lambda:us-east-1:000000000000:function:shop:$LATEST/durable-execution/order-7/0123abcd"
WHERE = SerDesContext("op-1", ARN)
