"""Which plugins a function has, and what is said about those that it cannot have."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from durably import PluginLoadError, ValidationError, durable_execution
from durably.plugin import DurableInstrumentationPlugin
from durably.plugin_discovery import (
    PLUGIN_ENTRY_POINT_GROUP,
    PLUGIN_ENVIRONMENT_VARIABLE,
    load_configured_plugins,
)
from engine.harness import Flavour

from .recorder import RecorderFactory

MODULE = """
from durably.plugin import DurableInstrumentationPlugin

class Counting(DurableInstrumentationPlugin):
    ended = []

    def on_operation_end(self, info):
        self.ended.append(info.name)

class Factory:
    def create_plugin(self, info):
        return Counting()

factory, other = Factory(), Factory()
plugin, number = Counting(), 7

def function(info):
    return Counting()
"""


class Environment:
    """Packages that are installed, and the environment variable."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.monkeypatch = monkeypatch
        monkeypatch.syspath_prepend(str(path))
        (path / "counting_plugin.py").write_text(MODULE)

    def install(self, package: str, **entry_points: str) -> None:
        info = self.path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"[{PLUGIN_ENTRY_POINT_GROUP}]", *(f"{name} = {value}" for name, value in entry_points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def name(self, text: str) -> None:
        self.monkeypatch.setenv(PLUGIN_ENVIRONMENT_VARIABLE, text)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(tmp_path, monkeypatch)


def refusal(*, plugins: Any = None) -> str:
    with pytest.raises(PluginLoadError) as caught:

        @durable_execution(plugins=plugins)
        def handler(event: Any, ctx: Any) -> None: ...

    assert isinstance(caught.value, ValidationError)
    return str(caught.value)


# ---- the decorator ----------------------------------------------------------------------------------------------


class NoFactory:
    create_plugin = "a string"


class TooMany:
    def create_plugin(self, info: Any, more: Any) -> Any: ...


class Coroutine:
    async def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
        return DurableInstrumentationPlugin()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (DurableInstrumentationPlugin, "the class durably.plugin.DurableInstrumentationPlugin"),
        (DurableInstrumentationPlugin(), "a durably.plugin.DurableInstrumentationPlugin object"),
        (RecorderFactory, "the class "),
        (lambda info: None, "the function "),
        (NoFactory(), "NoFactory object"),
        (TooMany(), "TooMany object"),
        (Coroutine(), "Coroutine object"),
        (None, "a builtins.NoneType object"),
        ("name", "a builtins.str object"),
    ],
    ids=[
        "plugin class",
        "plugin",
        "factory class",
        "function",
        "no method",
        "other signature",
        "coroutine",
        "None",
        "str",
    ],
)
def test_what_is_no_factory_is_refused_where_the_function_is_made(wrong: Any, named: str) -> None:
    message = refusal(plugins=[RecorderFactory(), wrong])
    assert message.startswith("plugins[1] is ")
    assert named in message
    assert "create_plugin(info)" in message


@pytest.mark.parametrize("wrong", ["metrics", {"a": 1}, 7, RecorderFactory()], ids=["str", "dict", "int", "bare"])
def test_plugins_is_a_list(wrong: Any) -> None:
    assert refusal(plugins=wrong).startswith("plugins= takes a list of plugin factories, not ")


class ByClass:
    @classmethod
    def create_plugin(cls, info: Any) -> DurableInstrumentationPlugin:
        return DurableInstrumentationPlugin()


class ByStatic:
    @staticmethod
    def create_plugin(info: Any) -> DurableInstrumentationPlugin:
        return DurableInstrumentationPlugin()


@pytest.mark.parametrize("factory", [ByClass, ByStatic, ByClass(), ByStatic()])
def test_a_class_that_makes_plugins_itself_is_a_factory(factory: Any) -> None:
    assert load_configured_plugins([factory], environment={}) == [factory]


def test_without_plugins_there_are_none() -> None:
    @durable_execution
    def handler(event: Any, ctx: Any) -> None: ...

    assert handler.plugins == ()
    assert load_configured_plugins(None, environment={}) == []
    assert load_configured_plugins([], environment={PLUGIN_ENVIRONMENT_VARIABLE: "  "}) == []


# ---- the environment ----------------------------------------------------------------------------------------------


def test_a_plugin_that_the_environment_names_is_used(environment: Environment, flavour: Flavour) -> None:
    environment.install("counting", counter="counting_plugin:factory")
    environment.name("counter")

    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="counted")

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    import counting_plugin  # type: ignore[import-not-found]

    assert counting_plugin.Counting.ended[-1] == "counted"
    counting_plugin.Counting.ended.clear()


def test_those_in_the_decorator_come_first_and_none_twice(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    environment.install("counting", a="counting_plugin:factory", b="counting_plugin:other")
    environment.name(" b , a ")
    import counting_plugin

    given = RecorderFactory()
    with caplog.at_level(logging.WARNING, "durably.plugin"):
        found = load_configured_plugins([given, counting_plugin.factory])
    assert found == [given, counting_plugin.factory, counting_plugin.other]
    assert "a of DURABLE_EXECUTION_PLUGINS is registered already" in caplog.text


@pytest.mark.parametrize(("text", "said"), [("a,,b", "an empty name"), ("a,", "an empty name"), ("a,b,a", "'a' twice")])
def test_names_are_each_given_once(environment: Environment, text: str, said: str) -> None:
    environment.name(text)
    assert said in refusal()
    assert repr(text) in refusal()


def test_a_name_that_nobody_offers(environment: Environment) -> None:
    environment.install("counting", counter="counting_plugin:factory", other="counting_plugin:other")
    environment.name("metrics")
    message = refusal()
    assert "names 'metrics'" in message
    assert "counter" in message
    assert "other" in message
    assert "Install" in message


def test_a_name_that_two_packages_offer(environment: Environment) -> None:
    environment.install("counting", counter="counting_plugin:factory")
    environment.install("recounting", counter="counting_plugin:other")
    environment.name("counter")
    message = refusal()
    assert "counting" in message
    assert "recounting" in message


@pytest.mark.parametrize("value", ["no_such_module:factory", "counting_plugin:no_such_name"])
def test_a_plugin_that_cannot_be_imported(environment: Environment, value: str) -> None:
    environment.install("counting", counter=value)
    environment.name("counter")
    message = refusal()
    assert value in message
    assert "could not be imported" in message


@pytest.mark.parametrize("value", ["Factory", "Counting", "plugin", "number", "function"])
def test_an_entry_point_names_a_factory(environment: Environment, value: str) -> None:
    environment.install("counting", counter=f"counting_plugin:{value}")
    environment.name("counter")
    assert "the plugin 'counter' of DURABLE_EXECUTION_PLUGINS is " in refusal()


# ---- what factories say about themselves ---------------------------------------------------------------------------


class Exclusive:
    __durable_registration_api__ = 1
    exclusive_group = "tracing"

    def __init__(self) -> None:
        self.told: list[bool] = []

    def create_plugin(self, info: Any) -> DurableInstrumentationPlugin:
        return DurableInstrumentationPlugin()

    def on_registration_result(self, registered: bool) -> None:
        self.told.append(registered)


class AlsoExclusive(Exclusive):
    pass


class Unmarked(RecorderFactory):
    exclusive_group = "tracing"

    def on_registration_result(self, registered: bool) -> None:
        raise AssertionError("nobody asked for this")


def test_two_of_one_group_are_refused_and_told_so() -> None:
    one, other = Exclusive(), AlsoExclusive()
    with pytest.raises(PluginLoadError, match=r"Exclusive object and .*AlsoExclusive object cannot be used together"):
        load_configured_plugins([one, other], environment={})
    assert one.told == other.told == [False]
    assert load_configured_plugins([one, Unmarked()], environment={})[0] is one
    assert one.told == [False, True]


def test_a_group_is_a_name() -> None:
    class Wrong(Exclusive):
        __durable_registration_api__ = 1
        exclusive_group = ""

    with pytest.raises(PluginLoadError, match="exclusive_group"):
        load_configured_plugins([Wrong()], environment={})


def test_a_factory_that_cannot_be_told_is_said_so(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Exclusive):
        def on_registration_result(self, registered: bool) -> None:
            raise ValueError("not now")

    assert len(load_configured_plugins([Failing()], environment={})) == 1
    assert "on_registration_result" in caplog.text
