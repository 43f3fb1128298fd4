"""Web pages are kept out; programs never notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durably.service.http import HttpServer
from durably.service.http.guard import check_host, is_loopback
from durably.wire.api_errors import ApiError

Raw = Callable[..., Any]

INVOKE = "/2015-03-31/functions/echo%3A%24LATEST/invocations"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST", "localhost.", "orders.localhost"],
)
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "127.0.0.1.example.com", "notlocalhost", ""],
)
def test_other_hosts(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9014", "[::1]:9014", "LocalHost:1", "orders.localhost:80"])
def test_loopback_names_reach_a_loopback_server(raw: Raw, host: str) -> None:
    assert raw("GET", "/_durably/health", headers={"Host": host}).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9014", "127.0.0.1.evil.example", "[2001:db8::1]:80"])
@pytest.mark.parametrize("path", ["/_durably/health", INVOKE, "/nowhere"])
def test_a_rebound_name_does_not(raw: Raw, host: str, path: str) -> None:
    answer = raw("POST", path, b"{}", {"Host": host})
    assert (answer.status, answer.code) == (403, "AccessDeniedException")
    assert host in answer.message
    assert "127.0.0.1" in answer.message


def test_a_server_on_a_wider_address_answers_to_any_name() -> None:
    check_host({b"host": b"orders.internal:9014"}, "0.0.0.0")
    check_host({b"host": b"orders.internal:9014"}, None)
    check_host({}, "127.0.0.1")
    with pytest.raises(ApiError, match=r"orders\.internal"):
        check_host({b"host": b"orders.internal:9014"}, "localhost")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", ""])
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
def test_a_foreign_origin(raw: Raw, method: str, origin: str) -> None:
    answer = raw(method, INVOKE, b"{}" if method == "POST" else None, {"Origin": origin})
    assert (answer.status, answer.code) == (403, "AccessDeniedException")
    assert f"origin '{origin}'" in answer.message
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_page_of_our_own(raw: Raw, standing_server: HttpServer) -> None:
    headers = {"Origin": standing_server.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert raw("POST", INVOKE, b'"hello"', headers).body == b'"hello"'


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_sites_page_embeds(raw: Raw, site: str) -> None:
    answer = raw("GET", "/_durably/health", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert (answer.status, answer.code) == (403, "AccessDeniedException")


def test_a_link_may_be_followed_but_a_form_may_not_be_posted(raw: Raw) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert raw("GET", "/_durably/health", headers=headers).status == 200
    assert raw("POST", INVOKE, b"{}", headers).status == 403
