"""Whatever a plugin does, the execution goes as it would without it; and what went wrong is said, once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from durably import Duration, RetryPresets, StepConfig
from durably.engine.suspension import SuspendExecution
from durably.plugin import DurableInstrumentationPlugin, InvocationStartInfo, PropagationMetadata
from engine.harness import Answer, Flavour, World

from .recorder import Recorder, RecorderFactory, with_plugins

HOOKS = [
    "on_invocation_start",
    "on_invocation_end",
    "on_operation_start",
    "on_operation_end",
    "on_operation_change",
    "on_user_function_start",
    "on_user_function_end",
    "provide_propagation_metadata",
]
FAILURES: list[Callable[[], BaseException]] = [
    lambda: ValueError("broken"),
    lambda: StopIteration("broken"),
    lambda: RecursionError("broken"),
    lambda: SystemExit("broken"),
    lambda: GeneratorExit("broken"),
    lambda: asyncio.CancelledError("broken"),
    lambda: SuspendExecution("broken"),
    lambda: BaseExceptionGroup("broken", [SystemExit("broken")]),
]


class Factory:
    """Makes plugins all of whose hooks do the same."""

    def __init__(self, act: Callable[[str, Any], Any]) -> None:
        self.act = act
        self.calls: list[str] = []

    def create_plugin(self, info: InvocationStartInfo) -> DurableInstrumentationPlugin:
        factory = self

        def hook(name: str) -> Any:
            def act(plugin: Any, info: Any) -> Any:
                factory.calls.append(name)
                return factory.act(name, info)

            return act

        return type("Meddler", (DurableInstrumentationPlugin,), {name: hook(name) for name in HOOKS})()


def program(flavour: Flavour) -> Callable[..., Any]:
    """Something of everything: retries, a failure, suspension in a child context, branches, a callback, an invoke."""

    def flaky(step):
        if step.attempt < 2:
            raise ValueError("not yet")
        return {"n": 1}

    def boom(step):
        raise KeyError("boom")

    def item(child, value, index, items):
        yield child.wait(Duration.from_seconds(5 + value), name=f"w{value}")
        return (yield child.step(flavour(lambda step: value), name=f"s{value}"))

    def inside(child):
        yield child.wait(Duration.from_seconds(5), name="nap")
        yield child.step(flavour(boom), name="boom", config=StepConfig(retry_strategy=RetryPresets.none()))

    def handler(event, ctx):
        yield ctx.step(flavour(flaky), name="flaky", config=StepConfig(retry_strategy=RetryPresets.fixed()))
        try:
            yield ctx.run_in_child_context(flavour(inside), name="outer")
        except Exception as error:
            event["caught"] = str(error)
        result = yield ctx.map(range(3), flavour(item), name="all")
        event["answer"] = yield ctx.wait_for_callback(flavour(lambda callback_id, context: None), name="ask")
        event["doubled"] = yield ctx.invoke("double", 4)
        return [event, result.get_results()]

    return handler


OUTSIDE: dict[str, Any] = {
    "callbacks": {"ask create callback id": Answer("yes")},
    "functions": {"double": lambda n: 2 * n},
}


def run(flavour: Flavour, factories: list[Any]) -> World:
    world = with_plugins(flavour.world(program(flavour), {"id": 7}, **OUTSIDE), factories)
    world.run()
    return world


def recorded(world: World) -> str:
    """Everything that the service was told, byte by byte, but for what depends on how threads were scheduled."""
    return json.dumps(sorted(json.dumps(update, sort_keys=True) for update in world.updates))


@pytest.mark.parametrize("make", FAILURES, ids=lambda make: type(make()).__name__)
def test_a_plugin_that_raises_everywhere_changes_nothing(
    flavour: Flavour, make: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def act(hook: str, info: Any) -> None:
        raise make()

    plain = run(flavour, [])
    broken, healthy, witness = Factory(act), RecorderFactory(), RecorderFactory()
    with caplog.at_level(logging.ERROR, "durably.plugin"):
        world = run(flavour, [broken, healthy])
    assert world.outputs == plain.outputs
    assert recorded(world) == recorded(plain)
    assert set(broken.calls) == set(HOOKS)
    run(flavour, [witness])
    assert sorted(healthy.story) == sorted(witness.story)
    for hook in HOOKS:
        lines = [one for one in caplog.records if one.getMessage().startswith(f"{hook} of the plugin ")]
        assert lines, hook
        assert all("Meddler" in one.getMessage() for one in lines)
        assert len(lines) <= world.invocations, "once an invocation"
        assert all(one.exc_info is not None for one in lines)


def test_an_interrupt_is_not_the_plugins_doing_and_is_passed_on() -> None:
    """In a coroutine asyncio itself passes it on, out of the loop."""
    interrupted: list[str] = []

    def act(hook: str, info: Any) -> None:
        if hook == "on_operation_end" and not interrupted:
            interrupted.append(hook)
            raise KeyboardInterrupt

    flavour = Flavour("sync")

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="s")

    seen = RecorderFactory()
    world = with_plugins(flavour.world(handler), [Factory(act), seen])
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert seen.story[-1] == "invocation-end RETRY"
    assert interrupted


@pytest.mark.parametrize("hook", ["on_invocation_start", "on_invocation_end"])
def test_an_interrupt_at_either_end_still_ends_what_has_begun(flavour: Flavour, hook: str) -> None:
    def act(called: str, info: Any) -> None:
        if called == hook:
            raise KeyboardInterrupt

    first, meddler, last = RecorderFactory(), Factory(act), RecorderFactory()
    world = with_plugins(flavour.world(lambda event, ctx: 1), [first, meddler, last])
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert [told.split()[0] for told in first.story] == ["invocation-start", "invocation-end"]
    started = hook == "on_invocation_end"
    assert [told.split()[0] for told in last.story] == (["invocation-start", "invocation-end"] if started else [])


@pytest.mark.parametrize("made", [None, Recorder, object(), "plugin"], ids=["None", "a class", "an object", "a string"])
def test_a_factory_that_makes_no_plugin_is_left_out(
    flavour: Flavour, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Wrong:
        def create_plugin(self, info: InvocationStartInfo) -> Any:
            return made

    healthy = RecorderFactory()
    world = with_plugins(flavour.world(lambda event, ctx: 5), [Wrong(), healthy])
    world.run()
    assert world.value == 5
    assert healthy.story == ["invocation-start first", "invocation-end SUCCEEDED"]
    (record,) = caplog.records
    assert "create_plugin of the plugin factory" in record.getMessage()
    assert ".Wrong failed" in record.getMessage()
    assert "DurableInstrumentationPlugin" in caplog.text


@pytest.mark.parametrize("make", FAILURES, ids=lambda make: type(make()).__name__)
def test_a_factory_that_raises_is_left_out(
    flavour: Flavour, make: Callable[[], BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    class Raising:
        def create_plugin(self, info: InvocationStartInfo) -> Any:
            raise make()

    healthy = RecorderFactory()
    world = with_plugins(flavour.world(lambda event, ctx: 5), [Raising(), healthy])
    world.run()
    assert world.value == 5
    assert healthy.made == 1
    assert len(caplog.records) == 1


def test_a_hook_that_would_only_make_a_generator_is_said_to_be_none(
    flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    class Yielding(Recorder):
        def on_operation_start(self, info: Any) -> Any:
            yield info

    seen = RecorderFactory(Yielding)
    assert run(flavour, [seen]).status == "SUCCEEDED"
    assert "it has a yield in it" in caplog.text


def test_a_hook_that_is_a_coroutine_function_is_said_to_be_none(
    flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    class Awaiting(Recorder):
        async def on_operation_start(self, info: Any) -> None:  # type: ignore[override]
            raise AssertionError("nobody awaits it")

    seen = RecorderFactory(Awaiting)
    world = run(flavour, [seen])
    assert world.status == "SUCCEEDED"
    assert seen.of("end"), "its other hooks work"
    (message,) = {one.getMessage() for one in caplog.records}
    assert message.startswith("on_operation_start of the plugin ")
    assert message.endswith(".Awaiting failed; the execution goes on as without it")
    assert "coroutine function" in caplog.text


def test_a_hook_that_returns_a_coroutine_leaves_nothing_behind(
    flavour: Flavour, caplog: pytest.LogCaptureFixture
) -> None:
    async def nobody_awaits_me() -> None: ...

    world = run(flavour, [Factory(lambda hook, info: nobody_awaits_me())])
    assert world.status == "SUCCEEDED"
    assert "returned an awaitable" in caplog.text


@pytest.mark.parametrize("value", ["a string", 7, PropagationMetadata(7)], ids=["str", "int", "a number inside"])  # type: ignore[arg-type]
def test_hooks_that_return_something_change_nothing(flavour: Flavour, value: Any) -> None:
    plain, world = run(flavour, []), run(flavour, [Factory(lambda hook, info: value)])
    assert world.outputs == plain.outputs
    assert recorded(world) == recorded(plain)


def test_what_a_plugin_does_to_its_infos_nobody_else_sees(flavour: Flavour) -> None:
    def act(hook: str, info: Any) -> None:
        if hook == "provide_propagation_metadata":
            return
        for name in ("operations", "updated_operations"):
            if hasattr(info, name):
                for one in getattr(info, name).values():
                    if one.error is not None:
                        one.error.stack_trace.clear()
                getattr(info, name).clear()
        if hasattr(info, "execution_input"):
            info.execution_input["id"] = "changed"
        if getattr(info, "error", None) is not None:
            info.error.stack_trace.clear()
        for name in list(vars(info)):
            info.__dict__[name] = "changed"
        if hasattr(info, "_source"):
            info.__dict__["_source"] = None

    plain, witness, seen = run(flavour, []), RecorderFactory(), RecorderFactory()
    run(flavour, [witness])
    world = run(flavour, [Factory(act), seen])
    assert world.outputs == plain.outputs
    assert recorded(world) == recorded(plain)
    assert sorted(seen.story) == sorted(witness.story)
    assert {info.execution_input["id"] for info in seen.of("invocation-start", "invocation-end")} == {7}
    assert all(info.error.stack_trace for info in seen.of("function-end") if info.error is not None)


def test_a_hook_cannot_use_a_durable_context(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    contexts: list[Any] = []

    def act(hook: str, info: Any) -> Any:
        if contexts:
            return contexts[-1].step(lambda step: "from a plugin", name="smuggled")

    def handler(event, ctx):
        contexts.append(ctx)
        yield ctx.step(flavour(lambda step: 1), name="own")
        contexts.clear()

    world = with_plugins(flavour.world(handler), [Factory(act)])
    world.run()
    assert world.status == "SUCCEEDED"
    assert {update.get("Name") for update in world.updates} == {"own"}
    assert "ContextMisuseError" in caplog.text


def test_a_log_that_fails_changes_nothing_either(flavour: Flavour) -> None:
    def act(hook: str, info: Any) -> None:
        raise ValueError("broken")

    class Failing(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("so is the log")

    log, failing = logging.getLogger("durably.plugin"), Failing()
    log.addFilter(failing)
    try:
        world = run(flavour, [Factory(act)])
    finally:
        log.removeFilter(failing)
    assert world.status == "SUCCEEDED"


def test_a_plugin_whose_attributes_fail(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    class Touchy(Recorder):
        @property
        def on_operation_start(self) -> Any:  # type: ignore[override]
            raise ValueError("do not look at me")

    seen = RecorderFactory(Touchy)
    world = run(flavour, [seen])
    assert world.status == "SUCCEEDED"
    assert seen.of("end")
    assert "do not look at me" in caplog.text
