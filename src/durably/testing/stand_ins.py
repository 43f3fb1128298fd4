"""Stand-ins for steps and for functions that are invoked: what they answer, attempt by attempt."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from durably.exceptions import StepTimeoutError

if TYPE_CHECKING:
    from durably.engine.operation import Op

    from ._scheduler import Scheduler

__all__ = ["TIMES_OUT", "Mock", "TimedOut", "is_error", "step_body"]


class _TimesOut:
    def __repr__(self) -> str:
        return "TIMES_OUT"


TIMES_OUT: Final = _TimesOut()
"""The outcome of an attempt that does not come back within the timeout of its step, or of its function."""


class TimedOut(BaseException):
    """The invoked function, of which this is the outcome, is killed at its timeout."""


class Mock:
    """Stands in for a function that is invoked, or for a step.

    Parameters:
        value: what it answers; an exception is raised; a function is called (for a step with its context, for an
            invoked function with the payload) and answers; ``TIMES_OUT``.
        error: an exception to raise, in place of ``value``.

    Attributes:
        calls: what it was called with: step contexts, or payloads.
    """

    def __init__(self, value: Any = None, *, error: BaseException | type[BaseException] | None = None) -> None:
        self._outcomes: tuple[Any, ...] = (value if error is None else error,)
        self.calls: list[Any] = []

    @classmethod
    def each(cls, *outcomes: Any) -> Mock:
        """One outcome for each attempt of a step, or for each call of a function; the last one stays."""
        if not outcomes:
            raise ValueError("Mock.each() needs at least one outcome, e.g. Mock.each(ConnectionError(), 'done')")
        mock = cls()
        mock._outcomes = outcomes
        return mock

    def fresh(self) -> Mock:
        """The same, not called yet."""
        return type(self).each(*self._outcomes)

    @property
    def called(self) -> bool:
        return bool(self.calls)

    def outcome(self, number: int) -> Any:
        """That of the attempt or call ``number``, from 1."""
        return self._outcomes[min(number, len(self._outcomes)) - 1]

    def __call__(self, *args: Any) -> Any:
        """As an invoked function: the outcome of the next call, for this payload."""
        self.calls.append(args[0] if args else None)
        return self._play(self.outcome(len(self.calls)), args)

    def attempt(self, number: int, args: tuple[Any, ...]) -> Any:
        """As attempt ``number`` of a step."""
        self.calls.append(args[-1])
        return self._play(self.outcome(number), args)

    @staticmethod
    def _play(outcome: Any, args: tuple[Any, ...]) -> Any:
        if outcome is TIMES_OUT:
            raise TimedOut
        if is_error(outcome):
            raise outcome
        return _called(outcome, args) if callable(outcome) and not isinstance(outcome, type) else outcome

    def __repr__(self) -> str:
        return f"<Mock of {', '.join(map(repr, self._outcomes))}; called {len(self.calls)} times>"


def is_error(outcome: Any) -> bool:
    return isinstance(outcome, BaseException) or (isinstance(outcome, type) and issubclass(outcome, BaseException))


def _called(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call with as many of ``args`` as it takes, the last ones: a step's context rather than nothing."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function(*args)
    for count in range(len(args), -1, -1):
        given = args[len(args) - count :]
        try:
            signature.bind(*given)
        except TypeError:
            continue
        return function(*given)
    return function(*args)


def step_body(mock: Mock, scheduler: Scheduler, op: Op, attempt: int, timeout: float | None) -> Callable[..., Any]:
    """What runs in place of the body of ``op``; its outcome is recorded like the body's."""

    def too_late() -> StepTimeoutError:
        limit = "its timeout" if timeout is None else f"its timeout of {timeout:g} s"
        return StepTimeoutError(f"{op.describe()} took longer than {limit}")

    def body(*args: Any) -> Any:
        if mock.outcome(attempt) is TIMES_OUT:
            mock.calls.append(args[-1])
            scheduler.sleep(timeout or 0)
            raise too_late()
        return mock.attempt(attempt, args)

    async def abody(*args: Any) -> Any:
        if mock.outcome(attempt) is TIMES_OUT:
            mock.calls.append(args[-1])
            await asyncio.sleep(timeout or 0)
            raise too_late()
        value = mock.attempt(attempt, args)
        return await value if inspect.isawaitable(value) else value

    return abody if op.run.is_async else body
