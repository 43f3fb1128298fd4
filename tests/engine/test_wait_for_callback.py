"""wait_for_callback: a child context of a callback and a step that hands its id out."""

from __future__ import annotations

import pytest

from durably import (
    CallbackError,
    CallbackExternalError,
    CallbackSubmitterError,
    CallbackTimeoutError,
    Duration,
    RetryDecision,
    RetryPresets,
    WaitForCallbackConfig,
)

from .harness import Answer, Flavour


def test_the_whole_shape(flavour: Flavour) -> None:
    def handler(event, ctx):
        def submit(callback_id, context):
            world.effects.append((callback_id, context.name, context.attempt))

        return (yield ctx.wait_for_callback(flavour(submit), name="approval"))

    world = flavour.world(handler, callbacks={"approval create callback id": Answer("yes")})
    world.run()
    assert world.value == "yes"
    callback_id = world.named("approval create callback id")["CallbackDetails"]["CallbackId"]
    assert world.effects == [(callback_id, "approval submitter", 1)]
    outer = world.named("approval")
    assert (outer["Type"], outer["SubType"], outer["Status"]) == ("CONTEXT", "WaitForCallback", "SUCCEEDED")
    inner = [view for view in world.operations.values() if view.get("ParentId") == outer["Id"]]
    assert sorted((view["Type"], view["SubType"], view["Name"]) for view in inner) == [
        ("CALLBACK", "Callback", "approval create callback id"),
        ("STEP", "Step", "approval submitter"),
    ]


def test_without_a_name(flavour: Flavour) -> None:
    def handler(event, ctx):
        return (yield ctx.wait_for_callback(flavour(lambda callback_id, context: None)))

    world = flavour.run(handler, callbacks={"create callback id": Answer("yes")})
    assert world.value == "yes"
    assert {view.get("Name") for view in world.operations.values()} == {None, "create callback id", "submitter"}


def test_the_submitter_is_retried_with_the_same_callback_id(flavour: Flavour) -> None:
    def handler(event, ctx):
        def submit(callback_id, context):
            world.effects.append((callback_id, context.attempt))
            if context.attempt < 3:
                raise OSError("mail server away")

        config = WaitForCallbackConfig(retry_strategy=lambda error, n: Duration.from_seconds(7))
        return (yield ctx.wait_for_callback(flavour(submit), name="approval", config=config))

    answers: dict[str, Answer] = {}
    world = flavour.world(handler, callbacks=answers)
    world.between = lambda: (
        answers.update({"approval create callback id": Answer("yes")}) if len(world.effects) > 1 else None
    )
    world.run()
    assert world.value == "yes"
    assert [attempt for _, attempt in world.effects] == [1, 2, 3]
    assert len({callback_id for callback_id, _ in world.effects}) == 1


def test_a_submitter_that_fails_for_good(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        def submit(callback_id, context):
            raise OSError("mail server away")

        config = WaitForCallbackConfig(retry_strategy=RetryPresets.none())
        try:
            yield ctx.wait_for_callback(flavour(submit), name="approval", config=config)
        except CallbackSubmitterError as error:
            seen.append(f"{error.error_type} {error}")
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert seen == ["OSError mail server away"] * 2
    assert world.named("approval")["Status"] == "FAILED"


def test_failure_and_timeout(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        try:
            yield ctx.wait_for_callback(flavour(lambda callback_id, context: None), name="one")
        except CallbackExternalError as error:
            seen.append(str(error))
        config = WaitForCallbackConfig(timeout=Duration.from_seconds(5))
        try:
            yield ctx.wait_for_callback(flavour(lambda callback_id, context: None), name="two", config=config)
        except CallbackTimeoutError as error:
            seen.append(type(error).__name__)
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler, callbacks={"one create callback id": Answer(failure={"ErrorMessage": "denied"})})
    assert world.status == "SUCCEEDED"
    assert seen[-2:] == ["denied", "CallbackTimeoutError"]
    assert set(seen) == {"denied", "CallbackTimeoutError"}


def test_typed_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        submit = flavour(lambda callback_id, context: None)
        value = yield ctx.wait_for_callback(submit, name="one", result_type=tuple[int, str])
        yield ctx.wait(Duration.from_seconds(1))
        return type(value).__name__

    assert flavour.run(handler, callbacks={"one create callback id": Answer('[1, "a"]')}).value == "tuple"


@pytest.mark.parametrize("strategy", [lambda error, n: RetryDecision.no_retry()])
def test_an_answer_that_comes_before_the_submitter_has_returned(flavour: Flavour, strategy: object) -> None:
    def handler(event, ctx):
        def submit(callback_id, context):
            world.service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback_id, Result="quick")

        return (yield ctx.wait_for_callback(flavour(submit), name="approval"))

    world = flavour.world(handler)
    world.run()
    assert world.value == "quick"
    assert world.invocations == 1


def test_the_type_of_a_refusal_and_of_a_timeout_is_known(flavour: Flavour) -> None:
    """Although the operation is a context, whose record names the class of the error that left it."""
    seen = []

    def handler(event, ctx):
        def submit(callback_id, context):
            pass

        brief = WaitForCallbackConfig(heartbeat_timeout=Duration.from_seconds(2))
        for name, config in (("refused", None), ("silent", brief)):
            try:
                yield ctx.wait_for_callback(flavour(submit), name=name, config=config)
            except CallbackError as error:
                seen.append((type(error).__name__, error.error_type, error.data))
        yield ctx.wait(Duration.from_seconds(1))

    refusal = Answer(failure={"ErrorType": "TooHeavy", "ErrorMessage": "no", "ErrorData": "4"})
    world = flavour.run(handler, callbacks={"refused create callback id": refusal})
    assert world.status == "SUCCEEDED"
    expected = [("CallbackExternalError", "TooHeavy", "4"), ("CallbackTimeoutError", "Callback.Heartbeat", None)]
    assert seen[-2:] == expected
    assert set(seen) == set(expected)
