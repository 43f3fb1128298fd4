"""A service, a clock and functions: what runs of one runner share.

The service is the real one, with its store in memory and without a thread of its own: it runs inline, in the thread
that asks it something. Its worker only queues what is to be invoked; the driver (see :mod:`._scheduler`) takes it up.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from durably.service.config import ServiceConfig
from durably.service.kernel import Service
from durably.service.ports import InvocationResult
from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.shapes import Event, Operation, OperationUpdate

from ._invocations import Running, invoke
from ._listener import Listener
from ._loop import VirtualLoop, idle_loop, release
from ._scheduler import Scheduler
from ._service import InlineService
from ._strangers import any_at_work
from ._stuck import explain, stacks
from .calls import Interceptor, ServiceCall
from .clock import RealTime, VirtualTime
from .errors import TestingError, TooManyInvocations
from .functions import Functions
from .handles import Handles
from .operations import Operations
from .stand_ins import Mock, step_body

if TYPE_CHECKING:
    from durably.engine.operation import Op

    from .callbacks import Answer, OpenCallback

__all__ = ["ExecutionRecord", "World"]

_A_MOMENT: Final = 0.01
_PATIENCE: Final = 0.01
_STRANGERS: Final = 500
"""How often the driver waits that many seconds for threads that it does not know."""


@dataclass(eq=False, slots=True)
class ExecutionRecord:
    """What is known of one execution of the world."""

    arn: str
    function: str
    name: str
    started_ms: int
    deadline_ms: int | None
    """When its own timeout ends it; None for the default one, which nobody means."""
    events: list[Event] = field(default_factory=list[Event])
    invocations: int = 0
    calls: list[ServiceCall] = field(default_factory=list[ServiceCall])
    bodies: list[tuple[str | None, str, int, int]] = field(default_factory=list[tuple[str | None, str, int, int]])
    """(name, id, attempt, invocation) of each body of a step that was run."""
    ended: bool = False


class World:
    """One embedded service, usually in virtual time.

    Parameters:
        start_ms: what the clock shows at first; None: real time.
        answer_for: what to answer to a callback of that name, asked when it opens; None: nothing is promised.
    """

    def __init__(
        self,
        functions: Functions,
        *,
        start_ms: int | None,
        config: ServiceConfig,
        answer_for: Callable[[str | None], Answer | None],
        steps: dict[str, Any],
        interceptors: Sequence[Interceptor],
        max_invocations: int,
    ) -> None:
        self.functions = functions
        self.answer_for = answer_for
        self.steps = steps
        self.interceptors = interceptors
        self.max_invocations = max_invocations
        self.clock: RealTime | VirtualTime = RealTime() if start_ms is None else VirtualTime(start_ms)
        self.scheduler: Scheduler = Scheduler(self.clock, self._on_still)
        self.scheduler.on_tick = self._tick
        self.scheduler.next_wake_ms = self.next_due_ms
        self.executions: dict[str, ExecutionRecord] = {}
        self.listener: Listener = Listener(self)
        self.handles: Handles = Handles(self)
        self.service: Service = InlineService(self, config)
        self.service.subscribe(self.listener.heard)
        self.service.start(thread=False)
        self.queue: deque[Running] = deque()
        self.failure: BaseException | None = None
        """What must reach the test: KeyboardInterrupt, pytest's own outcomes, a mistake of the test's set-up."""
        self._horizon_ms: int | None = None
        self._settled = False
        self._inline = True
        self._loops: list[VirtualLoop] = []
        self._driving = threading.Lock()
        self._names = 0
        self._patience = _STRANGERS
        self._broken: str | None = None
        self._closed = False

    # ---- asking the service --------------------------------------------------------------------------------

    def ask(self, submit: Callable[[Callable[[Any], None]], None]) -> Any:
        """The service's answer, an ApiError included."""
        answers: list[Any] = []
        with self.scheduler.lock:
            submit(answers.append)
            self.service.drain()
        return answers[0]

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """One action of the service's API. Raises ApiError."""
        answer = self.ask(lambda reply: self.service.submit(action, params, reply))
        if isinstance(answer, ApiError):
            raise answer
        found: dict[str, Any] = answer
        return found

    def start(self, function: str, payload: str, name: str | None = None) -> ExecutionRecord:
        """Start an execution; nothing of it runs yet."""
        if name is None:
            self._names += 1
            name = f"run-{self._names}"
        params = {"FunctionName": f"{function}:$LATEST", "DurableExecutionName": name, "Payload": payload}
        refusals: list[ApiError] = []

        def ended(answer: dict[str, Any] | ApiError) -> None:
            if isinstance(answer, ApiError):
                refusals.append(answer)

        with self.scheduler.lock:
            self.service.submit("Invoke", params, ended)
            self.service.drain()
            if refusals:
                raise refusals[0]
            return next(one for one in reversed(self.executions.values()) if one.name == name)

    def operations(self, arn: str) -> list[Operation]:
        """As they stand, in the order of their last change, without the EXECUTION itself."""
        with self.scheduler.lock:
            return self.service.operations(arn)

    def describe(self, arn: str) -> dict[str, Any]:
        return self.call("GetDurableExecution", DurableExecutionArn=arn)

    def send_callback(self, kind: str, callback_id: str, **members: Any) -> None:
        self.call(f"SendDurableExecutionCallback{kind}", CallbackId=callback_id, **members)
        self.scheduler.ring()

    # ---- moving on -----------------------------------------------------------------------------------------

    def drive(self, until: Callable[[], bool], horizon_ms: int | None = None, *, inline: bool = True) -> bool:
        """Go on until ``until()``, or until nothing can happen any more before the clock shows ``horizon_ms``.

        Without a horizon time passes as it must. ``inline``: this thread may run functions itself.

        Returns:
            whether ``until()`` was reached.
        """
        self._refuse_nested()
        with self._driving:
            self.handles.tell()
            self._horizon_ms = horizon_ms
            self._inline = inline and not self.scheduler.real
            self._settled = False
            try:
                self.scheduler.drive(
                    lambda: self._settled or self.failure is not None or self._broken is not None or until()
                )
            finally:
                self._release_loops()
                self.handles.tell(rested=True)
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            if self._broken is not None:
                raise TestingError(self._broken)
            return until()

    def _refuse_nested(self) -> None:
        if self._broken is not None:
            raise TestingError(self._broken)
        if self.scheduler.is_inside:
            raise TestingError(
                "this is code of a run of this runner, which cannot wait for another run of it: use another LocalRunner"
            )

    def give_up(self, why: str) -> None:
        """What is under way cannot be ended, and keeps this world busy."""
        self._broken = why
        self.scheduler.abort()
        self.scheduler.ring()
        self.handles.tell()

    def whereabouts(self) -> str:
        """Where the code of what is under way is, and which operations are open."""
        under_way = [record for record in self.executions.values() if not record.ended]
        shown = [repr(Operations.of(self.operations(one.arn), one.events)) for one in under_way]
        return "\n".join([*stacks(self.scheduler.threads), *shown])

    def explain_stuck(self, record: ExecutionRecord, *, by_hand: bool) -> str:
        return explain(self, record, by_hand)

    def _release_loops(self) -> None:
        while self._loops:
            release(self._loops.pop())

    def now_ms(self) -> int:
        return self.clock.now_ms()

    def sleep(self, seconds: float) -> None:
        self.scheduler.sleep(seconds)

    def _on_still(self) -> None:
        self._tick()
        if self.queue:
            self._take_up(self.queue.popleft())
        elif (due := self.listener.due_answer()) is not None:
            due()
        else:
            self._advance()

    def _tick(self) -> None:
        """Take in what has been asked for, and do what is due."""
        with self.scheduler.lock:
            self.service.drain()
            self.scheduler.fire()
        if self.scheduler.real and not self.scheduler.standing:
            while self.queue:
                self._take_up(self.queue.popleft())
            while (due := self.listener.due_answer()) is not None:
                due()

    def _take_up(self, running: Running) -> None:
        record = running.record
        if record is not None and record.invocations > self.max_invocations:
            self.failure = TooManyInvocations(
                f"{record.function} was invoked {self.max_invocations:,} times in one execution and has not ended. "
                "Pass max_invocations= if that is meant."
            )
            running.finish(InvocationResult("interrupted"))
            return
        if self._inline and not self.scheduler.waiting:
            with self.scheduler.moving(running):
                invoke(running)
        else:
            self.scheduler.borrow(lambda: invoke(running), running)

    def _advance(self) -> None:
        """Nothing moves: what happens next is whatever is due first."""
        if self.handles.hold:
            self.scheduler.wait_for_real(None)
            return
        if self.listener.callbacks and self.handles.may_be_taken():
            self.scheduler.wait_for_real(_PATIENCE)
            return
        if not self.scheduler.real and self._strangers_at_work():
            return
        due = self.next_due_ms()
        horizon = self._horizon_ms
        if due is not None and (horizon is None or due <= horizon):
            self._pass_time(due)
        elif horizon is not None:
            self._settled = self._pass_time(horizon)
        elif self.scheduler.disturb() or self.handles.may_be_taken():
            self.scheduler.wait_for_real(_PATIENCE)
        else:
            self._settled = True
            if self.scheduler.waiting and self._inline:
                self.scheduler.abort()  # this very thread may be one of those that wait

    def _pass_time(self, moment_ms: int) -> bool:
        """Let time pass until then, or a part of it. Whether that moment has come."""
        clock = self.clock
        if isinstance(clock, VirtualTime):
            clock.advance_to(moment_ms)
        else:
            self.scheduler.wait_for_real((moment_ms - clock.now_ms()) / 1000)
        self._tick()
        return clock.now_ms() >= moment_ms

    def _strangers_at_work(self) -> bool:
        """Wait a moment for threads that are no part of the run, if they seem to work for it."""
        threads = self.scheduler.strangers
        if threads and not self.scheduler.stands_for(_A_MOMENT):  # what one was given to do it may not have begun
            return True
        if not any_at_work(threads):
            self._patience = _STRANGERS
            return False
        self.scheduler.wait_for_real(_PATIENCE)
        self._patience -= 1
        return self._patience > 0

    def next_due_ms(self) -> int | None:
        """When something happens by itself; None when nothing ever does.

        That an execution times out after a year, or an invocation after a quarter of an hour, because nobody has set
        a timeout, is not what anybody waits for.
        """
        with self.scheduler.lock:
            timer, answer, due = self.service.next_timer_ms(), self.listener.next_due_ms(), self.scheduler.next_due_ms()
            if timer in self.listener.unmeant_deadlines and answer is None and not self.scheduler.expects:
                return None
            if timer is None and answer is None and not self.scheduler.expects:
                return None
        return min(one for one in (timer, answer, due) if one is not None)

    # ---- what the listener asks ------------------------------------------------------------------------------

    def admit(self, arn: str, started: Event) -> ExecutionRecord:
        """An execution has begun."""
        details: Any = started.get("ExecutionStartedDetails")
        began = started["EventTimestamp"]
        record = ExecutionRecord(
            arn,
            ExecutionArn.parse(arn).function,
            started.get("Name", ""),
            began,
            self.listener.expect_deadline(began, details["ExecutionTimeout"]),
        )
        self.executions[arn] = record
        return record

    # ---- functions under test --------------------------------------------------------------------------------

    def returned(self, running: Running) -> None:
        """The function has returned; nobody has heard yet. Interceptors may raise Crash."""
        if running.record is None:
            return  # a plain function: what it invoked it fails with it, and nothing of it is durable
        for interceptor in self.interceptors:
            heard = getattr(interceptor, "returned", None)
            if heard is not None:
                heard(running.invocation.function_name)

    def new_call(self, running: Running, kind: Any, updates: Sequence[OperationUpdate]) -> ServiceCall:
        record = running.record
        assert record is not None
        call = ServiceCall(len(record.calls) + 1, running.number, record.arn, record.function, kind, updates)
        call.world = self
        record.calls.append(call)
        return call

    def body(
        self, running: Running, op: Op, attempt: int, func: Callable[..., Any], timeout: float | None
    ) -> Callable[..., Any]:
        """Note that a step's body is run, and put what stands in for it in its place."""
        record = running.record
        assert record is not None
        record.bodies.append((op.name, op.id, attempt, running.number))
        if op.name is None or op.name not in self.steps:
            return func
        mock = self.steps[op.name]
        if not isinstance(mock, Mock):
            mock = self.steps[op.name] = Mock(mock)
        return step_body(mock, self.scheduler, op, attempt, timeout)

    def take_loop(self) -> VirtualLoop:
        return self._loops.pop() if self._loops else idle_loop(self.scheduler)

    def give_loop(self, loop: VirtualLoop) -> None:
        if self._closed:
            release(loop)
        else:
            self._loops.append(loop)

    def open_callbacks(self) -> list[OpenCallback]:
        return list(self.listener.callbacks.values())

    def close(self) -> None:
        """Give up what is under way. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self.give_up("the runner is closed")
        self.service.close()
        self._release_loops()
