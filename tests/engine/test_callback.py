"""Callbacks: created once, answered by somebody else."""

from __future__ import annotations

import pytest

from durably import CallbackConfig, CallbackError, CallbackExternalError, CallbackTimeoutError, Duration, JsonSerDes

from .harness import Answer, Flavour


def test_a_callback_is_created_once_and_its_result_is_the_text_that_was_sent(flavour: Flavour) -> None:
    ids = []

    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval")
        ids.append(callback.callback_id)
        return (yield callback.result())

    world = flavour.run(handler, callbacks={"approval": Answer('{"ok": true}')})
    assert world.value == '{"ok": true}'
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert world.batches == [[("CALLBACK", "START", "approval")]]
    assert world.updates[0]["CallbackOptions"] == {"TimeoutSeconds": 0, "HeartbeatTimeoutSeconds": 0}


@pytest.mark.parametrize("how", ["result_type", "serdes"])
def test_a_typed_callback_result(flavour: Flavour, how: str) -> None:
    def handler(event, ctx):
        if how == "serdes":
            callback = yield ctx.create_callback(name="approval", config=CallbackConfig(serdes=JsonSerDes()))
        else:
            callback = yield ctx.create_callback(name="approval", result_type=dict[str, bool])
        value = yield callback.result()
        return [value["ok"]]

    assert flavour.run(handler, callbacks={"approval": Answer('{"ok": true}')}).value == [True]


def test_a_callback_answered_without_a_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval")
        return [(yield callback.result())]

    assert flavour.run(handler, callbacks={"approval": Answer(None)}).value in ([None], [""])


def test_a_failure_of_the_other_side(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval")
        try:
            yield callback.result()
        except CallbackExternalError as error:
            seen.append((str(error), error.error_type, error.data, error.stack_trace))
        yield ctx.wait(Duration.from_seconds(1))

    failure = {"ErrorMessage": "denied", "ErrorType": "Denied", "ErrorData": "x", "StackTrace": ["line"]}
    world = flavour.run(handler, callbacks={"approval": Answer(failure=failure)})
    assert world.status == "SUCCEEDED"
    assert seen == [("denied", "Denied", "x", ["line"])] * 2


def test_timeouts(flavour: Flavour) -> None:
    def handler(event, ctx):
        messages = []
        for config in (
            CallbackConfig(timeout=Duration.from_minutes(5)),
            CallbackConfig(timeout=Duration.from_hours(1), heartbeat_timeout=Duration.from_seconds(30)),
        ):
            callback = yield ctx.create_callback(name="approval", config=config)
            try:
                yield callback.result()
            except CallbackTimeoutError as error:
                messages.append(str(error))
        return messages

    world = flavour.run(handler)
    assert len(world.value) == 2
    assert all(world.value)
    assert [update["CallbackOptions"] for update in world.updates] == [
        {"TimeoutSeconds": 300, "HeartbeatTimeoutSeconds": 0},
        {"TimeoutSeconds": 3600, "HeartbeatTimeoutSeconds": 30},
    ]


def test_creating_never_fails_on_replay_whatever_has_become_of_the_callback(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval", config=CallbackConfig(timeout=Duration.from_seconds(1)))
        yield ctx.step(flavour(lambda step: world.effects.append("between")), name="between")
        try:
            yield callback.result()
        except CallbackError as error:
            return type(error).__name__

    world = flavour.world(handler)
    world.run()
    assert world.value == "CallbackTimeoutError"
    assert world.effects == ["between"]


def test_a_result_may_be_asked_for_more_than_once(flavour: Flavour) -> None:
    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval")
        return [(yield callback.result()), (yield callback.result())]

    assert flavour.run(handler, callbacks={"approval": Answer("yes")}).value == ["yes", "yes"]


def test_a_callback_answered_in_the_same_invocation(flavour: Flavour) -> None:
    """Asked for its result only after the service already told of it."""

    def handler(event, ctx):
        callback = yield ctx.create_callback(name="approval")

        def answer(step):
            world.service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback.callback_id, Result="yes")

        yield ctx.step(flavour(answer), name="answer")
        return (yield callback.result())

    world = flavour.world(handler)
    world.run()
    assert world.value == "yes"
    assert world.invocations == 1
