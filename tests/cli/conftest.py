"""A real service on a real port for the commands to talk to, with functions that take no time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from durably import DurableContext, StepConfig, StepContext, durable_execution
from durably.cli.group import cli
from durably.client import InProcessClient
from durably.retries import NoRetry
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker


@durable_execution
def greet(event: Any, ctx: DurableContext) -> str:
    def compose(step: StepContext) -> str:
        return f"hello {event}"

    return ctx.step(compose, name="compose")


@durable_execution
def ask(event: Any, ctx: DurableContext) -> str:
    answer: str = ctx.wait_for_callback(lambda callback_id, _: None, name="question")
    return f"they said {answer}"


@durable_execution
def burst(event: Any, ctx: DurableContext) -> int:
    ctx.wait_for_callback(lambda callback_id, _: None, name="go")
    for number in range(event):
        ctx.step(lambda _: None, name=f"step-{number}")
    return event * 2


@durable_execution
def fail(event: Any, ctx: DurableContext) -> None:
    def break_(step: StepContext) -> None:
        raise ValueError("the kettle is \x1b[31mempty\x1b[0m")

    ctx.step(break_, name="boil", config=StepConfig(retry_strategy=NoRetry()))


@durable_execution
def outer(event: Any, ctx: DurableContext) -> Any:
    def inside(child: DurableContext) -> Any:
        return child.invoke("greet:$LATEST", event, name="inner")

    return ctx.run_in_child_context(inside, name="around")


def plain(event: Any, context: Any) -> Any:
    if event == "break":
        raise RuntimeError("broken")
    return {"got": event}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    service = Service(MemoryStore())
    functions = {"greet": greet, "ask": ask, "burst": burst, "fail": fail, "outer": outer, "plain": plain}
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service))
    service.start()
    service.attach(worker)
    yield service
    worker.close()
    service.close()


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with HttpServer(service, "127.0.0.1", 0) as server:
        yield server.url


Run = Callable[..., Result]


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``durably ...`` against the service; ``.stdout``, ``.stderr``, ``.exit_code``."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
    return offline


def offline(*arguments: str, stdin: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="durably")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)


def parsed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
