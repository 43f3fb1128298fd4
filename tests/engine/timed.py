"""Invocations that have so much time, on a clock that tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .harness import Flavour
from .modes import ModeWorld

__all__ = ["Clock", "LambdaContext", "Timed", "VirtualLoop", "use_clock"]


class Clock:
    """What the engine measures invocations by. It moves when a test says so, or an event loop has nothing to do."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers are due when nothing else is to be done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__()

    def time(self) -> float:
        return self._clock.now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._clock.now = max(self._clock.now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class LambdaContext:
    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self.deadline = clock.now + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - self._clock.now) * 1000))


class Timed:
    """Handlers of a flavour whose invocations have so many seconds each."""

    def __init__(self, flavour: Flavour, clock: Clock) -> None:
        self.flavour = flavour
        self.clock = clock
        self.world: ModeWorld
        self.contexts: list[LambdaContext] = []
        self.left: list[float] = []
        self.before_run: Callable[[ModeWorld], None] | None = None

    def run(self, handler: Any, seconds: float = 10, mode: Any = None, **options: Any) -> ModeWorld:
        def context() -> LambdaContext:
            self._ended()
            self.contexts.append(LambdaContext(self.clock, seconds))
            return self.contexts[-1]

        if self.flavour.is_async:
            options["loop_factory"] = lambda: VirtualLoop(self.clock)
        function = handler if asyncio.iscoroutinefunction(handler) else self.flavour(handler)
        self.world = ModeWorld(function, checkpointing=mode, lambda_context=context, **options)
        if self.before_run is not None:
            self.before_run(self.world)
        self.world.run()
        self._ended()
        return self.world

    def _ended(self) -> None:
        if self.contexts:
            self.left.append(self.contexts[-1].deadline - self.clock.now)
            assert self.left[-1] > 0, "an invocation was not over at its deadline"

    def step(self, ctx: Any, name: str, seconds: float, **options: Any) -> Any:
        """A step that takes so long and has its effect at its end."""
        if not self.flavour.is_async:

            def body(step: Any) -> str:
                self.clock.work(seconds)
                self.world.effect(name)
                return name

            return ctx.step(body, name=name, **options)

        async def coroutine(step: Any) -> str:
            await asyncio.sleep(seconds)
            self.world.effect(name)
            return name

        return ctx.step(coroutine, name=name, **options)

    def retries_fall_due(self) -> None:
        """The clock of the service moves on."""
        with self.world.lock:
            self.world.clock.advance(2000)
            self.world.service.drain()

    @property
    def cut_off(self) -> list[BaseException]:
        return [output for output in self.world.outputs if isinstance(output, BaseException)]


def use_clock(monkeypatch: Any) -> Clock:
    """What the engine measures time by, in place of the real clock."""
    clock = Clock()
    monkeypatch.setattr("durably.engine.clock.monotonic", clock)
    return clock
