"""What becomes of an invocation when the service refuses a call, or does not answer (WIRE.md, API errors)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from durably import CheckpointError, Duration, GetExecutionStateError, durable_execution
from durably.wire.api_errors import ApiError

from .harness import Call, Flavour

TOKEN = "InvalidParameterValueException"

RETRIED = {
    "throttled": ApiError("TooManyRequestsException", "slow down"),
    "service": ApiError("ServiceException", "oops"),
    "bad gateway": ApiError("Unknown", "oops", 502),
    "no answer": ApiError("ConnectionError", "reset by peer"),
    "stale token": ApiError(TOKEN, "Invalid checkpoint token: used"),
    "stale token, AWS": ApiError(TOKEN, "Invalid Checkpoint Token"),
    "stale token, any case": ApiError(TOKEN, "INVALID CHECKPOINT TOKEN"),
    "not an ApiError": OSError("cable cut"),
}
FATAL = {
    "invalid parameter": ApiError(TOKEN, "the payload is too large"),
    "request too large": ApiError("RequestTooLargeException", "half of it would do"),
    "not found": ApiError("ResourceNotFoundException", "no such execution"),
    "unknown 4xx": ApiError("AccessDeniedException", "not allowed", 403),
    "KMS access": ApiError("KMSAccessDeniedException", "no key"),
    "KMS disabled": ApiError("KMSDisabledException", "no key"),
    "KMS state": ApiError("KMSInvalidStateException", "no key"),
    "KMS not found": ApiError("KMSNotFoundException", "no key"),
}


def same(raised, failure: Exception, cls: type[CheckpointError | GetExecutionStateError]) -> bool:
    """Whether ``raised`` tells of ``failure``: wrapped, if it is an answer of the service."""
    if not isinstance(failure, ApiError):
        return raised is failure
    wrapped = (type(raised), raised.error, raised.__cause__, raised.retriable)
    return wrapped == (cls, failure, failure, True)


def steps(flavour, world_of):
    def handler(event, ctx):
        world = world_of()
        try:
            for n in range(3):
                yield ctx.step(flavour(lambda step, n=n: world.effects.append(n)), name=f"s{n}")
        except BaseException:
            world.effects.append("caught")
            try:
                yield ctx.step(flavour(lambda step: world.effects.append("went on")), name="more")
            except BaseException:
                pass
            return "swallowed"
        return "done"

    return handler


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("failure", RETRIED.values(), ids=RETRIED)
def test_errors_that_another_invocation_may_cure_are_raised(flavour: Flavour, failure, when) -> None:
    world = flavour.world(steps(flavour, lambda: world))
    failed: list[Call] = []

    def fault(call: Call) -> BaseException | None:
        if call.actions[0][2] == "s1" and not failed:
            failed.append(call)
            return failure
        return None

    setattr(world.link, when, fault)
    world.run()
    assert world.value == "done"
    assert same(world.outputs[0], failure, CheckpointError)
    assert "went on" not in world.effects
    assert len(world.outputs) == 2
    # R5: a step whose record was refused runs again; one that was recorded does not.
    ran = [effect for effect in world.effects if effect != "caught"]
    assert ran == ([0, 1, 1, 2] if when == "before" else [0, 1, 2])


@pytest.mark.parametrize("failure", FATAL.values(), ids=FATAL)
def test_errors_that_stay_fail_the_execution_whoever_catches_them(flavour: Flavour, failure) -> None:
    world = flavour.world(steps(flavour, lambda: world))
    world.link.before = lambda call: failure if call.actions[0][2] == "s1" else None
    world.run()
    assert world.error["errorMessage"] == f"a checkpoint failed: {failure}"
    assert world.error["errorType"] == "durably.CheckpointError"
    assert "went on" not in world.effects
    assert world.invocations == 1
    assert len(world.link.calls) == 2


@pytest.mark.parametrize("at", ["START", "SUCCEED"])
def test_a_refused_start_that_nobody_waits_for_is_noticed(flavour: Flavour, at) -> None:
    """The START of a slow step travels alone; its refusal ends the invocation all the same."""

    def handler(event, ctx):
        if flavour.is_async:
            import asyncio

            async def body(step):
                for _ in range(10):
                    await asyncio.sleep(0)
                return 1

        else:
            import threading

            def body(step):
                blocked = threading.Event()
                while not world.link.calls:
                    blocked.wait(0.001)
                return 1

        return (yield ctx.step(body, name="slow"))

    world = flavour.world(handler)
    world.link.before = lambda call: FATAL["not found"] if any(action == at for _, action, _ in call.actions) else None
    world.run()
    assert world.error["errorMessage"].startswith("a checkpoint failed: ResourceNotFoundException")


def test_an_answer_without_a_token_revokes_the_invocation(flavour: Flavour) -> None:
    """R6: PENDING, and nothing more is recorded."""
    world = flavour.world(steps(flavour, lambda: world))

    def edit(call: Call, answer):
        if call.actions[0][2] == "s1":
            answer = {"NewExecutionState": answer["NewExecutionState"]}
        return answer

    world.link.edit = edit
    world.run()
    assert world.outputs[0] == {"Status": "PENDING"}
    assert "went on" not in world.effects
    assert [call.actions[0][2] for call in world.link.calls if call.invocation == 1] == ["s0", "s1"]


def test_a_paused_execution_is_revoked_and_goes_on_after_resuming(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            if world.invocations == 1:
                world.service.call("PauseDurableExecution", DurableExecutionArn=world.arn)

        yield ctx.step(flavour(lambda step: world.effects.append("a")), name="a")
        yield ctx.step(flavour(body), name="b")
        yield ctx.step(flavour(lambda step: world.effects.append("c")), name="c")
        return "done"

    world = flavour.world(handler)
    world.run()
    assert world.outputs == [{"Status": "PENDING"}]
    assert world.effects == ["a"]
    world.service.call("ResumeDurableExecution", DurableExecutionArn=world.arn)
    world.go_on()
    assert world.value == "done"
    assert world.effects == ["a", "c"]


def test_a_stopped_execution(flavour: Flavour) -> None:
    def handler(event, ctx):
        def body(step):
            world.service.call("StopDurableExecution", DurableExecutionArn=world.arn, Error={"ErrorMessage": "stop"})

        yield ctx.step(flavour(body), name="a")
        yield ctx.step(flavour(lambda step: world.effects.append("b")), name="b")
        return "done"

    world = flavour.world(handler)
    world.run()
    assert world.error["errorMessage"] == "stop"
    assert world.effects == []


@pytest.mark.parametrize("failure", [*RETRIED.values(), *FATAL.values()], ids=[*RETRIED, *FATAL])
@pytest.mark.parametrize("page", [1, 2])
def test_errors_while_the_state_is_read(flavour: Flavour, failure, page) -> None:
    def handler(event, ctx):
        for n in range(4):
            yield ctx.step(flavour(lambda step: 1), name=f"s{n}")
        yield ctx.wait(Duration.from_seconds(1))
        return "done"

    world = flavour.world(handler, page=page)
    failed: list[Call] = []

    def fault(call: Call) -> BaseException | None:
        if call.kind == "get_state" and call.invocation == 2 and not failed:
            failed.append(call)
            return failure
        return None

    world.link.before = fault
    world.run()
    if failure in RETRIED.values():
        assert same(world.outputs[1], failure, GetExecutionStateError)
        assert world.value == "done"
    else:
        assert world.error["errorMessage"] == f"the recorded state could not be read: {failure}"
        assert world.error["errorType"] == "durably.GetExecutionStateError"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"CheckpointToken": "x"},
        None,
        {"CheckpointToken": "x", "NewExecutionState": {}},
        {"CheckpointToken": "x", "NewExecutionState": {"Operations": [{"Status": "SUCCEEDED"}]}},
        {"CheckpointToken": "x", "NewExecutionState": {"Operations": ["an operation"]}},
    ],
)
def test_an_answer_that_is_none_is_raised(flavour: Flavour, answer) -> None:
    """A client that answers with something else must not leave the handler hanging."""
    world = flavour.world(steps(flavour, lambda: world))
    world.max_invocations = 1
    world.link.edit = lambda call, real: answer if len(world.link.calls) == 2 else real
    with pytest.raises(AssertionError, match="does not come to an end"):
        world.run()
    assert isinstance(world.outputs[0], CheckpointError)
    assert "NewExecutionState" in str(world.outputs[0])


def test_a_page_of_an_answer_that_is_none_is_raised(flavour: Flavour) -> None:
    """Whoever made the call: that of a START is not made by the code that waits for the step."""
    asked = threading.Event()
    body_over = threading.Event()

    def body(step: Any) -> int:
        assert asked.wait(60)
        body_over.set()
        return 1

    async def coroutine(step: Any) -> int:
        assert await asyncio.to_thread(asked.wait, 60)
        body_over.set()
        return 1

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(coroutine if flavour.is_async else body, name="s")

    class Client:
        def checkpoint(self, *_: Any) -> Any:
            asked.set()
            assert body_over.wait(60)
            return {"CheckpointToken": "t", "NewExecutionState": {"Operations": [], "NextMarker": "m"}}

        def get_state(self, *_: Any) -> Any:
            return {"Operations": [{}]}

    state = {"Operations": [{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1}]}
    function = durable_execution(client=Client())(flavour(handler))
    with pytest.raises(CheckpointError, match="each with its Id"):
        function({"DurableExecutionArn": "x", "CheckpointToken": "t", "InitialExecutionState": state})


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"DurableExecutionArn": "x"},
        {"DurableExecutionArn": "x", "CheckpointToken": None},
        {"DurableExecutionArn": "", "CheckpointToken": "t"},
        {"DurableExecutionArn": "x", "CheckpointToken": "t", "InitialExecutionState": {"Operations": [{}]}},
    ],
)
def test_an_event_that_does_not_start_a_durable_invocation(flavour: Flavour, event) -> None:
    def handler(event, ctx):
        yield

    world = flavour.world(handler)
    from durably import ExecutionError

    with pytest.raises(ExecutionError, match="DurableConfig"):
        world.function(event, None)


def test_a_state_without_an_execution(flavour: Flavour) -> None:
    def handler(event, ctx):
        return "ran"
        yield

    world = flavour.world(handler)
    event = {"DurableExecutionArn": "x", "CheckpointToken": "t", "InitialExecutionState": {"Operations": []}}
    answer = world.function(event, None)
    assert answer["Status"] == "FAILED"
    assert "EXECUTION" in answer["Error"]["ErrorMessage"]
