"""map: what it returns, what it records, how its items are called, named and numbered."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial, wraps
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    BatchItemStatus,
    BatchResult,
    ChildContextError,
    CompletionConfig,
    CompletionReason,
    DurableContext,
    Duration,
    JsonSerDes,
    MapConfig,
    NestingType,
    SerDes,
    SerDesContext,
    SerDesError,
    ValidationError,
)
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, World, run

SECOND = Duration.from_seconds(1)
FLAT: MapConfig[Any] = MapConfig(nesting_type=NestingType.FLAT)
MAP = operation_id(None, 1)
BRANCH_0 = "1712f93e2f51df042e2b933907d75accfe34a48fe4a42a24e0b08131bc72d591"


@dataclass(frozen=True)
class Line:
    article: str
    price: Decimal


def statuses(result: BatchResult[Any]) -> list[tuple[int, str]]:
    return [(item.index, item.status.value) for item in result]


def parents(world: World) -> dict[str | None, tuple[str, str | None]]:
    return {view.get("Name"): (op_id, view.get("ParentId")) for op_id, view in world.operations.items()}


def doubling(flavour: Flavour) -> Any:
    def double(ctx, item, *rest):
        return (yield ctx.step(flavour(lambda step: item * 2), name=f"double {item}"))

    return flavour(double)


# ---- results --------------------------------------------------------------------------------------------


def test_results_come_in_input_order_whatever_ends_first(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(Duration.from_seconds(10 - item))
            ended.append(item)
            return item * 10

        result = yield ctx.map([1, 2, 3], flavour(one), name="all")
        return [result.get_results(), statuses(result), result.completion_reason.value, result.status.value]

    ended: list[int] = []
    world = flavour.run(handler)
    assert world.value == [
        [10, 20, 30],
        [[0, "SUCCEEDED"], [1, "SUCCEEDED"], [2, "SUCCEEDED"]],
        "ALL_COMPLETED",
        "SUCCEEDED",
    ]
    assert list(dict.fromkeys(ended)) == [3, 2, 1]


def test_a_map_over_nothing_is_recorded_and_complete(flavour: Flavour) -> None:
    def handler(event, ctx):
        result = yield ctx.map([], flavour(lambda inner, item, *rest: 1 / 0), name="none")
        yield ctx.wait(SECOND)
        return [len(result), bool(result), result.get_results(), result.completion_reason.value, result.status.value]

    world = flavour.run(handler)
    assert world.value == [0, True, [], "ALL_COMPLETED", "SUCCEEDED"]
    assert world.batches[0] == [("CONTEXT", "START", "none"), ("CONTEXT", "SUCCEED", "none")]


def test_the_result_of_the_first_run_is_that_of_every_replay(flavour: Flavour) -> None:
    """Dataclasses, names and errors included."""

    def handler(event, ctx):
        def price(inner, item, *rest) -> Line:
            yield inner.step(flavour(lambda step: None))
            if item == "bad":
                raise LookupError("no such article")
            return Line(item, Decimal("1.10"))

        config = MapConfig(
            completion_config=CompletionConfig.all_completed(), item_namer=lambda item, index: f"price {item}"
        )
        result = yield ctx.map(["a", "bad", "b"], flavour(price), config=config)
        seen.append(result)
        yield ctx.wait(SECOND)

    seen: list[BatchResult[Line]] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    first, replayed = seen
    assert first == replayed
    assert first.get_results() == [Line("a", Decimal("1.10")), Line("b", Decimal("1.10"))]
    assert [item.name for item in first] == ["price a", "price bad", "price b"]
    assert [item.status for item in first] == [
        BatchItemStatus.SUCCEEDED,
        BatchItemStatus.FAILED,
        BatchItemStatus.SUCCEEDED,
    ]


def test_the_annotation_of_the_function_types_each_item_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> None:
        def price(inner: DurableContext, item: str) -> Line:
            return inner.step(lambda step: Line(item, Decimal(2)), result_type=Line)

        seen.append(ctx.map(["a"], price).get_results())
        seen.append(ctx.map(["a"], lambda inner, item: {"article": item, "price": "3"}).get_results())
        typed = MapConfig[str](result_type=Line)
        seen.append(ctx.map(["a"], lambda inner, item: Line(item, Decimal(4)), config=typed).get_results())
        ctx.wait(SECOND)

    seen: list[Any] = []
    run(handler)
    assert seen[:3] == seen[3:]
    assert seen[:3] == [[Line("a", Decimal(2))], [{"article": "a", "price": "3"}], [Line("a", Decimal(4))]]


# ---- how the function is called -------------------------------------------------------------------------


def test_the_function_gets_as_much_as_it_takes_sync() -> None:
    def two(inner: DurableContext, item: str) -> Any:
        return [item]

    def three(inner: DurableContext, item: str, index: int) -> Any:
        return [item, index]

    def four(inner: DurableContext, item: str, index: int, items: Any) -> Any:
        return [item, index, list(items)]

    def any_number(*args: Any) -> Any:
        return list(args[1:])

    def defaulted(inner: DurableContext, item: str, extra: str = "own default") -> Any:
        return [item, extra]

    @wraps(two)
    def decorated(*args: Any) -> Any:
        return two(*args)

    class Bound:
        def method(self, inner: DurableContext, item: str) -> Any:
            return [item]

        def __call__(self, inner: DurableContext, item: str, index: int, items: Any) -> Any:
            return [item, index, list(items)]

    def handler(event: Any, ctx: DurableContext) -> Any:
        functions: list[Any] = [
            two,
            three,
            four,
            any_number,
            defaulted,
            decorated,
            partial(two),
            Bound().method,
            Bound(),
        ]
        return [ctx.map(["x"], function).get_results()[0] for function in functions]

    everything = ["x", 0, ["x"]]
    assert run(handler).value == [
        ["x"],
        ["x", 0],
        everything,
        everything,
        ["x", "own default"],
        ["x"],
        ["x"],
        ["x"],
        everything,
    ]


def test_the_function_gets_as_much_as_it_takes_async() -> None:
    async def two(inner: AsyncDurableContext, item: str) -> Any:
        return [item]

    async def three(inner: AsyncDurableContext, item: str, index: int) -> Any:
        return [item, index]

    async def four(inner: AsyncDurableContext, item: str, index: int, items: Any) -> Any:
        return [item, index, list(items)]

    async def handler(event: Any, ctx: AsyncDurableContext) -> Any:
        functions: list[Any] = [two, three, four]
        return [(await ctx.map(["x"], function)).get_results()[0] for function in functions]

    assert run(handler).value == [["x"], ["x", 0], ["x", 0, ["x"]]]


@pytest.mark.parametrize(
    ("function", "found"),
    [(lambda: None, "takes 0"), (lambda inner: None, "takes 1"), (lambda a, b, c, d, e: None, "takes 5")],
)
def test_a_function_of_another_shape_is_refused_before_anything_is_recorded(function: Any, found: str) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match=rf"\(context, item, index, items\).*{found} parameters"):
            ctx.map([1], function)
        return ctx.step(lambda step: "went on")

    world = run(handler)
    assert world.value == "went on"
    assert world.updates[0]["Id"] == operation_id(None, 1)


def test_a_function_that_needs_a_keyword_is_refused_before_anything_is_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match="of a map needs a keyword argument: bind it"):
            yield ctx.map([1], lambda inner, item, *, rate: None)

    assert flavour.run(handler).updates == []


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ({1, 2}, "not set"),
        (iter([1]), "not list_iterator"),
        ("text", "not str"),
        ({"a": 1}, "not dict"),
        (3, "not int"),
    ],
)
def test_items_without_a_length_and_an_order_are_refused(flavour: Flavour, items: Any, said: str) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match=rf"map\(\) takes a list of items, {said}.*sorted"):
            yield ctx.map(items, flavour(lambda inner, item, *rest: item))

    world = flavour.run(handler)
    assert world.value is None
    assert world.updates == []


@pytest.mark.parametrize("items", [(1, 2), range(1, 3), [1, 2]])
def test_any_sequence_will_do(flavour: Flavour, items: Any) -> None:
    def handler(event, ctx):
        return (yield ctx.map(items, doubling(flavour))).get_results()

    assert flavour.run(handler).value == [2, 4]


def test_what_is_not_a_function_is_refused(flavour: Flavour) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match=r"map\(\) takes the function to run for each item, not str"):
            yield ctx.map([1], "function")

    assert flavour.run(handler).updates == []


# ---- ids and names --------------------------------------------------------------------------------------


def test_ids_of_a_nested_map(flavour: Flavour) -> None:
    def handler(event, ctx):
        yield ctx.map(["a", "b"], doubling(flavour), name="m")
        yield ctx.step(flavour(lambda step: None), name="after")

    world = flavour.run(handler)
    assert operation_id(MAP, 0) == BRANCH_0
    branch_1 = operation_id(MAP, 1)
    assert parents(world) == {
        "m": (MAP, None),
        "map-item-0": (BRANCH_0, MAP),
        "double a": (operation_id(BRANCH_0, 1), BRANCH_0),
        "map-item-1": (branch_1, MAP),
        "double b": (operation_id(branch_1, 1), branch_1),
        "after": (operation_id(None, 2), None),
    }
    assert world.named("m")["SubType"] == "Map"
    assert world.named("map-item-0")["SubType"] == "MapIteration"
    ends = [update for update in world.updates if update["Action"] == "SUCCEED" and update["Type"] == "CONTEXT"]
    assert [update["ContextOptions"] for update in ends] == [{"ReplayChildren": False}] * 3


def test_ids_of_a_flat_map(flavour: Flavour) -> None:
    """No record of the items: they prefix their operations' ids, whose parent is the map."""

    def handler(event, ctx):
        result = yield ctx.map(["a", "b"], doubling(flavour), name="m", config=FLAT)
        return result.get_results()

    world = flavour.run(handler)
    assert world.value == ["aa", "bb"]
    assert parents(world) == {
        "m": (MAP, None),
        "double a": (operation_id(BRANCH_0, 1), MAP),
        "double b": (operation_id(operation_id(MAP, 1), 1), MAP),
    }


def test_a_flat_map_has_the_results_of_a_nested_one(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.wait(SECOND)
            if item == 2:
                raise KeyError(item)
            return (yield inner.step(flavour(lambda step: item + 1), name=f"s{item}"))

        for nesting in NestingType:
            config = MapConfig(completion_config=CompletionConfig.all_completed(), nesting_type=nesting)
            results.append((yield ctx.map([1, 2, 3], flavour(one), config=config)))
        yield ctx.wait(SECOND)

    results: list[BatchResult[int]] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    nested, flat = results[-2:]
    assert nested.get_results() == flat.get_results() == [2, 4]
    assert [(item.index, item.status) for item in nested] == [(item.index, item.status) for item in flat]
    assert [error and (error.type, error.message) for error in nested.get_errors()] == [
        error and (error.type, error.message) for error in flat.get_errors()
    ]


def test_items_are_named_by_the_namer(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](item_namer=lambda item, index: f"order {item['id']} at {index}")
        result = yield ctx.map([{"id": 7}, {"id": 9}], flavour(lambda inner, item, *rest: item["id"]), config=config)
        return [item.name for item in result]

    world = flavour.run(handler)
    assert world.value == ["order 7 at 0", "order 9 at 1"]
    assert world.named("order 7 at 0")["SubType"] == "MapIteration"


def test_an_item_without_a_name_of_its_own_gets_the_default(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](item_namer=lambda item, index: item)
        result = yield ctx.map(["", "x"], flavour(lambda inner, item, *rest: None), config=config)
        return [item.name for item in result]

    world = flavour.run(handler)
    assert world.value == [None, "x"]
    assert set(parents(world)) == {None, "map-item-0", "x"}


@pytest.mark.parametrize("name", ["naïve", 7, "x" * 257])
def test_a_bad_name_is_refused_before_anything_is_recorded(flavour: Flavour, name: Any) -> None:
    def handler(event, ctx):
        said = "item_namer's name for item 0: an operation's name is 1 to 256 printable ASCII characters"
        with pytest.raises(ValidationError, match=said):
            yield ctx.map([1], flavour(lambda *args: None), config=MapConfig(item_namer=lambda item, index: name))

    assert flavour.run(handler).updates == []


def test_what_the_namer_raises_reaches_the_caller_and_nothing_is_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](item_namer=lambda item, index: item["id"])
        with pytest.raises(KeyError, match="id"):
            yield ctx.map([{}], flavour(lambda *args: None), config=config)

    assert flavour.run(handler).updates == []


# ---- failures -------------------------------------------------------------------------------------------


class Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(f"refused with {code}")
        self.code = code


def test_a_failed_item_is_in_the_result_with_its_error(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == "bad":
                raise Refused(7)
            return (yield inner.step(flavour(lambda step: item)))

        config = MapConfig[Any](completion_config=CompletionConfig.all_completed())
        result = yield ctx.map(["good", "bad", "fine"], flavour(one), name="m", config=config)
        yield ctx.wait(SECOND)
        (error,) = result.get_errors()
        assert error is not None
        assert result.get_results() == ["good", "fine"]
        assert (result.success_count, result.failure_count, result.total_count) == (2, 1, 3)
        assert result.status is BatchItemStatus.FAILED
        with pytest.raises(ChildContextError, match="refused with 7") as raised:
            result.throw_if_error()
        with pytest.raises(ChildContextError):
            result[1].get_result()
        cause = raised.value.__cause__
        return [error.type, error.message, raised.value.error_type, type(cause).__name__, str(cause)]

    world = flavour.run(handler)
    kind = f"{__name__}.Refused"
    assert world.value == [kind, "refused with 7", kind, *world.value[3:]]
    assert "refused with 7" in world.value[4]
    failed = world.named("map-item-1")
    assert failed["Status"] == "FAILED"
    assert failed["ContextDetails"]["Error"]["ErrorType"] == kind
    assert world.named("m")["Status"] == "SUCCEEDED"


def test_an_error_that_nobody_catches_ends_the_execution(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            raise Refused(item)
            yield

        (yield ctx.map([1], flavour(one))).throw_if_error()

    world = flavour.run(handler)
    assert world.error["errorType"] == "durably.ChildContextError"
    assert "refused with 1" in world.error["errorMessage"]


def test_no_error_nothing_thrown(flavour: Flavour) -> None:
    def handler(event, ctx):
        (yield ctx.map([1, 2], doubling(flavour))).throw_if_error()
        return "fine"

    assert flavour.run(handler).value == "fine"


def test_an_item_whose_result_cannot_be_recorded_fails(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](completion_config=CompletionConfig.all_completed())
        functions = {"good": lambda: 1, "bad": lambda: object()}
        result = yield ctx.map(["good", "bad"], flavour(lambda inner, item, *rest: functions[item]()), config=config)
        return [statuses(result), result[1].error.type]

    assert flavour.run(handler).value == [[[0, "SUCCEEDED"], [1, "FAILED"]], "durably.SerDesError"]


# ---- serdes ---------------------------------------------------------------------------------------------


class Shouting(SerDes[str]):
    """Records text in capitals, and notes who asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        self.asked.append(("write", value, serdes_context.operation_id))
        return value.upper()

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        self.asked.append(("read", data, serdes_context.operation_id))
        return data.lower()


class Joined(SerDes[BatchResult[str]]):
    def serialize(self, value: BatchResult[str], serdes_context: SerDesContext) -> str:
        return f"{serdes_context.operation_id}|" + ",".join(value.get_results())

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
        owner, _, results = data.partition("|")
        assert owner == serdes_context.operation_id
        return results.split(",")


def test_the_item_serdes_writes_each_result(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[str](item_serdes=serdes)
        result = yield ctx.map(["a", "b"], flavour(lambda inner, item, *rest: item * 2), name="m", config=config)
        results.append(result.get_results())
        yield ctx.wait(SECOND)

    serdes = Shouting()
    results: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert results == [["aa", "bb"], ["aa", "bb"]]
    assert world.named("map-item-0")["ContextDetails"]["Result"] == "AA"
    assert "AA" in world.named("m")["ContextDetails"]["Result"]


def test_a_serdes_is_asked_for_an_item_under_the_items_own_operation(flavour: Flavour) -> None:
    """It may keep values elsewhere, by operation id: no two values may share one."""

    class Elsewhere(SerDes[str]):
        def serialize(self, value: str, serdes_context: SerDesContext) -> str:
            assert kept.setdefault(serdes_context.operation_id, value) == value
            return "kept"

        def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
            return kept[serdes_context.operation_id]

    def handler(event, ctx):
        result = yield ctx.map(["a", "b", "c"], flavour(lambda inner, item, *rest: item), config=config)
        results.append(result.get_results())
        yield ctx.wait(SECOND)

    for nesting in NestingType:
        kept: dict[str, str] = {}
        results: list[Any] = []
        config = MapConfig[str](item_serdes=Elsewhere(), nesting_type=nesting)
        world = flavour.run(handler)
        assert world.status == "SUCCEEDED", world.outcome
        assert results == [["a", "b", "c"], ["a", "b", "c"]]
        assert set(kept) == {operation_id(MAP, index) for index in range(3)}


def test_the_whole_serdes_writes_the_result_of_the_map(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[str](serdes=Joined(), item_serdes=JsonSerDes())
        results.append((yield ctx.map(["a", "b"], flavour(lambda inner, item, *rest: item), name="m", config=config)))
        yield ctx.wait(SECOND)

    results: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert results == [["a", "b"], ["a", "b"]]
    assert world.named("m")["ContextDetails"]["Result"] == f"{MAP}|a,b"
    assert world.named("map-item-0")["ContextDetails"]["Result"] == '"a"'


def test_a_whole_serdes_that_fails_fails_the_map(flavour: Flavour) -> None:
    class Broken(SerDes[Any]):
        def serialize(self, value: Any, serdes_context: SerDesContext) -> str:
            raise OSError("disk full")

        def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
            raise AssertionError

    def handler(event, ctx):
        config = MapConfig[Any](serdes=Broken(), item_serdes=JsonSerDes())
        with pytest.raises(SerDesError, match="disk full") as raised:
            yield ctx.map([1], flavour(lambda inner, item, *rest: item), name="m", config=config)
        seen.append((raised.value.error_type, str(raised.value)))
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    assert seen[0] == seen[1]
    assert seen[0][0] == "durably.SerDesError"
    assert world.named("m")["Status"] == "FAILED"


# ---- the whole ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("min_successful", [1, 3])
def test_more_successes_than_items_are_refused_before_anything_is_recorded(
    flavour: Flavour, min_successful: int
) -> None:
    def handler(event, ctx):
        items = list(range(min_successful - 1))
        config = MapConfig[Any](completion_config=CompletionConfig(min_successful=min_successful))
        with pytest.raises(ValidationError, match=f"min_successful is {min_successful}, .*only {len(items)} items"):
            yield ctx.map(items, flavour(lambda inner, item, *rest: item), config=config)
        return (yield ctx.step(flavour(lambda step: "went on"), name="next"))

    world = flavour.run(handler)
    assert world.value == "went on"
    assert world.updates[0]["Id"] == operation_id(None, 1)


def test_what_is_ready_together_travels_together() -> None:
    """Items that end at once share the call of the map's START."""

    async def handler(event, ctx):
        async def one(inner, item):
            return item

        await ctx.map([1, 2], one, name="m")

    assert run(handler).batches == [
        [
            ("CONTEXT", "START", "m"),
            ("CONTEXT", "START", "map-item-0"),
            ("CONTEXT", "SUCCEED", "map-item-0"),
            ("CONTEXT", "START", "map-item-1"),
            ("CONTEXT", "SUCCEED", "map-item-1"),
        ],
        [("CONTEXT", "SUCCEED", "m")],
    ]


def test_everything_an_item_may_contain(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            def child(deeper):
                yield deeper.wait(Duration.from_seconds(item))
                return (yield deeper.step(flavour(lambda step: f"deep {item}")))

            found = [(yield inner.run_in_child_context(flavour(child)))]
            found.append((yield inner.invoke("double", item)))
            callback = yield inner.create_callback(name=f"callback {item}")
            found.append((yield callback.result()))

            def pair(deeper, number, *rest):
                yield deeper.wait(SECOND)
                return item * number

            found.append((yield inner.map([10, 20], flavour(pair))).get_results())
            return found

        return (yield ctx.map([1, 2, 3], flavour(one))).get_results()

    answers = {f"callback {item}": Answer(f"answer {item}") for item in (1, 2, 3)}
    world = flavour.run(handler, functions={"double": lambda payload: payload * 2}, callbacks=answers)
    assert world.value == [[f"deep {item}", item * 2, f"answer {item}", [item * 10, item * 20]] for item in (1, 2, 3)]


def test_the_completion_reason_is_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](completion_config=CompletionConfig(min_successful=1), max_concurrency=1)
        result = yield ctx.map([1, 2, 3], doubling(flavour), config=config)
        seen.append(result)
        yield ctx.wait(SECOND)

    seen: list[BatchResult[int]] = []
    flavour.run(handler)
    assert [result.completion_reason for result in seen] == [CompletionReason.MIN_SUCCESSFUL_REACHED] * 2
    assert [statuses(result) for result in seen] == [[(0, "SUCCEEDED")]] * 2
