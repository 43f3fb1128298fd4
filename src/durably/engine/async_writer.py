"""The checkpoint writer on an event loop: what is sent when, and what an answer wakes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from durably.wire.api_errors import ApiError
from durably.wire.statuses import TERMINAL_STATUSES

from .alarm import Alarm, due_of
from .async_group import Beginnings
from .delivery import Delivery
from .environment import Environment, environment_of
from .pages import gather_pages
from .requests import Flush
from .run import Run, state_of
from .scope import CURRENT
from .suspension import Verdict
from .tasks import Acknowledgement, Arrival, ParkFuture

if TYPE_CHECKING:
    from durably.wire.shapes import CheckpointResponse, Operation, OperationUpdate

    from .branch import Branch
    from .timers import Timers
    from .transport import AsyncTransport

__all__ = ["AsyncWriter"]


class AsyncWriter(Run):
    """What an async run has of it. See :mod:`durably.engine.async_run`."""

    def __init__(
        self, arn: str, token: str, operations: list[Operation], transport: AsyncTransport, lambda_context: Any = None
    ) -> None:
        super().__init__(arn, token, operations, lambda_context)
        self.environment: Environment = environment_of(transport)
        self.transport = transport
        self._lead_soon = getattr(transport, "soon", None)
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._outside = copy_context()
        self._outside.run(CURRENT.set, None)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.spawning = 0  # tasks being created: an eager one runs before it is adopted
        self._over: asyncio.Future[None] = self.loop.create_future()
        self._sender_due = False
        self._newcomers = False
        self._sending = False
        self._quiet: asyncio.Future[None] | None = None
        self._flushes: deque[Flush] = deque()
        self._parks: dict[str, list[tuple[str | None, ParkFuture]]] = {}
        self._alarm = Alarm(self.loop, self._outside, self.environment.now_ms, self._still_due, self._refresh)
        self._delivery = Delivery(self.loop, self._soon, self._handed_out)
        self.beginnings: Beginnings = Beginnings(self)
        self.timers: Timers

    def _check_soon(self) -> None:
        """Look, soon, whether anything can still move."""
        raise NotImplementedError

    def _soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """call_soon outside of any scope: what the writer's client spawns is none of the handler's tasks."""
        self.loop.call_soon(callback, *args, context=self._outside)

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        if self.verdict is not None or self.returned or (branch is not None and branch.is_over):
            raise self.refusal()
        seq = self.outbox.add(update)
        if deferred:
            if self.must_send():
                self._send_soon()
            else:
                self._check_soon()
            return seq
        self.urgent: int = seq
        if not self._sender_due and not self._sending:
            self._send_soon()
        return seq

    def _send_soon(self) -> None:
        """Make the next call once what is ready to run has run: it may have more updates (natural batching)."""
        if not self._sender_due and not self._sending:
            self._sender_due = True
            if self._lead_soon is None:
                self._soon(self._lead)
            else:
                self._lead_soon(self._lead, self._outside)

    def _lead(self) -> None:
        self._sender_due = False
        if self._newcomers:  # branches that begin in this turn of the loop, with updates of their own
            self._newcomers = False
            self._send_soon()
            return
        if self._sending or self.verdict is not None:
            return
        if not self.outbox.has_pending:
            self._check_soon()
            return
        if self._delivery.has_arrivals:
            return  # what follows from completions that came together travels together; the pump calls again
        self._call_service(self.outbox.take())

    def _call_service(self, batch: list[OperationUpdate]) -> None:
        self._sending = True
        assert self.token is not None

        def reply(answer: CheckpointResponse | BaseException) -> None:
            self._guarded(self._answered, batch, answer)

        self._guarded(self.transport.checkpoint, self.arn, self.token, batch, reply)

    def _guarded(self, handle: Callable[..., None], *args: Any) -> None:
        """Call ``handle``; what a client does wrong ends the invocation, instead of leaving it waiting for ever."""
        try:
            handle(*args)
        except Exception as error:
            self._sent()
            self.end(Verdict(raises=error))

    def _answered(self, batch: list[OperationUpdate], answer: CheckpointResponse | BaseException) -> None:
        if isinstance(answer, BaseException):
            self._sent()
            if isinstance(answer, ApiError):
                self.api_failure(answer)
            else:
                self.end(Verdict(raises=answer))
            return
        state = state_of(answer)
        marker = state.get("NextMarker")
        if not marker:
            self._merge(batch, answer, state["Operations"])
            return
        token = answer.get("CheckpointToken") or self.token or ""
        done = partial(self._guarded, self._paged, batch, answer)
        gather_pages(self.transport, self.arn, token, marker, list(state["Operations"]), done)

    def _sent(self) -> None:
        self._sending = False
        if self._quiet is not None and not self._quiet.done():
            self._quiet.set_result(None)

    def _paged(
        self, batch: list[OperationUpdate], answer: CheckpointResponse, found: list[Operation] | BaseException
    ) -> None:
        if isinstance(found, BaseException):
            self._answered(batch, found)
        else:
            self._merge(batch, answer, found)

    def _merge(self, batch: list[OperationUpdate], answer: CheckpointResponse, operations: list[Operation]) -> None:
        """Take an answer in, and wake what waited for it, in the order of the answer."""
        self._sent()
        if self.verdict is not None:
            return
        self.absorb(answer, batch, operations)
        if self.verdict is not None:
            return
        woken: list[Arrival] = []
        flushed: dict[str, Arrival] = {}
        flushes, parks, delivery, acknowledged = self._flushes, self._parks, self._delivery, self.outbox.acknowledged
        while flushes and flushes[0].seq <= acknowledged:
            flush = flushes.popleft()
            arrival: Arrival = flush.arrival
            if flush.completion:
                flushed[flush.op_id] = arrival
            elif not arrival.done():
                arrival.set_result(None)  # a START: not a completion, so not part of the order
        concurrent = bool(self._tasks or self.timers.due or delivery.has_arrivals)
        for operation in operations:
            op_id = operation["Id"]
            future = flushed.pop(op_id, None)
            if future is not None:
                delivery.delivered.add(op_id)
            if op_id not in parks:
                if future is not None:
                    woken.append(future)
                    if concurrent:
                        future.came = delivery.comes(op_id, True)
                elif concurrent and operation["Status"] in TERMINAL_STATUSES:
                    delivery.comes(op_id, False)
                continue
            told = [*(() if future is None else (future,)), *self._unpark(operation)]
            if concurrent and (told or operation["Status"] in TERMINAL_STATUSES):
                came = delivery.comes(op_id, bool(told))
                for one in told:
                    one.came = came
            woken += told
        for op_id, future in flushed.items():
            delivery.delivered.add(op_id)
            future.came = delivery.comes(op_id, True)
            woken.append(future)
        if concurrent:
            self._delivery.arrive(woken)
        else:
            for future in woken:
                if not future.done():
                    future.set_result(None)
        if self.must_send():
            self._send_soon()
        else:
            self._check_soon()
        self._alarm.arm()

    def _unpark(self, operation: Operation) -> list[ParkFuture]:
        """Those who wait for ``operation`` and for whom it has changed."""
        op_id, status = operation["Id"], operation["Status"]
        waiting = self._parks.pop(op_id)
        if status in TERMINAL_STATUSES and any(met != status for met, _ in waiting):
            self._delivery.delivered.add(op_id)
        left = [one for one in waiting if one[0] == status]
        if left:
            self._parks[op_id] = left
        return [parked for met, parked in waiting if met != status]

    def _flush(self, flush: Flush) -> Acknowledgement | None:
        """What to await until ``flush`` is acknowledged; None when it is."""
        if not flush.final or self.verdict is not None:
            self.refuse_if_ended()
        if self.outbox.acknowledged >= flush.seq:
            return None
        acknowledgement = Acknowledgement(self.loop, flush.strand)
        self.tell_when_recorded(flush, acknowledgement)
        return acknowledgement

    def when_recorded(self, flush: Flush) -> ParkFuture:
        """What is done when ``flush`` is, and all that was recorded before has been seen."""
        future = ParkFuture(loop=self.loop)
        future.strand = flush.strand
        self.tell_when_recorded(flush, future)
        return future

    def tell_when_recorded(self, flush: Flush, arrival: Arrival) -> None:
        """The same, for something else than a future."""
        flush.arrival = arrival
        self._flushes.append(flush)
        if flush.seq > self.urgent or not self._sender_due:
            self._send_by(flush.seq)

    def _send_by(self, seq: int) -> None:
        """Update ``seq`` is waited for: it is not collected any longer, nor is anything before it."""
        if seq > self.urgent:
            self.urgent = seq
        if not self._sender_due and not self._sending:
            self._send_soon()

    async def flush_rest(self) -> None:
        """Send what nobody has waited for; the handler has returned."""
        while self.verdict is None and self.outbox.acknowledged < self.outbox.last:
            future = ParkFuture(loop=self.loop)
            self.tell_when_recorded(Flush(self.outbox.last, "", None), future)
            try:
                await asyncio.wait((future, self._over), return_when=asyncio.FIRST_COMPLETED)
            except BaseException as error:
                self.end(Verdict(raises=error))
                raise

    def _still_due(self, op_id: str, due_ms: int) -> bool:
        record = self.ops.get(op_id)
        return op_id in self._parks and record is not None and due_of(record) == due_ms

    def _refresh(self) -> None:
        if self.verdict is None and not self._sending:
            self._call_service(self.outbox.take())  # any answer brings what has changed

    def _handed_out(self) -> None:
        self.beginnings.go_on()
        if self.must_send():
            self._send_soon()
        self._check_soon()
