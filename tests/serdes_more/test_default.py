"""operation_serdes: what operations record, unless they have a serdes of their own."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from durably import (
    ChildConfig,
    DefaultSerDes,
    Duration,
    FixedWait,
    JsonSerDes,
    MapConfig,
    ParallelConfig,
    PassThroughSerDes,
    PipelineSerDes,
    SerDes,
    SerDesContext,
    StepConfig,
    ValidationError,
    WaitForCallbackConfig,
    WaitForConditionConfig,
    WithRetryConfig,
    custom_serdes,
    durable_execution,
)
from engine.harness import Answer, Flavour, Killed, World

from .conftest import run, world_of

SECOND = Duration.from_seconds(1)
ROT13: PipelineSerDes[Any] = PipelineSerDes(
    custom_serdes(lambda text, where: codecs.encode(text, "rot13"), lambda text, where: codecs.decode(text, "rot13"))
)


@dataclass
class Note:
    text: str


def recorded(world: World) -> str:
    """All that the service has of the execution."""
    return repr(world.operations) + repr(world.history) + repr(world.updates)


def everything(flavour: Flavour) -> Callable[..., Any]:
    """A handler with every operation that records what the program gives it."""

    def step(step: Any) -> Note:
        return Note("secret")

    def inside(ctx: Any) -> Any:
        return (yield ctx.step(flavour(step), name="inner"))

    inside.__annotations__["return"] = Note

    def retried(ctx: Any, attempt: int) -> Any:
        return (yield ctx.step(flavour(step), name="tried"))

    def item(ctx: Any, item: str) -> Any:
        return (yield ctx.step(flavour(lambda step: item + "secret"), name="of item"))

    def check(state: Any, context: Any) -> str:
        return "secret"

    def compensation(ctx: Any, note: Note) -> Any:
        assert note == Note("secret")
        yield ctx.step(flavour(lambda step: "secret"), name="undo")
        return "secret"

    def handler(event: Any, ctx: Any) -> Any:
        found = [
            (yield ctx.step(flavour(step), name="step")),
            (yield ctx.run_in_child_context(flavour(inside), name="child", result_type=Note)),
            (yield ctx.with_retry(flavour(retried), name="retry", result_type=Note)),
            (yield ctx.map(["a", "b"], flavour(item), name="map")).get_results(),
            (yield ctx.map(["a"], flavour(item), "flat", MapConfig(item_batcher=_batcher()))).get_results(),
            (
                yield ctx.parallel([flavour(inside)], name="parallel", config=ParallelConfig(result_type=Note))
            ).get_results(),
            (
                yield ctx.wait_for_condition(
                    flavour(check),
                    WaitForConditionConfig(FixedWait(lambda state: True), "secret"),
                    name="condition",
                )
            ),
            (yield ctx.wait_for_callback(flavour(lambda callback_id, context: "secret"), name="callback")),
        ]
        yield ctx.wait(SECOND)
        yield ctx.step_with_compensation(flavour(step), flavour(compensation), name="undone")
        yield ctx.run_compensations()
        yield ctx.wait(SECOND)
        assert found[:3] == [Note("secret")] * 3
        assert found[3:6] == [["asecret", "bsecret"], ["asecret"], [Note("secret")]]
        assert found[6:] == ["secret", "outside"]

    return handler


def _batcher() -> Any:
    from durably import ItemBatcher

    return ItemBatcher(2)


def world_with_callback(flavour: Flavour, handler: Callable[..., Any], **options: Any) -> World:
    world = world_of(flavour, handler, **options)
    world.callbacks = {"callback create callback id": Answer("outside")}
    return world


def test_nothing_is_recorded_past_it(flavour: Flavour) -> None:
    world = world_with_callback(flavour, everything(flavour), operation_serdes=ROT13).run()
    assert world.value is None
    assert "secret" not in recorded(world)
    assert "frperg" in recorded(world)
    assert world.invocations > 2


def test_without_it_all_is_recorded_as_it_is(flavour: Flavour) -> None:
    world = world_with_callback(flavour, everything(flavour)).run()
    assert world.value is None
    assert recorded(world).count("secret") > 10


def test_a_crash_at_every_checkpoint(flavour: Flavour) -> None:
    calls = len(world_with_callback(flavour, everything(flavour), operation_serdes=ROT13).run().link.calls)
    for number in range(calls):
        for moment in ("before", "after"):
            world = world_with_callback(flavour, everything(flavour), operation_serdes=ROT13)
            link = world.link

            def fault(call: Any, number: int = number, link: Any = link) -> BaseException | None:
                return Killed() if len(link.calls) == number + 1 else None

            setattr(link, moment, fault)
            world.run()
            assert world.value is None, (number, moment)
            assert "secret" not in recorded(world)


def test_an_operation_of_its_own_mind(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        def item(ctx: Any, item: str) -> Any:
            return (yield ctx.step(flavour(lambda step: "unsecret"), name="of item"))

        yield ctx.step(flavour(lambda step: "plain"), name="own", config=StepConfig(serdes=JsonSerDes()))
        yield ctx.step(flavour(lambda step: "plain"), name="default")
        result = yield ctx.map(["plain"], flavour(item), "map", MapConfig(item_serdes=JsonSerDes()))
        whole = yield ctx.map(["plain"], flavour(item), "whole", MapConfig(serdes=PassAsJson()))
        return [result.get_results(), whole.get_results()]

    world = run(flavour, handler, operation_serdes=ROT13)
    assert world.value == [["unsecret"], ["unsecret"]]
    assert world.named("own")["StepDetails"]["Result"] == '"plain"'
    assert "plain" not in world.named("default")["StepDetails"]["Result"]
    assert "unsecret" in world.named("map")["ContextDetails"]["Result"]
    assert "unsecret" in world.named("whole")["ContextDetails"]["Result"]


class PassAsJson(DefaultSerDes):
    """The whole result of a map, as its own codec would not write it."""


def test_a_child_context_may_have_another(flavour: Flavour) -> None:
    def inside(ctx: Any) -> Any:
        yield ctx.step(flavour(lambda step: "plain"), name=f"step of {label(ctx)}")

        def deeper(ctx: Any) -> Any:
            yield ctx.step(flavour(lambda step: "plain"), name=f"deep step of {label(ctx)}")
            return "plain"

        yield ctx.run_in_child_context(flavour(deeper), name=f"deep {label(ctx)}")
        return "plain"

    def label(ctx: Any) -> str:
        return "reset" if "reset" in str(ctx) else "changed"

    def handler(event: Any, ctx: Any) -> Any:
        changed = ChildConfig[Any](operation_serdes=ROT13)
        yield ctx.run_in_child_context(flavour(inside), name="changed", config=changed)
        yield ctx.step(flavour(lambda step: "plain"), name="after")

        def around(ctx: Any) -> Any:
            reset = ChildConfig[Any](operation_serdes=DefaultSerDes())
            yield ctx.run_in_child_context(flavour(inside), name="reset", config=reset)
            return None

        yield ctx.run_in_child_context(flavour(around), name="around", config=changed)

        def tried(ctx: Any, attempt: int) -> Any:
            yield ctx.step(flavour(lambda step: "plain"), name="tried")

        yield ctx.with_retry(flavour(tried), name="retry", config=WithRetryConfig(child_context_config=changed))

    world = run(flavour, handler)
    assert world.value is None
    plain = {"changed", "after", "step of reset", "deep step of reset", "deep reset"}
    other = {"step of changed", "deep step of changed", "deep changed", "reset", "tried"}
    for name in plain | other:
        view = world.named(name)
        text = view.get("StepDetails", view.get("ContextDetails"))["Result"]
        assert ("plain" in text) == (name in plain), name


def test_the_serdes_is_told_which_operation(flavour: Flavour) -> None:
    seen: list[SerDesContext] = []

    def note(value: Any, where: SerDesContext) -> str:
        seen.append(where)
        return "x"

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(flavour(lambda step: 1), name="one")
        yield ctx.step(flavour(lambda step: 1), name="two")

    world = run(flavour, handler, operation_serdes=custom_serdes(note, lambda text, where: text))
    ids = [op_id for op_id, view in world.operations.items() if view["Type"] == "STEP"]
    assert sorted(seen, key=lambda where: where.operation_id) == [SerDesContext(one, world.arn) for one in sorted(ids)]


def test_what_other_programs_read_and_write_is_left_to_them(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        answer = yield ctx.invoke("double", 4, name="invoke")
        callback = yield ctx.create_callback(name="callback")
        return [answer, (yield callback.result())]

    world = world_of(flavour, handler, operation_serdes=ROT13)
    world.functions = {"double": lambda n: n * 2}
    world.callbacks = {"callback": Answer("as sent")}
    world = remade(world)
    assert world.run().value == [8, "as sent"]


def remade(world: World) -> World:
    """With the functions that were added."""
    again = World(world.handler, functions=world.functions, callbacks=world.callbacks)
    again.function, world.function.client = world.function, again.link
    return again


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: durable_execution(operation_serdes=JsonSerDes)(lambda event, ctx: 1), "is the class JsonSerDes"),
        (lambda: durable_execution(operation_serdes="json")(lambda event, ctx: 1), "operation_serdes is 'json'"),
        (lambda: durable_execution(serdes=object())(lambda event, ctx: 1), "serdes is <object"),
        (lambda: ChildConfig(operation_serdes=JsonSerDes), "operation_serdes is the class JsonSerDes"),
        (lambda: StepConfig(serdes=JsonSerDes(), result_type=int), "serdes and result_type both say"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


@pytest.mark.parametrize(
    "call",
    [
        lambda ctx, flavour: ctx.step(flavour(lambda step: 1), result_type=Note),
        lambda ctx, flavour: ctx.step(flavour(lambda step: 1), config=StepConfig(result_type=Note)),
        lambda ctx, flavour: ctx.run_in_child_context(flavour(lambda ctx: 1), result_type=Note),
        lambda ctx, flavour: ctx.map([1], flavour(lambda ctx, item: 1), config=MapConfig(result_type=Note)),
        lambda ctx, flavour: ctx.parallel([flavour(lambda ctx: 1)], config=ParallelConfig(result_type=Note)),
    ],
)
def test_a_type_that_the_default_cannot_keep_to_is_refused(flavour: Flavour, call: Any) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield call(ctx, flavour)

    world = run(flavour, handler, operation_serdes=JsonSerDes())
    assert world.error["errorType"] == "durably.ValidationError"
    assert "operation_serdes and result_type both say how to read" in world.error["errorMessage"]
    assert not world.updates


def test_a_default_that_needs_no_type_serves_what_has_none(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        return (yield ctx.step(flavour(lambda step: "text"), name="step"))

    serdes: SerDes[Any] = PassThroughSerDes()
    world = run(flavour, handler, operation_serdes=serdes)
    assert (world.value, world.named("step")["StepDetails"]["Result"]) == ("text", "text")


def test_wait_for_callback_with_a_serdes_of_its_own(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        submitter = flavour(lambda callback_id, context: "secret")
        config = WaitForCallbackConfig(serdes=ROT13)
        return (yield ctx.wait_for_callback(submitter, name="callback", config=config)) == "secret"

    world = world_with_callback(flavour, handler, operation_serdes=ROT13)
    world.callbacks = {"callback create callback id": Answer('"\\"frperg\\""')}
    assert world.run().value is True
    assert "secret" not in recorded(world)
