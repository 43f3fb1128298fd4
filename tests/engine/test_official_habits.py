"""What programs written for AWS's own SDK do, and must go on doing after their import lines have changed."""

from __future__ import annotations

from typing import Any

import pytest

from durably import (
    Duration,
    JitterStrategy,
    LinearRetryStrategyConfig,
    RetryStrategyConfig,
    StepConfig,
    StepError,
    WaitForCallbackConfig,
)
from durably.serdes import AnnotationMismatchWarning

from .harness import Answer, Flavour


@pytest.mark.filterwarnings("ignore::durably.serdes.AnnotationMismatchWarning")
def test_annotations_of_plain_json_types_are_not_binding(flavour: Flavour) -> None:
    @flavour
    def look(step: Any) -> dict[str, bool]:
        return {"ok": True, "error": "no"}  # type: ignore[dict-item]

    def handler(event: Any, ctx: Any) -> Any:
        found = yield ctx.step(look)
        yield ctx.wait(Duration.from_seconds(5))
        return found["error"]

    function = flavour(handler)
    function.__annotations__["return"] = int
    with pytest.warns(AnnotationMismatchWarning, match="says bool") as warned:
        world = flavour.run(handler)
    assert world.value == "no"
    assert world.invocations == 2
    assert any("$.error" in str(one.message) for one in warned)


@pytest.mark.filterwarnings("ignore::durably.serdes.AnnotationMismatchWarning")
def test_a_handlers_result_may_be_other_json_than_annotated(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(lambda step: None) if not flavour.is_async else ctx.step(flavour(lambda step: None))
        return {"pair": (1, 2), "text": "no"}

    function = flavour(handler)
    function.__wrapped__.__annotations__["return"] = dict[str, bool]
    with pytest.warns(AnnotationMismatchWarning):
        world = flavour.run(handler)
    assert world.value == {"pair": [1, 2], "text": "no"}


@pytest.mark.parametrize(
    "strategy", [RetryStrategyConfig(max_attempts=2), LinearRetryStrategyConfig(2, jitter_strategy=JitterStrategy.NONE)]
)
def test_a_retry_strategy_config_is_a_strategy(flavour: Flavour, strategy: Any) -> None:
    attempts: list[int] = []

    @flavour
    def fails(step: Any) -> None:
        attempts.append(step.attempt)
        raise ValueError("again")

    def handler(event: Any, ctx: Any) -> Any:
        with pytest.raises(StepError, match="again"):
            yield ctx.step(fails, config=StepConfig(retry_strategy=strategy))

    flavour.run(handler)
    assert attempts == [1, 2]


def test_a_heartbeat_timeout_may_be_longer_than_the_timeout(flavour: Flavour) -> None:
    @flavour
    def submit(callback_id: str, context: Any) -> None: ...

    def handler(event: Any, ctx: Any) -> Any:
        config = WaitForCallbackConfig(timeout=Duration.from_seconds(10), heartbeat_timeout=Duration.from_seconds(20))
        return (yield ctx.wait_for_callback(submit, "approval", config))

    callbacks = {"approval create callback id": Answer("yes")}
    assert flavour.run(handler, callbacks=callbacks).value == "yes"


def test_a_step_may_return_a_dict_with_keys_that_are_no_strings(flavour: Flavour) -> None:
    @flavour
    def count(step: Any) -> dict:  # type: ignore[type-arg]
        return {1: "one", (2, 3): {None: "none"}}

    def handler(event: Any, ctx: Any) -> Any:
        counted = yield ctx.step(count)
        yield ctx.wait(Duration.from_seconds(1))
        return [counted[1], counted[2, 3][None]]

    world = flavour.run(handler)
    assert world.value == ["one", "none"]
    assert world.invocations == 2
