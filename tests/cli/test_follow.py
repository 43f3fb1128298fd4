"""Following: each event once and in order, whatever happens to the service meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from durably.cli import follow as module
from durably.cli.follow import TimedOut, follow
from durably.client import LambdaApi
from durably.client.feed import Feed
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.wire.api_errors import ApiError


def start(service: Service, function: str, name: str, payload: str = "null") -> str:
    arn: str = service.call(
        "Invoke",
        FunctionName=function,
        Qualifier="$LATEST",
        InvocationType="Event",
        DurableExecutionName=name,
        Payload=payload,
    )["DurableExecutionArn"]
    return arn


def callback_id(events: list[Any]) -> str | None:
    found = [event["CallbackStartedDetails"]["CallbackId"] for event in events if "CallbackStartedDetails" in event]
    return found[0] if found else None


def answer(service: Service, callback: str) -> None:
    service.call("SendDurableExecutionCallbackSuccess", CallbackId=callback, Result="yes")


def test_a_feed_gives_each_event_once_and_in_order_over_many_pages(service: Service, url: str) -> None:
    arn = start(service, "burst", "feed", "80")
    api = LambdaApi(endpoint_url=url)
    feed = Feed(api, arn)
    events: list[Any] = []
    while (callback := callback_id(events)) is None:
        events += feed.new()
    answer(service, callback)
    # Let all of it happen unseen, so that the rest is longer than a page of the newest.
    while service.call("GetDurableExecution", DurableExecutionArn=arn)["Status"] == "RUNNING":
        pass
    rest = feed.new()
    assert len(rest) > 150
    events += rest
    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))
    assert feed.new() == []
    api.close()


def test_a_service_that_goes_away_is_waited_for(service: Service) -> None:
    server = HttpServer(service, "127.0.0.1", 0)
    server.start()
    port = server.port
    arn = start(service, "ask", "outage")
    seen: list[Any] = []
    problems: list[str] = []

    def on_events(events: list[Any]) -> None:
        seen.extend(events)
        if callback_id(events) is not None:
            server.stop()

    def on_idle(problem: str) -> None:
        nonlocal server
        if problem:
            problems.append(problem)
            server = HttpServer(service, "127.0.0.1", port)
            server.start()
            callback = callback_id(seen)
            assert callback is not None
            answer(service, callback)

    api = LambdaApi(endpoint_url=server.url, max_attempts=1)
    ended = follow(api, arn, on_events, on_idle, slowest=0.05)
    assert (ended["Status"], ended["Result"]) == ("SUCCEEDED", '"they said yes"')
    assert problems == ["the service does not answer; trying again (Ctrl-C detaches)"]
    assert [event["EventId"] for event in seen] == list(range(1, len(seen) + 1))
    server.stop()
    api.close()


def test_patience_has_an_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", -1.0)
    arn = start(service, "ask", "gone-for-good")
    with HttpServer(service, "127.0.0.1", 0) as server:
        api = LambdaApi(endpoint_url=server.url, max_attempts=1)
        with pytest.raises(ApiError, match="cannot reach"):
            follow(api, arn, lambda _: server.stop(), lambda _: None, slowest=0.05)
    service.call("StopDurableExecution", DurableExecutionArn=arn)


def test_the_time_runs_out(service: Service, url: str) -> None:
    arn = start(service, "ask", "too-slow")
    api = LambdaApi(endpoint_url=url)
    with pytest.raises(TimedOut):
        follow(api, arn, lambda _: None, lambda _: None, slowest=0.05, timeout=0.01)
    service.call("StopDurableExecution", DurableExecutionArn=arn)
    api.close()
