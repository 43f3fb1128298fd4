"""Driving protocols for plain functions, in the thread that calls them.

The checkpoint writer has no thread of its own. Whoever waits for an acknowledgement while no call is in flight
makes the call (it *leads*); those who find a call in flight wait for it and then find their update acknowledged,
or lead the next. So one sequential handler pays no thread switch for a checkpoint, and concurrent branches batch.

Updates that nobody waits for (the START of an at-least-once step) are left to a borrowed helper thread, which is
only woken, not waited for: the body of a quick step is over before that thread gets to run, and the START shares
the call of its completion; while a slow body works or sleeps, the START travels.
"""

from __future__ import annotations

import threading
from _thread import allocate_lock
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from durably.exceptions import ValidationError
from durably.wire.api_errors import ApiError
from durably.wire.limits import MAX_STATE_PAGE

from .environment import Condition, Environment, environment_of
from .requests import Body, Flush, NextOutcome, OpenGroup, Park, Pause, Request, Turn
from .run import Protocol, Run, state_of
from .scope import CURRENT
from .step import CALLERS
from .suspension import SuspendExecution, Verdict
from .sync_group import Crew, SyncGroup
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
        self.lock: threading.Lock = threading.Lock()
        self.state: Condition = self.environment.condition(self.lock)
        self._crew: Crew | None = None
        self._sending = False
        self._calling = allocate_lock()
        self._calling.acquire()
        self._called = False
        self._look_due = False
        self._helper = False
        self._closed = False

    # ---- the driver ----------------------------------------------------------------------------------------

    def drive(self, protocol: Protocol) -> Any:
        """Run ``protocol`` to its end; a recorded operation ends in the first step."""
        try:
            request = protocol.send(None)
            while True:
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
        if self.outbox.has_pending:
            self._flush(self.outbox.last)  # recorded before the program waits
            if request.changed(self.ops):
                return None
        record = self.ops.get(request.op_id)
        status = None if record is None else record["Status"]
        waits: list[tuple[str, str | None, int | None]] = [(request.op_id, status, request.due_ms)]
        if self._crew is None or not self._crew.has_open(request.strand):
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

    def send(self, update: OperationUpdate, branch: Branch | None, *, awaited: bool, deferred: bool = False) -> int:
        with self.state:
            self.refuse_if_ended(branch)
            seq = self.outbox.add(update)
            if not deferred:
                self.urgent: int = seq
            if not awaited and not deferred:
                self._look_soon()
            elif deferred and not self._helper and self.stop_at is not None:
                self._call_helper()  # what is collected is sent in time, even if a step outlasts the invocation
            at_once = self.environment.sends_at_once and not awaited and self.must_send()
        if at_once:
            self._flush(seq)
        return seq

    def _flush(self, seq: int) -> None:
        """Return when update ``seq`` is acknowledged, leading calls as needed. Raises when the run has ended."""
        while True:
            with self.state:
                while self._sending and self.outbox.acknowledged < seq and self.verdict is None:
                    self.state.wait()
                if self.outbox.acknowledged >= seq and self.verdict is None:
                    return
                if self.verdict is not None:
                    raise SuspendExecution
                batch = self.outbox.take()
                self._sending = True
            self._lead(batch)

    def refresh(self) -> None:
        """Ask for changes; sends what is pending, or nothing."""
        with self.state:
            while self._sending:
                self.state.wait()
            if self.verdict is not None:
                raise SuspendExecution
            batch = self.outbox.take()
            self._sending = True
        self._lead(batch)

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
        with self.state:
            self._sending = False
            if isinstance(failure, ApiError):
                self.api_failure(failure)
            elif failure is not None:
                self.end(Verdict(raises=failure))
            elif response is not None:
                self.absorb(response, batch, operations)
                if self._crew is not None:
                    self._crew.absorbed(operations)
            self.state.notify_all()
            if self.must_send():
                self._look_soon()

    def _look_soon(self) -> None:
        """Have somebody look whether there is still something to send. The caller holds the lock."""
        if not self._look_due and not self._closed and not self.environment.sends_at_once:
            self._look_due = True
            look_soon(self._look)

    def _look(self) -> None:
        with self.state:
            self._look_due = False
            if self._can_send():
                self._call_helper()

    def _can_send(self) -> bool:
        return not self._sending and self.verdict is None and not self._closed and self.must_send()

    def _call_helper(self) -> None:
        """The caller holds the lock."""
        if self._called or self._closed or self.environment.sends_at_once:
            return
        self._called = True
        if not self._helper:
            self._helper = True
            self.environment.borrow(self._help)
        self._calling.release()

    def _help(self) -> None:
        """Send what nobody waits for, whenever woken, until the run is closed; and all there is when time is up."""
        limit = self.stop_at
        while True:
            called = self._calling.acquire(
                timeout=-1 if limit is None else max(0.0, limit - self.environment.monotonic())
            )
            with self.state:
                if self._closed:
                    return
                if called:
                    self._called = False
                else:
                    limit, self.urgent = None, self.outbox.last
                if not self._can_send():
                    continue
                batch = self.outbox.take()
                self._sending = True
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
        with self.state:
            while self._sending:
                self.state.wait()
            self._closed = True
            if self._helper and not self._called:
                self._called = True
                self._calling.release()


CALLERS.update((SyncRun._call.__code__, run_body.__code__))


def load_state(client: DurableServiceClient, arn: str, token: str, marker: str | None) -> list[Operation]:
    """Every further page of operations from ``marker`` on; none without a marker."""
    operations: list[Operation] = []
    while marker:
        page = client.get_state(arn, token, marker, MAX_STATE_PAGE)
        operations.extend(page["Operations"])
        marker = page.get("NextMarker")
    return operations
