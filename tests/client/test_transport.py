"""What goes wrong on the way: every fault a server or a network can make, on real sockets."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from durably.client.transport import Transport
from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from .conftest import FakeClock, Scene, ScriptedServer, SilentScene, answer, hang_up, raw, reset


def transport(server: ScriptedServer, clock: FakeClock, **options: object) -> Transport:
    return Transport(endpoint_url=server.url, clock=clock, **options)  # type: ignore[arg-type]


def send(server: ScriptedServer, clock: FakeClock, **options: object) -> bytes:
    return transport(server, clock, **options).send("POST", "/x", body=b"b").body


# ---- bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n",
        b"HTTP/1.1 200\r\ncontent-length:5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["counted", "chunked", "no-reason", "informational"],
)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_body_arrives_whole_however_it_is_cut(
    server: ScriptedServer, clock: FakeClock, data: bytes, piece: int
) -> None:
    def in_pieces(sock: socket.socket) -> bool:
        for start in range(0, len(data), piece):
            sock.sendall(data[start : start + piece])
        return True

    server.scenes = [in_pieces, answer(body=b"next")]
    used = transport(server, clock)
    assert used.send("POST", "/x").body == b"hello"
    assert used.send("POST", "/x").body == b"next"
    assert server.connections == 1


def test_a_body_without_a_marked_end_ends_with_the_connection(server: ScriptedServer, clock: FakeClock) -> None:
    server.scenes = [raw(b"HTTP/1.1 200 OK\r\n\r\nhello", then_close=True), answer(body=b"next")]
    used = transport(server, clock)
    assert used.send("GET", "/x").body == b"hello"
    assert used.send("GET", "/x").body == b"next"
    assert server.connections == 2


def test_no_content_has_no_body_and_keeps_the_connection(server: ScriptedServer, clock: FakeClock) -> None:
    server.scenes = [raw(b"HTTP/1.1 204 No Content\r\n\r\n"), answer(body=b"next")]
    used = transport(server, clock)
    assert used.send("POST", "/x").body == b""
    assert used.send("POST", "/x").body == b"next"
    assert server.connections == 1


def test_a_large_body_arrives_whole(server: ScriptedServer, clock: FakeClock) -> None:
    big = b"0123456789" * 400_000
    server.scenes = [answer(body=big)]
    assert send(server, clock) == big


@pytest.mark.parametrize("goodbye", ["Connection: close\r\n", "connection: Close\r\n"])
def test_a_connection_the_server_says_goodbye_on_is_not_used_again(
    server: ScriptedServer, clock: FakeClock, goodbye: str
) -> None:
    server.default = answer(headers=goodbye)
    used = transport(server, clock)
    used.send("GET", "/x")
    used.send("GET", "/x")
    assert server.connections == 2


# ---- retries ----------------------------------------------------------------------------------------------

THROTTLED = answer(429, b'{"Message": "slow down"}', headers="x-amzn-ErrorType: TooManyRequestsException\r\n")


@pytest.mark.parametrize(
    "fault",
    [
        answer(500),
        answer(503, b"<html>busy</html>"),
        THROTTLED,
        hang_up,
        reset,
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", then_close=True),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhalf", then_close=True),
        raw(b"HTTP/1.1 200 OK\r\nConte", then_close=True),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", then_close=True),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", then_close=True),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then_close=True),
    ],
    ids=["500", "503", "429", "hang-up", "reset", "half-body", "half-chunk", "half-head", "length", "chunk", "no-http"],
)
def test_what_another_try_can_mend_is_tried_again(server: ScriptedServer, clock: FakeClock, fault: Scene) -> None:
    server.scenes = [fault, fault, answer(body=b"at last")]
    assert send(server, clock) == b"at last"
    assert [request.body for request in server.requests] == [b"b"] * 3
    assert clock.slept == [0.15, 0.45]  # growing pauses, halved by the dice


def test_after_the_last_attempt_the_error_is_the_services(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = THROTTLED
    with pytest.raises(ApiError) as raised:
        send(server, clock, max_attempts=3)
    assert (raised.value.code, raised.value.message, raised.value.status) == (
        "TooManyRequestsException",
        "slow down",
        429,
    )
    assert len(server.requests) == 3


def test_retry_after_is_honoured_within_reason(server: ScriptedServer, clock: FakeClock) -> None:
    server.scenes = [
        answer(429, headers="Retry-After: 2\r\n"),
        answer(429, headers="Retry-After: 3600\r\n"),
        answer(429, headers="Retry-After: soon\r\n"),
        answer(),
    ]
    send(server, clock)
    assert clock.slept == [2.0, 20.0, 1.35]


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "InvalidParameterValueException"), (404, "ResourceNotFoundException"), (403, "AccessDeniedException")],
)
def test_what_another_try_cannot_mend_is_not_tried_again(
    server: ScriptedServer, clock: FakeClock, status: int, code: str
) -> None:
    server.default = answer(status, headers=f"x-amzn-ErrorType: {code}\r\n")
    with pytest.raises(ApiError) as raised:
        send(server, clock)
    assert (raised.value.code, raised.value.status) == (code, status)
    assert len(server.requests) == 1


def test_a_key_that_a_person_must_mend_is_not_tried_again(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = answer(502, headers="x-amzn-ErrorType: KMSAccessDeniedException\r\n")
    with pytest.raises(ApiError) as raised:
        send(server, clock)
    assert raised.value.code == "KMSAccessDeniedException"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "body", "code", "message"),
    [
        ("x-amzn-ErrorType: Oops:http://internal/\r\n", b'{"Type":"User","Message":"m"}', "Oops", "m"),
        ("", b'{"__type":"com.amazonaws.lambda#Oops","message":"m"}', "Oops", "m"),
        ("", b'{"code":"Oops","message":null,"Message":"m"}', "Oops", "m"),
        ("", b"<html>teapot</html>", "HTTP418", "<html>teapot</html>"),
        ("", b"", "HTTP418", "HTTP 418"),
        ("", b"[1]", "HTTP418", "[1]"),
        ("", b"\xff\xfe", "HTTP418", "\ufffd\ufffd"),
    ],
)
def test_codes_and_messages_are_found_wherever_they_are(
    server: ScriptedServer, clock: FakeClock, headers: str, body: bytes, code: str, message: str
) -> None:
    server.scenes = [answer(418, body, headers=headers)]
    with pytest.raises(ApiError) as raised:
        send(server, clock)
    assert (raised.value.code, raised.value.message) == (code, message)


def test_what_may_not_be_repeated_is_not_sent_again(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = hang_up
    with pytest.raises(ApiError) as raised:
        transport(server, clock).send("POST", "/x", repeatable=False)
    assert raised.value.code == CONNECTION_ERROR
    assert len(server.requests) == 1


def test_throttling_is_tried_again_even_for_what_may_not_be_repeated(server: ScriptedServer, clock: FakeClock) -> None:
    server.scenes = [THROTTLED, answer(body=b"ok")]
    assert transport(server, clock).send("POST", "/x", repeatable=False).body == b"ok"


# ---- kept connections -------------------------------------------------------------------------------------


def test_a_connection_closed_while_idle_is_replaced_at_once(server: ScriptedServer, clock: FakeClock) -> None:
    ok = answer()
    server.scenes = [answer(then_close=True), ok]
    used = transport(server, clock)
    used.send("POST", "/x")
    assert server.closed.wait(60)
    used.send("POST", "/x", repeatable=False)  # seen before anything was sent, so even this may go on
    assert (server.connections, clock.slept) == (2, [])


def test_a_connection_that_dies_under_the_request_is_replaced_at_once(server: ScriptedServer, clock: FakeClock) -> None:
    server.scenes = [answer(), hang_up, answer(body=b"second")]
    used = transport(server, clock, max_attempts=1)
    used.send("POST", "/x")
    assert used.send("POST", "/x").body == b"second"
    assert (server.connections, clock.slept) == (2, [])


def test_a_connection_idle_for_long_is_not_trusted(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = answer()
    used = transport(server, clock)
    used.send("POST", "/x")
    clock.seconds += 49
    used.send("POST", "/x")
    assert server.connections == 1
    clock.seconds += 51
    used.send("POST", "/x")
    assert server.connections == 2


def test_a_server_that_says_more_than_it_was_asked_loses_the_connection(
    server: ScriptedServer, clock: FakeClock
) -> None:
    server.scenes = [
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n"),
        answer(body=b"mine"),
    ]
    used = transport(server, clock)
    assert used.send("POST", "/x").body == b"{}"
    assert used.send("POST", "/x").body == b"mine"
    assert server.connections == 2


def test_threads_never_share_a_connection_or_an_answer(server: ScriptedServer, clock: FakeClock) -> None:
    def echo(sock: socket.socket) -> bool:
        # The request being answered is the newest of this connection.
        number = next(r.connection for r in server.requests if r.connection == by_socket(sock))
        mine = [r for r in server.requests if r.connection == number][-1]
        return answer(body=mine.body)(sock)

    def by_socket(sock: socket.socket) -> int:
        return server._open.index(sock) + 1

    server.default = echo
    used = transport(server, clock)
    wrong: list[bytes] = []

    def work(name: int) -> None:
        for n in range(30):
            body = b"%d-%d" % (name, n)
            got = used.send("POST", "/x", body=body).body
            if got != body:
                wrong.append(got)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(server.requests) == 180
    assert server.connections <= 12
    used.close()


def test_close_lets_go_of_idle_connections_and_the_transport_stays_usable(
    server: ScriptedServer, clock: FakeClock
) -> None:
    server.default = answer()
    used = transport(server, clock)
    used.send("POST", "/x")
    used.close()
    assert server.closed.wait(60)
    used.send("POST", "/x")
    assert server.connections == 2


# ---- no answer --------------------------------------------------------------------------------------------


def test_a_silent_server_is_a_connection_error_that_names_the_timeout(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = SilentScene()
    with pytest.raises(ApiError, match=r"did not answer in time .*0\.05 s") as raised:
        send(server, clock, read_timeout=0.05, max_attempts=2)
    assert raised.value.code == CONNECTION_ERROR
    assert raised.value.retry_invocation
    assert len(clock.slept) == 1
    while len(server.requests) < 2:  # it may see the second after the client has given up
        time.sleep(0.001)


def test_the_read_timeout_of_one_call_is_its_own(server: ScriptedServer, clock: FakeClock) -> None:
    silent = SilentScene()
    server.scenes = [answer(), silent]
    used = transport(server, clock, max_attempts=1)
    used.send("GET", "/x")
    with pytest.raises(ApiError, match=r"0\.05 s"):
        used.send("GET", "/x", read_timeout=0.05)


def test_nobody_listening_names_the_endpoint(clock: FakeClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ApiError, match=f"cannot reach http://127.0.0.1:{port}: ") as raised:
        Transport(endpoint_url=f"http://127.0.0.1:{port}", clock=clock).send("GET", "/x")
    assert (raised.value.code, raised.value.status) == (CONNECTION_ERROR, None)
    assert len(clock.slept) == 3


def test_a_success_that_is_not_json_is_refused(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = answer(body=b"<html>welcome</html>")
    used = transport(server, clock)
    with pytest.raises(ApiError, match=r"does not answer as Lambda does: '<html>"):
        used.parse(used.send("GET", "/x"))


# ---- requests ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("credentials")
def test_requests_are_signed_and_say_who_sends_them(server: ScriptedServer, clock: FakeClock) -> None:
    from durably import _version

    server.default = answer()
    transport(server, clock, user_agent_extra="acme/1").send("POST", "/x", body=b"b")
    headers = server.requests[0].headers
    assert headers["user-agent"] == f"durably/{_version.__version__} acme/1"
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/us-west-2/lambda/")
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in headers["authorization"]
    assert headers["x-amz-security-token"] == "a-session/token=="
    assert headers["host"] == f"127.0.0.1:{server.port}"


def test_without_credentials_a_plain_http_endpoint_gets_unsigned_requests(
    server: ScriptedServer, clock: FakeClock
) -> None:
    server.default = answer()
    transport(server, clock).send("POST", "/x")
    assert "authorization" not in server.requests[0].headers


def test_credentials_are_read_for_every_call(
    server: ScriptedServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, credentials: None
) -> None:
    server.default = answer()
    used = transport(server, clock)
    used.send("GET", "/x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDROTATED")
    used.send("GET", "/x")
    assert ["AKIDROTATED" in request.headers["authorization"] for request in server.requests] == [False, True]


def test_expired_credentials_are_replaced_when_there_are_newer_ones(server: ScriptedServer, clock: FakeClock) -> None:
    expired = answer(403, headers="x-amzn-ErrorType: ExpiredTokenException\r\n")
    server.scenes = [expired, answer(body=b"ok"), expired]
    given = iter([("OLD", "s"), ("NEW", "s"), ("NEW", "s"), ("NEW", "s"), ("NEW", "s")])
    used = transport(server, clock, credentials=lambda: next(given))
    assert used.send("GET", "/x").body == b"ok"
    assert "NEW" in server.requests[1].headers["authorization"]
    with pytest.raises(ApiError, match="ExpiredTokenException"):
        used.send("GET", "/x")
    assert clock.slept == []


def test_a_base_path_of_the_endpoint_comes_first(server: ScriptedServer, clock: FakeClock) -> None:
    server.default = answer()
    Transport(endpoint_url=server.url + "/stage/", clock=clock).send("GET", "/x", query=[("b", "ü&"), ("a", "1")])
    assert server.requests[0].target == "/stage/x?a=1&b=%C3%BC%26"


@pytest.mark.parametrize("value", ["a\r\nInjected: 1", "ü", "a\x00"])
def test_what_cannot_stand_in_a_header_is_refused(server: ScriptedServer, clock: FakeClock, value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent as header x-amz-tenant-id"):
        transport(server, clock).send("POST", "/x", headers={"x-amz-tenant-id": value})
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"max_attempts": 0}, "max_attempts must be at least 1, not 0"),
        ({"connect_timeout": 0}, "connect_timeout must be a positive number of seconds, not 0"),
        ({"read_timeout": -1}, "read_timeout must be a positive number of seconds, not -1"),
        ({"user_agent_extra": "a\nb"}, "user_agent_extra must be printable ASCII"),
        ({"endpoint_url": "https://e.com"}, "set AWS_REGION or pass region="),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Transport(**{"endpoint_url": "http://e.com", **options})  # type: ignore[arg-type]
