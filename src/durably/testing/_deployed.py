"""An execution of a deployed function, watched through the API: what a :class:`World` is to one in memory.

Time is real here, so everything that "lets time pass" asks for news until what was wanted has come: often at first and
after something happened, less and less often while nothing does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, cast

from durably.client.clock import Clock
from durably.client.feed import Feed
from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.shapes import ErrorObject, Event, Operation
from durably.wire.statuses import ENDED_STATUSES

from ._durations import as_ms
from .callbacks import Answer, OpenCallback
from .errors import RunTimeout
from .export import Api
from .history_state import StateBuilder
from .result import RunResult

__all__ = ["Deployed"]

_QUICKEST: Final = 0.05
_SLOWER: Final = 1.25
_PATIENCE: Final = 60.0
"""Seconds that the service may be away, or not know yet what it has just started."""
_OVER: Final = frozenset({"CallbackTimeoutException", "ResourceNotFoundException"})
"""How a callback refuses an answer that comes too late."""


class Deployed:
    """One execution.

    Parameters:
        api: of the service.
        arn: of the execution.
        answer_for: the answer to callbacks of a name, if there is one.
        decode: reads the result.
        slowest: seconds between two looks while nothing happens.
        timeout: seconds that the execution may take to get where it is wanted.
    """

    def __init__(
        self,
        api: Api,
        arn: str,
        *,
        answer_for: Callable[[str | None], Answer | None],
        decode: Callable[[str], Any],
        slowest: float,
        timeout: float,
        clock: Clock,
    ) -> None:
        self.arn = arn
        self.listener = self
        self._api = api
        self._feed = Feed(api, arn)
        self._answer_for = answer_for
        self._decode = decode
        self._slowest = slowest
        self._timeout = timeout
        self._clock = clock
        self._state = StateBuilder(arn.rpartition("/")[2])
        self._events: list[Event] = []
        self._described: dict[str, Any] | None = None
        self._callbacks: dict[str, OpenCallback] = {}
        self._asked: set[str] = set()
        self._planned: list[tuple[float, int, Callable[[], None]]] = []

    # ---- what an execution asks of its world -----------------------------------------------------------------

    @property
    def ended(self) -> bool:
        return self._described is not None

    def now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    def describe(self, arn: str) -> dict[str, Any]:
        return self._described or {"Status": self._state.status}

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self._api.call(action, **params)

    def send_callback(self, kind: str, callback_id: str, **members: Any) -> None:
        self._api.call(f"SendDurableExecutionCallback{kind}", CallbackId=callback_id, **members)

    def drive(self, done: Callable[[], bool], until_ms: int | None = None, *, inline: bool = True) -> bool:
        """Watch until ``done()``, the end of the execution, or a moment; whether it is done.

        Raises RunTimeout.
        """
        began = self._clock.monotonic()
        pause = _QUICKEST
        while True:
            if self.look():
                pause = _QUICKEST
            self._answer()
            if done():
                return True
            if self.ended or (until_ms is not None and self.now_ms() >= until_ms):
                return False
            waited = self._clock.monotonic() - began
            if until_ms is None and waited >= self._timeout:
                raise RunTimeout(self._too_late())
            self._clock.sleep(max(0.001, min(pause, *self._soon(until_ms, waited))))
            pause = min(self._slowest, pause * _SLOWER)

    def find(self, arn: str, name: str | None, index: int = 0) -> OpenCallback | None:
        """The open callback of that name (or any) that can be answered."""
        found = [one for one in self._callbacks.values() if one.submitted and name in (None, one.name)]
        return found[index] if index < len(found) else None

    def open_callbacks(self) -> list[OpenCallback]:
        return list(self._callbacks.values())

    # ---- looking -----------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Ask for news once; whether there were any. A service that is away for a moment is waited for."""
        if self.ended:
            return False
        news: list[Event] = []
        self._patiently(lambda: news.extend(self._feed.new()))
        for event in news:
            self._state.take(event)
        self._events += news
        if self._state.status in ENDED_STATUSES:
            self._patiently(self._read_end)
        if news:
            self._list_callbacks()
        return bool(news)

    def _read_end(self) -> None:
        self._described = self._api.call("GetDurableExecution", DurableExecutionArn=self.arn, IncludeExecutionData=True)

    def _patiently(self, ask: Callable[[], None]) -> None:
        began = self._clock.monotonic()
        pause = _QUICKEST
        while True:
            try:
                ask()
                return
            except ApiError as error:
                unknown = error.code == "ResourceNotFoundException" and not self._events
                if not (error.retry_request or unknown) or self._clock.monotonic() - began > _PATIENCE:
                    raise
            self._clock.sleep(pause)
            pause = min(self._slowest, pause * 2)

    def snapshot(self) -> RunResult[Any]:
        """The execution as it was when it was last looked at."""
        described = self.describe(self.arn)
        started = self._state.execution.get("StartTimestamp", self.now_ms())
        error: ErrorObject | None = described.get("Error", self._state.error)
        return RunResult(
            arn=self.arn,
            status=described["Status"],
            payload=described.get("Result", self._state.result),
            error=error,
            records=cast("list[Operation]", list(self._state.operations.values())),
            events=list(self._events),
            decode=self._decode,
            started_ms=described.get("StartTimestamp", started),
            ended_ms=described.get("EndTimestamp"),
            function=ExecutionArn.parse(self.arn).function,
        )

    # ---- callbacks -------------------------------------------------------------------------------------------

    def _list_callbacks(self) -> None:
        """Bring the list of open callbacks up to date."""
        operations = self._state.operations
        handed_out = {
            one.get("ParentId") for one in operations.values() if one["Type"] == "STEP" and one["Status"] == "SUCCEEDED"
        }
        known, self._callbacks = self._callbacks, {}
        for op_id, one in operations.items():
            if one["Type"] != "CALLBACK" or one["Status"] != "STARTED":
                continue
            parent = operations.get(one.get("ParentId", ""))
            inside = parent is not None and parent.get("SubType") == "WaitForCallback"
            submitted = not inside or one.get("ParentId") in handed_out
            callback = known.get(op_id)
            if callback is None:
                name = parent.get("Name") if inside and parent is not None else one.get("Name")
                told = one["CallbackDetails"]["CallbackId"]
                world = cast(Any, self)
                callback = OpenCallback(name, told, self.arn, op_id, one.get("ParentId"), submitted, world)
            callback.submitted = submitted
            self._callbacks[op_id] = callback

    def _answer(self) -> None:
        """Say what is promised and due."""
        for op_id, callback in self._callbacks.items():
            if callback.submitted and op_id not in self._asked:
                answer = self._answer_for(callback.name)
                if answer is not None:
                    self._asked.add(op_id)
                    self._plan(callback, answer)
        while self._planned and self._planned[0][0] <= self._clock.monotonic():
            _, _, action = heappop(self._planned)
            try:
                action()
            except ApiError as error:
                if error.code not in _OVER:
                    raise

    def _plan(self, callback: OpenCallback, answer: Answer) -> None:
        due = as_ms(answer.after, "after") / 1000
        if answer.heartbeat_every is not None:
            every = as_ms(answer.heartbeat_every, "heartbeat_every") / 1000
            beat = every
            while every and beat < due:
                self._at(beat, callback, callback.heartbeat)
                beat += every
        self._at(due, callback, partial(answer.give, callback))

    def _at(self, delay: float, callback: OpenCallback, action: Callable[[], None]) -> None:
        def if_open() -> None:
            if callback.operation_id in self._callbacks:
                action()

        heappush(self._planned, (self._clock.monotonic() + delay, len(self._planned) + len(self._asked), if_open))

    # ---- waiting ------------------------------------------------------------------------------------------------

    def _soon(self, until_ms: int | None, waited: float) -> list[float]:
        """Seconds to whatever comes first."""
        left = [self._timeout - waited] if until_ms is None else [(until_ms - self.now_ms()) / 1000]
        if self._planned:
            left.append(self._planned[0][0] - self._clock.monotonic())
        return left

    def _too_late(self) -> str:
        result = self.snapshot()
        waits = ", ".join(repr(one) for one in result.operations.open) or "nothing that is recorded"
        return (
            f"{self.arn} did not get there within {self._timeout:g} s; it waits for {waits}. Give it longer "
            f"(timeout=), or answer what it waits for (callbacks=).\n\n{result}"
        )
