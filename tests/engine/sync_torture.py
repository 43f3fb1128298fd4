"""Random programs of plain functions on real threads, at real speeds, with faults: what `test_sync_torture` runs.

A program is a tree of tuples ``(kind, name, ...)``. :func:`execute` runs one against the in-memory service while bodies
and calls take real time, the clock of the service runs a thousand times as fast as the real one, calls fail and
invocations are killed or run out of time. :func:`fits` says whether what came out is a result of that program.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from durably import (
    ChildContextError,
    CompletionConfig,
    DurableContext,
    Duration,
    InvalidStateError,
    MapConfig,
    NestingType,
    ParallelConfig,
    RetryDecision,
    StepConfig,
    StepError,
    StepSemantics,
    WaitForConditionConfig,
    WaitForConditionDecision,
    WithRetryConfig,
    durable_execution,
)
from durably.checkpointing import CheckpointConfig, CheckpointMode
from durably.engine.environment import Environment
from durably.service.clock import ManualClock, SequentialIds
from durably.service.kernel import Service, ServiceConfig
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError

from .harness import Answer, Call, Killed, World, _Worker

__all__ = ["Program", "Torture", "execute", "faults_of", "fits", "make_program"]

Program = tuple[Any, ...]
SECOND = Duration.from_seconds(1)


class Broken(Exception):
    pass


def once_more(error: Exception, attempts: int) -> RetryDecision:
    return RetryDecision(attempts < 2, SECOND)


KINDS = ["seq", "map", "map", "parallel", "child", "failing", "start", "race", "any", "all", "retry", "large"]
ERRORS = [
    Killed,
    lambda: ApiError("ServiceException", "oops"),
    lambda: ApiError("TooManyRequestsException", "slow"),
    OSError,
]


# ---- programs -----------------------------------------------------------------------------------------------------


class Maker:
    """Random programs of about ``size`` nodes."""

    def __init__(self, dice: random.Random, size: int) -> None:
        self.dice = dice
        self.left = size

    def node(self, name: str, depth: int) -> Program:
        dice = self.dice
        self.left -= 1
        leaf = depth > 4 or self.left <= 0 or dice.random() < 0.35
        if leaf:
            kind = dice.choice(["step"] * 6 + ["wait", "callback", "condition", "timeout", "once"])
            return (kind, name, dice.choice([0, 0, 0, 1, 2]), dice.choice([0, 0, 0, 0, 0, 1, 2, 3, 20]))
        kind = dice.choice(KINDS)
        if kind == "map":
            below = [self.node(f"{name}.m", depth + 1)]
            width = dice.choice([1, 2, 3, 5, 8, 20, 40])
            width = max(1, min(width, 120 // leaves_of(below[0])))
            return (kind, name, below, self.batch(width), width)
        below = [self.node(f"{name}.{n}", depth + 1) for n in range(dice.choice([1, 2, 2, 3, 4]))]
        return (kind, name, below, self.batch(len(below)) if kind == "parallel" else dice.random())

    def batch(self, width: int) -> tuple[Any, ...]:
        dice = self.dice
        least = dice.choice([None, None, 1, 2])
        return (dice.choice([None, None, 1, 2, 5]), least and min(least, width), dice.random() < 0.3)


def leaves_of(program: Program) -> int:
    if not isinstance(program[2], list):
        return 1
    return sum(map(leaves_of, program[2])) * (program[4] if program[0] == "map" else 1)


def make_program(seed: int, size: int = 14) -> Program:
    return ("seq", "p", [Maker(random.Random(seed), size).node("p.0", 0), ("step", "p.1", 0, 0)], 0.0)


def callbacks_of(program: Program) -> set[str]:
    found = {program[1]} if program[0] == "callback" else set()
    return found.union(*(callbacks_of(one) for one in program[2])) if isinstance(program[2], list) else found


def fits(program: Program, value: Any, place: str = "") -> bool:
    """Whether ``value`` is what ``program`` may have returned at ``place`` (of the maps around it)."""
    try:
        return _fits(program, value, place)
    except (TypeError, AttributeError, ValueError, KeyError, IndexError):
        return False  # of another shape


def _fits(program: Program, value: Any, place: str) -> bool:
    kind, name, *rest = program
    name += place
    if kind in ("step", "once"):
        return value == (name if rest[0] < 2 else f"{name} failed") or (kind == "once" and value == f"{name} failed")
    if kind == "timeout":
        return value in (name, f"{name} failed")
    if kind == "wait":
        return value is None
    if kind == "callback":
        return value == "answer"
    if kind == "condition":
        return value == rest[0] + 1
    below = rest[0]
    if kind in ("seq", "child", "retry", "large"):
        found = value[1:] if kind == "large" else value
        return len(found) == len(below) and all(fits(one, got, place) for one, got in zip(below, found, strict=True))
    if kind == "failing":
        return value == f"{name} broke"
    if kind in ("race", "any"):
        return any(fits(one, value, place) for one in below)
    if kind == "all":
        return len(value) == len(below) and all(fits(one, got, place) for one, got in zip(below, value, strict=True))
    if kind == "start":
        return len(value) == len(below) and all(
            got == "cancelled" or fits(one, got, place) for one, got in zip(below, value, strict=True)
        )
    branches = [below[0]] * rest[2] if kind == "map" else below
    least = rest[1][1]
    found = {int(n): got for n, got in value.items()}
    if least is None and set(found) != set(range(len(branches))):
        return False
    if len(found) < min(least or 0, len(branches)):
        return False
    return all(fits(branches[n], got, f"{place}/{n}" if kind == "map" else place) for n, got in found.items())


# ---- the interpreter ----------------------------------------------------------------------------------------------


class Interpreter:
    def __init__(self, torture: Torture, link: InvocationLink) -> None:
        self.torture = torture
        self.link = link

    def run(self, program: Program, ctx: DurableContext, place: str = "") -> Any:
        kind, name, *rest = program
        return getattr(self, f"_{kind}")(ctx, name + place, rest, place)

    def _body(self, name: str, failures: int, milliseconds: float, timed: bool = False) -> Callable[[Any], Any]:
        def body(step: Any) -> Any:
            self.link.begins(name, step.attempt, timed)
            if milliseconds:
                time.sleep(milliseconds / 1000 * self.torture.slowness())
            self.torture.maybe_die(self.link)
            if step.attempt <= failures:
                raise Broken(name)
            return name

        return body

    def _step(self, ctx: DurableContext, name: str, rest: Any, place: str, config: StepConfig | None = None) -> Any:
        config = config or StepConfig(retry_strategy=once_more)
        body = self._body(name, rest[0], rest[1], config.timeout is not None)  # a body may begin when its time is over
        try:
            return ctx.step(body, name=name, config=config)
        except StepError:
            return f"{name} failed"

    def _once(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        config = StepConfig(retry_strategy=once_more, step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY)
        return self._step(ctx, name, rest, place, config)

    def _timeout(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return self._step(ctx, name, rest, place, StepConfig(retry_strategy=once_more, timeout=SECOND))

    def _wait(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.wait(Duration.from_seconds(rest[0] + 1), name=name)

    def _callback(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.create_callback(name=name).result()

    def _condition(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        def strategy(state: int, attempt: int) -> WaitForConditionDecision:
            if state > rest[0]:
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(SECOND)

        config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
        return ctx.wait_for_condition(lambda state, check: state + 1, config, name=name)

    def _seq(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return [self.run(one, ctx, place) for one in rest[0]]

    def _child(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.run_in_child_context(lambda inner: self._seq(inner, name, rest, place), name=name)

    def _large(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        def inside(inner: DurableContext) -> Any:
            return ["x" * 270_000, *self._seq(inner, name, rest, place)]

        found = ctx.run_in_child_context(inside, name=name)
        return ["x", *found[1:]]

    def _failing(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        def inside(inner: DurableContext) -> Any:
            self._seq(inner, name, rest, place)
            raise Broken(name)

        try:
            return ctx.run_in_child_context(inside, name=name)
        except ChildContextError as error:
            return f"{error.message} broke"

    def _retry(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        def inside(inner: DurableContext, attempt: int) -> Any:
            found = [self.run(one, inner, place) for one in rest[0]] if attempt == 2 else inner.step(lambda s: 1)
            if attempt == 1:
                raise Broken(name)
            return found

        return ctx.with_retry(inside, name=name, config=WithRetryConfig(retry_strategy=once_more))

    def _map(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        def one(inner: DurableContext, item: int, index: int, items: Any) -> Any:
            return self.run(rest[0][0], inner, f"{place}/{index}")

        result = ctx.map(range(rest[2]), one, name=name, config=_batch(MapConfig, rest[1]))
        return _found(result)

    def _parallel(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        branches = [lambda inner, one=one: self.run(one, inner, place) for one in rest[0]]
        return _found(ctx.parallel(branches, name=name, config=_batch(ParallelConfig, rest[1])))

    def _functions(self, rest: Any, place: str) -> list[Any]:
        return [lambda inner, one=one: self.run(one, inner, place) for one in rest[0]]

    def _race(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.race(self._functions(rest, place), name=name)

    def _any(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.any(self._functions(rest, place), name=name)

    def _all(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        return ctx.all(self._functions(rest, place), name=name)

    def _start(self, ctx: DurableContext, name: str, rest: Any, place: str) -> Any:
        futures = [ctx.start(ctx.run_in_child_context, one) for one in self._functions(rest, place)]
        waiting = ctx.start(ctx.wait, Duration.from_hours(1)) if rest[1] < 0.5 else None
        if rest[1] < 0.2:
            ctx.wait(SECOND)
        elif rest[1] < 0.6:
            ctx.step(self._body(f"{name} meanwhile", 0, 1))
        found: list[Any] = [None] * len(futures)
        for n in reversed(range(len(futures))):
            if rest[1] > 0.7 and n == 0:
                futures[n].cancel()
            try:
                found[n] = futures[n].result()
            except InvalidStateError:
                found[n] = "cancelled"
        if waiting is not None and rest[1] < 0.3:
            ctx.cancel_wait(waiting)
        return found


def _batch(cls: Any, options: tuple[Any, ...]) -> Any:
    most, least, flat = options
    completion = CompletionConfig(min_successful=least) if least else CompletionConfig(tolerated_failure_count=100)
    return cls(
        max_concurrency=most,
        completion_config=completion,
        nesting_type=NestingType.FLAT if flat else NestingType.NESTED,
    )


def _found(result: Any) -> dict[str, Any]:
    for item in result.all:
        assert item.error is None, item
    return {str(item.index): item.result for item in result.all if item.status.name == "SUCCEEDED"}


# ---- the world ----------------------------------------------------------------------------------------------------


class FastClock(ManualClock):
    """Runs ``factor`` times as fast as the real one."""

    def __init__(self, start_ms: int, factor: int) -> None:
        super().__init__(start_ms)
        self.factor = factor
        self._began = time.monotonic()

    def now_ms(self) -> int:
        return self._now + int((time.monotonic() - self._began) * self.factor * 1000)

    def advance_to(self, now_ms: int) -> None:
        self._now += max(0, now_ms - self.now_ms())


class FastEnvironment(Environment):
    def __init__(self, clock: FastClock) -> None:
        self.clock = clock

    def now_ms(self) -> int:
        return self.clock.now_ms()

    def monotonic(self) -> float:
        return self.clock.now_ms() / 1000

    def waiter(self) -> Any:
        return _FastWaiter(super().waiter(), self.clock.factor)


class _FastWaiter:
    def __init__(self, inner: Any, factor: int) -> None:
        self.inner = inner
        self.factor = factor
        self.wake = inner.wake

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and timeout > 0.005:  # no measure of the machine's own
            timeout = timeout / self.factor if self.factor else None
        found: bool = self.inner.wait(timeout)
        return found


class InvocationLink:
    """The client of one invocation."""

    def __init__(self, torture: Torture, environment: Environment) -> None:
        self.torture = torture
        self.environment = environment
        self.over_at: float | None = None

    def checkpoint(self, arn: str, token: str, updates: Any, client_token: str | None) -> Any:
        self._calls()
        return self.torture.link.checkpoint(arn, token, updates, client_token)

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> Any:
        self._calls()
        return self.torture.link.get_state(arn, token, marker, max_items)

    def _calls(self) -> None:
        if self.over_at is not None:
            self.torture.violations.append("law R6: a call after the end of its invocation")

    def begins(self, name: str, attempt: int, timed: bool) -> None:
        torture = self.torture
        if not timed and self.over_at is not None and time.monotonic() - self.over_at > 5:
            torture.violations.append(f"{name} began after the end of its invocation")
        with torture.lock:
            recorded = [view["Status"] for view in torture.operations.values() if view.get("Name") == name]
        if (
            not timed
            and not torture.link.dead
            and self.over_at is None
            and recorded not in ([], ["STARTED"], ["READY"])
        ):
            torture.suspects.append(f"law R1: {name} runs again although it is {recorded}")


class LambdaContext:
    def __init__(self, environment: Environment, seconds: float) -> None:
        self.environment = environment
        self.deadline = environment.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - self.environment.monotonic()) * 1000))


class _AnyName(dict[str, Answer]):
    def get(self, name: str, default: Any = None) -> Any:
        return Answer("answer")


class Torture(World):
    """A world whose calls and bodies take real time, with faults."""

    program: Program
    dice: random.Random
    factor: int
    crashes: float
    mode: CheckpointConfig | None
    limit: float | None
    slow: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock = FastClock(self.start_ms, self.factor)
        config = ServiceConfig(retry_attempts=1000)
        self.service = Service(MemoryStore(), _Worker(self), clock=self.clock, ids=SequentialIds(), config=config)
        self.callbacks = _AnyName()
        self.violations: list[str] = []
        self.suspects: list[str] = []
        self.links: list[InvocationLink] = []
        self.interrupt: Callable[[InvocationLink], Any] | None = None
        self.link.before = self.link.after = self._fault

    def slowness(self) -> float:
        return self.slow

    def maybe_die(self, link: InvocationLink) -> None:
        if self.crashes and self.invocations < 12 and link.over_at is None and self.dice.random() < self.crashes / 4:
            raise Killed

    def _fault(self, call: Call) -> BaseException | None:
        dice = self.dice
        if dice.random() < 0.5:
            time.sleep(dice.choice([0.0, 0.0005, 0.001, 0.003]) * self.slow)
        if dice.random() < 0.1:
            with self.lock:
                self._answer_callbacks()
        if self.crashes and self.invocations < 12 and dice.random() < self.crashes:
            return dice.choice(ERRORS)()
        return None

    def _call(self, event: Any) -> Any:
        environment = FastEnvironment(self.clock) if self.factor else Environment()
        link = InvocationLink(self, environment)
        self.links.append(link)
        self.function = durable_execution(client=link, checkpointing=self.mode)(
            lambda event, ctx: Interpreter(self, link).run(self.program, ctx)
        )
        context = None
        if self.limit is not None and self.factor and self.invocations < 12:
            context = LambdaContext(environment, self.limit)
        try:
            if self.interrupt is not None:
                self.interrupt(link)
            return self.function(event, context)
        except KeyboardInterrupt:
            raise Killed from None
        finally:
            link.over_at = time.monotonic()


def execute(program: Program, seed: int, *, crashes: bool = True, interrupt: Any = None) -> Torture:
    dice = random.Random(seed)

    class One(Torture):
        pass

    One.program = program
    One.dice = dice
    One.factor = dice.choice([0, 200, 1000, 1000, 3000])
    One.crashes = dice.choice([0.0, 0.02, 0.1, 0.3]) if crashes else 0.0
    modes = [None, None, CheckpointConfig(CheckpointMode.OPTIMISTIC), CheckpointConfig(CheckpointMode.BATCHED)]
    One.mode = dice.choice(modes)
    One.limit = dice.choice([None, None, 3.0, 10.0, 30.0]) if crashes else None
    One.slow = dice.choice([0.0, 1.0, 1.0])
    world = One(lambda event, ctx: None)
    world.interrupt = interrupt
    world.run()
    return world


def faults_of(world: Torture) -> list[str]:
    """What went wrong; a program that ended well has none."""
    found = list(world.violations) + world.suspects
    if world.status != "SUCCEEDED":
        found.append(f"{world.outcome}")
    elif not fits(world.program, world.value):
        found.append(f"{world.value} is no result of the program")
    for call in world.link.calls:
        if isinstance(call.answer, ApiError):
            found.append(f"refused: {call.answer} for {call.actions}")
    if world.crashes == 0.0:
        keys = [(one["Id"], one["Action"]) for one in world.updates if one["Action"] not in ("START", "RETRY")]
        if len(keys) != len(set(keys)):
            found.append("an operation was completed twice")
    return found
