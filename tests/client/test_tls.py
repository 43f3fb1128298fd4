"""HTTPS, against a server whose certificate the tests bring (``localhost.pem``, good until 2126)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from durably.client import LambdaClient, connection
from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from .conftest import ARN, FakeClock, ScriptedServer, answer

CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture
def secure(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    monkeypatch.setattr(connection, "_context", None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server = ScriptedServer(default=answer(), tls=context)
    server.start()
    server.url = f"https://localhost:{server.port}"
    yield server
    server.stop()


@pytest.mark.usefixtures("credentials")
def test_calls_over_tls_share_a_connection(secure: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
    client = LambdaClient(endpoint_url=secure.url)
    for _ in range(3):
        client.checkpoint(ARN, "t", [], None)
    assert (len(secure.requests), secure.connections) == (3, 1)
    assert secure.requests[0].headers["host"] == f"localhost:{secure.port}"
    assert "authorization" in secure.requests[0].headers
    client.close()


@pytest.mark.usefixtures("credentials")
def test_a_certificate_nobody_vouches_for_is_refused_at_once(secure: ScriptedServer, clock: FakeClock) -> None:
    client = LambdaClient(endpoint_url=secure.url, clock=clock)
    with pytest.raises(ApiError, match="certificate verify failed") as raised:
        client.checkpoint(ARN, "t", [], None)
    assert raised.value.code == CONNECTION_ERROR
    assert secure.requests == []
    assert clock.slept == []


@pytest.mark.usefixtures("credentials")
def test_a_certificate_for_another_name_is_refused(
    secure: ScriptedServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(CERTIFICATE))
    client = LambdaClient(endpoint_url=f"https://127.0.0.1:{secure.port}", clock=clock)
    with pytest.raises(ApiError, match="IP address mismatch"):
        client.checkpoint(ARN, "t", [], None)
    assert secure.requests == []


@pytest.mark.usefixtures("secure")
def test_https_without_credentials_sends_nothing(secure: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from durably.client import MissingCredentials

    client = LambdaClient("us-east-1", secure.url)
    with pytest.raises(MissingCredentials):
        client.checkpoint(ARN, "t", [], None)
    assert secure.connections == 0
