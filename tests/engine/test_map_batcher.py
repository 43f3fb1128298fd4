"""ItemBatcher: many small items share a branch; every item has a result of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from durably import (
    BatchResult,
    ChildContextError,
    CompletionConfig,
    DurableContext,
    Duration,
    ItemBatcher,
    MapConfig,
    NestingType,
    SerDes,
    SerDesContext,
    ValidationError,
)
from durably.wire.ids import operation_id

from .harness import Flavour, run

SECOND = Duration.from_seconds(1)
ALL = CompletionConfig.all_completed()
MAP = operation_id(None, 1)


@dataclass(frozen=True)
class Priced:
    article: str
    cents: int


@pytest.mark.parametrize("nesting", NestingType)
def test_every_item_runs_and_results_are_per_item_in_order(flavour: Flavour, nesting: NestingType) -> None:
    def handler(event, ctx):
        def one(inner, item, index, items):
            ran.append((item, index, len(items)))
            if item == "c":
                raise ValueError("no c")
            return (yield inner.step(flavour(lambda step: item.upper()), name=f"step {item}"))

        config = MapConfig[str](
            item_batcher=ItemBatcher(max_items_per_batch=2),
            completion_config=ALL,
            item_namer=lambda item, index: f"letter {item}",
            nesting_type=nesting,
        )
        seen.append((yield ctx.map(["a", "b", "c", "d", "e"], flavour(one), name="m", config=config)))
        yield ctx.wait(SECOND)

    ran: list[Any] = []
    seen: list[BatchResult[str]] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    result = seen[0]
    assert result == seen[1]
    assert result.get_results() == ["A", "B", "D", "E"]
    assert [(item.index, item.name, item.status.value) for item in result] == [
        (0, "letter a", "SUCCEEDED"),
        (1, "letter b", "SUCCEEDED"),
        (2, "letter c", "FAILED"),
        (3, "letter d", "SUCCEEDED"),
        (4, "letter e", "SUCCEEDED"),
    ]
    (error,) = result.get_errors()
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "no c")
    assert (result.total_count, result.success_count, result.failure_count) == (5, 4, 1)
    with pytest.raises(ChildContextError, match="no c"):
        result.throw_if_error()
    assert sorted(set(ran)) == [("a", 0, 5), ("b", 1, 5), ("c", 2, 5), ("d", 3, 5), ("e", 4, 5)]
    branches = [view.get("Name") for view in world.operations.values() if view.get("SubType") == "MapIteration"]
    assert sorted(branches) == ([] if nesting is NestingType.FLAT else ["map-batch-0", "map-batch-1", "map-batch-2"])


def test_operations_of_a_batch_are_numbered_through(flavour: Flavour) -> None:
    """The items of one batch share its context."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            yield inner.step(flavour(lambda step: item), name=f"step {item}")

        yield ctx.map([1, 2, 3], flavour(one), config=MapConfig(item_batcher=ItemBatcher(2)))

    world = flavour.run(handler)
    first, second = operation_id(MAP, 0), operation_id(MAP, 1)
    assert world.named("step 1")["Id"] == operation_id(first, 1)
    assert world.named("step 2")["Id"] == operation_id(first, 2)
    assert world.named("step 3")["Id"] == operation_id(second, 1)


def test_batches_are_cut_by_size(flavour: Flavour) -> None:
    """``"aaaa"`` takes six bytes as JSON; an item that is too large is a batch by itself."""

    def handler(event, ctx):
        config = MapConfig[str](item_batcher=ItemBatcher(max_items_per_batch=100, max_bytes_per_batch=12))
        items = ["aaaa", "bbbb", "cccc", "d" * 50, "e"]
        return (yield ctx.map(items, flavour(lambda inner, item, *rest: item), config=config)).get_results()

    world = flavour.run(handler)
    assert world.value == ["aaaa", "bbbb", "cccc", "d" * 50, "e"]
    sizes = {
        view["Name"]: view["ContextDetails"]["Result"].count('"index"')
        for view in world.operations.values()
        if view.get("ParentId") == MAP
    }
    assert sizes == {"map-batch-0": 2, "map-batch-1": 1, "map-batch-2": 1, "map-batch-3": 1}


def test_an_item_that_cannot_be_measured_is_refused_before_anything_is_recorded(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[Any](item_batcher=ItemBatcher())
        with pytest.raises(ValidationError, match=r"measures items as JSON, and .*, of type object, has no"):
            yield ctx.map([1, object()], flavour(lambda ctx, item: 1), config=config)
        return (yield ctx.map(["\ud800"], flavour(lambda ctx, item: len(item)), config=config)).get_results()

    world = flavour.run(handler)
    assert world.value == [1]
    assert world.batches[0][0] == ("CONTEXT", "START", None)


def test_results_of_a_batch_are_typed() -> None:
    def handler(event: Any, ctx: DurableContext) -> None:
        def price(inner: DurableContext, item: str) -> Priced:
            return Priced(item, 7)

        seen.append(ctx.map(["a", "b", "c"], price, config=MapConfig(item_batcher=ItemBatcher(2))).get_results())
        ctx.wait(SECOND)

    seen: list[Any] = []
    run(handler)
    assert seen == [[Priced("a", 7), Priced("b", 7), Priced("c", 7)]] * 2


def test_an_item_that_cannot_be_recorded_spoils_no_other(flavour: Flavour) -> None:
    def handler(event, ctx):
        config = MapConfig[int](item_batcher=ItemBatcher(10), completion_config=ALL)
        values = {1: 10, 2: object(), 3: 30}
        result = yield ctx.map([1, 2, 3], flavour(lambda inner, item, *rest: values[item]), config=config)
        return [result.get_results(), result[1].error.type]

    assert flavour.run(handler).value == [[10, 30], "durably.SerDesError"]


def test_a_failed_item_counts_for_itself(flavour: Flavour) -> None:
    """Not its whole batch: one failure is tolerated."""

    def handler(event, ctx):
        def one(inner, item, *rest):
            if item == 1:
                raise ValueError
            return item

        config = MapConfig[int](
            item_batcher=ItemBatcher(2), completion_config=CompletionConfig(tolerated_failure_count=1)
        )
        result = yield ctx.map([0, 1, 2, 3], flavour(one), config=config)
        return [result.get_results(), result.completion_reason.value]

    assert flavour.run(handler).value == [[0, 2, 3], "ALL_COMPLETED"]


def test_an_early_end_reports_whole_batches(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            if item < 2:
                yield inner.wait(Duration.from_days(30))
            return item

        config = MapConfig[int](
            item_batcher=ItemBatcher(2),
            max_concurrency=2,
            completion_config=CompletionConfig(min_successful=2),
            item_namer=lambda item, index: f"n{item}",
        )
        result = yield ctx.map(range(6), flavour(one), config=config)
        return [[item.index, item.status.value, item.name] for item in result]

    assert flavour.run(handler).value == [
        [0, "STARTED", "n0"],
        [1, "STARTED", "n1"],
        [2, "SUCCEEDED", "n2"],
        [3, "SUCCEEDED", "n3"],
    ]


def test_a_wait_inside_a_batch_goes_on_behind_the_items_before(flavour: Flavour) -> None:
    def handler(event, ctx):
        def one(inner, item, *rest):
            found = yield inner.step(flavour(lambda step: world.effect(item) or item))
            yield inner.wait(SECOND)
            return found

        return (yield ctx.map([1, 2, 3], flavour(one), config=MapConfig(item_batcher=ItemBatcher(3)))).get_results()

    world = flavour.world(handler)
    world.run()
    assert world.value == [1, 2, 3]
    assert world.effects == [1, 2, 3]
    assert world.invocations == 4


def test_a_serdes_is_asked_under_an_id_for_each_item(flavour: Flavour) -> None:
    class Elsewhere(SerDes[str]):
        def serialize(self, value: str, serdes_context: SerDesContext) -> str:
            assert kept.setdefault(serdes_context.operation_id, value) == value
            return "kept"

        def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
            return kept[serdes_context.operation_id]

    def handler(event, ctx):
        config = MapConfig[str](item_batcher=ItemBatcher(2), item_serdes=Elsewhere())
        result = yield ctx.map(["a", "b", "c"], flavour(lambda inner, item, *rest: item), config=config)
        seen.append(result.get_results())
        yield ctx.wait(SECOND)

    kept: dict[str, str] = {}
    seen: list[Any] = []
    world = flavour.run(handler)
    assert world.status == "SUCCEEDED", world.outcome
    assert seen == [["a", "b", "c"]] * 2
    assert len(kept) == 3


@pytest.mark.parametrize(
    "options", [{"max_items_per_batch": 0}, {"max_bytes_per_batch": 0}, {"max_items_per_batch": None}]
)
def test_limits_that_are_none(options: Any) -> None:
    with pytest.raises(ValidationError, match="max_"):
        ItemBatcher(**options)
