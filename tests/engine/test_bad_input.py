"""Every operation, called with what cannot work: refused at the call, in words that name the value and the remedy.

Nothing is recorded of it, and the next operation has the id that it would have had.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from durably import (
    CallbackConfig,
    ChildConfig,
    CompletionConfig,
    Duration,
    FixedWait,
    InvokeConfig,
    MapConfig,
    ParallelBranch,
    ParallelConfig,
    RetryPresets,
    StepConfig,
    ValidationError,
    WaitForConditionConfig,
)
from durably.wire.ids import operation_id

from .harness import Flavour

SECOND = Duration.from_seconds(1)
CONDITION: WaitForConditionConfig[int] = WaitForConditionConfig(FixedWait(lambda state: True, SECOND), 0)
NAME = "an operation's name is 1 to 256 printable ASCII characters, not "


async def coroutine() -> None:
    raise AssertionError("nobody awaits it")


def one(a: Any) -> Any:
    return a


def two(a: Any, b: Any) -> Any:
    return b


def keyword(*, a: Any) -> Any:
    return a


def fn(count: int) -> str:
    return f"<function {['', 'one', 'two'][count]} at 0x"


def twice_too_many(count: int) -> MapConfig[Any]:
    return MapConfig(completion_config=CompletionConfig(min_successful=count))


CALLS: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    # ---- step
    "step number": (lambda ctx: ctx.step(42), ["step() takes the function to run, not int 42"]),
    "step None": (lambda ctx: ctx.step(None), ["step() takes the function to run, not None"]),
    "step coroutine": (lambda ctx: ctx.step(coroutine()), ["step() takes", "already called", "@durable_step"]),
    "step name": (lambda ctx: ctx.step(one, name="a\nb"), [NAME + r"'a\nb'"]),
    "step number as name": (lambda ctx: ctx.step(one, name=7), [NAME + "7"]),
    "step long name": (lambda ctx: ctx.step(one, name="x" * 300), [NAME, "xxx… (300 characters)"]),
    "step config as name": (lambda ctx: ctx.step(one, StepConfig()), [NAME, "passed as config="]),
    "step dict": (lambda ctx: ctx.step(one, config={"retries": 3}), ["StepConfig, not {'retries': 3}", "StepConfig("]),
    "step config": (
        lambda ctx: ctx.step(one, config=ChildConfig()),
        ["step()'s config is a StepConfig, not ChildConfig("],
    ),
    "step strategy": (
        lambda ctx: ctx.step(one, config=RetryPresets.none()),
        ["not NoRetry()", "config=StepConfig(retry_strategy=...)"],
    ),
    # ---- wait, cancel_wait
    "wait number": (lambda ctx: ctx.wait(5), ["duration is 5, a number without a unit", "Duration.from_seconds(5)"]),
    "wait text": (lambda ctx: ctx.wait("5s"), ["duration is '5s': pass a Duration or a datetime.timedelta"]),
    "wait None": (lambda ctx: ctx.wait(None), ["duration is None: pass a Duration"]),
    "wait nothing": (lambda ctx: ctx.wait(Duration()), ["1 second to 31,622,400 seconds", "not Duration(seconds=0)"]),
    "wait negative": (lambda ctx: ctx.wait(timedelta(seconds=-1)), ["duration is negative: datetime.timedelta"]),
    "wait too long": (lambda ctx: ctx.wait(Duration.from_years(2)), ["366 days", "not Duration(seconds=63072000)"]),
    "wait name": (lambda ctx: ctx.wait(SECOND, name="ä"), [NAME + "'ä'"]),
    "cancel_wait number": (
        lambda ctx: ctx.cancel_wait(5),
        ["the future of a started wait, or an operation's id, not 5"],
    ),
    "cancel_wait nothing": (lambda ctx: ctx.cancel_wait(""), ["operation's id, not ''"]),
    # ---- callbacks
    "create_callback name": (lambda ctx: ctx.create_callback(name="a\tb"), [NAME + r"'a\tb'"]),
    "create_callback config": (
        lambda ctx: ctx.create_callback(config=StepConfig()),
        ["create_callback()'s config is a CallbackConfig, not StepConfig("],
    ),
    "create_callback config as name": (lambda ctx: ctx.create_callback(CallbackConfig()), [NAME, "passed as config="]),
    "wait_for_callback text": (
        lambda ctx: ctx.wait_for_callback("mail"),
        ["the submitter, called with", "not str 'mail'"],
    ),
    "wait_for_callback config": (
        lambda ctx: ctx.wait_for_callback(two, config=CallbackConfig()),
        ["config is a WaitForCallbackConfig, not CallbackConfig(", "config=WaitForCallbackConfig(...)"],
    ),
    "wait_for_callback strategy": (
        lambda ctx: ctx.wait_for_callback(two, config=RetryPresets.none()),
        ["config=WaitForCallbackConfig(retry_strategy=...)"],
    ),
    "wait_for_callback submitter": (
        lambda ctx: ctx.wait_for_callback(one),
        ["called with the callback id and a context; " + fn(1), "cannot be called with 2 arguments"],
    ),
    # ---- invoke, child contexts, conditions
    "invoke name": (
        lambda ctx: ctx.invoke("no such name!", 1),
        ["'no such name!' is not the name or ARN", "'ship:prod'"],
    ),
    "invoke None": (lambda ctx: ctx.invoke(None, 1), ["None is not the name or ARN"]),
    "invoke function": (lambda ctx: ctx.invoke(one, 1), [fn(1), "is not the name or ARN of a function"]),
    "invoke config": (
        lambda ctx: ctx.invoke("f", 1, config=StepConfig()),
        ["invoke()'s config is a InvokeConfig, not Step"],
    ),
    "invoke tenant": (
        lambda ctx: ctx.invoke("f", 1, config=InvokeConfig(tenant_id="a\nb")),
        [r"tenant_id is 'a\nb'", "1 to"],
    ),
    "child number": (
        lambda ctx: ctx.run_in_child_context(1),
        ["run_in_child_context() takes the function", "not int 1"],
    ),
    "child coroutine": (lambda ctx: ctx.run_in_child_context(coroutine()), ["already called", "@durable_with_child"]),
    "child function": (lambda ctx: ctx.run_in_child_context(two), [fn(2), "cannot be called with 1 argument"]),
    "child keyword": (
        lambda ctx: ctx.run_in_child_context(keyword),
        ["<function keyword at", "cannot be called with 1"],
    ),
    "child config": (
        lambda ctx: ctx.run_in_child_context(one, config=MapConfig()),
        ["is a ChildConfig, not MapConfig("],
    ),
    "condition nothing": (
        lambda ctx: ctx.wait_for_condition(two, None),
        ["needs a WaitForConditionConfig", "a strategy"],
    ),
    "condition config": (
        lambda ctx: ctx.wait_for_condition(two, StepConfig()),
        ["a WaitForConditionConfig, not StepConfig("],
    ),
    "condition number": (
        lambda ctx: ctx.wait_for_condition(5, CONDITION),
        ["takes the check, called with", "not int 5"],
    ),
    "condition check": (
        lambda ctx: ctx.wait_for_condition(one, CONDITION),
        [fn(1), "cannot be called with 2 arguments"],
    ),
    # ---- map, parallel
    "map set": (lambda ctx: ctx.map({1, 2}, two), ["map() takes a list of items, not set", "sorted(...)"]),
    "map generator": (
        lambda ctx: ctx.map((n for n in "ab"), two),
        ["a list of items, not generator", "Make it a list"],
    ),
    "map text": (lambda ctx: ctx.map("ab", two), ["a list of items, not str"]),
    "map None": (lambda ctx: ctx.map(None, two), ["a list of items, not NoneType"]),
    "map swapped": (lambda ctx: ctx.map(two, [1]), ["the function to run for each item, not list [1]"]),
    "map function": (lambda ctx: ctx.map([1], one), ["(context, item), (context, item, index)", fn(1), "takes 1"]),
    "map config": (lambda ctx: ctx.map([1], two, config=ParallelConfig()), ["is a MapConfig, not ParallelConfig("]),
    "map completion": (
        lambda ctx: ctx.map([1], two, config=twice_too_many(2)),
        ["min_successful is 2, and there are only 1"],
    ),
    "map namer": (lambda ctx: ctx.map([1], two, config=MapConfig(item_namer=lambda item, index: item)), [NAME + "1"]),
    "parallel function": (lambda ctx: ctx.parallel(one), ["parallel() takes a list of functions, not function"]),
    "parallel number": (lambda ctx: ctx.parallel([one, 5]), ["a function of a child context as number 1, not int 5"]),
    "parallel dict": (lambda ctx: ctx.parallel({"a": one}), ["a list of functions, not dict"]),
    "parallel coroutine": (lambda ctx: ctx.parallel([coroutine()]), ["as number 0", "already called"]),
    "parallel branch": (
        lambda ctx: ctx.parallel([one, two]),
        ["as number 1; " + fn(2), "cannot be called with 1 argument"],
    ),
    "parallel name": (lambda ctx: ctx.parallel([ParallelBranch(one, "a\nb")]), [NAME + r"'a\nb'"]),
    "parallel config": (lambda ctx: ctx.parallel([one], config=MapConfig()), ["is a ParallelConfig, not MapConfig("]),
    # ---- futures, decisions
    "start number": (
        lambda ctx: ctx.start(5),
        ["start() takes an operation", "ctx.start(ctx.step, charge(order)), not 5"],
    ),
    "start something else": (
        lambda ctx: ctx.start(ctx.run_compensations),
        ["start() takes an operation", "run_compensations"],
    ),
    "race nothing": (lambda ctx: ctx.race([]), ["race() needs at least one operation"]),
    "any nothing": (lambda ctx: ctx.any([]), ["any() needs at least one operation"]),
    "race number": (lambda ctx: ctx.race(5), ["race() takes a list of what to wait for, not 5"]),
    "all numbers": (lambda ctx: ctx.all([1, 2]), ["all() takes futures", "functions of a context, not 1"]),
    "all_settled name": (lambda ctx: ctx.all_settled([one], name="a\nb"), [NAME + r"'a\nb'"]),
    # ---- blocks
    "with_retry number": (lambda ctx: ctx.with_retry(5), ["with_retry() takes", "the attempt's number, not int 5"]),
    "with_retry function": (lambda ctx: ctx.with_retry(one), ["the attempt's number; " + fn(1), "with 2 arguments"]),
    "with_retry config": (
        lambda ctx: ctx.with_retry(two, config=StepConfig()),
        ["is a WithRetryConfig, not StepConfig("],
    ),
    "with_retry strategy": (
        lambda ctx: ctx.with_retry(two, config=RetryPresets.none()),
        ["config=WithRetryConfig(retry_strategy=...)"],
    ),
    "with_retry name": (lambda ctx: ctx.with_retry(two, name="x" * 250), ["'-backoff-1'", "has 250"]),
    "compensation None": (lambda ctx: ctx.step_with_compensation(one, None), ["takes the compensation", "not None"]),
    "compensation function": (
        lambda ctx: ctx.step_with_compensation(one, one),
        [fn(1), "cannot be called with 2 arguments"],
    ),
    "compensated number": (lambda ctx: ctx.step_with_compensation(1, two), ["takes the function to run, not int 1"]),
    "saga compensation": (lambda ctx: ctx.saga().add_compensation(5), ["add_compensation() takes", "not int 5"]),
    "saga cleanup": (lambda ctx: ctx.saga().add_cleanup(two), [fn(2), "cannot be called with 1 argument"]),
    "logger": (lambda ctx: ctx.configure_logger(5), ["5 is no logger", "simple_logger(f)"]),
}


@pytest.mark.parametrize("call", CALLS)
def test_refused_at_the_call(flavour: Flavour, call: str) -> None:
    source, fragments = CALLS[call]

    def handler(event, ctx):
        message = None
        try:
            yield source(ctx)
        except ValidationError as error:
            message = str(error)
        yield ctx.step(flavour(lambda step: 1), name="next")
        return message

    world = flavour.world(handler, callbacks={})
    world.run()
    assert world.value is not None, "it was not refused"
    for fragment in fragments:
        assert fragment in world.value
    assert [view.get("Name") for view in world.operations.values()] == ["next"], "nothing else is recorded"
    assert world.named("next")["Id"] == operation_id(None, 1), "no number was taken"
    assert world.invocations == 1


class Callable1:
    def __call__(self, context: Any) -> str:
        return "object"

    def method(self, context: Any, more: str = "method") -> str:
        return more


GOOD: dict[str, Callable[..., Any]] = {
    "object": Callable1(),
    "method": Callable1().method,
    "partial": partial(lambda what, context: what, "partial"),
    "varargs": lambda *args: "varargs",
    "default": lambda context, what="default": what,
    "keyword with a default": lambda context, *, what="keyword with a default": what,
}


@pytest.mark.parametrize("name", GOOD)
def test_whatever_can_be_called_is_taken(name: str) -> None:
    func = GOOD[name]

    def handler(event: Any, ctx: Any) -> Any:
        return [ctx.run_in_child_context(func), ctx.parallel([func]).get_results()]

    assert Flavour("sync").run(_once(handler)).value == [name, [name]]


def _once(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """As a generator function, as Flavour has it."""

    def generator(event: Any, ctx: Any) -> Any:
        return handler(event, ctx)
        yield

    return generator
