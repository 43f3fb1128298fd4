"""A plugin that notes every hook, and worlds whose function has plugins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from durably import durable_execution
from durably.plugin import (
    DurableInstrumentationPlugin,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationEndInfo,
    OperationInfo,
    OperationStartInfo,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)
from engine.harness import Flavour, World


@dataclass
class Event:
    """One call of a hook."""

    hook: str
    info: Any
    invocation: int
    thread: int

    @property
    def name(self) -> str | None:
        return getattr(self.info, "name", None)


class Recorder(DurableInstrumentationPlugin):
    """Notes what it is told, for whoever made it."""

    def __init__(self, factory: RecorderFactory) -> None:
        self.factory = factory
        factory.made += 1
        self.invocation = factory.made

    def note(self, hook: str, info: Any) -> None:
        self.factory.note(Event(hook, info, self.invocation, threading.get_ident()))

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.note("invocation-start", info)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        self.note("invocation-end", info)

    def on_operation_start(self, info: OperationStartInfo) -> None:
        self.note("start", info)

    def on_operation_end(self, info: OperationEndInfo) -> None:
        self.note("end", info)

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        self.note("change", info)

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        self.note("function-start", info)

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        self.note("function-end", info)


class RecorderFactory:
    def __init__(self, plugin: Callable[[RecorderFactory], DurableInstrumentationPlugin] = Recorder) -> None:
        self.plugin = plugin
        self.made = 0
        self.events: list[Event] = []
        self.lock = threading.Lock()

    def create_plugin(self, info: InvocationStartInfo) -> DurableInstrumentationPlugin:
        return self.plugin(self)

    def note(self, event: Event) -> None:
        with self.lock:
            self.events.append(event)

    def of(self, *hooks: str, name: str | None = None, invocation: int | None = None) -> list[Any]:
        """The infos of these hooks, in order; of one operation, or of one invocation."""
        return [
            event.info
            for event in self.events
            if event.hook in hooks
            and (name is None or event.name == name)
            and (invocation is None or event.invocation == invocation)
        ]

    @property
    def story(self) -> list[str]:
        """What happened to operations and invocations, in order: ``start charge``, ``invocation-end PENDING``."""
        return [_told(event) for event in self.events if event.hook != "change"]

    def story_of(self, name: str) -> list[str]:
        return [_told(event) for event in self.events if event.name == name]


def _told(event: Event) -> str:
    info = event.info
    if event.hook == "invocation-start":
        return f"invocation-start {'first' if info.is_first_invocation else 'again'}"
    if event.hook == "invocation-end":
        return f"invocation-end {info.status.value}"
    words = [event.hook, info.name or info.operation_type.value]
    if event.hook == "start" and info.is_replayed:
        words.append("replayed")
    if event.hook == "end":
        words.append(info.status.value)
    if event.hook.startswith("function") and info.attempt is not None:
        words.append(str(info.attempt))
    if event.hook == "function-end":
        words.append(info.outcome.value)
    return " ".join(words)


def with_plugins(world: World, factories: Sequence[Any], **options: Any) -> World:
    """``world`` with its function decorated anew."""
    world.function = durable_execution(client=world.link, plugins=factories, **options)(world.handler)
    return world


def watch(
    flavour: Flavour, source: Callable[..., Any], input: Any = None, **options: Any
) -> tuple[World, RecorderFactory]:
    """A world in which the handler has run, and what a plugin saw of it."""
    recorder = RecorderFactory()
    world = with_plugins(flavour.world(source, input, **options), [recorder])
    world.run()
    return world, recorder


def ids(infos: Sequence[OperationInfo]) -> list[str]:
    return [info.operation_id for info in infos]
