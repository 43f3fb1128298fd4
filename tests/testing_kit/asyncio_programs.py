"""Random programs of asyncio's own tools around operations, for tests that kill them at random moments.

A program is a tree. Whatever it sees it notes, in the order in which it sees it: a full replay must note the same.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from durably import (
    AllFailedError,
    AsyncDurableContext,
    CallbackError,
    DurableOperationError,
    Duration,
    RetryDecision,
    StepConfig,
    StepContext,
    WaitForConditionDecision,
)
from durably.config import CompletionConfig, MapConfig
from durably.waits import WaitForConditionConfig

ONCE = StepConfig(retry_strategy=lambda error, attempts: RetryDecision.no_retry())
AGAIN = StepConfig(retry_strategy=lambda error, attempts: RetryDecision.retry(Duration.from_seconds(1)))
COMPLETIONS = {
    "all": CompletionConfig.all_completed(),
    "first": CompletionConfig.first_successful(),
    "failure": CompletionConfig.all_successful(),
}
LEAVES = (
    *["step"] * 6,
    *["wait"] * 2,
    "callback",
    "condition",
    "retried",
    "sleep",
    "failing",
    "plain",
    "direct",
    "invoke",
)
KNOTS = (
    *["sequence"] * 3,
    *["gather"] * 2,
    "group",
    "failing_group",
    "completed",
    "first_completed",
    "wait_first",
    "wait_each",
    "wait_all",
    "wait_some_time",
    "timeout",
    "inner_timeout",
    "wait_for",
    "semaphore",
    "lock",
    "condition_variable",
    "queue",
    "event",
    "shield",
    "cancel",
    "background",
    "child",
    "map",
    "race",
    "any",
    "futures",
)


@dataclass
class Node:
    kind: str
    number: int
    kids: list[Node] = field(default_factory=list)
    seconds: float = 0
    limit: float = 1
    width: int = 1
    completion: str = "all"

    def __str__(self) -> str:
        inside = f"[{', '.join(map(str, self.kids))}]" if self.kids else f"({self.seconds:g} s)"
        return f"{self.kind}#{self.number} {inside}"


class Program:
    """A random one.

    Attributes:
        callbacks: by name, after how many seconds they are answered, and whether with a failure.
    """

    def __init__(self, seed: int, depth: int) -> None:
        self._random = random.Random(seed)
        self._count = 0
        self.callbacks: dict[str, tuple[int, bool]] = {}
        self.root = Node("sequence", 0, [self._node(depth), self._node(depth), self._leaf()])

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _leaf(self) -> Node:
        draw = self._random
        node = Node(draw.choice(LEAVES), self._number(), seconds=draw.choice([0, 0, 0.3, 0.5, 1, 1, 1.7, 2.2, 3, 5]))
        if node.kind == "callback":
            self.callbacks[f"callback {node.number}"] = (draw.choice([1, 2, 4]), draw.random() < 0.2)
        return node

    def _node(self, depth: int) -> Node:
        draw = self._random
        if depth == 0 or draw.random() < 0.25:
            return self._leaf()
        kind = draw.choice(KNOTS)
        kids = [self._node(depth - 1) for _ in range(draw.randint(2, 3))]
        if kind in ("timeout", "inner_timeout", "wait_for"):  # before 3.13 it takes a failing group's for its own
            kids = [_without_failing_groups(kid) for kid in kids]
        return Node(
            kind,
            self._number(),
            kids,
            limit=draw.choice([0.2, 0.4, 1, 1.5, 2, 2.5, 4]),
            width=draw.randint(1, 2),
            completion=draw.choice(sorted(COMPLETIONS)),
        )

    def __str__(self) -> str:
        return str(self.root)


def _without_failing_groups(node: Node) -> Node:
    node.kind = "group" if node.kind == "failing_group" else node.kind
    node.kids = [_without_failing_groups(kid) for kid in node.kids]
    return node


class Failure(Exception):
    pass


class Interpreter:
    """Runs a node on a context. What it sees goes to ``seen``; inside of child contexts, only to their results."""

    def __init__(self, ctx: AsyncDurableContext, seen: list[Any]) -> None:
        self.ctx = ctx
        self.seen = seen

    async def run(self, node: Node) -> Any:
        result = await getattr(self, "_" + node.kind)(node)
        self.seen.append([node.number, result])
        return result

    async def safe(self, node: Node) -> Any:
        try:
            return await self.run(node)
        except (DurableOperationError, AllFailedError, Failure) as error:
            return type(error).__name__

    def inside(self, node: Node) -> Callable[..., Awaitable[Any]]:
        async def child(ctx: AsyncDurableContext, *_: Any) -> Any:
            return await Interpreter(ctx, []).run(node)

        return child

    def tasks(self, node: Node) -> list[asyncio.Task[Any]]:
        return [asyncio.create_task(self.safe(kid)) for kid in node.kids]

    # ---- operations --------------------------------------------------------------------------------------------

    async def _step(self, node: Node) -> Any:
        async def body(step: StepContext) -> int:
            await asyncio.sleep(node.seconds)
            return node.number

        return await self.ctx.step(body, name=f"step {node.number}")

    async def _plain(self, node: Node) -> Any:
        def body(step: StepContext) -> int:
            return node.number

        return await self.ctx.step(body, name=f"plain {node.number}")

    async def _direct(self, node: Node) -> Any:
        return await self.ctx.step(lambda step: node.number, name=f"direct {node.number}")

    async def _failing(self, node: Node) -> Any:
        async def body(step: StepContext) -> None:
            await asyncio.sleep(node.seconds)
            raise Failure(node.number)

        return await self.ctx.step(body, name=f"failing {node.number}", config=ONCE)

    async def _retried(self, node: Node) -> Any:
        async def body(step: StepContext) -> int:
            await asyncio.sleep(node.seconds)
            if step.attempt == 1:
                raise Failure(node.number)
            return step.attempt

        return await self.ctx.step(body, name=f"retried {node.number}", config=AGAIN)

    async def _wait(self, node: Node) -> Any:
        await self.ctx.wait(timedelta(seconds=1 + node.number % 3), name=f"wait {node.number}")

    async def _sleep(self, node: Node) -> Any:
        await asyncio.sleep(node.seconds)

    async def _invoke(self, node: Node) -> Any:
        return await self.ctx.invoke("double:$LATEST", node.number, name=f"invoke {node.number}")

    async def _callback(self, node: Node) -> Any:
        try:
            return await self.ctx.wait_for_callback(lambda callback_id, ctx: None, name=f"callback {node.number}")
        except CallbackError as error:
            return error.message

    async def _condition(self, node: Node) -> Any:
        def strategy(state: int, attempts: int) -> WaitForConditionDecision:
            if state == 3:
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(Duration.from_seconds(1))

        config = WaitForConditionConfig(wait_strategy=strategy, initial_state=0)
        return await self.ctx.wait_for_condition(lambda n, check: n + 1, config, name=f"condition {node.number}")

    # ---- asyncio's tools around them ---------------------------------------------------------------------------

    async def _sequence(self, node: Node) -> Any:
        return [await self.safe(kid) for kid in node.kids]

    async def _gather(self, node: Node) -> Any:
        outcomes = await asyncio.gather(*(self.run(kid) for kid in node.kids), return_exceptions=True)
        return [type(one).__name__ if isinstance(one, BaseException) else one for one in outcomes]

    async def _group(self, node: Node) -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.safe(kid)) for kid in node.kids]
        return [task.result() for task in tasks]

    async def _failing_group(self, node: Node) -> Any:
        result: Any = "failed"
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.run(kid)) for kid in node.kids]
            result = [task.result() for task in tasks]
        except* (DurableOperationError, AllFailedError, Failure) as errors:
            self.seen.append(len(errors.exceptions))
        return result

    async def _completed(self, node: Node, most: int | None = None) -> Any:
        tasks = self.tasks(node)
        seen = []
        for future in asyncio.as_completed(tasks):
            seen.append(await future)
            if len(seen) == most:
                break
        await self._cancel_rest(tasks)
        return seen

    async def _first_completed(self, node: Node) -> Any:
        return await self._completed(node, 1)

    async def _rounds(self, node: Node, most: int, when: str, timeout: float | None = None) -> Any:
        tasks = self.tasks(node)
        left = set(tasks)
        rounds = []
        while left and len(rounds) < most:
            done, left = await asyncio.wait(left, return_when=when, timeout=timeout)
            rounds.append(sorted(tasks.index(task) for task in done))
            self.seen.append(rounds[-1])
        await self._cancel_rest(tasks)
        return rounds

    async def _wait_first(self, node: Node) -> Any:
        return await self._rounds(node, 1, asyncio.FIRST_COMPLETED)

    async def _wait_each(self, node: Node) -> Any:
        return await self._rounds(node, 9, asyncio.FIRST_COMPLETED)

    async def _wait_all(self, node: Node) -> Any:
        return await self._rounds(node, 9, asyncio.ALL_COMPLETED)

    async def _wait_some_time(self, node: Node) -> Any:
        return await self._rounds(node, 3, asyncio.FIRST_COMPLETED, node.limit)

    async def _cancel_rest(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _timeout(self, node: Node) -> Any:
        try:
            async with asyncio.timeout(node.limit):
                return [await self.safe(kid) for kid in node.kids]
        except TimeoutError:
            return "too late"

    async def _inner_timeout(self, node: Node) -> Any:
        try:
            async with asyncio.timeout(2 * node.limit):
                first = await self._timeout(Node("timeout", node.number, node.kids[:1], limit=node.limit))
                return [first, *await asyncio.gather(*(self.safe(kid) for kid in node.kids[1:]))]
        except TimeoutError:
            return "much too late"

    async def _wait_for(self, node: Node) -> Any:
        results: list[Any] = []
        for kid in node.kids:
            try:
                results.append(await asyncio.wait_for(self.safe(kid), node.limit))
            except TimeoutError:
                results.append("too late")
        return results

    async def _semaphore(self, node: Node) -> Any:
        semaphore = asyncio.Semaphore(node.width)

        async def one(kid: Node) -> Any:
            async with semaphore:
                return await self.safe(kid)

        return await asyncio.gather(*map(one, node.kids))

    async def _lock(self, node: Node) -> Any:
        lock = asyncio.Lock()
        order: list[int] = []

        async def one(kid: Node) -> None:
            async with lock:
                await self.safe(kid)
                order.append(kid.number)

        await asyncio.gather(*map(one, node.kids))
        return order

    async def _condition_variable(self, node: Node) -> Any:
        condition = asyncio.Condition()
        order: list[int] = []

        async def all_there() -> list[int]:
            async with condition:
                await condition.wait_for(lambda: len(order) == len(node.kids))
                return list(order)

        async def one(kid: Node) -> None:
            await self.safe(kid)
            async with condition:
                order.append(kid.number)
                condition.notify_all()

        waiting = asyncio.create_task(all_there())
        await asyncio.gather(*map(one, node.kids))
        return await waiting

    async def _queue(self, node: Node) -> Any:
        queue: asyncio.Queue[int | None] = asyncio.Queue(maxsize=node.width)
        order: list[int] = []

        async def consume() -> None:
            while (number := await queue.get()) is not None:
                order.append(number)
                await self.ctx.step(lambda step: number, name=f"consumed {number}")

        async def produce(kid: Node) -> None:
            await self.safe(kid)
            await queue.put(kid.number)

        consumers = [asyncio.create_task(consume()) for _ in range(node.width)]
        async with asyncio.TaskGroup() as group:
            for kid in node.kids:
                group.create_task(produce(kid))
        for _ in consumers:
            await queue.put(None)
        await asyncio.gather(*consumers)
        return order

    async def _event(self, node: Node) -> Any:
        event = asyncio.Event()

        async def later() -> Any:
            await event.wait()
            return await self.safe(node.kids[0])

        async def first() -> Any:
            result = await self.safe(node.kids[1])
            event.set()
            return result

        return list(await asyncio.gather(later(), first()))

    async def _shield(self, node: Node) -> Any:
        task = asyncio.create_task(self.safe(node.kids[0]))
        try:
            early = await asyncio.wait_for(asyncio.shield(task), node.limit)
        except TimeoutError:
            early = "not yet"
        return [early, await self.safe(node.kids[1]), await task]

    async def _cancel(self, node: Node) -> Any:
        first, *others = node.kids
        tasks = [asyncio.create_task(self.safe(kid)) for kid in others]
        await self.safe(first)
        await self._cancel_rest(tasks)
        return ["cancelled" if task.cancelled() else task.result() for task in tasks]

    async def _background(self, node: Node) -> Any:
        task = asyncio.create_task(self.safe(node.kids[0]))
        return [[await self.safe(kid) for kid in node.kids[1:]], await task]

    # ---- contexts and futures ----------------------------------------------------------------------------------

    async def _child(self, node: Node) -> Any:
        sequence = Node("sequence", node.number, node.kids)
        return await self.ctx.run_in_child_context(self.inside(sequence), name=f"child {node.number}")

    async def _map(self, node: Node) -> Any:
        async def item(ctx: AsyncDurableContext, n: int, *_: Any) -> Any:
            return await self.inside(node.kids[n])(ctx)

        config: MapConfig[int] = MapConfig(max_concurrency=node.width, completion_config=COMPLETIONS[node.completion])
        batch = await self.ctx.map(range(len(node.kids)), item, name=f"map {node.number}", config=config)
        return [[one.index, one.status.value, one.result] for one in batch.all]

    async def _race(self, node: Node) -> Any:
        return await self.ctx.race([self.inside(kid) for kid in node.kids])

    async def _any(self, node: Node) -> Any:
        return await self.ctx.any([self.inside(kid) for kid in node.kids])

    async def _futures(self, node: Node) -> Any:
        start = self.ctx.start
        futures = [start(self.ctx.run_in_child_context, self.inside(kid), name=f"{kid.number}") for kid in node.kids]
        outcomes = await asyncio.gather(*(future.result() for future in futures), return_exceptions=True)
        return [type(one).__name__ if isinstance(one, BaseException) else one for one in outcomes]
