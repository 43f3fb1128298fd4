"""Random programs that mean the same under AWS's package, under ours, and in our async form.

A program is a tree; :class:`Interpreter` runs it with the names of the package it is given. It is written as
generators that yield what an operation returns, so that the same code runs plain and async contexts.
"""

from __future__ import annotations

import datetime
import decimal
import importlib
import json
import random
import uuid
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeAlias

__all__ = ["Node", "Program", "handlers", "package"]

Code: TypeAlias = Generator[Any, Any, Any]
LARGE = 70_000
VALUES: list[Any] = [
    *[None, True, False, 0, -7, 12345678901234567890123, 0.1, 1e300, -0.0, 1.0, 5e-324, 1e22],
    *["", "plain", "ünï→😀 \u2028", 'quote"\\ \n\t\x00', "\x7f\x80", "</script>"],
    *[[], [1, 2.5, None, True, "x"], [[], [[1]], ["é"]], [0.1, 1e16, -1.5e-7]],
    *[{}, {"a": 1, "b": [1, {"c": None}]}, {"t": "s", "v": "x"}, {"ключ": "значение"}, {"": 0}],
    *[(1, "two"), [(1,), {"x": (2,)}], b"bytes\x00\xff", uuid.UUID(int=5), decimal.Decimal("1.10")],
    *[datetime.date(2026, 2, 28), datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC)],
    *["0123456789" * (LARGE // 10), ["0123456789" * (2 * LARGE // 10)] * 2],
]
COMPLETIONS: dict[str, Callable[[Any], Any]] = {
    "default": lambda sdk: None,
    "all completed": lambda sdk: sdk.CompletionConfig.all_completed(),
    "all successful": lambda sdk: sdk.CompletionConfig.all_successful(),
    "first successful": lambda sdk: sdk.CompletionConfig.first_successful(),
    "one failure": lambda sdk: sdk.CompletionConfig(tolerated_failure_count=1),
    "a third": lambda sdk: sdk.CompletionConfig(tolerated_failure_percentage=33.4),
    "quorum": lambda sdk: sdk.CompletionConfig(should_complete=partial(_quorum, sdk)),
}
RETRIES: dict[str, Callable[[Any], Any]] = {
    "once": lambda sdk: sdk.RetryPresets.none(),
    "fixed": lambda sdk: sdk.RetryPresets.fixed(sdk.Duration.from_seconds(2)),
    "linear": lambda sdk: sdk.RetryPresets.linear(),
    "value errors": lambda sdk: sdk.create_retry_strategy(
        sdk.RetryStrategyConfig(
            max_attempts=3, jitter_strategy=sdk.JitterStrategy.NONE, retryable_error_types=[ValueError]
        )
    ),
}
ERRORS = {"ValueError": ValueError, "KeyError": KeyError, "TimeoutError": TimeoutError}
ANSWERS: dict[str, tuple[str, dict[str, Any]] | None] = {
    "succeeds": ("Success", {"Result": "ünï"}),
    "says nothing": ("Success", {}),
    "fails": ("Failure", {"Error": {"ErrorType": "Refusal", "ErrorMessage": "no", "ErrorData": "data"}}),
    "times out": None,
}
INNER = ("step", "wait", "callback", "submitted", "invoke", "condition")
OUTER = ("child", "child", "retried", "map", "parallel")


def _quorum(sdk: Any, status: Any) -> Any:
    return sdk.complete_batch() if status.success_count >= 2 else sdk.continue_batch()


@dataclass
class Node:
    kind: str
    number: int
    kids: list[Node] = field(default_factory=list)
    value: Any = None
    failures: int = 0
    error: str = "ValueError"
    retry: str = "once"
    once: bool = False
    caught: bool = True
    seconds: int = 1
    answer: str = "succeeds"
    target: str = "double"
    flag: bool = False
    width: int | None = 1
    completion: str = "default"

    @property
    def name(self) -> str:
        return f"{self.kind} {self.number}" + (f" {self.answer}" if self.kind in ("callback", "submitted") else "")


class Program:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0
        self.root = Node("root", 0, self._nodes(2, self._random.randint(2, 5)))

    def _nodes(self, depth: int, count: int) -> list[Node]:
        return [self._node(depth) for _ in range(count)]

    def _node(self, depth: int) -> Node:
        draw = self._random
        self._count += 1
        kind = draw.choice([*INNER, *["step"] * 4, *(OUTER if depth else ())])
        node = Node(
            kind,
            self._count,
            value=draw.choice(VALUES),
            failures=draw.choice([0, 0, 0, 1, 2, 99]),
            error=draw.choice(sorted(ERRORS)),
            retry=draw.choice(sorted(RETRIES)),
            once=draw.random() < 0.25,
            caught=draw.random() < 0.8,
            seconds=draw.choice([1, 2, 60, 86_400]),
            answer=draw.choice(sorted(ANSWERS)),
            target=draw.choice(["double", "plain", "failing"]),
            flag=draw.random() < 0.2,
            width=draw.choice([1, 1, 2, None]),
            completion=draw.choice(sorted(COMPLETIONS)),
        )
        if kind in OUTER:
            node.kids = self._nodes(depth - 1, draw.randint(0 if kind != "retried" else 1, 3))
        return node


def package(name: str) -> Any:
    """The names of a package, wherever it has them."""
    names = SimpleNamespace(package=name)
    for module in ("", ".config", ".retries", ".waits"):
        found = importlib.import_module(name + module)
        for one in dir(found):
            if not one.startswith("_"):
                setattr(names, one, getattr(found, one))
    return names


def plain(value: Any) -> Any:
    """As JSON that shows the types."""
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(plain, value)]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if value is None or isinstance(value, (bool, int)):
        return value
    text = value if isinstance(value, str) else f"{type(value).__name__} {value!r}"
    return text if len(text) < 200 else f"{text[:20]}... {len(text)}"


class Interpreter:
    def __init__(self, sdk: Any, ctx: Any, ledger: list[Any]) -> None:
        self.sdk = sdk
        self.ctx = ctx
        self.ledger = ledger

    def all(self, nodes: list[Node]) -> Code:
        results = []
        for node in nodes:
            try:
                results.append(plain((yield from getattr(self, "_" + node.kind)(node))))
            except Exception as error:
                if not node.caught:
                    raise
                results.append(self._shown(error))
        return results

    def _shown(self, error: Exception) -> Any:
        if isinstance(error, self.sdk.CallbackError):  # the guide says how its type differs
            return [type(error).__name__, error.message, error.data]
        if isinstance(error, self.sdk.DurableOperationError):
            own = error.error_type.rpartition(".")[2]
            return [type(error).__name__, error.message, own, error.data, str(error), type(error.__cause__).__name__]
        return [type(error).__name__, str(error)]

    def _child_code(self, nodes: list[Node], finish: Callable[..., Any]) -> Any:
        def code(ctx: Any, *args: Any) -> Code:
            results = yield from Interpreter(self.sdk, ctx, self.ledger).all(nodes)
            return finish(results, *args)

        return in_form(code, is_async=_is_async(self.ctx))

    def _step(self, node: Node) -> Code:
        def body(step: Any) -> Any:
            self.ledger.append([node.number, step.attempt])
            if step.attempt <= node.failures:
                raise ERRORS[node.error](f"{node.name} fails")
            return node.value

        semantics = self.sdk.StepSemantics
        config = self.sdk.StepConfig(
            retry_strategy=RETRIES[node.retry](self.sdk),
            step_semantics=semantics.AT_MOST_ONCE_PER_RETRY if node.once else semantics.AT_LEAST_ONCE_PER_RETRY,
            sub_type="Kind-of_its-own" if node.flag else None,
        )
        return (yield self.ctx.step(body, name=node.name, config=config))

    def _wait(self, node: Node) -> Code:
        return (yield self.ctx.wait(self.sdk.Duration.from_seconds(node.seconds), name=node.name))

    def _callback(self, node: Node) -> Code:
        config = self.sdk.CallbackConfig(timeout=self.sdk.Duration.from_seconds(30))
        callback = yield self.ctx.create_callback(node.name, config)
        yield self.ctx.step(lambda step: None, name=f"{node.name} meanwhile")
        return (yield callback.result())

    def _submitted(self, node: Node) -> Code:
        def submit(callback_id: str, context: Any) -> None:
            if node.failures == 99:
                raise ERRORS[node.error](f"{node.name} fails")

        heartbeat = self.sdk.Duration.from_seconds(20)
        strategy = RETRIES[node.retry](self.sdk)
        config = self.sdk.WaitForCallbackConfig(heartbeat_timeout=heartbeat, retry_strategy=strategy)
        return (yield self.ctx.wait_for_callback(submit, node.name, config))

    def _invoke(self, node: Node) -> Code:
        return (yield self.ctx.invoke(f"{node.target}:$LATEST", {"n": node.number}, name=node.name))

    def _condition(self, node: Node) -> Code:
        def check(state: int, context: Any) -> int:
            self.ledger.append([node.number, context.attempt])
            if node.failures == 1:
                raise ERRORS[node.error](f"{node.name} fails")
            return state + 1

        decision = self.sdk.WaitForConditionDecision
        again = self.sdk.Duration.from_seconds(3)
        config = self.sdk.WaitForConditionConfig(
            wait_strategy=lambda n, made: decision.stop_polling() if n == 3 else decision.continue_waiting(again),
            initial_state=0,
        )
        return (yield self.ctx.wait_for_condition(check, config, node.name))

    def _child(self, node: Node) -> Code:
        def finish(results: Any) -> Any:
            if node.failures == 99:
                raise ERRORS[node.error](f"{node.name} fails")
            return [results, node.value]

        config = self.sdk.ChildConfig(is_virtual=node.flag)
        return (yield self.ctx.run_in_child_context(self._child_code(node.kids, finish), node.name, config))

    def _retried(self, node: Node) -> Code:
        def finish(results: Any, attempt: int) -> Any:
            if attempt <= node.failures:
                raise ERRORS[node.error](f"{node.name} fails")
            return [attempt, results]

        strategy = RETRIES[node.retry](self.sdk)
        config = self.sdk.WithRetryConfig(retry_strategy=strategy, wrap_with_run_in_child_context=not node.flag)
        return (yield self.sdk.with_retry(self.ctx, self._child_code(node.kids, finish), config, node.name))

    def _batch(self, node: Node, config: Any) -> Any:
        given = COMPLETIONS[node.completion](self.sdk)
        more = {} if given is None or not node.kids else {"completion_config": given}
        nesting = self.sdk.NestingType.FLAT if node.flag else self.sdk.NestingType.NESTED
        return config(max_concurrency=node.width, nesting_type=nesting, **more)

    def _branch(self, node: Node, kid: Node, place: int) -> Any:
        """Branches that run side by side end at moments of their own, in every run."""
        pause = Node("wait", 1000 * node.number + place, seconds=400_000 * place + 7 * node.number)
        return self._child_code([kid] if node.width == 1 else [pause, kid], lambda results, *_: results)

    def _map(self, node: Node) -> Code:
        branches = [self._branch(node, kid, place) for place, kid in enumerate(node.kids, 1)]

        def item(ctx: Any, n: int, index: int, items: Any) -> Any:
            return branches[n](ctx)

        config = self._batch(node, self.sdk.MapConfig)
        batch = yield self.ctx.map(range(len(branches)), item, node.name, config)
        return self._outcomes(batch)

    def _parallel(self, node: Node) -> Code:
        branches = [self._branch(node, kid, place) for place, kid in enumerate(node.kids, 1)]
        named = [self.sdk.ParallelBranch(one, name=f"branch {n}") if n % 2 else one for n, one in enumerate(branches)]
        batch = yield self.ctx.parallel(named, node.name, self._batch(node, self.sdk.ParallelConfig))
        return self._outcomes(batch)

    def _outcomes(self, batch: Any) -> Any:
        items = [[one.index, one.status.value, one.result, one.error and one.error.message] for one in batch.all]
        return [items, batch.completion_reason.value, batch.status.value, batch.success_count, batch.started_count]


def _is_async(ctx: Any) -> bool:
    return type(ctx).__name__ == "AsyncDurableContext"


def in_form(code: Callable[..., Code], *, is_async: bool) -> Callable[..., Any]:
    """``code`` as a plain function, or as a coroutine function."""

    def plain_form(*args: Any) -> Any:
        running = code(*args)
        value = None
        while True:
            try:
                value = running.send(value)
            except StopIteration as stop:
                return stop.value

    async def async_form(*args: Any) -> Any:
        running = code(*args)
        try:
            waits_for = running.send(None)
            while True:
                try:
                    value = await waits_for
                except Exception as error:
                    waits_for = running.throw(error)
                else:
                    waits_for = running.send(value)
        except StopIteration as stop:
            return stop.value

    return async_form if is_async else plain_form


def handlers(program: Program, sdk: Any, client: Any, ledger: list[Any], *, is_async: bool) -> dict[str, Any]:
    """The functions of the program: ``main``, and those that it invokes."""

    def main(event: Any, ctx: Any) -> Code:
        results = yield from Interpreter(sdk, ctx, ledger).all(program.root.kids)
        return json.loads(json.dumps(results))

    def double(event: Any, ctx: Any) -> Any:
        ctx.wait(sdk.Duration.from_seconds(5))
        return ctx.step(lambda step: [event, event], name="double")

    def failing(event: Any, ctx: Any) -> Any:
        raise ValueError("the other function fails")

    def make(function: Any) -> Any:
        return sdk.durable_execution(function, boto3_client=client)

    form = in_form(main, is_async=is_async)
    return {"main": make(form), "double": make(double), "failing": make(failing), "plain": lambda event, ctx: event}
