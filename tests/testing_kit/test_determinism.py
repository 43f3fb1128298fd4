"""A double run in another world finds what a handler may not depend on, and the line."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CompletionConfig,
    DurableContext,
    ItemBatcher,
    MapConfig,
    NestingType,
    durable_execution,
)
from durably.testing import LocalRunner, NotDeterministicError, acheck_determinism, check_determinism

DAY = timedelta(days=1)


def line_of(function: Any, text: str) -> int:
    """The number of the line of ``function`` that has ``text`` in it."""
    import inspect

    lines, first = inspect.getsourcelines(inspect.unwrap(function))
    return next(first + number for number, line in enumerate(lines) if text in line)


# ---- what follows its record -------------------------------------------------------------------------------------


@durable_execution
async def in_batches(event: Any, ctx: AsyncDurableContext) -> int:
    """The first batch fails, and with it the map; the second ends all the same."""

    async def one(inner: AsyncDurableContext, n: int) -> float:
        return 1 / await inner.step(lambda step: n, name=f"n{n}")

    config = MapConfig[int](item_batcher=ItemBatcher(max_items_per_batch=2))
    return len((await ctx.map([1, 0, 2, 3], one, config=config)).failed())


def test_batches_of_items_that_a_map_was_complete_without() -> None:
    report = check_determinism(in_batches).check()
    ended = [one.name for one in report.baseline.operations.all if one.sub_type == "MapIteration" and one.succeeded]
    assert ended == ["map-batch-0", "map-batch-1"]


@durable_execution
def careful(event: dict[str, Any], ctx: DurableContext) -> list[Any]:
    """Everything that varies is in steps, or comes from the context."""

    def roll(step: Any) -> list[Any]:
        return [random.random(), time.time(), str(uuid.uuid4()), os.environ.get("HOME"), datetime.now(UTC).isoformat()]

    def one(inner: DurableContext, item: int, index: int, items: Any) -> list[Any]:
        inner.logger.info("item %s", item)
        return inner.step(roll, name=f"item {item}")

    rolled = ctx.step(roll, name="roll")
    ctx.wait(DAY)
    mapped = ctx.map([1, 2, 3], one, name="all").get_results()
    return [rolled, mapped, ctx.now().isoformat(), str(ctx.uuid()), ctx.random().random()]


@durable_execution
async def async_careful(event: dict[str, Any], ctx: AsyncDurableContext) -> list[Any]:
    async def roll(step: Any) -> float:
        return random.random() + time.time()

    both = await asyncio.gather(ctx.step(roll, name="a"), ctx.step(roll, name="b"))
    await ctx.wait(DAY)
    return [*both, await ctx.step(roll, name="c")]


@pytest.mark.parametrize("handler", [careful, async_careful])
def test_a_careful_handler(handler: Any) -> None:
    report = check_determinism(handler, {"id": 7}).check(strict=True)
    assert report.ok
    assert report.suspects == []
    assert report.skipped == {}
    assert list(report.replays) == ["nothing else", "clock", "chance", "environment", "hash seed"]
    assert "follows its record: nothing else, clock, chance, environment, hash seed" in str(report)


def test_the_cause_is_named_on_threads_that_were_there_before() -> None:
    def outer(event: None, ctx: DurableContext) -> list[int]:
        def flow(inner: DurableContext) -> int:
            return inner.step(lambda s: 1, name=f"item {random.random()}")

        futures = [ctx.start(ctx.run_in_child_context, flow, name=name) for name in ("first", "second")]
        return [future.result() for future in futures]

    for _ in range(3):  # each finds the threads of the one before
        report = check_determinism(durable_execution(outer))
        assert not report.ok
        assert [(one.call, one.line.number) for one in report.suspects] == [
            ("random.random()", line_of(outer, "random.random()"))
        ]


def test_the_world_is_put_back() -> None:
    @durable_execution
    def draws_nothing(event: Any, ctx: DurableContext) -> None:
        ctx.step(lambda s: 1)

    environment, state, zone = dict(os.environ), random.getstate(), time.tzname
    assert check_determinism(draws_nothing).ok
    assert dict(os.environ) == environment
    assert random.getstate() == state
    assert time.tzname == zone
    assert abs(datetime.now(UTC).timestamp() - time.clock_gettime(time.CLOCK_REALTIME)) < 60
    assert sys.getprofile() is None


def test_in_async_tests() -> None:
    report = asyncio.run(acheck_determinism(async_careful, {}))
    assert report.check().baseline.succeeded


# ---- what does not -----------------------------------------------------------------------------------------------


def by_clock(event: Any, ctx: DurableContext) -> None:
    ctx.step(lambda s: 1, name="first")
    name = f"in {datetime.now(UTC):%B}"
    ctx.step(lambda s: 1, name=name)


def by_date(event: Any, ctx: DurableContext) -> None:
    ctx.step(lambda s: 1, name=date.today().isoformat())  # noqa: DTZ011 - the mistake that is to be found


def by_time(event: Any, ctx: DurableContext) -> str:
    ctx.step(lambda s: 1, name="first")
    return str(int(time.time() / 86400))


async def by_clock_async(event: Any, ctx: AsyncDurableContext) -> None:
    await ctx.wait(DAY)
    now = datetime.now(UTC)
    if now.year > 2000:
        await ctx.step(lambda s: 1, name=f"in {now:%B}")


@pytest.mark.parametrize(
    ("function", "call"),
    [
        (by_clock, "datetime.now()"),
        (by_date, "date.today()"),
        (by_time, "time.time()"),
        (by_clock_async, "datetime.now()"),
    ],
)
def test_the_clock(function: Any, call: str) -> None:
    with pytest.raises(NotDeterministicError) as caught:
        check_determinism(durable_execution(function)).check()
    line = f"{os.path.relpath(__file__)}:{line_of(function, call.removesuffix('()'))}"
    assert "with the clock 157 days on:" in str(caught.value)
    assert f"because of {line}: {call} outside a step; use ctx.now()" in str(caught.value)
    assert "DIFFERS:" in str(caught.value)


def by_random(event: Any, ctx: DurableContext) -> None:
    ctx.step(lambda s: 1, name=f"n{random.random()}")


def by_choice(event: Any, ctx: DurableContext) -> None:
    ctx.step(lambda s: 1, name=random.choice([str(n) for n in range(10_000)]))


def by_uuid(event: Any, ctx: DurableContext) -> str:
    key = str(uuid.uuid4())
    ctx.step(lambda s: 1, name="charge")
    return key


@pytest.mark.parametrize(
    ("function", "call"),
    [(by_random, "random.random()"), (by_choice, "random.choice()"), (by_uuid, "uuid.uuid4()")],
)
def test_chance(function: Any, call: str) -> None:
    report = check_determinism(durable_execution(function))
    assert not report.ok
    line = f"{os.path.relpath(__file__)}:{line_of(function, call.removesuffix('()'))}"
    assert f"because of {line}: {call} outside a step; use ctx.uuid() or ctx.random()" in str(report)


def by_variable(event: Any, ctx: DurableContext) -> None:
    if os.environ.get("NEW_CHECKOUT", "off") == "on":
        ctx.step(lambda s: 1, name="new")
    else:
        ctx.step(lambda s: 1, name="old")


def by_getenv(event: Any, ctx: DurableContext) -> None:
    for n in range(int(os.getenv("STEPS", "1"))):
        ctx.step(lambda s: 1, name=f"s{n}")


def by_item(event: Any, ctx: DurableContext) -> str:
    ctx.step(lambda s: 1)
    return os.environ["NEW_CHECKOUT"]


@pytest.mark.parametrize(
    ("function", "call", "value"),
    [
        (by_variable, "os.environ.get('NEW_CHECKOUT')", "on"),
        (by_getenv, "os.getenv('STEPS')", "2"),
        (by_item, "os.environ['NEW_CHECKOUT']", "yes"),
    ],
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, function: Any, call: str, value: str) -> None:
    """Every variable that the handler reads is another one in the second world; nobody needs to name it."""
    monkeypatch.setenv("NEW_CHECKOUT", value)
    monkeypatch.setenv("STEPS", value)
    report = check_determinism(durable_execution(function))
    assert list(report.differing) == ["environment"]
    assert f"{call} outside a step; read it in a step, or pass it in with the input" in str(report)


def test_variables_that_the_test_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "a")
    settings = os.environ

    @durable_execution
    def order(event: Any, ctx: DurableContext) -> None:
        if "b" in settings.values():
            ctx.step(lambda s: 1, name="b")

    assert check_determinism(order).ok
    assert list(check_determinism(order, environ={"REGION": "b"}).differing) == ["environment"]


PROGRAM = """
    from durably import DurableContext, durable_execution
    from durably.testing import check_determinism

    @durable_execution
    def order(event, ctx: DurableContext):
        for name in {"alpha", "beta", "gamma", "delta", "epsilon"}:
            ctx.step(lambda s: 1, name=name)

    if __name__ == "__main__":
        print(check_determinism(order))
"""


def test_the_order_of_sets(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert "order does not follow its own record" in done.stdout
    assert "in a process with another order of sets:" in done.stdout
    assert "program.py:8" in done.stdout


def test_functions_that_no_process_can_import() -> None:
    @durable_execution
    def local(event: Any, ctx: DurableContext) -> None:
        ctx.step(lambda s: 1)

    report = check_determinism(local).check()
    assert "not tried: hash seed (a process of its own cannot import" in str(report)


def test_state_of_the_process() -> None:
    runs: list[int] = []

    @durable_execution
    def order(event: Any, ctx: DurableContext) -> None:
        runs.append(1)
        ctx.step(lambda s: 1, name=f"run {len(runs)}")

    report = check_determinism(order)
    assert list(report.differing) == ["nothing else"]
    assert "when it is merely replayed:" in str(report)


# ---- suspects ----------------------------------------------------------------------------------------------------


def test_calls_that_change_nothing_are_shown_and_refused_on_demand() -> None:
    @durable_execution
    def logs(event: Any, ctx: DurableContext) -> None:
        began = time.monotonic()
        ctx.step(lambda s: 1, name="work")
        ctx.logger.info("took %s", time.monotonic() - began)

    report = check_determinism(logs).check()
    assert [one.call for one in report.suspects] == ["time.monotonic()", "time.monotonic()"]
    assert "called outside of steps, without a difference here:" in str(report)
    with pytest.raises(NotDeterministicError):
        report.check(strict=True)


def test_what_libraries_do_inside_is_their_business() -> None:
    import tempfile

    @durable_execution
    def uses_one(event: Any, ctx: DurableContext) -> None:
        tempfile.gettempdir()
        next(tempfile._get_candidate_names())  # type: ignore[attr-defined]
        ctx.step(lambda s: 1)

    assert check_determinism(uses_one).suspects == []


def test_in_child_contexts_and_helpers() -> None:
    def helper() -> float:
        return time.time()

    @durable_execution
    def order(event: Any, ctx: DurableContext) -> None:
        def child(inner: DurableContext) -> None:
            helper()
            inner.step(lambda s: helper())

        ctx.run_in_child_context(child)

    (suspect,) = check_determinism(order).suspects
    assert suspect.line.number == line_of(helper, "time.time()")


@pytest.mark.parametrize(
    "run", [check_determinism, lambda runner, given: asyncio.run(acheck_determinism(runner, given))]
)
def test_runners_with_their_settings(run: Callable[..., Any]) -> None:
    @durable_execution
    def order(event: str, ctx: DurableContext) -> str:
        return str(ctx.wait_for_callback(lambda callback_id, c: None, name=f"approve {event}"))

    report = run(LocalRunner(order, callbacks={"approve A7": "yes"}), "A7")
    assert report.check().baseline.value == "yes"


@pytest.mark.parametrize("careless", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        MapConfig[Any](nesting_type=NestingType.FLAT),
        MapConfig[Any](nesting_type=NestingType.FLAT, completion_config=CompletionConfig.all_completed()),
        MapConfig[Any](nesting_type=NestingType.FLAT, item_batcher=ItemBatcher(max_items_per_batch=2)),
    ],
)
def test_what_branches_without_records_of_their_own_did_is_looked_at(config: MapConfig[Any], careless: bool) -> None:
    def name() -> str:
        return f"item {random.random() if careless else ''}"

    @durable_execution
    def plain(event: None, ctx: DurableContext) -> int:
        def item(branch: DurableContext, number: int) -> float:
            return 1 / (branch.step(lambda s: number, name=name()) - 2)

        ctx.step(lambda s: None, name="first")  # no invocation began with the map
        result = ctx.map(range(5), item, name="flat", config=config)
        ctx.step(lambda s: None, name="last")
        return result.failure_count

    @durable_execution
    async def coroutine(event: None, ctx: AsyncDurableContext) -> int:
        async def item(branch: AsyncDurableContext, number: int) -> float:
            return 1 / (await branch.step(lambda s: number, name=name()) - 2)

        await ctx.step(lambda s: None, name="first")
        result = await ctx.map(range(5), item, name="flat", config=config)
        await ctx.step(lambda s: None, name="last")
        return result.failure_count

    for handler in (plain, coroutine):
        report = check_determinism(handler)
        assert report.ok is not careless, str(report)
        assert report.baseline.value == 1


def test_branches_without_records_of_their_own_end_in_a_replay() -> None:
    flat = MapConfig[Any](nesting_type=NestingType.FLAT)

    @durable_execution
    async def handler(_: None, ctx: AsyncDurableContext) -> Any:
        async def branch(inner: AsyncDurableContext, number: int) -> Any:
            return await (inner.wait(DAY) if number else inner.step(lambda step: 19))

        async def outer(inner: AsyncDurableContext, _: int) -> Any:
            async def first(below: AsyncDurableContext) -> Any:
                return await below.race([lambda one: one.step(lambda step: 65)])

            async def second(below: AsyncDurableContext) -> Any:
                return (await below.map([0, 1], branch, "inner", flat)).get_results()

            return len(await inner.all_settled([first, second]))

        return (await ctx.map([0], outer, "outer", flat)).get_results()

    assert check_determinism(handler).check().baseline.value == [2]


def test_a_module_that_checks_its_function_when_it_is_imported(tmp_path: Path) -> None:
    """The processes that import it do not start others."""
    script = tmp_path / "app.py"
    script.write_text(
        textwrap.dedent(
            """
            import os
            from durably import durable_execution
            from durably.testing import check_determinism

            @durable_execution
            def handler(event, ctx):
                return ctx.step(lambda step: 1)

            with open(f"{__file__}.{os.getpid()}", "w") as file:
                if len(os.listdir(os.path.dirname(__file__))) < 9:  # or a failure of this test would not end
                    file.write(str(check_determinism(handler)))
            """
        )
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = [path.read_text() for path in tmp_path.glob("app.py.*")]
    assert len(told) == 4
    assert sum("not tried: hash seed" in text for text in told) == 3
