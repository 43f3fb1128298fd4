"""What today's code does when it runs over a record: which operations it calls, from where, and what is different."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import durably
from durably.context.asynchronous import AsyncDurableContext
from durably.context.base import ContextBase
from durably.context.operation_contexts import StepContext
from durably.context.synchronous import DurableContext
from durably.engine.operation import describe
from durably.engine.requests import Body, Flush, Park
from durably.engine.scope import CURRENT

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from durably.engine.branch import Branch
    from durably.engine.operation import Op
    from durably.engine.run import Protocol, Run
    from durably.wire.shapes import Operation, OperationTypeName, OperationUpdate

__all__ = ["Call", "Difference", "Line", "Observer", "StopReplay", "line_of_failure", "trace", "user_line"]

_PACKAGE: Final = os.path.dirname(os.path.abspath(str(durably.__file__))) + os.sep
_IDENTITY: Final = ("Type", "SubType", "Name", "ParentId")


class Line(NamedTuple):
    """A line of the user's code."""

    file: str
    number: int

    def __str__(self) -> str:
        shown = os.path.relpath(self.file) if os.path.isabs(self.file) else self.file
        return f"{self.file if shown.startswith('..') else shown}:{self.number}"


class Call(NamedTuple):
    """An operation as the code calls it now."""

    id: str
    identity: Mapping[str, Any]
    line: Line | None

    def describe(self) -> str:
        return describe(self.identity["Type"], self.identity.get("SubType"), self.identity.get("Name"))


class Difference(NamedTuple):
    """Where today's code leaves the record.

    Attributes:
        kind: ``changed`` (another operation than the recorded), ``new`` (the record has none there), ``missing`` (a
            recorded one is not called any more), ``outcome`` (the execution ends otherwise), ``refused`` (the engine
            found the record not to be of this code), ``stuck`` (the code neither ends nor comes to an operation).
        message: what is different, for people.
        recorded, call: the operation, as far as there is one on that side.
        line: of the user's code.
        invocation: in whose replay it was found; None: in that of the whole record.
    """

    kind: str
    message: str
    recorded: Operation | None
    call: Call | None
    line: Line | None
    invocation: int | None

    @property
    def operation_id(self) -> str | None:
        if self.recorded is not None:
            return self.recorded["Id"]
        return None if self.call is None else self.call.id


class StopReplay(BaseException):
    """Ends a protocol that is about to do what is not recorded. Never reaches user code."""

    def __init__(self, branch: Branch | None) -> None:
        super().__init__("the replay stops here")
        self.branch = branch


class Observer:
    """Watches one run of the code.

    Parameters:
        recorded: everything that the record has, by id; the run may have been given less.
        invocation: that is replayed; None for the whole record.
        lines: where operations are called, by id; filled, and shared by all runs over one record, since looking for a
            line takes longer than everything else.

    Attributes:
        new: operations that the record does not have at all. What that means is not known here: an execution that has
            not ended may go on with them, and nobody may ever have waited for one that was only started.
    """

    def __init__(
        self, recorded: Mapping[str, Operation], *, invocation: int | None, lines: dict[str, Line | None]
    ) -> None:
        self.recorded = recorded
        self.lines = lines
        self.invocation = invocation
        self.calls: dict[str, Op] = {}
        self.met: set[str] = set()
        self.started: set[str] = set()
        self.new: list[Call] = []
        self.differences: list[Difference] = []

    # ---- what contexts tell --------------------------------------------------------------------------------

    def called(self, op: Op) -> None:
        self.calls[op.id] = op
        if op.id not in self.lines:
            self.lines[op.id] = user_line()

    def call(self, op_id: str | None) -> Call | None:
        """How the code has called the operation ``op_id``, if it has."""
        op = self.calls.get(op_id or "")
        if op is None:
            return None
        return _call(op.id, op.type, op.sub_type, op.name, op.parent_id, self.lines.get(op.id))

    def begun(self, op_id: str) -> None:
        """``op_id`` was started by ``ctx.start``: whether it gets anywhere depends on who asks for it."""
        self.started.add(op_id)

    # ---- what runs tell ------------------------------------------------------------------------------------

    def sends(self, update: OperationUpdate, known: Mapping[str, Operation], branch: Branch | None) -> None:
        """The code would record ``update``. Raises StopReplay where the record does not have it."""
        op_id = update["Id"]
        if op_id in known:
            return
        call = self.call(op_id) or _call(
            op_id, update["Type"], update.get("SubType"), update.get("Name"), update.get("ParentId"), None
        )
        if not self.allows(call):
            raise StopReplay(branch)

    def allows(self, call: Call) -> bool:
        """Whether the record has the operation that the code is about to begin."""
        record = self.recorded.get(call.id)
        if record is not None and all((record.get(m) or None) == call.identity.get(m) for m in _IDENTITY):
            return True
        if record is not None:
            self.mismatch(call, record)
        else:
            self.new.append(call)
        return False

    def mismatch(self, call: Call, record: Operation) -> None:
        was = describe(record["Type"], record.get("SubType"), record.get("Name"))
        what = [
            f"{member} was {record.get(member)!r} and is {call.identity.get(member)!r}"
            for member in _IDENTITY
            if (record.get(member) or None) != call.identity.get(member)
        ]
        message = f"the record has {was}, the code calls {call.describe()} ({'; '.join(what)})"
        self.differences.append(Difference("changed", message, record, call, self.line_for(call), self.invocation))

    def refused(self, message: str, op_id: str | None) -> None:
        call = self.call(op_id)
        if not any(one.operation_id == op_id for one in self.differences):
            record = self.recorded.get(op_id or "")
            line = None if call is None else self.line_for(call)
            self.differences.append(Difference("refused", message, record, call, line, self.invocation))

    def progress(self) -> int:
        """How far the code has come: grows as long as it comes to operations."""
        return len(self.calls) + len(self.met)

    def stuck(self, line: Line | None) -> None:
        message = "the code neither ends nor comes to an operation: it waits for what a replay does not bring, or loops"
        self.differences.append(Difference("stuck", message, None, None, line, self.invocation))

    def line_for(self, call: Call) -> Line | None:
        """Where the operation was called, or else the one around it."""
        seen: set[str] = set()
        found: Call | None = call
        while found is not None and found.line is None and found.id not in seen:
            seen.add(found.id)
            found = self.call(found.identity.get("ParentId"))
        return None if found is None else found.line

    # ---- protocols ----------------------------------------------------------------------------------------------

    def watch(self, protocol: Protocol, run: Run) -> Generator[Any, Any, Any]:
        """``protocol``, which waits for ever where it would do or record something."""
        try:
            request = protocol.send(None)
            while True:
                if type(request) is Flush and request.seq > run.outbox.acknowledged:
                    yield Park.for_ever(request.strand)
                elif type(request) is Body and request.is_step:
                    self._begins(request, run.ops)
                    yield Park.for_ever(_strand())
                try:
                    answer = yield request
                except BaseException as error:
                    request = protocol.throw(error)
                else:
                    request = protocol.send(answer)
        except StopIteration as stop:
            return stop.value
        except StopReplay as stop:
            yield Park.for_ever(None if stop.branch is None else stop.branch.strand)

    def _begins(self, body: Body, known: Mapping[str, Operation]) -> None:
        """A step's function would run now; in a batch of steps that is the first that is seen of it."""
        for given in body.args:
            call = self.call(given.operation_id) if isinstance(given, StepContext) else None
            if call is not None and call.id not in known:
                self.allows(call)


def _strand() -> Branch | None:
    scope = CURRENT.get()
    branch = None if scope is None else scope.branch
    return None if branch is None else branch.strand


def _call(
    op_id: str, op_type: str, sub_type: str | None, name: str | None, parent_id: str | None, line: Line | None
) -> Call:
    identity = {"Type": op_type, "SubType": sub_type or None, "Name": name or None, "ParentId": parent_id or None}
    return Call(op_id, identity, line)


# ---- contexts that tell -------------------------------------------------------------------------------------------


class _Tracing(ContextBase):
    def _op(self, op_type: OperationTypeName, sub_type: str, name: str | None) -> Op:
        op = super()._op(op_type, sub_type, name)
        _observer_of(self).called(op)
        return op


class _TracedContext(_Tracing, DurableContext):
    def _start(self, operation: Any, args: Any, kwargs: Any, *, fresh: bool = False, lost: bool = False) -> Any:
        future = super()._start(operation, args, kwargs, fresh=fresh, lost=lost)
        _observer_of(self).begun(future.operation_id)
        return future


class _TracedAsyncContext(_Tracing, AsyncDurableContext):
    def _start(self, operation: Any, args: Any, kwargs: Any, *, fresh: bool = False, lost: bool = False) -> Any:
        future = super()._start(operation, args, kwargs, fresh=fresh, lost=lost)
        _observer_of(self).begun(future.operation_id)
        return future


def trace(context: Any) -> Any:
    """``context``, made to tell the observer of its run what is called."""
    traced: Any = context
    traced.__class__ = _TracedAsyncContext if isinstance(context, AsyncDurableContext) else _TracedContext
    return traced


def _observer_of(context: ContextBase) -> Observer:
    return cast(Any, context.run).observer  # type: ignore[no-any-return]


def user_line(frame: FrameType | None = None) -> Line | None:
    """The innermost line on the stack (this one, or that of ``frame``) that is not of this package."""
    frame = frame or sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE) and not file.startswith("<frozen") and "asyncio" not in file:
            name = os.path.basename(file)
            if name not in ("threading.py", "thread.py", "contextvars.py", "selectors.py"):
                return Line(file, frame.f_lineno)
        frame = frame.f_back
    return None


def line_of_failure(trace_back: TracebackType | None) -> Line | None:
    """The innermost line of the user's code that an exception went through."""
    found: Line | None = None
    while trace_back is not None:
        file = trace_back.tb_frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            found = Line(file, trace_back.tb_lineno)
        trace_back = trace_back.tb_next
    return found
