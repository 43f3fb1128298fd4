"""How an async run reaches its client, whatever world the client lives in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol

from durably.wire.limits import MAX_STATE_PAGE

from .environment import REAL, Environment, environment_of
from .mailbox import mailbox_of

if TYPE_CHECKING:
    from durably.wire.shapes import CheckpointResponse, ExecutionState, Operation, OperationUpdate

__all__ = ["AsyncTransport", "load_state", "transport_for"]

Reply = Callable[[Any], None]


class AsyncTransport(Protocol):
    """``reply`` is called once, on the loop, never within the call itself, with the answer or the failure."""

    environment: Environment

    def checkpoint(
        self,
        arn: str,
        token: str,
        updates: list[OperationUpdate],
        reply: Callable[[CheckpointResponse | BaseException], None],
    ) -> None: ...

    def get_state(
        self,
        arn: str,
        token: str,
        marker: str | None,
        max_items: int,
        reply: Callable[[ExecutionState | BaseException], None],
    ) -> None: ...


def transport_for(client: Any) -> AsyncTransport:
    """The cheapest way: callbacks of a service in this process, coroutines, or a thread for blocking calls."""
    transport = _transport_for(client)
    transport.environment = environment_of(client)
    return transport


def _transport_for(client: Any) -> AsyncTransport:
    loop = asyncio.get_running_loop()
    port = getattr(client, "port", None)
    if port is not None and hasattr(port, "submit_checkpoint"):
        return _PortTransport(port, loop)
    checkpoint = getattr(client, "acheckpoint", None) or client.checkpoint
    get_state = getattr(client, "aget_state", None) or client.get_state
    if iscoroutinefunction(checkpoint):
        return _CoroutineTransport(checkpoint, get_state, loop)
    return _ThreadTransport(client, loop)


def post_to(loop: asyncio.AbstractEventLoop, reply: Reply, answer: Any) -> None:
    """Call ``reply`` on ``loop``, if it is still there to be told."""
    try:
        loop.call_soon_threadsafe(reply, answer)
    except RuntimeError:
        if not loop.is_closed():
            raise


class _PortTransport:
    environment = REAL

    def __init__(self, port: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._port = port
        self._post = mailbox_of(loop).post

    def checkpoint(self, arn: str, token: str, updates: list[OperationUpdate], reply: Reply) -> None:
        self._port.submit_checkpoint(arn, token, updates, None, self._on_loop(reply))

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int, reply: Reply) -> None:
        self._port.submit_get_state(arn, token, marker, max_items, self._on_loop(reply))

    def _on_loop(self, reply: Reply) -> Reply:
        return partial(self._post, reply)


class _Leader(asyncio.Task[None]):
    """A task that cannot be cancelled before it has begun, as a callback cannot: a program may cancel all tasks."""

    begun = False

    def cancel(self, msg: Any | None = None) -> bool:
        return self.begun and super().cancel(msg)


class _CoroutineTransport:
    environment = REAL

    def __init__(self, checkpoint: Any, get_state: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._checkpoint = checkpoint
        self._get_state = get_state
        self._loop = loop
        self._calls: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly
        self._leader: _Leader | None = None
        self._leading = False
        self._led: tuple[Any, Reply] | None = None

    def soon(self, lead: Callable[[], None], context: Context) -> None:
        """Call ``lead`` in the next turn of the loop, in the task that then makes the call which it asks for.

        A task begins with a turn of its own, so one for the call alone would cost every checkpoint a second turn.
        """
        self._leader = _Leader(self._lead(lead), loop=self._loop, context=context.copy())

    async def _lead(self, lead: Callable[[], None]) -> None:
        assert self._leader is not None
        self._leader.begun = self._leading = True
        try:
            lead()
        finally:
            self._leading = False
        led, self._led = self._led, None
        if led is not None:
            await self._make(*led)

    def checkpoint(self, arn: str, token: str, updates: list[OperationUpdate], reply: Reply) -> None:
        call = self._checkpoint(arn, token, updates, None)
        if self._leading:
            self._led = (call, reply)
        else:
            self._start(call, reply)

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int, reply: Reply) -> None:
        self._start(self._get_state(arn, token, marker, max_items), reply)

    def _start(self, call: Any, reply: Reply) -> None:
        task = self._loop.create_task(self._make(call, reply))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _make(self, call: Any, reply: Reply) -> None:
        try:
            answer = await call
        except BaseException as error:
            answer = error
        reply(answer)


class _ThreadTransport:
    environment = REAL
    _threads: ThreadPoolExecutor | None = None

    def __init__(self, client: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        if _ThreadTransport._threads is None:
            _ThreadTransport._threads = ThreadPoolExecutor(64, "durably-client")

    def checkpoint(self, arn: str, token: str, updates: list[OperationUpdate], reply: Reply) -> None:
        self._start(reply, self._client.checkpoint, arn, token, updates, None)

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int, reply: Reply) -> None:
        self._start(reply, self._client.get_state, arn, token, marker, max_items)

    def _start(self, reply: Reply, method: Callable[..., Any], *args: Any) -> None:
        def call() -> None:
            try:
                answer = method(*args)
            except BaseException as error:
                answer = error
            post_to(self._loop, reply, answer)

        assert self._threads is not None
        self._threads.submit(call)


async def load_state(transport: AsyncTransport, arn: str, token: str, marker: str | None) -> list[Operation]:
    """Every further page of operations from ``marker`` on; none without a marker."""
    operations: list[Operation] = []
    loop = asyncio.get_running_loop()
    while marker:
        answered: asyncio.Future[Any] = loop.create_future()
        transport.get_state(arn, token, marker, MAX_STATE_PAGE, answered.set_result)
        page = await answered
        if isinstance(page, BaseException):
            raise page
        operations.extend(page["Operations"])
        marker = page.get("NextMarker")
    return operations
