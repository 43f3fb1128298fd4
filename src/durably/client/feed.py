"""The events of an execution as they come.

The API has no stream, so new events are asked for, newest first, until a known one appears: the cost does not grow
with the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Protocol

__all__ = ["Feed", "Pages"]

_NEWEST: Final = 50
_ALL: Final = 1000


class Pages(Protocol):
    """As :meth:`durably.client.api.LambdaApi.pages`."""

    def pages(self, action: str, member: str, **params: Any) -> Iterator[Any]: ...


class Feed:
    """The events of an execution, each once, in order."""

    def __init__(self, api: Pages, arn: str) -> None:
        self._api = api
        self._arn = arn
        self._last = 0

    def new(self) -> list[Any]:
        """What has been added since the last call."""
        if self._last == 0:
            events = list(self._pages(False))
        else:
            events = []
            for event in self._pages(True):
                if event["EventId"] <= self._last:
                    break
                events.append(event)
            events.reverse()
        if events:
            self._last = events[-1]["EventId"]
        return events

    def _pages(self, newest_first: bool) -> Iterator[Any]:
        return self._api.pages(
            "GetDurableExecutionHistory",
            "Events",
            DurableExecutionArn=self._arn,
            IncludeExecutionData=True,
            ReverseOrder=newest_first or None,
            MaxItems=_NEWEST if newest_first else _ALL,
        )
