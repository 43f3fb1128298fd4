"""Code that catches what refuses its operations, and goes on with them for ever: it is told, and holds up nobody."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from durably import CompletionConfig, Duration, MapConfig, ParallelConfig
from durably.engine.runaways import REFUSALS

from .harness import Flavour

SECOND = Duration.from_seconds(1)
FIRST = ParallelConfig(completion_config=CompletionConfig.first_successful())


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]


def test_a_handler_that_swallows_its_suspension(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing can stop it: this one stops by itself, and its outcome is not looked at."""

    def handler(event: Any, ctx: Any) -> Any:
        for tries in range(3 * REFUSALS):
            try:
                yield ctx.wait(SECOND, name="w")
                return tries
            except BaseException:
                pass
        return "spun"

    world = flavour.run(handler)
    assert world.value == 0
    assert world.invocations == 2
    (message,) = told(caplog)
    assert "the handler goes on with operations after it was told to stop" in message
    assert f"{REFUSALS} were refused" in message
    assert f"last at {__file__}:" in message
    assert "write `except Exception`" in message


def test_a_loser_that_swallows_its_end(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        def loser(inner: Any) -> Any:
            for _ in range(3 * REFUSALS):
                try:
                    yield inner.wait(Duration.from_hours(9))
                except BaseException:
                    pass

        def winner(inner: Any) -> Any:
            yield inner.wait(SECOND)
            return "won"

        result = yield ctx.parallel([flavour(loser), flavour(winner)], "p", FIRST)
        yield ctx.wait(SECOND)
        return result.get_results()

    world = flavour.run(handler)
    assert world.value == ["won"]
    assert "ParallelBranch 'parallel-branch-0' goes on with operations" in told(caplog)[0]


def test_many_that_are_refused_once_are_none(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        def branch(inner: Any, item: int) -> Any:
            yield inner.wait(SECOND)
            if item == 0:
                return "first"
            yield inner.wait(Duration.from_hours(1))

        config = ctx_config
        result = yield ctx.map(list(range(50)), flavour(branch), "m", config)
        return result.get_results()

    ctx_config: MapConfig[int] = MapConfig(completion_config=CompletionConfig.first_successful())
    assert flavour.run(handler).value == ["first"]
    assert told(caplog) == []
