"""Waits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durably import Duration

from .harness import Flavour


@pytest.mark.parametrize("duration", [Duration.from_seconds(90), timedelta(seconds=90)])
def test_a_wait_suspends_and_goes_on_when_it_is_over(flavour: Flavour, duration: object) -> None:
    def handler(event, ctx):
        started = world.clock.now_ms()
        value = yield ctx.wait(duration, name="pause")
        world.effects.append((world.clock.now_ms() - started, value))

    world = flavour.world(handler)
    world.run()
    assert world.outputs == [{"Status": "PENDING"}, {"Status": "SUCCEEDED", "Result": "null"}]
    assert world.effects == [(0, None)]
    assert world.batches == [[("WAIT", "START", "pause")]]
    assert world.updates[0]["WaitOptions"] == {"WaitSeconds": 90}
    start, end = world.named("pause")["StartTimestamp"], world.named("pause")["EndTimestamp"]
    assert end - start == 90_000


def test_a_wait_found_unfinished_suspends_again_without_an_update(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="cb")
        if world.invocations < 2:
            world.effects.append(callback.callback_id)
        yield ctx.wait(Duration.from_days(2), name="pause")

    world = flavour.world(handler)
    world.max_invocations = 10
    crashed = []

    def after(call):
        if call.updates[0]["Type"] == "WAIT" and not crashed:
            crashed.append(call)
            from .harness import Killed

            return Killed()
        return None

    world.link.after = after
    world.run()
    assert world.status == "SUCCEEDED"
    assert [type(one).__name__ for one in world.outputs] == ["Killed", "dict", "dict"]
    assert world.outputs[1] == {"Status": "PENDING"}
    assert [batch for batch in world.batches if batch[0][0] == "WAIT"] == [[("WAIT", "START", "pause")]]


def test_many_waits_in_a_row_take_one_invocation_each(flavour: Flavour) -> None:
    def handler(event, ctx):
        for _ in range(10):
            yield ctx.wait(Duration.from_days(3))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert world.invocations == 11


def test_a_wait_that_is_over_by_the_time_it_is_recorded_does_not_suspend(flavour: Flavour) -> None:
    """The answer to START is looked at: the wait may be finished already."""

    def handler(event, ctx):
        yield ctx.wait(Duration.from_seconds(1), name="pause")
        return "same invocation"

    def edit(call, answer):
        for operation in answer["NewExecutionState"]["Operations"]:
            if operation["Type"] == "WAIT":
                operation = dict(operation, Status="SUCCEEDED", EndTimestamp=operation["StartTimestamp"])
                return {**answer, "NewExecutionState": {"Operations": [operation]}}
        return answer

    world = flavour.world(handler)
    world.link.edit = edit
    world.run()
    assert world.value == "same invocation"
    assert world.invocations == 1
