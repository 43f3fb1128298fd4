"""with_retry: a block of operations, run again with durable waits in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ChildConfig,
    ChildContextError,
    ContextMisuseError,
    Duration,
    ExecutionError,
    RetryDecision,
    RetryPresets,
    StepConfig,
    ValidationError,
    WithRetryConfig,
    with_retry,
)
from durably.wire.ids import operation_id

from .harness import Flavour, Killed, World, identities, run

SECOND = Duration.from_seconds(1)
ONCE = StepConfig(lambda error, n: RetryDecision.no_retry())


def config(most: int = 3, **options: Any) -> WithRetryConfig[Any]:
    """``most`` attempts, waiting 10 s, 20 s, ... after them."""
    strategy = lambda error, n: RetryDecision(n < most, Duration.from_seconds(10 * n))  # noqa: E731
    return WithRetryConfig(retry_strategy=strategy, **options)


def unwrapped(most: int = 3) -> WithRetryConfig[Any]:
    return config(most, wrap_with_run_in_child_context=False)


def block(flavour: Flavour, failures: int, noted: list[Any]) -> Any:
    """Two steps; fails between them ``failures`` times."""

    def attempt_of(ctx, attempt):
        value = yield ctx.step(flavour(lambda step: attempt), name=f"before {attempt}")
        noted.append(attempt)
        if attempt <= failures:
            raise ValueError(f"attempt {attempt}")
        return (yield ctx.step(flavour(lambda step: value * 10), name=f"after {attempt}"))

    return flavour(attempt_of)


def backoffs(world: World) -> dict[str | None, int]:
    """The seconds of each wait, by name."""
    return {
        update.get("Name"): update["WaitOptions"]["WaitSeconds"]
        for update in world.updates
        if update["Type"] == "WAIT" and update["Action"] == "START"
    }


@pytest.mark.parametrize("make", [config, unwrapped])
def test_until_it_succeeds(flavour: Flavour, make: Any) -> None:
    def handler(event, ctx):
        return (yield ctx.with_retry(block(flavour, 2, noted), "book", make()))

    noted: list[int] = []
    world = flavour.run(handler)
    assert world.value == 30
    assert set(noted) == {1, 2, 3}
    assert backoffs(world) == {"book-backoff-1": 10, "book-backoff-2": 20}
    assert world.invocations == 3
    assert world.clock.now_ms() - world.start_ms >= 30_000


def test_the_first_attempt_may_do(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.with_retry(block(flavour, 0, []), "book", config()))

    world = flavour.run(handler)
    assert world.value == 10
    assert backoffs(world) == {}


def test_wrapped_it_is_one_operation_and_fails_as_one(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.with_retry(block(flavour, 9, []), "book", config())
        except ChildContextError as error:
            yield ctx.step(flavour(lambda step: None), name="next")
            return [str(error), error.error_type]

    world = flavour.run(handler)
    assert world.value == ["attempt 3", "ValueError"]
    book = world.named("book")
    assert (book["Id"], book["SubType"], book["Status"]) == (operation_id(None, 1), "RunInChildContext", "FAILED")
    assert world.named("book-backoff-1")["ParentId"] == book["Id"]
    assert world.named("next")["Id"] == operation_id(None, 2)


def test_unwrapped_the_last_failure_is_raised_itself(flavour: Flavour) -> None:
    def handler(event, ctx):
        try:
            yield ctx.with_retry(block(flavour, 9, []), "book", unwrapped())
        except ValueError as error:
            return str(error)

    world = flavour.run(handler)
    assert world.value == "attempt 3"
    assert all("ParentId" not in view for view in world.operations.values())


@pytest.mark.parametrize("make", [config, unwrapped])
def test_every_attempt_has_ids_of_its_own(flavour: Flavour, make: Any) -> None:
    def handler(event, ctx):
        yield ctx.with_retry(block(flavour, 2, []), "book", make())

    world = flavour.run(handler)
    prefix = operation_id(None, 1) if make is config else None
    names = ["before 1", "book-backoff-1", "before 2", "book-backoff-2", "before 3", "after 3"]
    assert [world.named(name)["Id"] for name in names] == [operation_id(prefix, n) for n in range(1, 7)]


def test_without_a_name(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.with_retry(block(flavour, 1, []), config=config()))

    world = flavour.run(handler)
    assert world.value == 20
    assert backoffs(world) == {None: 10}


def test_the_strategy_is_asked_with_the_failure_and_the_attempts_made(flavour: Flavour) -> None:
    """And not again for what has been decided."""

    def handler(event, ctx):
        def strategy(error, attempts):
            asked.append((type(error).__name__, str(error), attempts))
            return RetryDecision(attempts < 2, SECOND)

        try:
            yield ctx.with_retry(block(flavour, 9, []), config=WithRetryConfig(retry_strategy=strategy))
        except ChildContextError:
            return "given up"

    asked: list[tuple[str, str, int]] = []
    assert flavour.run(handler).value == "given up"
    assert set(asked) == {("ValueError", "attempt 1", 1), ("ValueError", "attempt 2", 2)}


def test_presets(flavour: Flavour) -> None:
    def handler(event, ctx):
        with_preset = WithRetryConfig(retry_strategy=RetryPresets.fixed(Duration.from_seconds(7)))
        return (yield ctx.with_retry(block(flavour, 1, []), "book", with_preset))

    world = flavour.run(handler)
    assert world.value == 20
    assert backoffs(world) == {"book-backoff-1": 7}


def test_a_step_that_gave_up_inside_is_a_failure_of_the_block(flavour: Flavour) -> None:
    def handler(event, ctx):
        def attempt_of(inner, attempt):
            def body(step):
                if attempt < 2:
                    raise OSError("away")
                return "there"

            return (yield inner.step(flavour(body), name=f"call {attempt}", config=ONCE))

        return (yield ctx.with_retry(flavour(attempt_of), "book", config()))

    assert flavour.run(handler).value == "there"


@pytest.mark.parametrize("make", [config, unwrapped])
def test_an_error_that_fails_the_execution_is_not_retried(flavour: Flavour, make: Any) -> None:
    def handler(event, ctx):
        def attempt_of(inner, attempt):
            attempts.append(attempt)
            raise ExecutionError("out of order")
            yield

        yield ctx.with_retry(flavour(attempt_of), "book", make())

    attempts: list[int] = []
    world = flavour.run(handler)
    assert world.error["errorMessage"] == "out of order"
    assert attempts == [1]


def test_waits_inside_the_block_suspend_and_are_no_failures(flavour: Flavour) -> None:
    def handler(event, ctx):
        def attempt_of(inner, attempt):
            yield inner.wait(SECOND, name=f"pause {attempt}")
            yield inner.wait(SECOND)
            if attempt < 2:
                raise ValueError
            return attempt

        return (yield ctx.with_retry(flavour(attempt_of), "book", config()))

    world = flavour.run(handler)
    assert world.value == 2
    assert {name for name in backoffs(world) if name} == {"pause 1", "pause 2", "book-backoff-1"}


def test_inside_map_branches(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner, item, *rest):
            return (yield inner.with_retry(block(flavour, item, []), f"book {item}", config(5)))

        return (yield ctx.map([0, 1, 2], flavour(branch))).get_results()

    assert flavour.run(handler).value == [10, 20, 30]


def test_the_child_config_is_that_of_the_context_around(flavour: Flavour) -> None:
    def handler(event, ctx):
        inside = config(child_context_config=ChildConfig(sub_type="Booking"))
        return (yield ctx.with_retry(block(flavour, 0, []), "book", inside))

    assert flavour.run(handler).named("book")["SubType"] == "Booking"


def test_as_a_function(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield with_retry(ctx, block(flavour, 1, []), config(), "book"))

    world = flavour.run(handler)
    assert world.value == 20
    assert backoffs(world) == {"book-backoff-1": 10}


def test_unwrapped_blocks_side_by_side_async() -> None:
    """Each task numbers its own operations, whichever is quicker."""

    def carried_out(slow: int) -> World:
        async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
            async def attempt_of(name: str, turns: int, attempt: int) -> str:
                for _ in range(turns):
                    await asyncio.sleep(0)
                await ctx.step(lambda step: name, name=f"{name} {attempt}")
                if attempt < 2:
                    raise ValueError
                return name

            def of(name: str, turns: int) -> Any:
                async def one(inner: Any, attempt: int) -> str:
                    return await attempt_of(name, turns, attempt)

                return ctx.with_retry(one, name, unwrapped())

            return await asyncio.gather(of("a", slow), of("b", 5 - slow))

        return run(handler)

    a, b = carried_out(0), carried_out(5)
    assert a.value == b.value == ["a", "b"]
    assert identities(a) == identities(b)


def test_bad_input(flavour: Flavour) -> None:
    def handler(event, ctx):
        found = []
        for call in (
            lambda: ctx.with_retry(42),
            lambda: ctx.with_retry(lambda inner, attempt: 1, "ä"),
            lambda: ctx.with_retry(lambda inner, attempt: 1, "ä", unwrapped()),
            lambda: ctx.with_retry(lambda inner, attempt: 1, "x" * 250),
            lambda: WithRetryConfig(retry_strategy=3),
            lambda: WithRetryConfig(child_context_config=3),
        ):
            try:
                yield call()
            except ValidationError as error:
                found.append(str(error))
        return found

    world = flavour.run(handler)
    assert len(world.value) == 6
    assert "called with a context and the attempt's number" in world.value[0]
    assert "'ä'" in world.value[1]
    assert "'ä'" in world.value[2]
    assert "has 250" in world.value[3]
    assert world.updates == []


@pytest.mark.parametrize("failure", [Killed, OSError])
@pytest.mark.parametrize("make", [config, unwrapped])
def test_a_crash_at_every_boundary(flavour: Flavour, failure: type[BaseException], make: Any) -> None:
    def once(fault_at: tuple[int, str] | None) -> World:
        def handler(event, ctx):
            def attempt_of(inner, attempt):
                def body(step):
                    name = f"call {attempt}"
                    recorded = [v["Status"] for v in world.operations.values() if v.get("Name") == name]
                    assert recorded in ([], ["STARTED"]), "a recorded step runs again"
                    world.effect(name)
                    return attempt

                value = yield inner.step(flavour(body), name=f"call {attempt}")
                if attempt < 3:
                    raise ValueError(f"attempt {attempt}")
                return value

            return (yield ctx.with_retry(flavour(attempt_of), "book", make()))

        world = flavour.world(handler)

        def fault(when: str) -> Any:
            return lambda call: failure() if fault_at == (len(world.link.calls) - 1, when) else None

        world.link.before, world.link.after = fault("before"), fault("after")
        world.run()
        return world

    calm = once(None)
    assert calm.value == 3
    for number in range(len(calm.link.calls)):
        for when in ("before", "after"):
            world = once((number, when))
            assert world.outcome.value == calm.value, (number, when)
            assert set(world.effects) == set(calm.effects)
            assert len(world.effects) - len(calm.effects) <= 1
            assert identities(world) == identities(calm)


def test_attempts_without_a_context_of_their_own_cannot_be_started(flavour: Flavour) -> None:
    def handler(event, ctx):
        config: WithRetryConfig[Any] = WithRetryConfig(wrap_with_run_in_child_context=False)
        with pytest.raises(ContextMisuseError, match="leave out wrap_with_run_in_child_context=False"):
            yield ctx.start(ctx.with_retry, flavour(lambda context, attempt: attempt), config=config).result()

    assert flavour.run(handler).updates == []


def test_misuse_is_not_tried_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def block(context, attempt):
            world.effect(attempt)
            yield ctx.step(flavour(lambda step: 1))  # not the block's own context

        try:
            yield ctx.with_retry(flavour(block), config=WithRetryConfig(retry_strategy=RetryPresets.fixed(SECOND)))
        except ChildContextError as error:
            return error.error_type

    world = flavour.world(handler)
    world.run()
    assert world.value == "durably.ContextMisuseError"
    assert world.effects == [1]
