"""A client for the service that lives in this process: no sockets, no JSON, no copies.

The service answers on a thread of its own, so the one thing to get right is how the caller waits. A sync caller
blocks on a bare lock (a ``threading.Event`` costs several times as much). A coroutine awaits a future woken with
``call_soon_threadsafe``, unless the answer was there before the call returned: then the loop is not troubled.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from durably.wire.api_errors import ApiError
from durably.wire.ports import CheckpointPort

if TYPE_CHECKING:
    from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate

__all__ = ["InProcessClient"]

_Answer = TypeVar("_Answer")
_Submit = Callable[[Callable[[_Answer | ApiError], None]], None]


class InProcessClient:
    """Both worlds' calls over ``port``, e.g. a ``Service``. Who can use callbacks may go to ``port`` itself."""

    __slots__ = ("port",)

    def __init__(self, port: CheckpointPort) -> None:
        self.port: CheckpointPort = port

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        answer: CheckpointResponse = _block(partial(self.port.submit_checkpoint, arn, token, updates, client_token))
        return answer

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        state: ExecutionState = _block(partial(self.port.submit_get_state, arn, token, marker, max_items))
        return state

    async def acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        return await _suspend(partial(self.port.submit_checkpoint, arn, token, updates, client_token))

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        return await _suspend(partial(self.port.submit_get_state, arn, token, marker, max_items))

    def __repr__(self) -> str:
        return f"InProcessClient({self.port!r})"


def _block(submit: _Submit[_Answer]) -> _Answer:
    answers: list[_Answer | ApiError] = []
    answered = allocate_lock()
    answered.acquire()

    def reply(answer: _Answer | ApiError) -> None:
        answers.append(answer)
        answered.release()

    submit(reply)
    answered.acquire()
    return _unwrap(answers[0])


async def _suspend(submit: _Submit[_Answer]) -> _Answer:
    from asyncio import get_running_loop

    loop = get_running_loop()
    answers: list[_Answer | ApiError] = []
    # Held until somebody is there to be woken: decides which side finds the other waiting.
    meeting = allocate_lock()
    future: Any = None

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    def reply(answer: _Answer | ApiError) -> None:
        with meeting:
            answers.append(answer)
            waiting = future is not None
        if waiting:
            try:
                loop.call_soon_threadsafe(wake)
            except RuntimeError:
                pass  # the loop was closed: nobody waits any more

    submit(reply)
    with meeting:
        if not answers:
            future = loop.create_future()
    if future is not None:
        await future
    return _unwrap(answers[0])


def _unwrap(answer: _Answer | ApiError) -> _Answer:
    if isinstance(answer, ApiError):
        raise answer
    return answer
