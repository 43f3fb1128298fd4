"""Listening, stopping, and the pages that tell what listens."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from durably import __version__
from durably.service.http import CannotListen, HttpServer, PortInUse
from durably.service.kernel import Service

from .scripted import ScriptedWorker


@pytest.fixture
def server(service: Service) -> Iterator[HttpServer]:
    """One that the test may stop."""
    with HttpServer(service, port=0) as server:
        yield server


def test_health(raw: Callable[..., Any]) -> None:
    answer = raw("GET", "/_durably/health")
    assert answer.status == 200
    assert answer.json == {
        "Service": "durably",
        "Version": __version__,
        "Functions": ["broken", "echo", "fails", "held", "plain"],
    }


def test_functions(raw: Callable[..., Any]) -> None:
    found = {function["FunctionName"]: function for function in raw("GET", "/_durably/functions").json["Functions"]}
    assert found["echo"] == {
        "FunctionName": "echo",
        "Durable": True,
        "Timeout": 900,
        "ExecutionTimeout": 31_622_400,
        "RetentionPeriodInDays": 14,
        "MemorySize": 128,
        "EnvironmentNames": [],
    }
    assert found["plain"]["Durable"] is False


def test_a_port_that_is_taken(service: Service, server: HttpServer) -> None:
    second = HttpServer(service, port=server.port)
    with pytest.raises(PortInUse, match=f"127.0.0.1:{server.port} is in use.*--port"):
        second.start()
    second.stop()


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("127.0.0.1", 65536, "no port 65536"),
        ("127.0.0.1", -1, "no port -1"),
        ("no-such-host.invalid", 0, "no-such-host.invalid"),
        ("192.0.2.1", 0, "192.0.2.1 is not an address of this machine"),
    ],
)
def test_an_address_that_cannot_be_listened_on(service: Service, host: str, port: int, text: str) -> None:
    with pytest.raises(CannotListen, match=text) as refusal:
        HttpServer(service, host, port).start()
    assert not isinstance(refusal.value, PortInUse)


def test_start_and_stop(service: Service) -> None:
    server = HttpServer(service, port=0)
    server.stop()
    server.start()
    first = server.port
    with pytest.raises(RuntimeError, match="already running"):
        server.start()
    server.stop()
    server.stop()
    server.start()
    assert server.port == first
    assert _status(server) == 200
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        _status(server)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9014"),
        ("0.0.0.0", "http://127.0.0.1:9014"),
        ("localhost", "http://localhost:9014"),
        ("::1", "http://[::1]:9014"),
        ("::", "http://[::1]:9014"),
    ],
)
def test_url(service: Service, host: str, url: str) -> None:
    assert HttpServer(service, host).url == url


def test_all_interfaces_are_listened_on_only_when_asked(service: Service) -> None:
    with HttpServer(service, "0.0.0.0", 0) as server:
        assert _status(server) == 200
    with HttpServer(service, port=0) as server, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), timeout=60)


def test_stopping_closes_idle_connections(service: Service) -> None:
    server = HttpServer(service, port=0)
    server.start()
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/_durably/health")
        connection.getresponse().read()
        server.stop()
        assert connection.sock.recv(1) == b""


def test_stopping_answers_open_invokes_and_leaves_their_executions(
    service: Service, worker: ScriptedWorker, server: HttpServer, api: Any, threads: ThreadPoolExecutor
) -> None:
    waiting = threads.submit(api.invoke, FunctionName="held", Qualifier="$LATEST", DurableExecutionName="x")
    turn = worker.take()
    server.stop()
    with pytest.raises(ClientError, match="is stopping") as refusal:
        waiting.result(timeout=60)
    assert refusal.value.response["Error"]["Code"] == "ServiceException"
    assert service.call("GetDurableExecution", DurableExecutionArn=turn.arn)["Status"] == "RUNNING"
    turn.succeed("late")


def test_half_a_request_does_not_keep_the_server_from_stopping(service: Service) -> None:
    server = HttpServer(service, port=0)
    server.start()
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as connection:
        connection.sendall(b"POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nContent-Le")
        server.stop()
        try:
            assert connection.recv(1) == b""
        except ConnectionResetError:
            pass  # it was still in the backlog


def test_no_thread_is_left(service: Service) -> None:
    before = set(threading.enumerate())
    with HttpServer(service, port=0) as server:
        assert _status(server) == 200
    assert set(threading.enumerate()) <= before


def _status(server: HttpServer) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/_durably/health")
        response = connection.getresponse()
        response.read()
        return response.status
