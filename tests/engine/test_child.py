"""Child contexts."""

from __future__ import annotations

import pytest

from durably import (
    ChildConfig,
    ChildContextError,
    Duration,
    ExecutionError,
    InvocationError,
    RetryPresets,
    StepConfig,
    StepError,
)
from durably.wire.ids import operation_id

from .harness import Flavour

LARGE = 256 * 1024 + 1
NO_RETRY = StepConfig(retry_strategy=RetryPresets.none())


@pytest.mark.usefixtures("undisturbed")
def test_operations_inside_a_child(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            a = yield inner.step(flavour(lambda step: 1), name="a")
            b = yield inner.step(flavour(lambda step: 2), name="b")
            return a + b

        result = yield ctx.run_in_child_context(flavour(child), name="child")
        after = yield ctx.step(flavour(lambda step: 10), name="after")
        return result + after

    world = flavour.run(handler)
    assert world.value == 13
    child = operation_id(None, 1)
    assert {view.get("Name"): (op_id, view.get("ParentId")) for op_id, view in world.operations.items()} == {
        "child": (child, None),
        "a": (operation_id(child, 1), child),
        "b": (operation_id(child, 2), child),
        "after": (operation_id(None, 2), None),
    }
    assert world.batches[0] == [("CONTEXT", "START", "child"), ("STEP", "START", "a"), ("STEP", "SUCCEED", "a")]
    assert world.updates[-3]["ContextOptions"] == {"ReplayChildren": False}


def test_a_finished_child_does_not_run_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            world.effects.append("entered")
            yield inner.wait(Duration.from_seconds(1))
            return "x"

        yield ctx.run_in_child_context(flavour(child))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.world(handler)
    world.run()
    assert world.status == "SUCCEEDED"
    assert world.invocations == 3
    assert world.effects == ["entered"] * 2


def test_five_deep_with_suspensions_at_every_level(flavour: Flavour) -> None:
    def handler(event, ctx):
        def level(n):
            def child(inner):
                yield inner.step(flavour(lambda step: world.effects.append(f"in {n}")), name=f"in {n}")
                yield inner.wait(Duration.from_seconds(1))
                below = (
                    (yield inner.run_in_child_context(flavour(level(n + 1)), name=f"level {n + 1}")) if n < 5 else []
                )
                yield inner.step(flavour(lambda step: world.effects.append(f"out {n}")), name=f"out {n}")
                return [n, *below]

            return child

        return (yield ctx.run_in_child_context(flavour(level(1)), name="level 1"))

    world = flavour.world(handler)
    world.run()
    assert world.value == [1, 2, 3, 4, 5]
    assert world.effects == [f"in {n}" for n in range(1, 6)] + [f"out {n}" for n in range(5, 0, -1)]
    for n in range(2, 6):
        assert world.named(f"level {n}")["ParentId"] == world.named(f"level {n - 1}")["Id"]


def test_an_error_inside(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: 1))
            raise KeyError("gone")

        try:
            yield ctx.run_in_child_context(flavour(child), name="child")
        except ChildContextError as error:
            seen.append((str(error), error.error_type, type(error.__cause__).__name__, str(error.__cause__)))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert seen[0] == seen[1]
    assert seen[0][:2] == ("'gone'", "KeyError")
    assert world.named("child")["Status"] == "FAILED"


def test_a_step_error_that_escapes_a_child_is_recorded_under_its_own_name(flavour: Flavour) -> None:
    seen = []

    def handler(event, ctx):
        def child(inner):
            def body(step):
                raise ValueError("no")

            yield inner.step(flavour(body), name="a", config=NO_RETRY)

        try:
            yield ctx.run_in_child_context(flavour(child), name="child")
        except ChildContextError as error:
            seen.append((str(error), type(error.__cause__)))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert seen == [("no", StepError)] * 2
    assert world.named("child")["ContextDetails"]["Error"]["ErrorType"] == "durably.StepError"


def test_an_error_mapper(flavour: Flavour) -> None:
    seen = []

    class OrderFailed(Exception):
        pass

    def handler(event, ctx):
        def child(inner):
            raise KeyError("gone")
            yield

        config = ChildConfig(error_mapper=lambda error: OrderFailed(f"mapped {error}"))
        try:
            yield ctx.run_in_child_context(flavour(child), name="child", config=config)
        except ChildContextError as error:
            seen.append((str(error), error.error_type.rsplit(".", 1)[-1]))
        yield ctx.wait(Duration.from_seconds(1))

    assert flavour.run(handler).status == "SUCCEEDED"
    assert seen == [("mapped 'gone'", "OrderFailed")] * 2


@pytest.mark.parametrize("option", ["error_mapper", "summary_generator"])
def test_an_option_that_raises_fails_the_child_on_the_record(flavour: Flavour, option: str) -> None:
    def broken(value):
        raise KeyError("broken option")

    def handler(event, ctx):
        def child(inner):
            world.effects.append("ran")
            if option == "error_mapper":
                raise ValueError("original")
            yield inner.step(flavour(lambda step: 1))
            return "x" * LARGE

        config = ChildConfig(**{option: broken})
        try:
            yield ctx.run_in_child_context(flavour(child), name="child", config=config)
        except ChildContextError as error:
            message = str(error)
        yield ctx.wait(Duration.from_seconds(1))
        return message

    world = flavour.world(handler)
    world.run()
    assert "broken option" in world.value
    assert world.effects == ["ran"]


def test_an_execution_error_ends_everything(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            raise ExecutionError("over")
            yield

        try:
            yield ctx.run_in_child_context(flavour(child))
        except BaseException:
            pass
        return "swallowed"

    assert flavour.run(handler).error["errorMessage"] == "over"


# ---- large results --------------------------------------------------------------------------------------


@pytest.mark.parametrize("summary", [False, True])
def test_a_large_result_is_rebuilt_from_the_children(flavour: Flavour, summary: bool) -> None:
    lengths = []

    def handler(event, ctx):
        def child(inner):
            world.effects.append("entered")
            part = yield inner.step(flavour(lambda step: world.effects.append("step") or "x" * 1000), name="part")
            return part * (LARGE // 1000 + 1)

        config = ChildConfig(summary_generator=lambda value: f"{len(value)} characters") if summary else None
        result = yield ctx.run_in_child_context(flavour(child), name="child", config=config)
        lengths.append(len(result))
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.world(handler)
    world.run()
    assert world.status == "SUCCEEDED"
    assert lengths[0] == lengths[1] > 256 * 1024
    assert world.effects == ["entered", "step", "entered"]
    details = world.named("child")["ContextDetails"]
    assert details["ReplayChildren"] is True
    assert details.get("Result") == (f"{lengths[0]} characters" if summary else "")


def test_a_rebuilt_child_that_fails_now_is_not_recorded_again(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: 1))
            if world.invocations > 1:
                raise ValueError("other code")
            return "x" * LARGE

        failed = None
        try:
            yield ctx.run_in_child_context(flavour(child), name="child")
        except ChildContextError as error:
            failed = str(error)
        yield ctx.wait(Duration.from_seconds(1))
        return failed

    world = flavour.world(handler)
    world.run()
    assert world.value == "other code"
    assert world.named("child")["Status"] == "SUCCEEDED"


# ---- virtual --------------------------------------------------------------------------------------------


def test_a_virtual_child_has_no_record_of_its_own(flavour: Flavour) -> None:
    def handler(event, ctx):
        def grandchild(inner):
            return (yield inner.step(flavour(lambda step: "deep"), name="deep"))

        def child(inner):
            world.effects.append("entered")
            value = yield inner.step(flavour(lambda step: "x"), name="a")
            yield inner.wait(Duration.from_seconds(1), name="pause")
            deep = yield inner.run_in_child_context(flavour(grandchild), name="real")
            return [value, deep]

        def outer(inner):
            return (yield inner.run_in_child_context(flavour(child), name="flat", config=ChildConfig(is_virtual=True)))

        return (yield ctx.run_in_child_context(flavour(outer), name="outer"))

    world = flavour.world(handler)
    world.run()
    assert world.value == ["x", "deep"]
    outer = operation_id(None, 1)
    flat = operation_id(outer, 1)
    assert flat not in world.operations
    records = {view.get("Name"): (op_id, view.get("ParentId")) for op_id, view in world.operations.items()}
    assert records == {
        "outer": (outer, None),
        "a": (operation_id(flat, 1), outer),
        "pause": (operation_id(flat, 2), outer),
        "real": (operation_id(flat, 3), outer),
        "deep": (operation_id(operation_id(flat, 3), 1), operation_id(flat, 3)),
    }


def test_a_failing_virtual_child_records_nothing(flavour: Flavour) -> None:
    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: "x"), name="a")
            raise ValueError("no")

        try:
            yield ctx.run_in_child_context(flavour(child), config=ChildConfig(is_virtual=True))
        except ChildContextError as error:
            return [str(error), error.error_type]

    world = flavour.run(handler)
    assert world.value == ["no", "ValueError"]
    assert [view["Type"] for view in world.operations.values()] == ["STEP"]


@pytest.mark.parametrize("summary", ["text", 5])
def test_a_summary_must_be_text(flavour: Flavour, summary: object) -> None:
    def handler(event, ctx):
        def child(inner):
            yield inner.step(flavour(lambda step: 1))
            return "x" * LARGE

        config = ChildConfig(summary_generator=lambda value: summary)  # type: ignore[arg-type, return-value]
        try:
            yield ctx.run_in_child_context(flavour(child), config=config)
        except ChildContextError as error:
            return str(error)

    assert flavour.run(handler).value == (
        None if summary == "text" else "summary_generator returned int 5; it must return a str"
    )


def test_a_summary_without_a_form_in_utf_8_is_recorded_as_far_as_it_has_one(flavour: Flavour) -> None:
    def handler(event, ctx):
        config: ChildConfig[str] = ChildConfig(summary_generator=lambda value: "é\ud800")
        return len((yield ctx.run_in_child_context(flavour(lambda inner: "x" * LARGE), name="big", config=config)))

    world = flavour.run(handler)
    assert world.value == LARGE
    assert world.named("big")["ContextDetails"]["Result"] == "é\\ud800"


@pytest.mark.parametrize("where", ["handler", "child", "step"])
def test_an_invocation_error_tries_the_invocation_again(flavour: Flavour, where: str) -> None:
    def handler(event, ctx):
        def body(step):
            if where == "step" and world.invocations == 1:
                raise InvocationError("again")

        def child(inner):
            yield inner.step(flavour(body))
            if where == "child" and world.invocations == 1:
                raise InvocationError("again")

        yield ctx.run_in_child_context(flavour(child))
        if where == "handler" and world.invocations == 1:
            raise InvocationError("again")
        return "done"

    world = flavour.world(handler)
    world.run()
    assert world.value == "done"
    assert [type(one) for one in world.outputs] == [InvocationError, dict]
