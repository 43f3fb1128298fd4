"""The token fences (laws 2, 3, 4)."""

from __future__ import annotations

import pytest

from durably.service.store.memory import MemoryStore
from durably.wire import limits
from durably.wire.api_errors import INVALID_TOKEN_MESSAGE

from .conftest import Run, World, step, wait


def test_single_use(world: World) -> None:
    run = world.start()
    first = run.token
    run.checkpoint(step("a"))
    assert run.token != first
    assert limits.TOKEN_PATTERN.fullmatch(run.token)
    run.token = first
    refusal = run.refused(step("b"))
    assert refusal.message.startswith(INVALID_TOKEN_MESSAGE)
    assert refusal.is_stale_token
    assert world.kinds(run.arn) == ["ExecutionStarted", "StepStarted"]


def test_a_new_invocation_fences_off_the_old(world: World) -> None:
    old = world.start()
    old.checkpoint(step("a"))
    old.crashes()
    assert old.refused(step("b")).is_stale_token, "between the invocations"
    world.advance(1)
    new = world.next_run()
    assert old.refused(step("b")).is_stale_token
    state = world.refused("GetDurableExecutionState", DurableExecutionArn=old.arn, CheckpointToken=old.token)
    assert state.is_stale_token
    new.checkpoint(step("b"))


def test_fenced_across_a_restart(world: World) -> None:
    old = world.start()
    world.reopen()
    assert old.refused(step("b")).is_stale_token
    world.advance(1)
    world.next_run().checkpoint(step("b"))
    assert old.refused(step("c")).is_stale_token


def test_report_of_a_replaced_invocation_is_ignored(world: World) -> None:
    old = world.start()
    world.reopen()
    world.advance(1)
    new = world.next_run()
    history = world.history(old.arn)
    old.world.service._dispatcher._finished(1, old.invocation.request_id, _returned())  # type: ignore[attr-defined]
    world.service.drain()
    assert world.history(old.arn) == history
    new.succeeds()
    assert world.status(old.arn) == "SUCCEEDED"


def _returned() -> object:
    from durably.service.ports import InvocationResult

    return InvocationResult("returned", payload='{"Status":"FAILED"}')


def test_the_latest_call_may_be_repeated(world: World) -> None:
    """Law 4."""
    run = world.start()
    token = run.token
    first = run.checkpoint(step("a"), client_token="once")
    history = world.history(run.arn)
    world.clock.advance(15 * 60 * 1000)
    run.token = token
    assert run.checkpoint(step("a"), client_token="once") == first
    assert world.history(run.arn) == history
    run.checkpoint(step("b"), client_token="twice")
    run.token = token
    assert run.refused().is_stale_token, "only the latest call"


@pytest.mark.parametrize(("client_token", "later_ms"), [("other", 0), (None, 0), ("once", 15 * 60 * 1000 + 1)])
def test_not_a_repetition(world: World, client_token: str | None, later_ms: int) -> None:
    run = world.start()
    token = run.token
    run.checkpoint(step("a"), client_token="once")
    world.clock.advance(later_ms)
    refusal = world.refused(
        "CheckpointDurableExecution",
        DurableExecutionArn=run.arn,
        CheckpointToken=token,
        Updates=[step("a")],
        ClientToken=client_token,
    )
    assert refusal.is_stale_token


def test_repetition_survives_a_service_that_forgot_its_cache() -> None:
    world = World(MemoryStore(), cached_executions=0)
    run = world.start()
    token = run.token
    first = run.checkpoint(step("a"), client_token="once")
    run.token = token
    assert run.checkpoint(step("a"), client_token="once") == first
    world.service.close()


def test_the_chain_of_a_later_invocation_survives_too() -> None:
    world = World(MemoryStore(), cached_executions=0)
    run = world.start()
    for n in range(3):
        run.checkpoint(step(f"a{n}"))
    run.crashes()
    world.advance(1)
    run = world.next_run()
    for n in range(3):
        run.checkpoint(step(f"b{n}"))
    world.service.close()


def test_stopped_while_it_ran(world: World) -> None:
    """Its next call is answered without a token; then, or on any later token, nothing is recorded."""
    run = world.start()
    world.call("StopDurableExecution", DurableExecutionArn=run.arn)
    history = world.history(run.arn)
    token = run.token
    answer = run.checkpoint(step("a"))
    assert answer == {"NewExecutionState": {"Operations": []}}
    run.token = token + "0"
    assert run.refused(step("a")).is_stale_token
    run.suspends()
    assert world.history(run.arn) == history


@pytest.mark.parametrize("token", [None, "", 5])
def test_odd_tokens(memory_world: World, token: object) -> None:
    run = memory_world.start()
    for action in ("CheckpointDurableExecution", "GetDurableExecutionState"):
        refusal = memory_world.refused(action, DurableExecutionArn=run.arn, CheckpointToken=token)
        assert refusal.code == "InvalidParameterValueException"


def test_odd_client_token(memory_world: World) -> None:
    run = memory_world.start()
    refusal = memory_world.refused(
        "CheckpointDurableExecution", DurableExecutionArn=run.arn, CheckpointToken=run.token, ClientToken="x" * 65
    )
    assert "1 to 64" in refusal.message


def test_unknown_execution(memory_world: World) -> None:
    run = memory_world.start()
    arn = run.arn[:-1] + "f"
    for action in ("CheckpointDurableExecution", "GetDurableExecutionState"):
        refusal = memory_world.refused(action, DurableExecutionArn=arn, CheckpointToken=run.token)
        assert refusal.code == "InvalidParameterValueException", "the model lists no other for them"
        assert not refusal.is_stale_token


def test_first_invocation_of_many(world: World) -> None:
    """Each invocation has a chain of its own."""
    tokens: set[str] = set()
    run: Run = world.start()
    for n in range(5):
        assert run.token not in tokens
        tokens.add(run.token)
        run.checkpoint(wait(f"w{n}", 1))
        assert run.token not in tokens
        tokens.add(run.token)
        run.suspends()
        world.advance(1)
        run = world.next_run()
