"""An error inside the service, where none should be: no execution hangs of it, and nobody else feels it (law 9)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from durably.service import codec
from durably.service.machine import signals
from durably.service.machine.finished import invocation_finished
from durably.service.ports import InvocationResult
from durably.wire.api_errors import ApiError

from .conftest import World, invoke, step, wait


class Fault(Exception):
    pass


def faulty(function: Callable[..., Any], times: int, after: int = 0) -> Callable[..., Any]:
    """``function`` that fails ``times`` times, its work half done, once it has worked ``after`` times."""
    calls = iter([False] * after + [True] * times)

    def call(*args: Any) -> Any:
        result = function(*args)
        if next(calls, False):
            raise Fault("of the service")
        return result

    return call


def ask(world: World, payload: str = "1") -> list[Any]:
    """A caller who waits for the end: the list that its answer comes into."""
    answers: list[Any] = []
    world.service.submit("Invoke", {"FunctionName": "order:$LATEST", "Payload": payload}, answers.append)
    world.service.drain()
    return answers


def test_an_end_that_cannot_be_applied_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ask(world)
    run = world.next_run()
    run.checkpoint(step("a", "SUCCEED"))
    monkeypatch.setattr("durably.service.dispatch.invocation_finished", faulty(invocation_finished, 1))
    run.succeeds()
    assert answers == []
    assert world.idle
    assert world.kinds(run.arn)[-1] == "InvocationCompleted"
    (told,) = [event["InvocationCompletedDetails"]["Error"]["Payload"] for event in world.history(run.arn)[-1:]]
    assert "Fault: of the service" in told["ErrorMessage"]
    world.advance(0.25)
    again = world.next_run()
    assert [operation["Id"] for operation in again.operations[1:]] == ["a"]
    again.succeeds('"done"')
    assert [json.loads(answer["Payload"]) for answer in answers] == ["done"]


def test_an_end_that_can_never_be_applied(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ask(world)
    run = world.next_run()
    with monkeypatch.context() as patched:
        patched.setattr("durably.service.dispatch.invocation_finished", faulty(invocation_finished, 1000))
        run.succeeds()
        (answer,) = answers
        assert isinstance(answer, ApiError)
        assert answer.code == "ServiceException"
        assert "Fault: of the service" in answer.message
    world.reopen()
    again = world.next_run()
    assert again.arn == run.arn, "the next service takes it up"
    again.succeeds()
    assert world.status(run.arn) == "SUCCEEDED"


def test_a_result_of_a_chained_function(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.start()
    run.checkpoint(invoke("i", "plain"))
    run.suspends()
    world.advance(1)
    monkeypatch.setattr("durably.service.dispatch.child_done", faulty(signals.child_done, 1))
    world.next_run().returns("5")
    caller = world.next_run()
    (operation,) = [one for one in caller.operations if one["Id"] == "i"]
    assert operation["Status"] == "FAILED"
    assert "Fault: of the service" in operation["ChainedInvokeDetails"]["Error"]["ErrorMessage"]


def test_a_timer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.start()
    run.checkpoint(wait("w", 5))
    run.suspends()
    monkeypatch.setattr(signals, "timers_due", faulty(signals.timers_due, 1))
    world.advance(5)
    assert world.idle
    world.advance(60)
    assert [one["Status"] for one in world.next_run().operations[1:]] == ["SUCCEEDED"]


def test_what_cannot_be_written_spoils_no_other_commit(world: World) -> None:
    """A lone surrogate, e.g. of a file name that is not UTF-8, has no bytes to be stored as."""
    answers = ask(world, "1")
    run, other = world.next_run(), world.start("2")
    bad = InvocationResult("raised", error={"ErrorType": "E", "ErrorMessage": "no file \udc80"})
    accepted: list[Any] = []
    run._done(bad)
    world.service.submit(
        "CheckpointDurableExecution",
        {"DurableExecutionArn": other.arn, "CheckpointToken": other.token, "Updates": [step("a", "SUCCEED")]},
        accepted.append,
    )
    world.service.drain()
    assert isinstance(accepted[0], dict), "it shared a batch with what could not be written"
    assert answers == []
    world.advance(0.25)
    world.next_run().succeeds()
    assert len(answers) == 1
    error = world.history(run.arn)[1]["InvocationCompletedDetails"]["Error"]["Payload"]
    assert "surrogates not allowed" in error["ErrorMessage"]


def test_a_command_with_a_caller_tells_him(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run = world.start()
    before = world.history(run.arn)
    with monkeypatch.context() as patched:
        patched.setattr(codec, "take_row", faulty(codec.take_row, 1))
        refusal = run.refused(step("a", "SUCCEED"))
    assert refusal.code == "ServiceException"
    assert "Fault" in refusal.message
    assert world.history(run.arn) == before
    run.checkpoint(step("a", "SUCCEED"))
    run.succeeds()


def test_a_log_is_kept_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a failed batch did is done again, but not twice."""
    answers: list[Any] = []
    params = {"FunctionName": "order:$LATEST", "Payload": "1", "LogType": "Tail"}
    world.service.submit("Invoke", params, answers.append)
    world.service.drain()
    run, other = world.next_run(), world.start("2")
    monkeypatch.setattr("durably.service.dispatch.invocation_finished", faulty(invocation_finished, 1, after=1))
    run._done(InvocationResult("returned", payload='{"Status":"SUCCEEDED","Result":"1"}', log="said once"))
    other.suspends()
    assert base64.b64decode(answers[0]["LogResult"]) == b"said once"
