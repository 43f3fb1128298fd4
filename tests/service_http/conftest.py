"""The real service on the real HTTP server, driven by the real boto3; only the functions are scripted."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config

from durably.service.http import HttpServer
from durably.service.kernel import Service
from durably.service.ports import FunctionSpec
from durably.service.store.memory import MemoryStore

from .contract import check_answer
from .scripted import ScriptedWorker, Turn


def echo(turn: Turn) -> None:
    turn.succeed(turn.input, log=f"echoing {turn.input!r}\n")


def fails(turn: Turn) -> None:
    turn.answer({"Status": "FAILED", "Error": {"ErrorType": "OrderError", "ErrorMessage": "no such order"}})


def scripted_worker() -> ScriptedWorker:
    return ScriptedWorker(
        {
            "echo": echo,
            "fails": fails,
            "held": None,
            "plain": lambda turn: turn.answer({"got": turn.event}, log="plain log\n"),
            "broken": lambda turn: turn.raises("ValueError", "bad input"),
        },
        plain=("plain", "broken"),
    )


@pytest.fixture
def worker() -> ScriptedWorker:
    return scripted_worker()


@pytest.fixture
def service(worker: ScriptedWorker) -> Iterator[Service]:
    service = Service(MemoryStore(), worker)
    service.start()
    yield service
    service.close()


class Stage:
    """Hands requests to the service of the running test, so that one server can serve them all in turn."""

    service: Service

    def submit(self, *request: Any) -> None:
        self.service.submit(*request)

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self.service.functions()


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, HttpServer]]:
    stage = Stage()
    with HttpServer(stage, port=0) as server:
        yield stage, server


@pytest.fixture
def server(stage: tuple[Stage, HttpServer], service: Service) -> HttpServer:
    stage[0].service = service
    return stage[1]


@pytest.fixture
def make_client(server: HttpServer) -> Iterator[Callable[..., Any]]:
    """boto3 clients whose every answer is held against the service model."""
    clients: list[Any] = []

    def make(**options: Any) -> Any:
        options.setdefault("retries", {"total_max_attempts": 1})
        client = boto3.client(
            "lambda",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            config=Config(**options),
        )
        client.meta.events.register("before-parse.lambda", _check)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def _check(operation_model: Any, response_dict: Any, **_: Any) -> None:
    body = response_dict["body"]
    if not isinstance(body, bytes):
        body = b""  # Invoke's payload is a stream, which the test reads
    check_answer(operation_model, response_dict["status_code"], response_dict["headers"], body)


@pytest.fixture
def api(make_client: Callable[..., Any]) -> Any:
    return make_client()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as pool:
        yield pool


class RawAnswer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        assert self.headers["x-amzn-RequestId"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        return self.headers["x-amzn-ErrorType"]

    @property
    def message(self) -> str:
        found = self.json
        text: str = found.get("message") or found.get("Message")
        return text


@pytest.fixture(scope="session")
def standing_server() -> Iterator[HttpServer]:
    """One server for all the tests that change nothing in its service."""
    service = Service(MemoryStore(), scripted_worker())
    service.start()
    with HttpServer(service, port=0) as server:
        yield server
    service.close()


@pytest.fixture
def raw(standing_server: HttpServer) -> Callable[..., RawAnswer]:
    """Requests that boto3 would not send."""

    def send(
        method: str, path: str, body: bytes | Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> RawAnswer:
        with closing(http.client.HTTPConnection("127.0.0.1", standing_server.port, timeout=60)) as connection:
            connection.request(method, path, body, headers or {})
            return RawAnswer(connection.getresponse())

    return send
