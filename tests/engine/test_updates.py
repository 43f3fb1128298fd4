"""What is sent: the exact shape of updates, and how they share calls (laws R2, R4 and R5; WIRE.md)."""

from __future__ import annotations

import asyncio
import enum
import threading
from typing import Any

import pytest

from durably import CallbackConfig, ChildConfig, Duration, RetryPresets, StepConfig, custom_serdes
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, World

ROOT_1 = "1ced8f5be2db23a6513eba4d819c73806424748a7bc6fa0d792cc1c7d1775a97"
ROOT_2 = "c5faca15ac2f93578b39ef4b6bbb871bdedce4ddd584fd31f0bb66fade3947e6"
CHILD_1_OF_ROOT_1 = "974bfc6321e227b0ff101342eaf19b336f002dc6cc99c18f0941a7755cc20fc4"


def test_updates_byte_for_byte(flavour: Flavour) -> None:
    """Ids are WIRE.md's vectors; there is no member that WIRE.md does not ask for."""

    def handler(event, ctx):
        def child(inner):
            return (yield inner.step(flavour(lambda step: {"a": 1}), name="in"))

        def failing(step):
            raise ValueError("no")

        yield ctx.run_in_child_context(flavour(child), name="child")
        try:
            yield ctx.step(flavour(failing), config=StepConfig(retry_strategy=RetryPresets.none()))
        except Exception:
            pass
        yield ctx.create_callback(name="cb", config=CallbackConfig(timeout=Duration.from_seconds(9)))
        yield ctx.wait(Duration.from_seconds(60), name="pause")

    world = flavour.run(handler)
    updates = world.updates
    error = updates[5].pop("Error")
    assert (error["ErrorType"], error["ErrorMessage"]) == ("ValueError", "no")
    root_3, root_4 = operation_id(None, 3), operation_id(None, 4)
    context = {"Id": ROOT_1, "Type": "CONTEXT", "SubType": "RunInChildContext", "Name": "child"}
    inner = {"Id": CHILD_1_OF_ROOT_1, "Type": "STEP", "SubType": "Step", "Name": "in", "ParentId": ROOT_1}
    unnamed = {"Id": ROOT_2, "Type": "STEP", "SubType": "Step"}
    assert updates == [
        {**context, "Action": "START"},
        {**inner, "Action": "START"},
        {**inner, "Action": "SUCCEED", "Payload": '{"a":1}'},
        {**context, "Action": "SUCCEED", "Payload": '{"a":1}', "ContextOptions": {"ReplayChildren": False}},
        {**unnamed, "Action": "START"},
        {**unnamed, "Action": "FAIL"},
        {
            "Id": root_3,
            "Type": "CALLBACK",
            "Action": "START",
            "SubType": "Callback",
            "Name": "cb",
            "CallbackOptions": {"TimeoutSeconds": 9, "HeartbeatTimeoutSeconds": 0},
        },
        {
            "Id": root_4,
            "Type": "WAIT",
            "Action": "START",
            "SubType": "Wait",
            "Name": "pause",
            "WaitOptions": {"WaitSeconds": 60},
        },
    ]


def test_an_empty_name_is_omitted(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="")

    assert all("Name" not in update for update in flavour.run(handler).updates)


def test_tokens_form_a_chain(flavour: Flavour) -> None:
    """R4."""

    def handler(event, ctx):
        for n in range(5):
            yield ctx.step(flavour(lambda step: 1), name=f"{n}")

    world = flavour.run(handler)
    tokens = [call.token for call in world.link.calls]
    answered = [call.answer["CheckpointToken"] for call in world.link.calls]
    assert tokens[1:] == answered[:-1]
    assert len(set(tokens)) == 5


# ---- when a START travels -------------------------------------------------------------------------------


def test_the_start_of_a_slow_step_travels_while_its_body_runs(flavour: Flavour) -> None:
    def handler(event, ctx):
        if flavour.is_async:

            async def body(step):
                while not world.operations:  # noqa: ASYNC110 - turns of the loop, not time
                    await asyncio.sleep(0)
                return [view["Status"] for view in world.operations.values()]

        else:

            def body(step):
                blocked = threading.Event()
                while not world.operations:
                    blocked.wait(0.001)
                return [view["Status"] for view in world.operations.values()]

        return (yield ctx.step(body, name="slow"))

    world = flavour.world(handler)
    world.run()
    assert world.value == ["STARTED"]
    assert world.batches == [[("STEP", "START", "slow")], [("STEP", "SUCCEED", "slow")]]


def test_the_start_of_a_blocking_function_travels_too() -> None:
    async def handler(event, ctx):
        def blocking(step):
            blocked = threading.Event()
            while not world.operations:
                blocked.wait(0.001)
            return 1

        return await ctx.step(blocking)

    world = World(handler)
    world.run()
    assert world.value == 1


def test_what_must_be_durable_is_acknowledged_before_the_program_goes_on(flavour: Flavour) -> None:
    """R5, for each kind of operation."""

    def handler(event, ctx):
        def recorded():
            return {view["Type"]: view["Status"] for view in world.operations.values()}

        yield ctx.step(flavour(lambda step: 1))
        world.effects.append(recorded())
        yield ctx.create_callback()
        world.effects.append(recorded())

        def child(inner):
            return 1
            yield

        yield ctx.run_in_child_context(flavour(child))
        world.effects.append(recorded())

    world = flavour.world(handler)
    world.run()
    assert world.effects == [
        {"STEP": "SUCCEEDED"},
        {"STEP": "SUCCEEDED", "CALLBACK": "STARTED"},
        {"STEP": "SUCCEEDED", "CALLBACK": "STARTED", "CONTEXT": "SUCCEEDED"},
    ]


# ---- how calls are cut ----------------------------------------------------------------------------------


def test_concurrent_updates_share_a_call() -> None:
    async def handler(event, ctx):
        async def body(step):
            return 1

        return sum(await asyncio.gather(*[ctx.step(body) for _ in range(20)]))

    world = World(handler)
    world.run()
    assert world.value == 20
    assert [len(batch) for batch in world.batches] == [40]


def test_250_updates_a_call() -> None:
    async def handler(event, ctx):
        async def body(step):
            return 1

        return sum(await asyncio.gather(*[ctx.step(body) for _ in range(400)]))

    world = World(handler)
    world.run()
    assert world.value == 400
    sizes = [len(batch) for batch in world.batches]
    assert max(sizes) == 250
    assert sum(sizes) == 800
    assert len(sizes) == 4


def test_750_kib_a_call() -> None:
    async def handler(event, ctx):
        async def body(step):
            return "x" * 100_000

        return len(await asyncio.gather(*[ctx.step(body) for _ in range(20)]))

    world = World(handler)
    world.run()
    assert world.value == 20
    payloads = [sum(len(update.get("Payload", "")) for update in call.updates) for call in world.link.calls]
    assert max(payloads) <= 750 * 1024
    assert len(payloads) == 3


def test_one_update_larger_than_a_call_goes_alone(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: "x" * 800 * 1024), name="big")

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert world.batches == [[("STEP", "START", "big")], [("STEP", "SUCCEED", "big")]]


@pytest.mark.parametrize("character", ["\u00e9", "\u4e16", "\x01", '"'])
def test_sizes_are_those_of_the_body(character: str) -> None:
    """What grows when it is written: characters beyond ASCII, control characters, quotes."""

    async def handler(event, ctx):
        async def body(step):
            return character * 30_000

        return len(await asyncio.gather(*[ctx.step(body) for _ in range(30)]))

    world = World(handler)
    world.run()
    assert world.value == 30  # the service would have refused a call above 750 KiB


def test_one_update_of_an_operation_a_call_but_for_start_and_completion(flavour: Flavour) -> None:
    """A step that fails at once and is retried: RETRY and the next START never share a call."""

    def handler(event, ctx):
        def body(step):
            if step.attempt < 3:
                raise ValueError

        yield ctx.step(flavour(body), config=StepConfig(retry_strategy=lambda error, n: Duration.from_seconds(1)))

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    for call in world.link.calls:
        for update in call.updates:
            same = [one["Action"] for one in call.updates if one["Id"] == update["Id"]]
            assert len(same) == 1 or (len(same) == 2 and same[0] == "START")


# ---- the end --------------------------------------------------------------------------------------------


LIMIT = 6 * 1024 * 1024 - 50


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_a_result_too_large_to_answer_is_checkpointed(flavour: Flavour, size: int) -> None:
    def handler(event, ctx):
        yield ctx.step(flavour(lambda step: 1), name="a")
        return "x" * (size - 2)

    world = flavour.run(handler)
    assert len(world.value) == size - 2
    if size == LIMIT:
        assert len(world.outputs[0]["Result"]) == size
    else:
        assert world.outputs == [{"Status": "SUCCEEDED", "Result": ""}]
        (update,) = world.link.calls[-1].updates
        assert {**update, "Id": "", "Payload": ""} == {
            "Id": "",
            "Type": "EXECUTION",
            "Action": "SUCCEED",
            "Payload": "",
        }
        assert update["Id"].startswith("execution-result-")
        assert int(update["Id"].rsplit("-", 1)[1]) > 1_700_000_000_000


def test_an_oversized_result_is_counted_in_bytes(flavour: Flavour) -> None:
    def handler(event, ctx):
        return "\u00e9" * (LIMIT // 2)
        yield

    world = flavour.run(handler)
    assert world.outputs == [{"Status": "SUCCEEDED", "Result": ""}]
    assert len(world.value) == LIMIT // 2


@pytest.mark.usefixtures("undisturbed")
def test_updates_nobody_waited_for_are_sent_before_the_answer(flavour: Flavour) -> None:
    """A child that suspends: its START is on record although nobody waited for it."""

    def handler(event, ctx):
        def child(inner):
            callback = yield inner.create_callback(name="cb")
            yield callback.result()

        yield ctx.run_in_child_context(flavour(child), name="child")

    world = flavour.run(handler, callbacks={"cb": Answer("1")})
    assert world.status == "SUCCEEDED"
    assert world.batches[0] == [("CONTEXT", "START", "child"), ("CALLBACK", "START", "cb")]


# ---- reading the state ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_the_state_comes_in_pages(flavour: Flavour, page: int) -> None:
    """With one operation a page, even the EXECUTION and its input are not on the event's page with the rest."""

    def handler(event, ctx):
        for n in range(8):
            yield ctx.step(flavour(lambda step, n=n: world.effects.append(n)), name=f"s{n}")
        yield ctx.wait(Duration.from_seconds(1))
        return event

    world = flavour.world(handler, {"in": "put"}, page=page)
    world.run()
    assert world.value == {"in": "put"}
    assert world.effects == list(range(8))
    assert any(call.kind == "get_state" for call in world.link.calls)


def test_an_answer_comes_in_pages(flavour: Flavour) -> None:
    """Everything an answer tells of is merged before the program goes on, its further pages too."""

    def handler(event, ctx):
        ids = []
        for n in range(5):
            ids.append((yield ctx.create_callback(name=f"cb{n}")))

        def answer_all(step):
            for callback in ids:
                world.service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback.callback_id, Result="y")

        yield ctx.step(flavour(answer_all), name="answer")
        results = []
        for callback in ids:
            results.append((yield callback.result()))
        return results

    world = flavour.world(handler, page=2)
    world.run()
    assert world.value == ["y"] * 5
    assert world.invocations == 1
    assert [call.kind for call in world.link.calls].count("get_state") >= 2


def test_texts_of_a_class_of_their_own_are_recorded_as_texts(flavour: Flavour) -> None:
    """Names from a StrEnum, what a serdes or a summary_generator makes."""

    class Text(str):
        __slots__ = ()

    class Name(enum.StrEnum):
        CHARGE = "charge"

    serdes = custom_serdes(lambda value, context: Text(f'"{value}"'), lambda text, context: text)
    large = ChildConfig[str](summary_generator=lambda result: Text("large"))

    def handler(event: Any, ctx: Any) -> Any:
        plain = yield ctx.step(flavour(lambda step: 1), name="charge")
        first = yield ctx.step(flavour(lambda step: 1), name=Text("charge"), config=StepConfig(serdes=serdes))
        second = yield ctx.invoke(Text("ship"), first, name=Name.CHARGE)
        third = yield ctx.run_in_child_context(flavour(lambda inner: "x" * 300_000), name=Text("child"), config=large)
        return [plain, first, second, len(third)]

    sent: list[Any] = []
    world = flavour.world(handler, functions={"ship": lambda event: "shipped"})
    submit = world.service.submit_checkpoint

    def record(arn: Any, token: Any, updates: Any, *rest: Any) -> None:
        sent.extend(updates)
        submit(arn, token, updates, *rest)

    world.service.submit_checkpoint = record  # type: ignore[method-assign]
    world.run()
    assert world.value == [1, '"1"', "shipped", 300_000]
    assert world.invocations == 2, "no call was refused"
    texts = [(key, value) for update in sent for key, value in update.items() if isinstance(value, str)]
    assert [(key, value) for key, value in texts if type(value) is not str and key != "SubType"] == []
