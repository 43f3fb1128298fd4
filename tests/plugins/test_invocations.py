"""The hooks around an invocation: however it ends, and what they tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from durably import Duration, ExecutionError, InvocationError, durable_execution
from durably.plugin import DurableInstrumentationPlugin, InvocationStatus, OperationType, PropagationMetadata
from durably.wire.api_errors import ApiError
from engine.harness import FAR_FUTURE_MS, Answer, Flavour, Killed

from .recorder import Recorder, RecorderFactory, watch, with_plugins


def test_what_the_hooks_of_two_invocations_say(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.wait(Duration.from_seconds(2), name="pause")
        return f"done-{event['name']}"

    world, seen = watch(flavour, handler, {"name": "Ada"})
    starts, ends = seen.of("invocation-start"), seen.of("invocation-end")
    assert [info.is_first_invocation for info in starts] == [info.is_first_invocation for info in ends] == [True, False]
    assert {info.execution_arn for info in starts + ends} == {world.arn}
    assert [info.execution_input for info in starts + ends] == [{"name": "Ada"}] * 4
    assert {info.execution_start_time.year for info in starts + ends} == {2096}
    assert FAR_FUTURE_MS > 0
    assert [(info.status, info.execution_result, info.error) for info in ends] == [
        (InvocationStatus.PENDING, None, None),
        (InvocationStatus.SUCCEEDED, '"done-Ada"', None),
    ]


def test_the_map_of_operations_is_as_of_the_hook(flavour: Flavour) -> None:
    """Even if it is read later."""

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")
        yield ctx.wait(Duration.from_seconds(2), name="pause")

    _, seen = watch(flavour, handler)
    names = [
        [one.name for one in info.operations.values() if one.operation_type is not OperationType.EXECUTION]
        for info in seen.of("invocation-start", "invocation-end")
    ]
    assert names == [[], ["s", "pause"], ["s", "pause"], ["s", "pause"]]
    first = seen.of("invocation-start")[0]
    assert [one.operation_type for one in first.operations.values()] == [OperationType.EXECUTION]
    statuses = [info.operations for info in seen.of("invocation-end")]
    assert [[one.status.value for one in found.values()][-1] for found in statuses] == ["STARTED", "SUCCEEDED"]


def test_the_start_comes_before_the_handler_and_the_end_after_it(flavour: Flavour) -> None:
    def handler(event, ctx):
        seen.events.append("the handler")  # type: ignore[arg-type]

    seen = RecorderFactory()
    with_plugins(flavour.world(handler), [seen]).run()
    before, inside, after = seen.events
    assert (before.hook, inside, after.hook) == ("invocation-start", "the handler", "invocation-end")


@pytest.mark.parametrize("payload", ["", "   ", None], ids=["empty", "blank", "none"])
def test_an_execution_without_an_input_has_an_empty_one(flavour: Flavour, payload: str | None) -> None:
    seen = RecorderFactory()
    operation: dict[str, Any] = {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}
    if payload is not None:
        operation["ExecutionDetails"] = {"InputPayload": payload}
    event = {
        "DurableExecutionArn": "arn:e",
        "CheckpointToken": "t",
        "InitialExecutionState": {"Operations": [operation]},
    }
    handler = flavour(lambda event, ctx: 1)
    function = durable_execution(client=_Client() if flavour.is_async else _Blocking(), plugins=[seen])(handler)
    context = SimpleNamespace(aws_request_id="req-1")
    assert function(event, context) == {"Status": "SUCCEEDED", "Result": "1"}
    assert [info.execution_input for info in seen.of("invocation-start", "invocation-end")] == [{}, {}]
    assert [info.request_id for info in seen.of("invocation-start", "invocation-end")] == ["req-1", "req-1"]


class _Blocking:
    def checkpoint(self, *args: Any) -> Any:
        raise AssertionError("nothing is recorded")


class _Client:
    async def checkpoint(self, *args: Any) -> Any:
        raise AssertionError("nothing is recorded")

    async def get_state(self, *args: Any) -> Any:
        raise AssertionError("nothing is missing")


def test_an_execution_that_fails(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")
        raise ValueError("out of paper")

    _, seen = watch(flavour, handler)
    (end,) = seen.of("invocation-end")
    assert (end.status, end.execution_result) == (InvocationStatus.FAILED, None)
    assert (end.error.type, end.error.message) == ("ValueError", "out of paper")


def test_an_execution_that_says_itself_that_it_fails(flavour: Flavour) -> None:
    def boom(step):
        raise ExecutionError("never again")

    def handler(event, ctx):
        yield ctx.step(flavour(boom), name="s")

    _, seen = watch(flavour, handler)
    assert seen.story[-1] == "invocation-end FAILED"
    assert seen.story_of("s") == ["start s", "function-start s 1", "function-end s 1 FAILED"]


def test_an_invocation_that_is_to_be_tried_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")
        if world.invocations < 2:
            raise InvocationError("not now")
        return "now"

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    world.run()
    assert world.value == "now"
    ends = seen.of("invocation-end")
    assert [info.status for info in ends] == [InvocationStatus.RETRY, InvocationStatus.SUCCEEDED]
    assert ends[0].error.message == "not now"
    assert seen.story.count("end s SUCCEEDED") == 1, "the second invocation only replays it"
    assert seen.made == 2, "a plugin for each"


def test_a_handler_that_exits_the_process() -> None:
    def handler(event, ctx):
        raise SystemExit(3)

    flavour, seen = Flavour("sync"), RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    with pytest.raises(SystemExit):
        world.run()
    assert seen.story == ["invocation-start first", "invocation-end RETRY"]


def test_code_that_no_longer_matches_what_was_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        if world.invocations == 1:
            yield ctx.wait(Duration.from_seconds(2), name="pause")
        else:
            yield ctx.step(flavour(lambda step: 1), name="s")

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    world.run()
    end = seen.of("invocation-end")[-1]
    assert end.status is InvocationStatus.FAILED
    assert end.error.type.endswith("NonDeterministicExecutionError")
    assert seen.of("start", name="s") == []


def test_a_service_that_refuses_a_checkpoint(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [seen])
    refusals = [ApiError("TooManyRequestsException", "slow down", 429)]
    world.link.before = lambda call: refusals.pop() if refusals else None
    world.run()
    assert world.status == "SUCCEEDED"
    assert [info.status.value for info in seen.of("invocation-end")] == ["RETRY", "SUCCEEDED"]
    assert seen.story.count("end s SUCCEEDED") == 1


def test_a_result_too_large_for_the_answer(flavour: Flavour) -> None:
    """A plain answer is the service's business; a plugin only sees that it was recorded instead."""
    from durably.wire import limits

    size = limits.MAX_RESPONSE + 10

    def handler(event, ctx):
        return "x" * size

    _, seen = watch(flavour, handler)
    (end,) = seen.of("invocation-end")
    if end.status is InvocationStatus.SUCCEEDED:
        assert end.execution_result == ""
    else:  # the result of a handler is refused before that
        assert "recorded" in end.error.message


# ---- crashes ----------------------------------------------------------------------------------------------------


def test_a_crash_at_every_checkpoint_leaves_each_end_told_once_or_by_the_invocation_that_died(flavour: Flavour) -> None:
    def item(child, value, index, items):
        return (yield child.step(flavour(lambda step: value), name=f"s{value}"))

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="first")
        yield ctx.wait(Duration.from_seconds(5), name="pause")
        callback = yield ctx.create_callback(name="answer")
        yield callback.result()
        result = yield ctx.map(range(2), flavour(item), name="all")
        return result.get_results()

    calls = 0
    plain, _ = watch(flavour, handler, callbacks={"answer": Answer("yes")})
    for when in ("before", "after"):
        for n in range(1, len(plain.link.calls) + 1):
            seen = RecorderFactory()
            world = with_plugins(flavour.world(handler, callbacks={"answer": Answer("yes")}), [seen])
            calls = 0

            def fault(call: Any, n: int = n) -> BaseException | None:
                nonlocal calls
                calls += 1
                return Killed() if calls == n else None

            setattr(world.link, when, fault)
            world.run()
            assert world.value == [0, 1]
            story = seen.story
            assert story.count("invocation-end SUCCEEDED") == 1
            assert len(seen.of("invocation-start")) == len(seen.of("invocation-end")) == world.invocations
            for name in ("first", "pause", "answer", "s0", "s1", "all"):
                ends = story.count(f"end {name} SUCCEEDED")
                assert ends <= 1 or name in ("pause", "answer"), (when, n, name, story)
                if when == "before":  # nothing is recorded that the dying invocation has not heard of
                    assert ends >= 1, (when, n, name, story)


# ---- the trace of an invoke ----------------------------------------------------------------------------------------


class Tracing(Recorder):
    value: Any = "Root=1-abc"

    def provide_propagation_metadata(self, info: Any) -> Any:
        self.note("propagation", info)
        return None if self.value is None else PropagationMetadata(self.value)


def tracing(value: Any) -> RecorderFactory:
    cls = type("Tracing", (Tracing,), {"value": value})
    return RecorderFactory(cls)


def test_a_plugin_hands_a_trace_to_the_invoked_function(flavour: Flavour) -> None:
    def inside(child):
        return (yield child.invoke("double", 4, name="twice"))

    def handler(event, ctx):
        return (yield ctx.run_in_child_context(flavour(inside), name="outer"))

    silent, blank, first, same = tracing(None), tracing("  "), tracing("Root=1-abc"), tracing("Root=1-abc")
    world = with_plugins(flavour.world(handler, functions={"double": lambda n: 2 * n}), [silent, blank, first, same])
    world.run()
    assert world.value == 8
    (start,) = [update for update in world.updates if update["Type"] == "CHAINED_INVOKE"]
    assert start["ChainedInvokeOptions"] == {"FunctionName": "double", "XAmznTraceId": "Root=1-abc"}
    (asked,) = silent.of("propagation")
    assert asked.execution_arn == world.arn
    assert asked.operation_id == world.named("twice")["Id"]
    assert asked.parent_operation_id == world.named("outer")["Id"]
    assert asked.target_function_name == "double"


def test_the_first_plugin_that_has_a_trace_decides(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    def handler(event, ctx):
        return (yield ctx.invoke("double", 4, name="twice"))

    world = with_plugins(
        flavour.world(handler, functions={"double": lambda n: 2 * n}), [tracing("first"), tracing("second")]
    )
    world.run()
    (start,) = [update for update in world.updates if update["Type"] == "CHAINED_INVOKE"]
    assert start["ChainedInvokeOptions"]["XAmznTraceId"] == "first"
    assert "an earlier plugin has given another value" in caplog.text


def test_without_a_trace_nothing_is_sent(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.invoke("double", 4, name="twice"))

    world, _ = watch(flavour, handler, functions={"double": lambda n: 2 * n})
    (start,) = [update for update in world.updates if update["Type"] == "CHAINED_INVOKE"]
    assert start["ChainedInvokeOptions"] == {"FunctionName": "double"}


# ---- several plugins ------------------------------------------------------------------------------------------------


def test_plugins_are_called_in_the_order_in_which_they_are_given(flavour: Flavour) -> None:
    told: list[str] = []

    def plugin(name: str) -> type[DurableInstrumentationPlugin]:
        def note(self: Any, info: Any) -> None:
            told.append(name)

        return type(name, (DurableInstrumentationPlugin,), {"on_operation_start": note, "on_operation_end": note})

    class Factory:
        def __init__(self, name: str) -> None:
            self.name = name

        def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
            return plugin(self.name)()

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")

    with_plugins(flavour.world(handler), [Factory("a"), Factory("b")]).run()
    assert told == ["a", "b", "a", "b"]


def test_the_start_hook_gets_the_info_that_the_factory_got(flavour: Flavour) -> None:
    given: list[Any] = []

    class Factory:
        def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
            given.append(info)
            return Plugin()

    class Plugin(DurableInstrumentationPlugin):
        def on_invocation_start(self, info: Any) -> None:
            given.append(info)

    with_plugins(flavour.world(lambda event, ctx: 1), [Factory(), Factory()]).run()
    first, second, third, fourth = given
    assert first is third
    assert second is fourth
    assert first is not second


def test_a_plugin_of_invocations_only_leaves_operations_alone(flavour: Flavour) -> None:
    told: list[str] = []

    class Plugin(DurableInstrumentationPlugin):
        def on_invocation_start(self, info: Any) -> None:
            told.append("start")

        def on_invocation_end(self, info: Any) -> None:
            told.append(f"end {info.status.value} {len(info.operations)}")

    class Factory:
        def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
            return Plugin()

    def handler(event, ctx):
        assert ctx.run.hooks is None, "nobody watches"
        yield ctx.wait(Duration.from_seconds(2), name="pause")

    world = with_plugins(flavour.world(handler), [Factory()])
    world.run()
    assert world.status == "SUCCEEDED"
    assert told == ["start", "end PENDING 2", "start", "end SUCCEEDED 2"]


def test_a_service_that_answers_nonsense_is_not_the_plugins_doing(flavour: Flavour) -> None:
    """Records without a status: the same failure with and without plugins."""

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")
        return "fine"

    def edit(call: Any, answer: Any) -> Any:
        return {**answer, "NewExecutionState": {"Operations": [{"Id": "unknown"}]}}

    outputs = []
    for factories in ([], [RecorderFactory()]):
        world = with_plugins(flavour.world(handler), factories)
        world.link.edit = edit
        world.run()
        outputs.append(world.outputs)
    assert outputs[0] == outputs[1] == [{"Status": "SUCCEEDED", "Result": '"fine"'}]
