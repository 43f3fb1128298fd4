"""Random structured programs: trees of operations under asyncio's tools, and a handler that executes them.

A program is a tuple ``(kind, name, ...)``. Names are paths in the tree, so they are unique and say who is who.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from durably import ChildContextError, Duration, RetryDecision, StepConfig, StepError

from .harness import Answer, World

CONFIG = StepConfig(retry_strategy=lambda error, attempts: RetryDecision(attempts < 2, Duration.from_seconds(3)))
"""One retry."""

Program = tuple[Any, ...]

LEAVES = st.one_of(
    st.tuples(st.just("step"), st.sampled_from([0, 0, 0, 1, 2])),  # failed attempts: 2 are for good
    st.tuples(st.just("wait"), st.integers(1, 8)),
    st.tuples(st.just("callback")),
)
PLAIN = st.tuples(st.just("plain"), st.integers(0, 3))
"""Plain asynchronous work. as_completed() starts its tasks in the order of a set: only operations have one of their
own, so there is no plain work where order shows."""


def _inner(kinds: list[str]) -> Callable[[st.SearchStrategy[Any]], st.SearchStrategy[Any]]:
    def extend(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.tuples(st.sampled_from(kinds), st.lists(below, min_size=1, max_size=4))

    return extend


STEADY = ["seq", "gather", "group", "tasks", "child", "wait_all", "nested"]
"""Kinds whose result does not depend on the order in which things complete."""
ORDERED = ["as_completed", "first", "first_keep", "failing_group", "failing_gather", "log"]
"""Kinds whose result does."""


def programs(kinds: list[str], size: int = 14) -> st.SearchStrategy[Program]:
    leaves = LEAVES if set(kinds) & set(ORDERED) else LEAVES | PLAIN
    tree = st.recursive(leaves, _inner(kinds), max_leaves=size)
    return tree.map(lambda body: named(("seq", [body]), "p"))


def named(tree: Any, path: str) -> Program:
    """``tree`` with a name for each node, by its place."""
    kind, *rest = tree
    if rest and isinstance(rest[0], list):
        return (kind, path, [named(one, f"{path}.{n}") for n, one in enumerate(rest[0])])
    return (kind, path, *rest)


# ---- the oracle -----------------------------------------------------------------------------------------


def value_of(program: Program) -> Any:
    """What a program of steady kinds returns."""
    kind, name, *rest = program
    if kind == "step":
        return name if rest[0] < 2 else f"{name} failed"
    if kind in ("wait", "plain"):
        return None
    if kind == "callback":
        return f"answer to {name}"
    return [value_of(one) for one in rest[0]]


def attempts_of(program: Program) -> list[tuple[str, int]]:
    """The side effects of one crash-free execution of a program of steady kinds."""
    kind, name, *rest = program
    if kind == "step":
        return [(name, n + 1) for n in range(min(rest[0], 1) + 1)]
    return [effect for one in rest[0] for effect in attempts_of(one)] if rest and isinstance(rest[0], list) else []


def callbacks_of(program: Program) -> dict[str, Answer]:
    kind, name, *rest = program
    if kind == "callback":
        return {name: Answer(f"answer to {name}")}
    found: dict[str, Answer] = {}
    for one in rest[0] if rest and isinstance(rest[0], list) else []:
        found |= callbacks_of(one)
    return found


# ---- the interpreter ------------------------------------------------------------------------------------


class Failed(Exception):
    pass


class Interpreter:
    """Executes a program on a context.

    Parameters:
        turns: of the loop that a step's body takes.
        logs: what the program sees, in order, by context: a finished child is not entered again.
    """

    def __init__(self, world: World, turns: Callable[[], int], logs: dict[str, list[Any]], context: str = "") -> None:
        self.world = world
        self.turns = turns
        self.logs = logs
        self.log = logs.setdefault(context, [])

    def _inside(self, context: str) -> Interpreter:
        return Interpreter(self.world, self.turns, self.logs, context)

    async def run(self, program: Program, ctx: Any, *, raising: bool = False) -> Any:
        kind, name, *rest = program
        found = await getattr(self, f"_{kind}")(ctx, name, *rest)
        if not self.world.link.dead:  # a killed process sees nothing
            self.log.append((name, found))
        if raising and isinstance(found, str) and found.endswith("failed"):
            raise Failed(name)
        return found

    async def _step(self, ctx: Any, name: str, failures: int) -> Any:
        async def body(step: Any) -> str:
            for _ in range(self.turns()):
                await asyncio.sleep(0)
            recorded = [view["Status"] for view in self.world.operations.values() if view.get("Name") == name]
            assert recorded in ([], ["STARTED"], ["READY"]), f"law R1: {name} runs again although it is {recorded}"
            self.world.effect((name, step.attempt))
            if step.attempt <= failures:
                raise ValueError(name)
            return name

        try:
            return await ctx.step(body, name=name, config=CONFIG)
        except StepError:
            return f"{name} failed"

    async def _wait(self, ctx: Any, name: str, seconds: int) -> None:
        await ctx.wait(Duration.from_seconds(seconds), name=name)

    async def _callback(self, ctx: Any, name: str) -> Any:
        return await (await ctx.create_callback(name=name)).result()

    async def _plain(self, ctx: Any, name: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    async def _seq(self, ctx: Any, name: str, below: list[Program]) -> Any:
        return [await self.run(one, ctx) for one in below]

    async def _log(self, ctx: Any, name: str, below: list[Program]) -> Any:
        mark = len(self.log)
        await asyncio.gather(*[self.run(one, ctx) for one in below])
        return [entry for entry, _ in self.log[mark:]]

    async def _gather(self, ctx: Any, name: str, below: list[Program]) -> Any:
        return list(await asyncio.gather(*[self.run(one, ctx) for one in below], return_exceptions=True))

    async def _group(self, ctx: Any, name: str, below: list[Program]) -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.run(one, ctx)) for one in below]
        return [task.result() for task in tasks]

    async def _tasks(self, ctx: Any, name: str, below: list[Program]) -> Any:
        tasks = [asyncio.create_task(self.run(one, ctx)) for one in below]
        for task in reversed(tasks):
            await task
        return [task.result() for task in tasks]

    async def _wait_all(self, ctx: Any, name: str, below: list[Program]) -> Any:
        tasks = [asyncio.create_task(self.run(one, ctx)) for one in below]
        await asyncio.wait(tasks)
        return [task.result() for task in tasks]

    async def _nested(self, ctx: Any, name: str, below: list[Program]) -> Any:
        """Half by tasks of tasks, through wait_for and shield."""

        async def through(one: Program) -> Any:
            return await asyncio.wait_for(asyncio.shield(self.run(one, ctx)), 1000)

        return list(await asyncio.gather(*[through(one) for one in below]))

    async def _child(self, ctx: Any, name: str, below: list[Program]) -> Any:
        async def inside(inner: Any) -> Any:
            return await self._inside(name)._gather(inner, name, below)

        return await ctx.run_in_child_context(inside, name=name)

    # ---- where order shows --------------------------------------------------------------------------------------

    async def _as_completed(self, ctx: Any, name: str, below: list[Program]) -> Any:
        found = []
        for one in asyncio.as_completed([self.run(one, ctx) for one in below]):
            found.append(await one)
            if not self.world.link.dead:
                self.log.append((name, "one"))
        return found

    async def _first(self, ctx: Any, name: str, below: list[Program]) -> Any:
        tasks = [asyncio.create_task(self.run(one, ctx)) for one in below]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        if pending:
            await asyncio.wait(pending)
        return [task.result() if task in done else None for task in tasks]

    async def _first_keep(self, ctx: Any, name: str, below: list[Program]) -> Any:
        tasks = [asyncio.create_task(self.run(one, ctx)) for one in below]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        first = [n for n, task in enumerate(tasks) if task in done]
        if not self.world.link.dead:
            self.log.append((name, first))
        await asyncio.gather(*tasks)
        return first

    async def _failing_group(self, ctx: Any, name: str, below: list[Program]) -> Any:
        tasks = []
        with contextlib.suppress(BaseExceptionGroup):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.run(one, ctx, raising=True)) for one in below]
        return ["cancelled" if one.cancelled() else repr(one.exception()) for one in tasks]

    async def _failing_gather(self, ctx: Any, name: str, below: list[Program]) -> Any:
        async def inside(inner: Any) -> Any:
            child = self._inside(name)
            return await asyncio.gather(*[child.run(one, inner, raising=True) for one in below])

        try:
            return list(await ctx.run_in_child_context(inside, name=name))
        except ChildContextError as error:
            return str(error)
