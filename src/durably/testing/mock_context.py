"""Contexts for unit tests of functions that take one: no service, no invocation, no replay.

A mock context is the real one, over a client that answers everything at once. So steps are retried as their strategies
say, results take their serialized form, map, race and sagas work; only that there is nothing to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, cast

from durably.context.asynchronous import AsyncDurableContext
from durably.context.base import ContextBase
from durably.context.extras import AsyncBatch, Batch
from durably.context.synchronous import DurableContext
from durably.engine.async_run import AsyncRun
from durably.engine.requests import Park
from durably.engine.run import Run
from durably.engine.scope import CURRENT, Scope
from durably.engine.suspension import SuspendExecution, Verdict
from durably.engine.sync_run import SyncRun
from durably.engine.transport import transport_for
from durably.wire.shapes import Operation, OperationUpdate

from ._mock_service import MockService
from .errors import CallbackNotReady, TestingError
from .operations import Operations
from .recorders import RecordingClient, invocation_event

if TYPE_CHECKING:
    from durably.engine.branch import Branch
    from durably.engine.operation import Op
    from durably.engine.requests import Request
    from durably.engine.run import Protocol
    from durably.wire.shapes import OperationTypeName

__all__ = ["MockAsyncDurableContext", "MockDurableContext"]

_WHERE: Final = "the test"


class _MockRun(Run):
    """What both worlds' runs share."""

    _service: MockService

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        # What nobody waits for goes with the next that somebody does, so that the number of calls can be counted on.
        return super().send(update, branch, awaited, deferred or not awaited)

    def _refuse_to_wait(self, park: Park) -> None:
        """A mistake of the test, which is not for the code under test to handle."""
        failure = self._service.unanswered(park.op_id)
        if failure is not None:
            self.end(Verdict(raises=failure))
            raise SuspendExecution


class _MockSyncRun(_MockRun, SyncRun):
    def __init__(self, service: MockService, client: Any, event: dict[str, Any], lambda_context: Any) -> None:
        self._service = service
        super().__init__(event["DurableExecutionArn"], event["CheckpointToken"], _given(event), client, lambda_context)

    def _perform(self, request: Request) -> Any:
        if type(request) is Park:
            self._refuse_to_wait(request)
        return super()._perform(request)


class _MockAsyncRun(_MockRun, AsyncRun):
    def __init__(self, service: MockService, client: Any, event: dict[str, Any], lambda_context: Any) -> None:
        self._service = service
        arn, token, transport = event["DurableExecutionArn"], event["CheckpointToken"], transport_for(client)
        super().__init__(arn, token, _given(event), transport, lambda_context)
        self.environment = service.environment

    async def _perform(self, request: Request) -> Any:
        if type(request) is Park:
            self._refuse_to_wait(request)
        return await super()._perform(request)

    async def in_time(self, driven: Coroutine[Any, Any, Any]) -> Any:
        """What ``driven`` comes to, unless the run ends before."""
        task = self.loop.create_task(driven)
        try:
            await asyncio.wait((task, self._over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        if self.verdict is not None:
            if not task.cancelled():
                task.exception()  # asked for, or asyncio reports it as forgotten
            raise SuspendExecution
        return task.result()


def _given(event: dict[str, Any]) -> list[Operation]:
    return cast("list[Operation]", event["InitialExecutionState"]["Operations"])


class _Mocking(ContextBase):
    """What both share. The test itself is the code that the context belongs to; child contexts are ordinary ones.

    Attributes:
        steps, callbacks, functions: what was given; may be changed at any time.
        client: every call that was made, see :class:`~durably.testing.recorders.RecordingClient`.
    """

    __test__ = False
    steps: dict[str, Any]
    callbacks: dict[str | None, Any]
    functions: dict[str, Any]
    client: RecordingClient
    _service: MockService
    _event: dict[str, Any]
    _lambda_context: Any
    _child_type: type[ContextBase]

    def _set_up(
        self,
        input: Any,
        steps: Mapping[str, Any] | None,
        callbacks: Mapping[str | None, Any] | None,
        functions: Mapping[str, Any] | None,
        lambda_context: Any,
    ) -> None:
        self.steps = dict(steps or {})
        self.callbacks = dict(callbacks or {})
        self.functions = dict(functions or {})
        self._service = MockService(self.steps, self.callbacks, self.functions)
        self.client = RecordingClient(self._service)
        self._event = invocation_event(input)
        self._lambda_context = lambda_context

    @property
    def operations(self) -> Operations:
        """What was called, and what came of it, as :attr:`RunResult.operations`."""
        return Operations.of(cast("list[Operation]", list(self._service.records.values())))

    @contextmanager
    def _inside(self) -> Generator[None]:
        """As the code that this context belongs to, unless it is code of an operation that asks."""
        scope, own = CURRENT.get(), self.scope
        if own is None or (scope is not None and scope.run is self.run):
            yield
            return
        own.thread = get_ident()
        token = CURRENT.set(own)
        try:
            yield
        finally:
            CURRENT.reset(token)

    def _op(self, op_type: OperationTypeName, sub_type: str, name: str | None) -> Op:
        with self._inside():
            return super()._op(op_type, sub_type, name)

    def _check_use(self) -> Scope:
        with self._inside():
            return super()._check_use()

    def _child(self, op: Op, virtual: bool, operation_serdes: Any = None) -> ContextBase:
        inner = super()._child(op, virtual, operation_serdes)
        inner.scope = None  # whose code runs in it says its driver
        return inner

    def _explain(self, error: SuspendExecution) -> BaseException:
        """What a mock context cannot do, in place of a suspension."""
        verdict = self.run.verdict
        if verdict is not None and verdict.raises is not None:
            return verdict.raises
        if verdict is not None and verdict.error is not None:
            return TestingError(f"the execution would fail: {verdict.error.get('ErrorMessage')}")
        return CallbackNotReady("the code waits for a callback that is NEVER answered, and for nothing else")


class MockDurableContext(_Mocking, DurableContext):
    """A DurableContext for unit tests: ``charge_order(order, MockDurableContext(steps={"charge": receipt}))``.

    Steps run, unless they have a stand-in. Waits and retries take no time.

    Parameters:
        input: of the execution.
        steps: what stands in for steps, by name: a value, an exception, a function, ``TIMES_OUT`` or a
            :class:`~durably.testing.Mock`.
        callbacks: answers by name: a value, an exception, a function of the callback id, or ``NEVER``.
        functions: what may be invoked, by name: a value, an exception, a function of the payload, or a Mock.
        lambda_context: what ``context.lambda_context`` is.
    """

    def __init__(
        self,
        run: Run | None = None,
        parent_id: str | None = None,
        label: str = "the mock context",
        *,
        input: Any = None,
        steps: Mapping[str, Any] | None = None,
        callbacks: Mapping[str | None, Any] | None = None,
        functions: Mapping[str, Any] | None = None,
        lambda_context: Any = None,
    ) -> None:
        if run is not None:  # a child context
            super().__init__(run, parent_id, label)
            return
        self._set_up(input, steps, callbacks, functions, lambda_context)
        own = _MockSyncRun(self._service, self.client, self._event, lambda_context)
        super().__init__(own, None, label)
        self.scope: Scope | None = Scope(own, self, None, _WHERE)

    def _drive(self, protocol: Protocol, op: Op) -> Any:
        if self.scope is None:
            return super()._drive(protocol, op)
        with self._inside():
            outermost = CURRENT.get() is self.scope
            try:
                return super()._drive(protocol, op)
            except SuspendExecution as error:
                if not outermost:
                    raise
                raise self._explain(error) from None

    def batch(self) -> Batch:
        return _MockBatch(self)


class MockAsyncDurableContext(_Mocking, AsyncDurableContext):
    """An AsyncDurableContext for unit tests; see :class:`MockDurableContext`."""

    def __init__(
        self,
        run: Run | None = None,
        parent_id: str | None = None,
        label: str = "the mock context",
        *,
        input: Any = None,
        steps: Mapping[str, Any] | None = None,
        callbacks: Mapping[str | None, Any] | None = None,
        functions: Mapping[str, Any] | None = None,
        lambda_context: Any = None,
    ) -> None:
        super().__init__(cast(Run, run), parent_id, label)
        if run is None:
            self._set_up(input, steps, callbacks, functions, lambda_context)
            del self.run  # made when there is a loop for it to live on

    def __getattr__(self, name: str) -> Any:
        if name != "run":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise TestingError("a MockAsyncDurableContext is used in async code, where an event loop runs") from None
        self.run: AsyncRun = _MockAsyncRun(self._service, self.client, self._event, self._lambda_context)
        self.scope: Scope | None = Scope(self.run, self, None, _WHERE)
        return self.run

    @contextmanager
    def _inside(self) -> Generator[None]:
        _ = self.run  # and with it the scope
        with super()._inside():
            yield

    async def _drive(self, protocol: Protocol, op: Op) -> Any:
        scope = CURRENT.get()
        if self.scope is None or (scope is not None and scope.run is self.run):
            return await super()._drive(protocol, op)
        try:
            return await cast(_MockAsyncRun, self.run).in_time(super()._drive(protocol, op))
        except SuspendExecution as error:
            raise self._explain(error) from None

    def batch(self) -> AsyncBatch:
        return _MockAsyncBatch(self)


class _MockBatch(Batch):
    _context: MockDurableContext

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._context._inside():
            super().__exit__(kind, error, trace)


class _MockAsyncBatch(AsyncBatch):
    _context: MockAsyncDurableContext

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        with self._context._inside():
            await super().__aexit__(kind, error, trace)
