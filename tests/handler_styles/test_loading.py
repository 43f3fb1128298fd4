"""Workers find functions of every style, and Lambda can call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durably import DurableContext, DurableHandler, Duration
from durably.client.in_process import InProcessClient
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker
from durably.workers.loader import LoadError, load_functions
from engine.harness import Flavour, World

APP = """
from datetime import timedelta
from functools import partial

from durably import AsyncDurableContext, DurableBuilder, DurableContext, DurableHandler, durable, durable_execution

def work(rate: int, event: int, ctx: DurableContext) -> int:
    return ctx.step(lambda step: event * rate, "times")

@durable_execution
def decorated(event: int, ctx: DurableContext) -> int:
    return work(2, event, ctx)

called = durable(partial(work, 3), execution_timeout=timedelta(hours=1))
base = DurableBuilder().retention_days(3)
built = base.build(lambda event, ctx: work(4, event, ctx))

@base.timeout(timedelta(minutes=1))
async def decorated_by_builder(event: int, ctx: AsyncDurableContext) -> int:
    return await ctx.step(lambda step: event * 5)

class Orders(DurableHandler, retention_days=4):
    def __init__(self, rate: int) -> None:
        self.rate = rate

    def handle(self, event: int, ctx: DurableContext) -> int:
        return work(self.rate, event, ctx)

orders = Orders(6)

class Shop:
    def __init__(self, rate: int) -> None:
        self.rate = rate

    @durable_execution(retention_days=5)
    def process(self, event: int, ctx: DurableContext) -> int:
        return work(self.rate, event, ctx)

shop = Shop(7)
process = shop.process
"""
RATES = {"decorated": 2, "called": 3, "built": 4, "decorated_by_builder": 5, "orders": 6, "process": 7}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.py"
    path.write_text(APP)
    return path


def test_all_are_found_with_their_options(app: Path) -> None:
    functions = load_functions(str(app)).functions
    assert list(functions) == list(RATES)
    assert all(function.spec.durable for function in functions.values())
    assert functions["called"].spec.execution_timeout_seconds == 3600
    assert functions["built"].spec.retention_days == 3
    assert functions["decorated_by_builder"].spec.timeout_seconds == 60
    assert functions["orders"].spec.retention_days == 4
    assert functions["process"].spec.retention_days == 5
    assert load_functions(f"{app}:orders").functions["orders"].spec.retention_days == 4


def test_all_run_on_the_service(app: Path) -> None:
    service = Service(MemoryStore())
    functions = load_functions(str(app)).functions
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service))
    service.attach(worker)
    service.start()
    try:
        for name, rate in RATES.items():
            answer = service.call("Invoke", FunctionName=f"{name}:$LATEST", Payload="10")
            assert json.loads(answer["Payload"]) == 10 * rate, name
    finally:
        worker.close()
        service.close()


def test_a_builder_or_a_class_is_no_function(tmp_path: Path) -> None:
    path = tmp_path / "app.py"
    path.write_text("from durably import DurableBuilder, DurableHandler\nbase = DurableBuilder()\n")
    with pytest.raises(LoadError, match="has no function to serve"):
        load_functions(str(path))


@pytest.mark.parametrize("left", [250_000, None])
def test_the_remaining_time(flavour: Flavour, left: int | None) -> None:
    class Lambda:
        @staticmethod
        def get_remaining_time_in_millis() -> Any:
            return left

    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(flavour(lambda step: None))
        remaining = ctx.remaining_time()
        return None if remaining is None else remaining.total_seconds()

    world = World(flavour(handler))
    function = world.function

    def call(event: Any, context: Any) -> Any:
        return function(event, Lambda())

    world.function = call  # type: ignore[assignment]
    assert world.run().value == (None if left is None else 250.0)


class Doubling(DurableHandler):
    def handle(self, event: int, ctx: DurableContext) -> int:
        ctx.wait(Duration(5))
        return event * 2


def test_the_testing_kit_takes_instances(tmp_path: Path) -> None:
    from durably.testing import LocalRunner, explore_crashes

    handler: Any = Doubling()
    with LocalRunner(handler) as runner:
        assert runner.handler is handler.function
        assert runner.run(5).result == 10
    assert explore_crashes(handler, 5).runs

    from durably.execution import durable_function_of

    assert durable_function_of(handler) is handler.function
    assert durable_function_of(handler.function) is handler.function
    assert durable_function_of(Doubling) is None
    assert durable_function_of(len) is None
