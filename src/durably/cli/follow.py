"""Following an execution through its history.

A service that goes away while being followed is waited for, since an embedded one that was killed continues its
executions when it comes back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from durably.client.api import LambdaApi
from durably.client.feed import Feed
from durably.wire.api_errors import ApiError
from durably.wire.statuses import ENDED_STATUSES

__all__ = ["TimedOut", "follow"]

_ENDINGS: Final = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"})
_QUICKEST: Final = 0.05
_PATIENCE: Final = 120.0
"""Seconds a service that has answered before may be away."""


class TimedOut(Exception):
    """The execution had not ended when the time was up."""


def follow(
    api: LambdaApi,
    arn: str,
    on_events: Callable[[list[Any]], None],
    on_idle: Callable[[str], None],
    *,
    slowest: float,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Watch until the execution ends; returns GetDurableExecution's answer.

    Parameters:
        on_idle: called between polls, with what is wrong with the service, or with an empty text.
        slowest: seconds between two polls while nothing happens.
        timeout: seconds. Raises TimedOut when they are over.
    """
    feed = Feed(api, arn)
    started = time.monotonic()
    pause = _QUICKEST
    away_since: float | None = None
    answered = False
    while True:
        try:
            events = feed.new()
            if any(event["EventType"] in _ENDINGS for event in events):
                on_events(events)
                return api.call("GetDurableExecution", DurableExecutionArn=arn)
            if not events and not answered:
                found = api.call("GetDurableExecution", DurableExecutionArn=arn)
                if found["Status"] in ENDED_STATUSES:
                    return found
            answered, away_since = True, None
        except ApiError as exc:
            now = time.monotonic()
            away_since = away_since if away_since is not None else now
            if not answered or not exc.retry_request or now - away_since > _PATIENCE:
                raise
            on_idle("the service does not answer; trying again (Ctrl-C detaches)")
            events = []
        if events:
            on_events(events)
            pause = _QUICKEST
        if timeout is not None and time.monotonic() - started > timeout:
            raise TimedOut
        if away_since is None:
            on_idle("")
        time.sleep(pause)
        pause = min(slowest, pause * 1.25)
