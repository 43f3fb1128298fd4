"""Driving protocols for plain functions, in the thread that calls them.

The checkpoint writer has no thread of its own. Whoever waits for an acknowledgement while no call is in flight
makes the call (it *leads*); those who find a call in flight wait, each at a place of its own. Its answer wakes those
whose updates it acknowledges, and one more, who leads the next. So one sequential handler pays no change of threads
for a checkpoint, concurrent branches batch, and nobody is woken for nothing.

Updates that nobody waits for (the START of an at-least-once step) are left to a borrowed helper thread, which is
only woken, not waited for: the body of a quick step is over before that thread gets to run, and the START shares
the call of its completion; while a slow body works or sleeps, the START travels.
"""

from __future__ import annotations

from _thread import allocate_lock, get_ident
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from durably.exceptions import InvocationError, ValidationError
from durably.wire.api_errors import ApiError
from durably.wire.limits import MAX_STATE_PAGE
from durably.wire.statuses import TERMINAL_STATUSES

from .barging_lock import BargingLock
from .crew import Crew
from .environment import Environment, Waiter, environment_of
from .requests import Body, Flush, NextOutcome, OpenGroup, Park, Pause, Request, Turn
from .run import Protocol, Run, state_of
from .scope import CURRENT
from .step import CALLERS
from .suspension import SuspendExecution, Verdict
from .sync_group import SyncGroup
from .threads import look_soon
from .timeouts import call_in_time, run_body

if TYPE_CHECKING:
    from durably.client.protocol import DurableServiceClient
    from durably.wire.shapes import CheckpointResponse, Operation, OperationUpdate

    from .branch import Branch
    from .group import MakeBranch

__all__ = ["SyncRun", "load_state"]

T = TypeVar("T")


class SyncRun(Run):
    """A run whose operations block. See :class:`durably.engine.run.Run`."""

    def __init__(
        self,
        arn: str,
        token: str,
        operations: list[Operation],
        client: DurableServiceClient,
        lambda_context: Any = None,
    ) -> None:
        super().__init__(arn, token, operations, lambda_context)
        self.client = client
        self.environment: Environment = environment_of(client)
        self.lock: BargingLock = BargingLock()
        self._crew: Crew | None = None
        self._leader = 0
        """The thread that makes the call in flight; 0 without one."""
        self._waiting: list[tuple[int, Waiter]] = []
        """Who waits for the call in flight, or is to lead the next, with the update that it waits for."""
        self._calling = allocate_lock()
        self._calling.acquire()
        self._called = False
        self._look_due = False
        self._helper = False
        self._closed = False

    # ---- the driver ----------------------------------------------------------------------------------------

    def drive(self, protocol: Protocol, leave: Callable[[Flush], None] | None = None) -> Any:
        """Run ``protocol`` to its end; a recorded operation ends in the first step.

        ``leave``: asked before waiting for an update; may raise something of its caller's.
        """
        try:
            request = protocol.send(None)
            while True:
                if leave is not None and type(request) is Flush:
                    leave(request)
                try:
                    answer = self._perform(request)
                except BaseException as error:
                    request = protocol.throw(error)
                else:
                    request = protocol.send(answer)
        except StopIteration as stop:
            return stop.value

    def _perform(self, request: Request) -> Any:
        if type(request) is Body:
            return self._call(request)
        if type(request) is Flush:
            return self._flush(request.seq)
        if type(request) is Turn and request.cancelled_after_ms is None:
            return None  # one thread of control sees completions in the order in which it asks for them
        if type(request) is Turn:
            raise self.fail_non_deterministic(
                "an operation that was cancelled by the async code of an earlier run is now called by sync code, "
                "which cannot cancel it again",
                request.op_id,
            )
        if type(request) is Pause:
            return None  # the helper sends
        if type(request) is OpenGroup:
            return self.open_group(request.branch, request.make)
        if type(request) is NextOutcome:
            return request.group.next()
        assert type(request) is Park
        alone = self._crew is None or not self._crew.has_open(request.strand)
        self.settle(last=alone and request.strand is None)
        record = self.ops.get(request.op_id)
        if request.changed(self.ops) or (record is not None and not _is_waiting(record)):
            return None  # somebody's call has brought it since the protocol looked
        status = None if record is None else record["Status"]
        waits: list[tuple[str, str | None, int | None]] = [(request.op_id, status, request.due_ms)]
        if self._crew is None or alone:
            raise self.suspend_branch(request.strand, waits)
        self._crew.stand_by(request.strand, lambda: self._changed(request.op_id, status), waits)
        self.admit(request.strand)  # what follows would be new: another attempt, the code behind a wait
        return None

    def _changed(self, op_id: str, status: str | None) -> bool | None:
        record = self.ops.get(op_id)
        return True if (None if record is None else record["Status"]) != status else None

    def open_group(self, branch: Branch | None, make: MakeBranch) -> SyncGroup:
        if self._crew is None:
            self._crew = Crew(self)
        return SyncGroup(self._crew, branch, make)

    def stand_by(self, branch: Branch | None, ready: Callable[[], T | None]) -> T:
        """Wait, inside ``branch``, until a group that is open there has made ``ready()`` other than None."""
        assert self._crew is not None
        return self._crew.stand_by(branch, ready)

    def suspend_branch(
        self, branch: Branch | None, waits: list[tuple[str, str | None, int | None]]
    ) -> SuspendExecution:
        """The code that asks has to wait: what to raise to unwind it. Outside of a group the invocation ends."""
        if branch is None or branch.strand is None:
            return self.suspend()
        branch.strand.parked = waits
        branch.strand.over = True
        return SuspendExecution("a branch waits for the service")

    def _call(self, body: Body) -> Any:
        if body.timeout is not None:
            result = call_in_time(body, self.environment)
        else:
            token = CURRENT.set(body.scope)
            try:
                result = body.func(*body.args)
            finally:
                CURRENT.reset(token)
        if hasattr(result, "__await__"):
            if hasattr(result, "close"):
                result.close()
            raise ValidationError(
                f"{body.scope.where} returned an awaitable, but DurableContext runs plain functions. Write the handler "
                "as `async def` with an AsyncDurableContext."
            )
        return result

    def admit(self, branch: Branch | None) -> None:
        if self.stop_at is None or self.environment.monotonic() < self.stop_at or self.verdict is not None:
            return
        self.stopping = True
        strand = None if branch is None else branch.strand
        self.flush_rest()
        if self._crew is not None and self._crew.has_open(strand):
            self._crew.stand_by(branch, lambda: None)  # what runs in other threads is let finish
        raise self.suspend_branch(branch, [])

    # ---- the checkpoint writer ---------------------------------------------------------------------------------

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        with self.lock:
            self.refuse_if_ended(branch)
            seq = self.outbox.add(update)
            if not deferred:
                self.urgent: int = seq
            if not awaited and not deferred:
                self.send_soon()
            elif deferred and not self._helper and self.stop_at is not None:
                self._call_helper()  # what is collected is sent in time, even if a step outlasts the invocation
            at_once = self.environment.sends_at_once and not awaited and self.must_send()
        if at_once:
            self._flush(seq)
        return seq

    def _flush(self, seq: int) -> None:
        """Return when update ``seq`` is acknowledged, leading calls as needed. Raises when the run has ended."""
        while True:
            with self.lock:
                if self.is_over:
                    raise SuspendExecution
                if self.outbox.acknowledged >= seq:
                    return
                waiter = self._queue(seq)
                batch = [] if waiter is not None else self._begin_call()
            if waiter is None:
                self._lead(batch)
            else:
                self._wait_at(waiter)

    def settle(self, *, last: bool) -> None:
        """Record everything before the program waits.

        ``last``: nothing else can move, so the invocation ends: what a call in flight brings must be known by then.
        """
        if self.outbox.has_pending:
            self._flush(self.outbox.last)
        while last:
            with self.lock:
                if self.is_over:
                    raise SuspendExecution
                waiter = self._queue(0)
            if waiter is None:
                return
            self._wait_at(waiter)

    def is_settled(self, *, last: bool) -> bool:
        """Whether :meth:`settle` would have nothing to do. The caller holds the lock."""
        return not (self.outbox.has_pending or (last and self._leader))

    @property
    def is_over(self) -> bool:
        """Whether whoever waits is to be let go."""
        return self.verdict is not None or self._closed

    def refresh(self) -> None:
        """Ask for changes; sends what is pending, or nothing."""
        while True:
            with self.lock:
                if self.is_over:
                    raise SuspendExecution
                waiter = self._queue(0)
                batch = [] if waiter is not None else self._begin_call()
            if waiter is None:
                self._lead(batch)
                return
            self._wait_at(waiter)

    def _queue(self, seq: int) -> Waiter | None:
        """Where to wait for the end of the call in flight; None without one. The caller holds the lock."""
        if not self._leader:
            return None
        if self._leader == get_ident():  # it does not make that call any more: an interrupt has unwound it
            self._leader = 0
            self.end(Verdict(raises=InvocationError("a checkpoint was interrupted before its answer was known")))
            raise SuspendExecution
        waiter = self.environment.waiter()
        self._waiting.append((seq, waiter))
        return waiter

    def _wait_at(self, waiter: Waiter) -> None:
        """Wait for the end of the call in flight."""
        try:
            waiter.wait()
        except BaseException:  # an interrupt
            with self.lock:
                self._waiting = [entry for entry in self._waiting if entry[1] is not waiter]
                if not self._leader and self._waiting:
                    self._waiting.pop(0)[1].wake()  # the one who goes may have been the one to lead the next call
            raise

    def _begin_call(self) -> list[OperationUpdate]:
        """What the call is to carry that the caller, who holds the lock, makes next."""
        self._leader = get_ident()
        try:
            return self.outbox.take()
        except BaseException as error:
            self._leader = 0
            self.end(Verdict(raises=error))
            raise

    def _lead(self, batch: list[OperationUpdate]) -> None:
        """Make one call with ``batch`` and merge its answer, as the only one to do so."""
        response: CheckpointResponse | None = None
        failure: BaseException | None = None
        operations: list[Operation] = []
        try:
            assert self.token is not None
            response = self.client.checkpoint(self.arn, self.token, batch, None)
            state = state_of(response)
            operations = state["Operations"]
            marker = state.get("NextMarker")
            if marker:
                operations = operations + load_state(
                    self.client, self.arn, response.get("CheckpointToken", self.token), marker
                )
        except BaseException as error:
            failure = error
        waiting: list[tuple[int, Waiter]] = []
        try:
            with self.lock:
                self._leader, waiting = 0, self._waiting
                self._answered(response, failure, batch, operations)
                woken = self._released()
                if self.must_send():
                    self.send_soon()
            for waiter in woken:  # who is woken finds the lock free
                waiter.wake()
        except BaseException as error:  # an interrupt, or an answer that makes no sense
            self.end(Verdict(raises=error))
            for _, waiter in waiting:
                waiter.wake()
            if not isinstance(error, Exception):
                raise

    def _answered(
        self,
        response: CheckpointResponse | None,
        failure: BaseException | None,
        batch: list[OperationUpdate],
        operations: list[Operation],
    ) -> None:
        if isinstance(failure, ApiError):
            self.api_failure(failure)
        elif failure is not None:
            self.end(Verdict(raises=failure))
        elif response is not None:
            self.absorb(response, batch, operations)
            if self._crew is not None:
                self._crew.absorbed(operations, self.outbox.acknowledged)

    def _released(self) -> list[Waiter]:
        """Whom an answer concerns: the first is to lead the next call, if there are any whom it does not."""
        acknowledged, over = self.outbox.acknowledged, self.verdict is not None
        woken: list[Waiter] = []
        left: list[tuple[int, Waiter]] = []
        for entry in self._waiting:
            if over or entry[0] <= acknowledged:
                woken.append(entry[1])
            else:
                left.append(entry)
        if left:
            woken.insert(0, left.pop(0)[1])
        self._waiting = left
        return woken

    def end(self, verdict: Verdict) -> None:
        if not self.lock.is_held():
            with self.lock:
                return self.end(verdict)
        super().end(verdict)
        self._wake_all()

    def send_soon(self) -> None:
        """Have somebody look whether there is still something to send. The caller holds the lock."""
        if not self._look_due and not self._closed and not self.environment.sends_at_once:
            try:
                look_soon(self._look)
            except RuntimeError as error:  # there are no more threads to be had
                self.end(Verdict(raises=error))
            else:
                self._look_due = True

    def _look(self) -> None:
        with self.lock:
            self._look_due = False
            if self._can_send():
                self._call_helper()

    def _can_send(self) -> bool:
        return not self._leader and self.verdict is None and not self._closed and self.must_send()

    def _call_helper(self) -> None:
        """The caller holds the lock."""
        if self._called or self._closed or self.environment.sends_at_once:
            return
        if not self._helper:
            try:
                self.environment.borrow(self._help)
            except RuntimeError as error:  # there are no more threads to be had
                self.end(Verdict(raises=error))
                return
            self._helper = True
        self._called = True
        self._calling.release()

    def _help(self) -> None:
        """Send what nobody waits for, whenever woken, until the run is closed; and all there is when time is up."""
        limit = self.stop_at
        while True:
            called = self._calling.acquire(
                timeout=-1 if limit is None else max(0.0, limit - self.environment.monotonic())
            )
            with self.lock:
                if self._closed:
                    return
                if called:
                    self._called = False
                else:
                    limit, self.urgent = None, self.outbox.last
                if not self._can_send():
                    continue
                batch = self._begin_call()
            self._lead(batch)

    def close_branch(self, branch: Branch) -> None:
        with self.lock:
            branch.over = True
            if self._crew is not None:
                self._crew.close_within(branch)

    # ---- the end ----------------------------------------------------------------------------------------------

    def flush_rest(self) -> None:
        """Send what nobody has waited for; the handler has returned."""
        if self.verdict is None and self.outbox.acknowledged < self.outbox.last:
            self._flush(self.outbox.last)

    def close(self) -> None:
        """Wait for a call in flight; after this nothing of the run is alive."""
        self.lock.free()  # what has ended the handler may be an interrupt of a section
        try:
            while (waiter := self._close()) is not None:
                waiter.wait()
        finally:
            self._closed = True

    def _close(self) -> Waiter | None:
        with self.lock:
            if self._leader not in (0, get_ident()):
                waiter = self.environment.waiter()
                self._waiting.append((0, waiter))
                return waiter
            self._closed = True
            if self._helper and not self._called:
                self._called = True
                self._calling.release()
            self._wake_all()
        return None

    def _wake_all(self) -> None:
        for _, waiter in self._waiting:
            waiter.wake()  # also where no call is in flight that would
        if self._crew is not None:
            self._crew.over()


def _is_waiting(record: Operation) -> bool:
    return record["Status"] == "PENDING" if record["Type"] == "STEP" else record["Status"] not in TERMINAL_STATUSES


CALLERS.update((SyncRun._call.__code__, run_body.__code__))


def load_state(client: DurableServiceClient, arn: str, token: str, marker: str | None) -> list[Operation]:
    """Every further page of operations from ``marker`` on; none without a marker."""
    operations: list[Operation] = []
    while marker:
        page = client.get_state(arn, token, marker, MAX_STATE_PAGE)
        operations.extend(page["Operations"])
        marker = page.get("NextMarker")
    return operations
