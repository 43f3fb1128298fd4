"""parallel: what it returns and records; branches of several types, named or not, with everything inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    ChildContextError,
    CompletionConfig,
    DurableContext,
    Duration,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    RetryDecision,
    SerDes,
    SerDesContext,
    StepConfig,
    ValidationError,
    complete_batch,
    continue_batch,
    durable_parallel_branch,
    durable_with_child_context,
)
from durably.wire.ids import operation_id

from .harness import Answer, Flavour, run

SECOND = Duration.from_seconds(1)
PARALLEL = operation_id(None, 1)
RETRY = StepConfig(retry_strategy=lambda error, n: RetryDecision(n < 3, SECOND))


@dataclass(frozen=True)
class Stock:
    pieces: int


def test_branches_of_several_types_keep_them_sync() -> None:
    def handler(event: Any, ctx: DurableContext) -> None:
        def stock(inner: DurableContext) -> Stock:
            return inner.step(lambda step: Stock(3), result_type=Stock)

        def price(inner: DurableContext) -> int:
            return 7

        def names(inner: DurableContext) -> set[str]:
            return {"a", "b"}

        seen.append(ctx.parallel([stock, price, names]))
        ctx.wait(SECOND)

    seen: list[Any] = []
    run(handler)
    assert seen[0] == seen[1]
    assert seen[0].get_results() == [Stock(3), 7, {"a", "b"}]


def test_branches_of_several_types_keep_them_async() -> None:
    async def handler(event: Any, ctx: AsyncDurableContext) -> None:
        async def stock(inner: AsyncDurableContext) -> Stock:
            return await inner.step(lambda step: Stock(3), result_type=Stock)

        async def price(inner: AsyncDurableContext) -> int:
            return 7

        seen.append(await ctx.parallel([stock, price]))
        await ctx.wait(SECOND)

    seen: list[Any] = []
    run(handler)
    assert seen[0] == seen[1]
    assert seen[0].get_results() == [Stock(3), 7]


def test_ids_and_names(flavour: Flavour) -> None:
    def handler(event, ctx):
        def branch(inner):
            yield inner.step(flavour(lambda step: None))

        functions = [flavour(branch), ParallelBranch(flavour(branch), "stock"), ParallelBranch(flavour(branch))]
        result = yield ctx.parallel(functions, name="p")
        return [item.name for item in result]

    world = flavour.run(handler)
    assert world.value == [None, "stock", None]
    assert operation_id(PARALLEL, 0) == "1712f93e2f51df042e2b933907d75accfe34a48fe4a42a24e0b08131bc72d591"
    assert world.named("p")["SubType"] == "Parallel"
    for index, name in enumerate(["parallel-branch-0", "stock", "parallel-branch-2"]):
        record = world.named(name)
        assert (record["Id"], record["ParentId"], record["SubType"]) == (
            operation_id(PARALLEL, index),
            PARALLEL,
            "ParallelBranch",
        )


def test_decorated_branches() -> None:
    @durable_parallel_branch("stock of article")
    def stock(inner: DurableContext, article: str) -> str:
        return inner.step(lambda step: f"stock of {article}")

    @durable_with_child_context
    def price(inner: DurableContext, article: str) -> str:
        return inner.step(lambda step: f"price of {article}")

    def handler(event: Any, ctx: DurableContext) -> Any:
        return ctx.parallel([stock("book"), price("pen")]).get_results()

    world = run(handler)
    assert world.value == ["stock of book", "price of pen"]
    assert world.named("stock of article")["Status"] == "SUCCEEDED"


def test_no_branches(flavour: Flavour) -> None:
    def handler(event, ctx):
        result = yield ctx.parallel([], name="p")
        return [len(result), result.completion_reason.value]

    world = flavour.run(handler)
    assert world.value == [0, "ALL_COMPLETED"]
    assert world.named("p")["Status"] == "SUCCEEDED"


def test_what_is_no_function_is_refused_with_its_number(flavour: Flavour) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match="functions; number 1, not int"):
            yield ctx.parallel([flavour(lambda inner: 1), 2])

    assert flavour.run(handler).updates == []


def test_a_set_of_functions_is_refused(flavour: Flavour) -> None:
    def handler(event, ctx):
        with pytest.raises(ValidationError, match=r"parallel\(\) takes a list of functions, not set"):
            yield ctx.parallel({flavour(lambda inner: 1)})

    assert flavour.run(handler).updates == []


def test_a_failing_branch_decides_by_default(flavour: Flavour) -> None:
    def handler(event, ctx):
        def bad(inner):
            yield inner.step(flavour(lambda step: None))
            raise LookupError("no stock")

        def slow(inner):
            yield inner.wait(Duration.from_days(9))

        result = yield ctx.parallel([flavour(slow), flavour(bad)])
        with pytest.raises(ChildContextError, match="no stock") as raised:
            result.throw_if_error()
        return [result.completion_reason.value, [item.status.value for item in result], raised.value.error_type]

    assert flavour.run(handler).value == ["FAILURE_TOLERANCE_EXCEEDED", ["STARTED", "FAILED"], "LookupError"]


def test_an_item_serdes_is_for_each_branch(flavour: Flavour) -> None:
    class Marked(SerDes[str]):
        def serialize(self, value: str, serdes_context: SerDesContext) -> str:
            return f"<{value}>"

        def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
            return data[1:-1]

    def handler(event, ctx):
        functions = [flavour(lambda inner: "a"), flavour(lambda inner: "b")]
        seen.append((yield ctx.parallel(functions, config=ParallelConfig(item_serdes=Marked()))).get_results())
        yield ctx.wait(SECOND)

    seen: list[Any] = []
    world = flavour.run(handler)
    assert seen == [["a", "b"], ["a", "b"]]
    assert world.named("parallel-branch-0")["ContextDetails"]["Result"] == "<a>"


@pytest.mark.parametrize("nesting", NestingType)
def test_everything_a_branch_may_contain(flavour: Flavour, nesting: NestingType) -> None:
    def handler(event, ctx):
        def retried(inner):
            def body(step):
                if step.attempt < 3:
                    raise OSError
                return step.attempt

            return (yield inner.step(flavour(body), config=RETRY))

        def answered(inner):
            callback = yield inner.create_callback(name="answer")
            return (yield callback.result())

        def approved(inner):
            return (yield inner.wait_for_callback(flavour(lambda callback_id, context: None), name="approval"))

        def invoked(inner):
            return (yield inner.invoke("double", 21))

        def in_a_child(inner):
            def child(deeper):
                yield deeper.wait(SECOND)
                return "child"

            return (yield inner.run_in_child_context(flavour(child)))

        def in_a_map_in_a_parallel(inner):
            def leaf(deepest, item, *rest):
                yield deepest.wait(Duration.from_seconds(item))
                return item

            def branch(deeper):
                return (yield deeper.map([1, 2], flavour(leaf))).get_results()

            return (yield inner.parallel([flavour(branch), flavour(branch)])).get_results()

        branches = [retried, answered, approved, invoked, in_a_child, in_a_map_in_a_parallel]
        config = ParallelConfig(nesting_type=nesting)
        return (yield ctx.parallel([flavour(branch) for branch in branches], config=config)).get_results()

    world = flavour.run(
        handler,
        functions={"double": lambda payload: payload * 2},
        callbacks={"answer": Answer("yes"), "approval create callback id": Answer("approved")},
    )
    assert world.value == [3, "yes", "approved", 42, "child", [[1, 2], [1, 2]]]


def test_branches_suspend_together(flavour: Flavour) -> None:
    """One PENDING for all that wait; the longest decides how long."""

    def handler(event, ctx):
        def waiting(seconds):
            def branch(inner):
                yield inner.wait(Duration.from_seconds(seconds))
                return seconds

            return flavour(branch)

        return (yield ctx.parallel([waiting(5), waiting(5), waiting(5)])).get_results()

    world = flavour.run(handler)
    assert world.value == [5, 5, 5]
    assert world.outputs[0] == {"Status": "PENDING"}


def test_a_swallowed_suspension_in_a_branch_changes_nothing() -> None:
    def handler(event: Any, ctx: DurableContext) -> Any:
        def swallowing(inner: DurableContext) -> str:
            try:
                inner.wait(SECOND)
            except BaseException:
                return "swallowed"
            return "waited"

        return ctx.parallel([swallowing, lambda inner: inner.step(lambda step: 1)]).get_results()

    world = run(handler)
    assert world.value == ["waited", 1]
    assert world.outputs[0] == {"Status": "PENDING"}


def test_a_predicate_sees_the_names_of_the_branches(flavour: Flavour) -> None:
    def decide(status):
        done = {item.name for item in status.items if item.status is not None and item.status.value == "SUCCEEDED"}
        return complete_batch() if "quick" in done else continue_batch()

    def handler(event, ctx):
        def waiting(seconds):
            def branch(inner):
                yield inner.wait(Duration.from_seconds(seconds))
                return seconds

            return flavour(branch)

        functions = [ParallelBranch(waiting(9), "slow"), ParallelBranch(waiting(1), "quick")]
        config = ParallelConfig(completion_config=CompletionConfig(should_complete=decide))
        result = yield ctx.parallel(functions, config=config)
        return [[item.name, item.status.value] for item in result]

    assert flavour.run(handler).value == [["slow", "STARTED"], ["quick", "SUCCEEDED"]]
