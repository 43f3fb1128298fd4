"""The in-process client against ports that answer at every possible moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from durably.client import InProcessClient
from durably.wire.api_errors import ApiError

from .conftest import ARN


class Port:
    """Answers with what it was asked. ``when`` decides on which thread and at which moment."""

    def __init__(self, when: Callable[[Callable[[], None]], None], refusal: ApiError | None = None) -> None:
        self.when = when
        self.refusal = refusal

    def submit_checkpoint(
        self, arn: str, token: str, updates: Sequence[Any], client_token: str | None, reply: Callable[[Any], None]
    ) -> None:
        answer = {"CheckpointToken": f"{arn}|{token}|{len(updates)}|{client_token}"}
        self.when(lambda: reply(self.refusal or answer))

    def submit_get_state(
        self, arn: str, token: str, marker: str | None, max_items: int, reply: Callable[[Any], None]
    ) -> None:
        answer = {"Operations": [], "NextMarker": f"{arn}|{token}|{marker}|{max_items}"}
        self.when(lambda: reply(self.refusal or answer))


def at_once(deliver: Callable[[], None]) -> None:
    deliver()


def later(deliver: Callable[[], None]) -> None:
    threading.Timer(0.005, deliver).start()


def elsewhere_at_once(deliver: Callable[[], None]) -> None:
    thread = threading.Thread(target=deliver)
    thread.start()
    thread.join()


def elsewhere(deliver: Callable[[], None]) -> None:
    threading.Thread(target=deliver).start()


WHENS = [at_once, later, elsewhere_at_once, elsewhere]


@pytest.mark.parametrize("when", WHENS)
def test_sync_calls_return_the_answer(when: Any) -> None:
    client = InProcessClient(Port(when))
    assert client.checkpoint(ARN, "t", [], "c") == {"CheckpointToken": f"{ARN}|t|0|c"}
    assert client.get_state(ARN, "t", "m", 5) == {"Operations": [], "NextMarker": f"{ARN}|t|m|5"}


@pytest.mark.parametrize("when", WHENS)
def test_async_calls_return_the_answer(when: Any) -> None:
    client = InProcessClient(Port(when))

    async def main() -> None:
        assert await client.acheckpoint(ARN, "t", [], "c") == {"CheckpointToken": f"{ARN}|t|0|c"}
        assert await client.aget_state(ARN, "t", None) == {"Operations": [], "NextMarker": f"{ARN}|t|None|1000"}
        many = [client.aget_state(ARN, str(n), None) for n in range(100)]
        markers = [state["NextMarker"] for state in await asyncio.gather(*many)]
        assert markers == [f"{ARN}|{n}|None|1000" for n in range(100)]

    asyncio.run(main())


@pytest.mark.parametrize("when", WHENS)
def test_refusals_are_raised(when: Any) -> None:
    error = ApiError("InvalidParameterValueException", "no")
    client = InProcessClient(Port(when, error))
    with pytest.raises(ApiError) as raised:
        client.checkpoint(ARN, "t", [])
    assert raised.value is error

    async def main() -> None:
        await client.aget_state(ARN, "t", None)

    with pytest.raises(ApiError) as raised:
        asyncio.run(main())
    assert raised.value is error


def test_an_answer_to_a_cancelled_call_harms_nobody() -> None:
    deliveries: list[Callable[[], None]] = []
    client = InProcessClient(Port(deliveries.append))

    async def main() -> None:
        call = asyncio.create_task(client.acheckpoint(ARN, "t", []))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        elsewhere_at_once(deliveries[0])
        await asyncio.sleep(0)

    asyncio.run(main())


def test_an_answer_after_the_loop_has_closed_harms_nobody() -> None:
    deliveries: list[Callable[[], None]] = []
    client = InProcessClient(Port(deliveries.append))

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await client.acheckpoint(ARN, "t", [])

    asyncio.run(main())
    deliveries[0]()  # must not raise: it runs on the service's thread
