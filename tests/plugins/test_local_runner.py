"""Plugins under the testing kit, whose time is virtual and whose threads take turns."""

from __future__ import annotations

from typing import Any

from durably import Duration, RetryPresets, StepConfig, durable_execution
from durably.testing import LocalRunner
from engine.harness import Flavour

from .recorder import RecorderFactory


def test_a_local_run_has_its_hooks(flavour: Flavour) -> None:
    def flaky(step: Any) -> int:
        if step.attempt < 2:
            raise ValueError("not yet")
        return 1

    def item(child, value, index, items):
        yield child.wait(Duration.from_hours(1 + value), name=f"w{value}")
        return (yield child.step(flavour(lambda step: value), name=f"s{value}"))

    def handler(event, ctx):
        yield ctx.step(flavour(flaky), name="flaky", config=StepConfig(retry_strategy=RetryPresets.fixed()))
        result = yield ctx.map(range(3), flavour(item), name="all")
        return result.get_results()

    seen = RecorderFactory()
    function = durable_execution(plugins=[seen])(flavour(handler))
    with LocalRunner(function) as runner:
        result = runner.run({})
    assert result.result == [0, 1, 2]
    assert seen.story_of("flaky")[-1] == "end flaky SUCCEEDED"
    assert seen.story.count("function-start flaky 1") == 1
    for n in range(3):
        assert seen.story_of(f"w{n}")[0] == f"start w{n}"
        assert seen.story_of(f"w{n}")[-1] == f"end w{n} SUCCEEDED"
        assert seen.story_of(f"s{n}")[-1] == f"end s{n} SUCCEEDED"
        assert seen.story_of(f"map-item-{n}")[-1] == f"end map-item-{n} SUCCEEDED"
    assert [told for told in seen.story if told.startswith("invocation-end")][-1] == "invocation-end SUCCEEDED"
    starts = seen.of("invocation-start")
    assert [info.is_first_invocation for info in starts] == [True] + [False] * (len(starts) - 1)
    run = seen.of("function-end", name="flaky")[0]
    assert run.start_time.year == run.end_time.year == seen.of("end", name="flaky")[0].end_time.year, "virtual time"
