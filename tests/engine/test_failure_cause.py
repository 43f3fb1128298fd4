"""What a handler sees of a failure inside a context: the same in the run in which it happens and in every replay."""

from __future__ import annotations

from typing import Any

from durably import CallbackError, CallbackExternalError, ChildContextError, RetryPresets, StepConfig, StepError
from durably.config import Duration

from .harness import Answer, Flavour

NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())


def test_a_child_contexts_error_has_what_escaped_as_its_cause(flavour: Flavour) -> None:
    seen: list[tuple[type[BaseException] | None, str]] = []

    def refuse(step: Any) -> None:
        raise ValueError("refused")

    def inside(child):
        yield child.step(flavour(refuse), config=NO_RETRY)

    def handler(event, ctx):
        try:
            yield ctx.run_in_child_context(flavour(inside))
        except ChildContextError as error:
            seen.append((type(error.__cause__), str(error)))
        yield ctx.wait(Duration.from_seconds(1))

    flavour.run(handler)
    assert seen == [(StepError, "refused")] * 2


def test_a_refused_callback_is_an_external_failure_and_not_a_failed_context(flavour: Flavour) -> None:
    seen: list[tuple[type[BaseException], str]] = []

    def submit(callback_id: str, submission: Any) -> None:
        pass

    def handler(event, ctx):
        try:
            yield ctx.wait_for_callback(flavour(submit), name="approval")
        except CallbackError as error:
            seen.append((type(error), str(error)))
        yield ctx.wait(Duration.from_seconds(1))
        return "recovered"

    refusal = Answer(failure={"ErrorType": "RejectedError", "ErrorMessage": "not approved"})
    world = flavour.run(handler, callbacks={"approval create callback id": refusal})
    assert world.value == "recovered"
    assert seen == [(CallbackExternalError, "not approved")] * 2
