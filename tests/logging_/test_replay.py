"""What is shown while a context replays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import Duration, InvocationError, ReplayLogging, StepConfig, ValidationError, durable_execution
from durably.retries import FixedDelay
from engine.harness import Flavour, run

from .conftest import Records

SECOND = Duration.from_seconds(1)


def chatty(event: Any, ctx: Any) -> Any:
    """Three invocations: two waits, a log line of each level before, between and after them."""

    def say(where: str) -> None:
        ctx.logger.debug("%s debug", where)
        ctx.logger.info("%s info", where)
        ctx.logger.warning("%s warning", where)
        ctx.logger.error("%s error", where)

    ctx.set_logger(event_logger[0])
    say("first")
    yield ctx.step(lambda step: step.logger.info("step"), name="one")
    yield ctx.wait(SECOND)
    say("second")
    yield ctx.wait(SECOND)
    say("third")


event_logger: list[Any] = []


def all_of(*places: str) -> list[str]:
    return [f"{place} {level}" for place in places for level in ("debug", "info", "warning", "error")]


def chat(flavour: Flavour, records: Records, replay: Any) -> None:
    event_logger[:] = [records.logger]
    function = durable_execution(replay_logging=replay)(flavour(chatty))
    world = flavour.world(chatty)
    world.function = function
    function.client = world.link
    world.run()
    assert (world.status, world.invocations) == ("SUCCEEDED", 3)


@pytest.mark.parametrize("replay", [None, ReplayLogging.SUPPRESS_ALL])
def test_by_default_each_line_is_shown_once(flavour: Flavour, records: Records, replay: Any) -> None:
    chat(flavour, records, replay)
    assert records.lines == [*all_of("first"), "step", *all_of("second"), *all_of("third")]


def test_what_cleans_up_after_a_suspension_is_shown_when_it_counts(flavour: Flavour, records: Records) -> None:
    """In the handler, in branches that wait side by side, and with what is shown all the same."""

    def branch(ctx: Any, seconds: int) -> Any:
        try:
            yield ctx.wait(Duration(seconds))
        finally:
            ctx.logger.info("branch %d", seconds)

    def handler(event: Any, ctx: Any) -> Any:
        ctx.set_logger(records.logger)
        try:
            yield ctx.wait(SECOND)
        finally:
            ctx.logger.info("wait")
        yield ctx.map([1, 2], flavour(branch))
        ctx.configure_logger(replay=ReplayLogging.ERRORS_ONLY)
        try:
            yield ctx.wait(SECOND)
        except BaseException:
            ctx.logger.error("suspended")
            raise

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert sorted(records.lines) == ["branch 1", "branch 2", "suspended", "wait"]


def test_what_fails_is_told_although_the_invocation_is_tried_again(flavour: Flavour, records: Records) -> None:
    tries: list[int] = []

    @flavour
    def breaks(step: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise InvocationError("no network")

    def handler(event: Any, ctx: Any) -> Any:
        ctx.set_logger(records.logger)
        try:
            yield ctx.step(breaks)
        except InvocationError:
            ctx.logger.error("this machine is broken")
            raise

    assert flavour.run(handler).status == "SUCCEEDED"
    assert records.lines == ["this machine is broken"]


def test_errors_only(flavour: Flavour, records: Records) -> None:
    chat(flavour, records, ReplayLogging.ERRORS_ONLY)
    assert records.lines == [
        *all_of("first"),
        "step",
        "first error",
        *all_of("second"),
        "first error",
        "second error",
        *all_of("third"),
    ]


def test_warnings_and_errors(flavour: Flavour, records: Records) -> None:
    chat(flavour, records, ReplayLogging.WARNINGS_AND_ERRORS)
    assert records.lines == [
        *all_of("first"),
        "step",
        "first warning",
        "first error",
        *all_of("second"),
        "first warning",
        "first error",
        "second warning",
        "second error",
        *all_of("third"),
    ]


def test_allow_all_says_what_is_a_repetition(flavour: Flavour, records: Records) -> None:
    chat(flavour, records, ReplayLogging.ALLOW_ALL)
    again = all_of("first", "second")
    assert records.lines == [*all_of("first"), "step", *all_of("first", "second"), *again, *all_of("third")]
    repeated = [record.getMessage() for record in records.records if getattr(record, "isReplaying", False)]
    assert repeated == [*all_of("first"), *again]


def test_a_function_decides_by_level_message_and_fields(flavour: Flavour, records: Records) -> None:
    asked = []

    def decide(level: int, message: str, fields: Any) -> bool:
        asked.append((level, message, fields["executionArn"].startswith("arn:")))
        return message == "first warning"

    chat(flavour, records, decide)
    assert records.lines == [
        *all_of("first"),
        "step",
        "first warning",
        *all_of("second"),
        "first warning",
        *all_of("third"),
    ]
    levels = [10, 20, 30, 40]
    assert asked == [
        (level, line, True) for level, line in zip(levels * 3, all_of("first", "first", "second"), strict=True)
    ]


def test_a_function_that_fails_shows_nothing_and_changes_nothing(
    flavour: Flavour, records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    def decide(level: int, message: str, fields: Any) -> bool:
        raise RuntimeError("undecided")

    chat(flavour, records, decide)
    assert records.lines == [*all_of("first"), "step", *all_of("second"), *all_of("third")]
    assert "RuntimeError: undecided" in capsys.readouterr().err


@pytest.mark.parametrize("replay", ["errors_only", 3, ReplayLogging])
def test_what_is_no_mode_is_refused_where_it_is_said(replay: Any) -> None:
    with pytest.raises(ValidationError, match=r"ReplayLogging\.ERRORS_ONLY.*function"):
        durable_execution(replay_logging=replay)(lambda event, ctx: None)
    refused = []

    def handler(event: Any, ctx: Any) -> None:
        with pytest.raises(ValidationError, match="during replay"):
            ctx.configure_logger(replay=replay)
        refused.append(True)

    assert run(handler).status == "SUCCEEDED"
    assert refused == [True]


def test_a_context_changes_its_mode_at_run_time(flavour: Flavour, records: Records) -> None:
    def handler(event, ctx):
        ctx.configure_logger(records.logger)
        ctx.logger.info("quiet")
        yield ctx.wait(SECOND)
        ctx.configure_logger(replay=ReplayLogging.ALLOW_ALL)
        ctx.logger.info("loud")
        yield ctx.wait(SECOND)
        ctx.configure_logger(replay=ReplayLogging.SUPPRESS_ALL)
        ctx.logger.info("quiet again")
        yield ctx.wait(SECOND)

    assert flavour.run(handler).status == "SUCCEEDED"
    assert records.lines == ["quiet", "loud", "loud", "quiet again", "loud"]


def test_a_child_that_goes_on_shows_what_is_new_in_it(flavour: Flavour, records: Records) -> None:
    def inner(child):
        child.logger.info("inside, before")
        yield child.wait(SECOND)
        child.logger.info("inside, after")

    def handler(event, ctx):
        ctx.set_logger(records.logger)
        ctx.logger.info("before")
        yield ctx.run_in_child_context(flavour(inner), name="child")
        ctx.logger.info("after")
        yield ctx.wait(SECOND)

    assert flavour.run(handler).status == "SUCCEEDED"
    assert records.lines == ["before", "inside, before", "inside, after", "after"]


def test_the_outer_logger_used_inside_a_child_is_as_quiet_as_the_child(flavour: Flavour, records: Records) -> None:
    def handler(event, ctx):
        def inner(child):
            ctx.logger.info("inside, before")
            yield child.wait(SECOND)
            ctx.logger.info("inside, after")

        ctx.set_logger(records.logger)
        yield ctx.run_in_child_context(flavour(inner), name="child")

    assert flavour.run(handler).status == "SUCCEEDED"
    assert records.lines == ["inside, before", "inside, after"]


def test_each_attempt_of_a_step_is_heard(flavour: Flavour, records: Records) -> None:
    def handler(event, ctx):
        def body(step):
            step.logger.info("attempt %d", step.attempt)
            ctx.logger.info("the handler's logger in attempt %d", step.attempt)
            if step.attempt < 3:
                raise ConnectionError

        ctx.set_logger(records.logger)
        config = StepConfig(retry_strategy=FixedDelay(SECOND, max_attempts=3))
        yield ctx.step(flavour(body), name="flaky", config=config)

    assert flavour.run(handler).status == "SUCCEEDED"
    said = [(f"attempt {n}", f"the handler's logger in attempt {n}") for n in (1, 2, 3)]
    assert records.lines == [line for pair in said for line in pair]


def test_a_line_before_a_crash_that_recorded_nothing_is_shown_again(flavour: Flavour, records: Records) -> None:
    def handler(event, ctx):
        ctx.set_logger(records.logger)
        ctx.logger.info("start")
        yield ctx.step(lambda step: world.kill() if world.invocations == 1 else None, name="one")

    world = flavour.world(handler)
    world.run()
    assert records.lines[0] == "start"
    assert world.status == "SUCCEEDED"


# ---- tasks --------------------------------------------------------------------------------------------------


def test_tasks_show_each_line_once(records: Records) -> None:
    async def branch(ctx: Any, name: str, waits: int) -> None:
        ctx.logger.info("%s starts", name)
        for n in range(waits):
            await ctx.wait(SECOND)
            ctx.logger.info("%s waited %d", name, n + 1)
        await ctx.step(lambda step: step.logger.info("%s steps", name), name=name)

    async def handler(event: Any, ctx: Any) -> None:
        ctx.set_logger(records.logger)
        ctx.logger.info("begin")
        await asyncio.gather(branch(ctx, "a", 1), branch(ctx, "b", 3))
        ctx.logger.info("both")
        await ctx.wait(SECOND)
        ctx.logger.info("end")

    world = run(handler)
    assert world.status == "SUCCEEDED"
    assert world.invocations > 3
    assert sorted(records.lines) == sorted(
        ["begin", "a starts", "a waited 1", "a steps", "b starts", "both", "end"]
        + [f"b waited {n}" for n in (1, 2, 3)]
        + ["b steps"]
    )


def test_the_handler_is_heard_after_tasks_that_went_on(records: Records) -> None:
    """All operations are in tasks: nothing of the handler's own tells where its replay ends."""

    async def inner(ctx: Any) -> None:
        await ctx.wait(SECOND)

    async def middle(ctx: Any) -> None:
        ctx.logger.info("middle starts")
        await asyncio.create_task(inner(ctx))
        ctx.logger.info("middle ends")

    async def handler(event: Any, ctx: Any) -> None:
        ctx.set_logger(records.logger)
        ctx.logger.info("first")
        await asyncio.gather(middle(ctx))
        ctx.logger.info("second")
        await asyncio.gather(middle(ctx))
        ctx.logger.info("third")

    world = run(handler)
    assert (world.status, world.invocations) == ("SUCCEEDED", 3)
    middle_lines = ["middle starts", "middle ends"]
    assert records.lines == ["first", *middle_lines, "second", *middle_lines, "third"]


def test_branches_of_a_map_log_as_their_context_does(flavour: Flavour, records: Records) -> None:
    def branch(child, item, index, items):
        child.logger.info("%s starts", item)
        yield child.wait(SECOND)
        child.logger.info("%s ends", item)

    def handler(event, ctx):
        ctx.configure_logger(records.logger, fields={"order": 7})
        yield ctx.map(["a", "b"], flavour(branch), name="items")
        ctx.logger.info("after")
        yield ctx.wait(SECOND)

    world = flavour.run(handler)
    assert (world.status, world.invocations) == ("SUCCEEDED", 3)
    assert sorted(records.lines) == ["a ends", "a starts", "after", "b ends", "b starts"]
    assert records.fields("order") == [(7,)] * 5
