"""Five mistakes that durable code is prone to, each found by a line of a test, with a message that names the cause.

The guide "Test your workflow" shows the same.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably import AsyncDurableContext, DurableContext, durable_execution
from durably.testing import (
    CrashesFoundError,
    History,
    LocalRunner,
    NotDeterministicError,
    ReplayFailedError,
    assert_replays,
    check_determinism,
    explore_crashes,
)

HERE = os.path.relpath(__file__)


# ---- a random branch ---------------------------------------------------------------------------------------------


@durable_execution
def random_branch(order: str, ctx: DurableContext) -> None:
    ctx.step(lambda s: order, name="reserve")
    carrier = random.choice([f"carrier {n}" for n in range(100_000)])
    ctx.step(lambda s: order, name=f"ship with {carrier}")


@durable_execution
async def async_random_branch(order: str, ctx: AsyncDurableContext) -> None:
    await ctx.step(lambda s: order, name="reserve")
    carrier = random.choice([f"carrier {n}" for n in range(100_000)])
    await ctx.step(lambda s: order, name=f"ship with {carrier}")


@pytest.mark.parametrize("handler", [random_branch, async_random_branch])
def test_a_random_branch(handler: Any) -> None:
    with pytest.raises(NotDeterministicError) as caught:
        check_determinism(handler, "A7").check()
    message = str(caught.value)
    assert "random.choice() outside a step; use ctx.uuid() or ctx.random(), or draw in a step" in message
    assert "DIFFERS: the record has Step 'ship with carrier" in message
    assert HERE in message


# ---- a mutated closure -------------------------------------------------------------------------------------------


@durable_execution
def mutated_closure(order: str, ctx: DurableContext) -> int:
    total = 0

    def price(item: str) -> Callable[[Any], int]:
        def body(step: Any) -> int:
            nonlocal total
            total += len(item)  # lost when the step is replayed: its body does not run then
            return len(item)

        return body

    for item in ("apple", "pear"):
        ctx.step(price(item), name=f"price {item}")
    ctx.step(lambda s: order, name="ship")
    return total


def test_a_mutated_closure() -> None:
    with pytest.raises(CrashesFoundError) as caught:
        explore_crashes(mutated_closure, "A7").check()
    message = str(caught.value)
    assert (
        "a crash at every suspension and recorded result: the outcome is SUCCEEDED with 0, not SUCCEEDED with 9"
        in message
    )
    assert "what the body of a step leaves behind elsewhere than in its result is lost on replay" in message


# ---- a side effect outside a step --------------------------------------------------------------------------------


def test_a_side_effect_outside_a_step() -> None:
    mails: list[str] = []

    @durable_execution
    def order(event: str, ctx: DurableContext) -> None:
        ctx.step(lambda s: event, name="charge")
        mails.append(event)
        ctx.step(lambda s: event, name="ship")

    with pytest.raises(CrashesFoundError) as caught:
        explore_crashes(order, "A7", ledger=mails).check()
    message = str(caught.value)
    assert "the ledger differs: 'A7' too often" in message
    assert "no step ran again: the side effect is outside of the steps" in message


# ---- a renamed step, swapped steps -------------------------------------------------------------------------------


@durable_execution
def released(order: str, ctx: DurableContext) -> None:
    ctx.step(lambda s: order, name="reserve")
    ctx.step(lambda s: order, name="charge")
    ctx.step(lambda s: order, name="ship")


@durable_execution
def renamed(order: str, ctx: DurableContext) -> None:
    ctx.step(lambda s: order, name="reserve")
    ctx.step(lambda s: order, name="charge card")
    ctx.step(lambda s: order, name="ship")


@durable_execution
def swapped(order: str, ctx: DurableContext) -> None:
    ctx.step(lambda s: order, name="charge")
    ctx.step(lambda s: order, name="reserve")
    ctx.step(lambda s: order, name="ship")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """An execution of the released code."""
    return History.of_run(LocalRunner(released).run("A7")).save(tmp_path / "order.json")


def test_the_released_code_follows_its_own_record(history: Path) -> None:
    assert_replays(released, history)


def test_a_renamed_step(history: Path) -> None:
    with pytest.raises(ReplayFailedError) as caught:
        assert_replays(renamed, history)
    message = str(caught.value)
    assert "the record has Step 'charge', the code calls Step 'charge card'" in message
    assert "Name was 'charge' and is 'charge card'" in message
    assert HERE in message


def test_swapped_steps(history: Path) -> None:
    with pytest.raises(ReplayFailedError) as caught:
        assert_replays(swapped, history)
    assert "the record has Step 'reserve', the code calls Step 'charge'" in str(caught.value)
