"""One workflow in every style: the same updates, byte for byte; and what each style says of misuse."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from durably import (
    AsyncDurableContext,
    CheckpointMode,
    DurableBuilder,
    DurableContext,
    DurableFunction,
    DurableHandler,
    Duration,
    JsonSerDes,
    MapConfig,
    NoRetry,
    ReplayLogging,
    StepConfig,
    StepContext,
    StepError,
    ValidationError,
    durable,
    durable_execution,
    durable_step,
)
from durably.testing import LocalRunner
from durably.wire.ports import DurableFunctionPort
from engine.harness import Answer, World

STYLES = [
    "decorator",
    "options",
    "call",
    "partial",
    "object",
    "class",
    "method",
    "bound method",
    "builder",
    "decorating",
]


@dataclass
class Order:
    id: str
    total: Decimal


@dataclass
class Receipt:
    order: str
    charged: Decimal
    parts: list[int]


@durable_step
def charge(step: StepContext, order: Order, rate: Decimal) -> Decimal:
    return order.total * rate


def part(ctx: Any, item: int) -> int:
    return item * 2


def fails(step: StepContext) -> None:
    raise LookupError("not there")


def submit(callback_id: str, context: Any) -> None: ...


ONCE = StepConfig(retry_strategy=NoRetry())
ONE_BY_ONE: MapConfig[int] = MapConfig(max_concurrency=1)


def work(rate: Decimal, order: Order, ctx: DurableContext) -> Receipt:
    charged = ctx.step(charge(order, rate))
    ctx.wait(timedelta(days=1), name="cooling off")
    parts = ctx.map([1, 2], part, "parts", ONE_BY_ONE).get_results()
    try:
        ctx.step(fails, "lost", ONCE)
    except StepError:
        ctx.run_in_child_context(lambda child: child.wait(Duration(5)), "again")
    ctx.wait_for_callback(submit, "approval")
    return Receipt(order.id, charged, parts)


async def work_async(rate: Decimal, order: Order, ctx: AsyncDurableContext) -> Receipt:
    charged = await ctx.step(charge(order, rate))
    await ctx.wait(timedelta(days=1), name="cooling off")
    parts = (await ctx.map([1, 2], part, "parts", ONE_BY_ONE)).get_results()
    try:
        await ctx.step(fails, "lost", ONCE)
    except StepError:
        await ctx.run_in_child_context(lambda child: child.wait(Duration(5)), "again")
    await ctx.wait_for_callback(submit, "approval")
    return Receipt(order.id, charged, parts)


RATE = Decimal("1.2")


def plain(style: str) -> Any:
    """The workflow as a plain durable function in ``style``."""

    def handler(order: Order, ctx: DurableContext) -> Receipt:
        return work(RATE, order, ctx)

    def with_rate(rate: Decimal, order: Order, ctx: DurableContext) -> Receipt:
        return work(rate, order, ctx)

    class Callable_:
        def __call__(self, order: Order, ctx: DurableContext) -> Receipt:
            return work(RATE, order, ctx)

    class Orders(DurableHandler):
        def __init__(self, rate: Decimal) -> None:
            self.rate = rate

        def handle(self, order: Order, ctx: DurableContext) -> Receipt:
            return work(self.rate, order, ctx)

    class Shop:
        def __init__(self, rate: Decimal) -> None:
            self.rate = rate

        @durable_execution
        def process(self, order: Order, ctx: DurableContext) -> Receipt:
            return work(self.rate, order, ctx)

        def bare(self, order: Order, ctx: DurableContext) -> Receipt:
            return work(self.rate, order, ctx)

    return build(style, handler, with_rate, Callable_(), Orders(RATE), Shop(RATE))


def coroutine(style: str) -> Any:
    async def handler(order: Order, ctx: AsyncDurableContext) -> Receipt:
        return await work_async(RATE, order, ctx)

    async def with_rate(rate: Decimal, order: Order, ctx: AsyncDurableContext) -> Receipt:
        return await work_async(rate, order, ctx)

    class Callable_:
        async def __call__(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
            return await work_async(RATE, order, ctx)

    @dataclass
    class Orders(DurableHandler):
        rate: Decimal

        async def handle(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
            return await work_async(self.rate, order, ctx)

    class Shop:
        def __init__(self, rate: Decimal) -> None:
            self.rate = rate

        @durable_execution(timeout=timedelta(minutes=1))
        async def process(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
            return await work_async(self.rate, order, ctx)

        async def bare(self, order: Order, ctx: AsyncDurableContext) -> Receipt:
            return await work_async(self.rate, order, ctx)

    return build(style, handler, with_rate, Callable_(), Orders(RATE), Shop(RATE))


def build(style: str, handler: Any, with_rate: Any, called: Any, orders: Any, shop: Any) -> Any:
    make: dict[str, Callable[[], Any]] = {
        "decorator": lambda: durable_execution(handler),
        "options": lambda: durable_execution(retention_days=3)(handler),
        "call": lambda: durable(handler),
        "partial": lambda: durable(functools.partial(with_rate, RATE)),
        "object": lambda: durable(called),
        "class": lambda: orders,
        "method": lambda: shop.process,
        "bound method": lambda: durable(shop.bare),
        "builder": lambda: DurableBuilder().retention_days(3).build(handler),
        "decorating": lambda: DurableBuilder(retention_days=3)(handler),
    }
    return make[style]()


class Styled:
    """Runs a function of any style in a world."""

    def __init__(self, function: Any, client: Any) -> None:
        self.function = function
        self.client = client

    def __call__(self, event: Any, context: Any) -> Any:
        if self.function.is_async:
            return asyncio.run(self.function.run_async(event, context, client=self.client))
        return self.function.run_sync(event, context, client=self.client)


def run(function: Any, input: Any = None, **options: Any) -> World:
    world = World(lambda event, ctx: None, input, **options)
    world.function = Styled(function, world.link)  # type: ignore[assignment]
    return world.run()


ORDER = {"id": "A7", "total": "10"}
ANSWERS = {"approval create callback id": Answer("yes")}


@pytest.mark.parametrize("make", [plain, coroutine])
def test_every_style_records_the_same(make: Callable[[str], Any]) -> None:
    recorded = {}
    for style in STYLES:
        function = make(style)
        assert isinstance(function, DurableFunctionPort), style
        world = run(function, ORDER, callbacks=ANSWERS)
        assert world.value == {"order": "A7", "charged": "12.0", "parts": [2, 4]}, style
        recorded[style] = [json.dumps(update) for update in world.updates]
    first = recorded["decorator"]
    assert len(first) > 16
    assert all(updates == first for updates in recorded.values()), [s for s in STYLES if recorded[s] != first]


@pytest.mark.parametrize("style", STYLES)
def test_what_a_function_of_each_style_says_of_itself(style: str) -> None:
    for make, is_async in ((plain, False), (coroutine, True)):
        function = make(style)
        assert function.is_async is is_async
        assert isinstance(function.__name__, str)
        assert isinstance(function.durable_options, dict)
        assert repr(function)


def test_names() -> None:
    assert plain("partial").__name__ == "with_rate"
    assert plain("object").__name__ == "Callable_"
    assert plain("class").__name__ == "Orders"
    assert plain("method").__name__ == "process"
    assert plain("bound method").__name__ == "bare"
    assert repr(plain("method")) == "<durable function process>"


# ---- a call ------------------------------------------------------------------------------------------------------


def test_a_called_function_stays_what_it_is() -> None:
    def handler(event: Any, ctx: Any) -> int:
        return 5

    function = durable(handler, execution_timeout=timedelta(hours=1), timeout=Duration(30))
    assert isinstance(function, DurableFunction)
    assert handler(None, None) == 5
    assert function.handler is handler
    assert function.durable_options == {"execution_timeout_seconds": 3600, "timeout_seconds": 30}


class Shop:
    """A shop."""

    def __init__(self, rate: int) -> None:
        self.rate = rate

    @durable_execution(retention_days=2)
    def process(self, event: int, ctx: DurableContext) -> int:
        """Process it."""
        return self.rate * event

    def too_much(self, event: Any, ctx: Any, more: Any) -> None: ...


def test_a_decorated_method_belongs_to_its_instance() -> None:
    one, two = Shop(2), Shop(3)
    assert run(one.process, 5).value == 10
    assert run(two.process, 5).value == 15
    assert one.process is one.process, "the loader and whoever compares finds one function"
    assert one.process is not two.process
    assert one.process.durable_options == {"retention_days": 2}
    assert one.process.__doc__ == "Process it."
    assert repr(Shop.process) == "<durable method process>"
    assert not isinstance(Shop.process, DurableFunctionPort)


class Kiosk(DurableHandler):
    def __init__(self, rate: int) -> None:
        self.rate = rate

    def handle(self, event: int, ctx: DurableContext) -> int:
        return self.rate * event


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
@pytest.mark.parametrize("make", [Shop, Kiosk])
def test_a_copy_runs_with_its_own_state(make: Any, duplicate: Any) -> None:
    def function(one: Any) -> Any:
        return one.process if make is Shop else one

    first = make(2)
    assert run(function(first), 5).value == 10
    second = duplicate(first)
    second.rate = 3
    assert run(function(second), 5).value == 15
    assert run(function(first), 5).value == 10


def test_methods_that_were_put_into_a_class_later_are_told_apart() -> None:
    class Later:
        pass

    def one(self: Any, event: Any, ctx: Any) -> int:
        return 1

    def two(self: Any, event: Any, ctx: Any) -> int:
        return 2

    Later.one, Later.two = durable_execution(one), durable_execution(two)  # type: ignore[attr-defined]
    later: Any = Later()
    assert [run(later.one).value, run(later.two).value, run(later.one).value] == [1, 2, 1]


def test_a_decorated_method_of_an_object_without_a_dict() -> None:
    class Slotted:
        __slots__ = ("rate",)

        def __init__(self) -> None:
            self.rate = 2

        @durable_execution
        def process(self, event: int, ctx: DurableContext) -> int:
            return self.rate * event

    assert run(Slotted().process, 5).value == 10


def _echo(event: Any, ctx: Any) -> Any:
    return event


class Echo(DurableHandler):
    def handle(self, event: Any, ctx: Any) -> Any:
        return event


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: durable(Shop.too_much), "without its object"),
        (lambda: durable(Shop(1).too_much), "takes 3 parameters"),
        (lambda: durable(5), "not int 5"),  # type: ignore[call-overload]
        (lambda: durable(len, client=1, boto3_client=2), "pass one of them"),  # type: ignore[call-overload]
        (lambda: durable(durable(_echo)), "echo> is a durable function already"),
        (lambda: durable(Echo()), "is a durable function already"),
        (lambda: durable(Echo), r"Echo is a class: make an object of it, Echo\(...\)"),
        (lambda: LocalRunner(Shop.process), "is a method without its object"),
    ],
)
def test_what_cannot_be_a_durable_function(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


# ---- a class -----------------------------------------------------------------------------------------------------


def test_options_of_a_class_its_subclass_and_an_instance() -> None:
    log = logging.getLogger("shop")

    class Base(DurableHandler, retention_days=3, timeout=timedelta(seconds=20)):
        def handle(self, event: Any, ctx: Any) -> Any:
            return event

    class Special(Base, retention_days=4, replay_logging=ReplayLogging.ALLOW_ALL):
        def instance_options(self) -> Any:
            return {"logger": log, "timeout": timedelta(seconds=10)}

    assert Base().durable_options == {"retention_days": 3, "timeout_seconds": 20}
    special = Special()
    assert special.durable_options == {"retention_days": 4, "timeout_seconds": 10}
    assert special.function.logger is log
    assert special.function.replay_logging is ReplayLogging.ALLOW_ALL
    assert special.function is special.function
    assert run(special, 5).value == 5


def test_options_of_an_instance_are_a_dict() -> None:
    class Forgetful(Kiosk):
        def instance_options(self) -> Any: ...

    with pytest.raises(ValidationError, match=r"Forgetful\.instance_options\(\) returned None"):
        _ = Forgetful(2).function


def test_state_is_shared_by_the_invocations_of_an_instance() -> None:
    class Counting(DurableHandler):
        def __init__(self) -> None:
            self.runs = 0

        def handle(self, event: Any, ctx: DurableContext) -> int:
            self.runs += 1
            ctx.wait(Duration(1))
            return self.runs

    assert run(Counting()).value == 2


def test_a_dataclass_may_be_a_handler() -> None:
    @dataclasses.dataclass(frozen=True, slots=True)
    class Frozen(DurableHandler):
        rate: int

        def handle(self, event: int, ctx: DurableContext) -> int:
            return self.rate * event

    assert run(Frozen(3), 5).value == 15


def test_a_handler_without_handle() -> None:
    class Nothing(DurableHandler): ...

    with pytest.raises(ValidationError, match=r"Nothing has no handle\(self, event, ctx\)"):
        Nothing()({}, None)


def test_a_handle_that_cannot_be_called_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match=r"Wrong\.handle is called with three arguments"):

        class Wrong(DurableHandler):
            def handle(self, event: Any) -> Any:  # type: ignore[override]
                return event

    with pytest.raises(ValidationError, match="must be a method"):

        class Static(DurableHandler):
            @staticmethod
            def handle(event: Any, ctx: Any) -> Any:  # type: ignore[override]
                return event

    with pytest.raises(ValidationError, match="is called with three arguments"):

        class Keyword(DurableHandler):
            def handle(self, event: Any, ctx: Any, *, more: Any) -> Any:  # type: ignore[override]
                return event

    class Default(DurableHandler):
        def handle(self, event: Any, ctx: Any, more: int = 2) -> Any:
            return event * more

    assert run(Default(), 5).value == 10

    with pytest.raises(ValidationError, match="is the class JsonSerDes"):

        class BadOption(DurableHandler, serdes=JsonSerDes): ...  # type: ignore[arg-type]


# ---- a builder -----------------------------------------------------------------------------------------------------


def test_a_builder_is_the_base_of_many() -> None:
    log = logging.getLogger("shop")
    base = DurableBuilder().logger(log).retention_days(3)

    def handler(event: Any, ctx: Any) -> Any:
        return event

    one = base.timeout(timedelta(seconds=10)).build(handler)
    two = base.execution_timeout(Duration.from_hours(2)).retention_days(5).build(handler)
    assert one.durable_options == {"retention_days": 3, "timeout_seconds": 10}
    assert two.durable_options == {"retention_days": 5, "execution_timeout_seconds": 7200}
    assert one.logger is two.logger is log
    assert base.options == {"logger": log, "retention_days": 3}
    assert repr(DurableBuilder().retention_days(5)) == "DurableBuilder(retention_days=5)"


def test_every_option_of_the_decorator_is_one_of_the_builder_and_of_the_others() -> None:
    import inspect

    from durably.styles import DurableOptions

    options = set(inspect.signature(durable_execution).parameters) - {"func"}
    assert set(DurableOptions.__annotations__) == options
    assert options <= {name for name in dir(DurableBuilder) if not name.startswith("_")}


class Factory:
    def __init__(self, made: list[Any]) -> None:
        self.made = made

    def create_plugin(self, info: Any) -> Any:
        from durably.plugin import DurableInstrumentationPlugin

        self.made.append(info)
        return DurableInstrumentationPlugin()


class _Client:
    def checkpoint(self, *args: Any) -> Any:
        raise AssertionError("nothing is recorded")


def test_a_builder_sets_each_option() -> None:
    made: list[Any] = []
    client: Any = _Client()
    serdes: Any = JsonSerDes()

    def on_error(error: Exception, failure: Any) -> None: ...

    builder = (
        DurableBuilder()
        .client(client)
        .replay_logging(ReplayLogging.ERRORS_ONLY)
        .checkpointing(CheckpointMode.BATCHED)
        .serdes(serdes)
        .operation_serdes(serdes)
        .plugins(Factory(made))
        .plugins(Factory(made))
        .error_handler(on_error)
    )
    function = builder.build(lambda event, ctx: event)
    assert function.client is client
    assert function.replay_logging is ReplayLogging.ERRORS_ONLY
    assert function.checkpoints.mode is CheckpointMode.BATCHED
    assert function.error_handler is on_error
    assert run(function, 5).value == 5
    assert len(made) == 2
    with pytest.raises(ValidationError, match="pass one of them"):
        builder.boto3_client(object())


def test_a_plain_function_needs_a_client_that_blocks() -> None:
    class Awaited:
        async def checkpoint(self, *args: Any) -> Any: ...

    async def coroutine(event: Any, ctx: Any) -> Any: ...

    client: Any = Awaited()
    assert durable(coroutine, client=client).client is client
    with pytest.raises(ValidationError, match=r"whose checkpoint\(\) is a coroutine function"):
        durable(_echo, client=client)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda b: b.logger(5), "logger"),
        (lambda b: b.replay_logging("all"), "replay"),
        (lambda b: b.checkpointing("eager"), "CheckpointMode"),
        (lambda b: b.serdes(JsonSerDes), "pass an instance"),
        (lambda b: b.operation_serdes(5), "operation_serdes is 5"),
        (lambda b: b.error_handler("no"), "error_handler is 'no'"),
        (lambda b: b.timeout(5), "timeout"),
        (lambda b: b.retention_days(0), "1 to 90"),
        (lambda b: b.retention_days(True), "1 to 90, not True"),
        (lambda b: b.timeout(timedelta(0)), "timeout is 0 s, and must be at least 1 s"),
        (lambda b: b.execution_timeout(timedelta(days=367)), "execution_timeout is .* at most 31622400 s"),
        (lambda b: b.error_handler(lambda error: None), "a function of the error and its failure"),
        (lambda b: b.replay_logging(lambda level: True), "a function of .level, message, fields."),
        (lambda b: b.logger(logging.Logger), "is a class"),
        (lambda b: b.plugins(5), r"plugins\[0\] is a builtins.int object"),
        (lambda b: b.tracing("otel"), "tracing is 'otel'"),
        (lambda b: b.client(5), "client is 5, which makes no checkpoints"),
        (
            lambda b: b.client(SimpleNamespace(checkpoint_durable_execution=len)),
            "a boto3 client goes into boto3_client=",
        ),
    ],
)
def test_a_builder_refuses_a_wrong_option_at_once(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        wrong(DurableBuilder())


def test_a_builder_refuses_what_is_no_boto3_client_at_once() -> None:
    with pytest.raises(TypeError, match=r"int has no checkpoint_durable_execution\(\)"):
        DurableBuilder().boto3_client(5)


def test_plugins_may_come_from_an_iterator() -> None:
    made: list[Any] = []
    builder = DurableBuilder(plugins=iter([Factory(made)]))  # type: ignore[arg-type]
    for _ in range(2):
        assert run(builder.build(lambda event, ctx: event), 5).value == 5
    assert len(made) == 2


def test_a_builder_decorates_methods_too() -> None:
    base = DurableBuilder().retention_days(4)

    class Orders:
        rate = 3

        @base
        def process(self, event: int, ctx: DurableContext) -> int:
            return self.rate * event

    orders = Orders()
    assert orders.process.durable_options == {"retention_days": 4}
    assert run(orders.process, 5).value == 15
