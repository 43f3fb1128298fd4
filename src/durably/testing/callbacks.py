"""Callbacks of an execution under test: found by name, answered by hand or by a rule."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from durably.exceptions import error_object
from durably.serdes import json_codec_for
from durably.wire.shapes import ErrorObject

from ._durations import Span
from .errors import CallbackNotReady, TestingError

if TYPE_CHECKING:
    from ._world import World

__all__ = ["NEVER", "Answer", "OpenCallback", "error_of", "payload_of"]


class _Never:
    def __repr__(self) -> str:
        return "NEVER"


NEVER: Final = _Never()
"""The answer of somebody who does not answer: the callback stays open, and times out if it has a timeout."""


@dataclass(eq=False, slots=True)
class OpenCallback:
    """A callback that is open, as its listener sees it. Made by the runner.

    Attributes:
        name: of the operation: of wait_for_callback, or of create_callback.
        callback_id: what the submitter was given.
        submitted: wait_for_callback has handed the id out; always true for create_callback.
        execution_arn: whose it is.
    """

    name: str | None
    callback_id: str
    execution_arn: str
    operation_id: str
    parent_id: str | None
    submitted: bool
    _world: World = field(repr=False)
    answered: bool = False

    def succeed(self, value: Any = None) -> None:
        """Answer with ``value``: text is sent as it is, anything else as JSON."""
        self._world.send_callback("Success", self.callback_id, Result=payload_of(value))

    def fail(self, error: BaseException | ErrorObject | str) -> None:
        """Answer with a failure."""
        self._world.send_callback("Failure", self.callback_id, Error=error_of(error))

    def heartbeat(self) -> None:
        """Say that the answer is still being worked on."""
        self._world.send_callback("Heartbeat", self.callback_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody answers to a callback, and when.

    Parameters:
        value: the result; an exception fails the callback; a function is called with the :class:`OpenCallback` and
            returns either (or raises); ``NEVER`` leaves it open.
        after: virtual time from when it was submitted.
        heartbeat_every: a sign of life again and again until then.
    """

    value: Any = None
    after: Span = 0
    heartbeat_every: Span | None = None

    def give(self, callback: OpenCallback) -> None:
        value = self.value
        if callable(value) and not isinstance(value, (BaseException, type)):
            ask: Callable[[OpenCallback], Any] = value
            try:
                value = ask(callback)
            except Exception as error:
                value = error
            if inspect.iscoroutine(value):
                value.close()
                raise TestingError(
                    f"the answer to the callback {callback.name!r} is a coroutine: give a plain function"
                )
        if value is NEVER:
            return
        if isinstance(value, BaseException):
            callback.fail(value)
        else:
            callback.succeed(value)


def payload_of(value: Any) -> str | None:
    """The text that answers a callback with ``value``."""
    if value is None or isinstance(value, str):
        return value
    return json_codec_for().encode(value)


def error_of(error: BaseException | ErrorObject | str) -> ErrorObject:
    if isinstance(error, str):
        return {"ErrorType": "Error", "ErrorMessage": error}
    if isinstance(error, BaseException):
        made = error_object(error)
        made.pop("StackTrace", None)
        return made
    return error


def not_ready(name: str | None, why: str) -> CallbackNotReady:
    return CallbackNotReady(f"no callback {name!r} is open: {why}")
