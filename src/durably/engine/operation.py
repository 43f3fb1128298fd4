"""One operation as the program calls it: its identity, its record and the updates made of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

from durably.checkpointing import CheckpointMode
from durably.wire.payloads import NO_TEXT
from durably.wire.statuses import TERMINAL_STATUSES

from .requests import Flush, Pause
from .scope import CURRENT, Scope

if TYPE_CHECKING:
    from durably.wire.shapes import ErrorObject, Operation, OperationActionName, OperationTypeName, OperationUpdate

    from .run import Protocol, Run

__all__ = ["GIVE_UP", "Op", "is_terminal"]

GIVE_UP: Final = "Cancel"
"""Sub type of the record that an operation was given up, which no call of the program's asks for."""


def is_terminal(record: Operation) -> bool:
    return record["Status"] in TERMINAL_STATUSES


class Op:
    """The identity of one call. ``parent_id`` is the nearest context that has a record."""

    __slots__ = (
        "asked",
        "created",
        "id",
        "name",
        "parent_id",
        "resumed",
        "run",
        "scope",
        "sub_type",
        "time_ms",
        "type",
    )

    def __init__(
        self,
        run: Run,
        scope: Scope,
        op_id: str,
        op_type: OperationTypeName,
        sub_type: str,
        name: str | None,
        parent_id: str | None,
    ) -> None:
        self.run: Run = run
        self.scope: Scope = scope
        self.id: str = op_id
        self.type: OperationTypeName = op_type
        self.sub_type: str = sub_type
        self.name: str | None = name
        self.parent_id: str | None = parent_id
        self.resumed: bool = False
        self.created: bool = False
        self.asked: bool = op_type != "CALLBACK"
        self.time_ms: int = scope.time_ms

    def within(self, scope: Scope) -> Op:
        """The same operation, waited for by other code than made it."""
        op = Op(self.run, scope, self.id, self.type, self.sub_type, self.name, self.parent_id)
        op.created = self.created
        return op

    def begin(self) -> Operation | None:
        """The record that this call meets, checked against it (law R3); None for a new operation.

        Also moves the scope out of replay, as WIRE.md's "Replay" has it: before an operation without a record and
        before a step that is not finished; after any other operation that was not finished when it was met.
        """
        record = self.run.ops.get(self.id)
        scope = self.scope
        if record is None:
            self.run.admit(scope.branch)
            scope.replaying = False
            self.run.went_on = True
            if self.run.hooks is not None:
                self.run.hooks.operation_start(self, None)
            return None
        if (
            record["Type"] != self.type
            or record.get("SubType") != self.sub_type
            or record.get("Name") != self.name
            or record.get("ParentId") != self.parent_id
        ):
            raise self.run.non_determinism(self, record)
        if record["Status"] not in TERMINAL_STATUSES:
            if self.type == "STEP":
                self.run.admit(scope.branch)
            if self.run.hooks is not None:
                self.run.hooks.operation_start(self, record)
            if not scope.replaying:
                return record
            if self.type == "STEP":
                scope.replaying = False
                self.run.went_on = True
            else:
                self.resumed = True
        return record

    def watched(self, protocol: Protocol) -> Protocol:
        """``protocol``, the one of this operation, seen by the invocation's plugins."""
        hooks = self.run.hooks
        return protocol if hooks is None else hooks.watch(self, protocol)

    def watched_function(self, protocol: Protocol) -> Protocol:
        """The part of this operation's protocol that runs what the program gave it, seen by the plugins."""
        hooks = self.run.hooks
        return protocol if hooks is None else hooks.function(self, protocol)

    def over(self, *, seen: bool) -> None:
        """The call is over; ``seen``: and the program goes on with its result or its error."""
        scope, run = self.scope, self.run
        if seen and self.asked:
            record = run.ops.get(self.id)
            ended = None if record is None else record.get("EndTimestamp")
            # So late is it now in the program (see ContextBase.now). Where a step's result may be used before it is
            # recorded nobody knows yet when that will have been.
            if (
                ended
                and ended > scope.time_ms
                and (self.type != "STEP" or (scope.mode or run.checkpoints.mode) is CheckpointMode.EAGER)
            ):
                scope.time_ms = ended
        if scope.replaying:
            self.end()
        elif seen and not run.keeps_records and self._is_through(scope):
            run.ops.pop(self.id, None)  # a long history is not to fill the memory

    def _is_through(self, scope: Scope) -> bool:
        """Whether nothing asks for this operation again: no future, no task, and it is no callback.

        Kept are the kinds that are not known here, too.
        """
        return self.sub_type in _FORGOTTEN and scope.preset_id is None and CURRENT.get() is scope

    def end(self) -> None:
        """The call is over; called only while the scope is replaying."""
        scope, run = self.scope, self.run
        if (self.resumed or scope.peek_id() not in run.ops) and (not run.is_async or self._is_news()):
            scope.replaying = False

    def _is_news(self) -> bool:
        """Whether the program has not gone on from here before.

        That no operation follows in this scope does not say so where tasks are: this one may have come to its end long
        ago, or go on in tasks of its own. But what is new to this invocation is known by its id.
        """
        run = self.run
        if not self.resumed:
            if not run.updated:  # the last invocation was cut off
                return not self.scope.is_task
            if self.type == "CALLBACK" and not self.created:  # its answer is what may be new
                self.created = True
                return False
            if self.id not in run.updated:
                return False
        run.went_on = True
        return True

    def record(self) -> Operation | None:
        """The record as it is now."""
        return self.run.ops.get(self.id)

    def _update(
        self, action: OperationActionName, payload: str | None, members: Mapping[str, Any] | None
    ) -> OperationUpdate:
        update: OperationUpdate
        if self.parent_id is not None and self.name:  # made in one go, the dict need not grow
            update = {
                "Id": self.id,
                "Type": self.type,
                "Action": action,
                "SubType": self.sub_type,
                "ParentId": self.parent_id,
                "Name": self.name,
            }
        else:
            update = {"Id": self.id, "Type": self.type, "Action": action, "SubType": self.sub_type}
            if self.parent_id is not None:
                update["ParentId"] = self.parent_id
            if self.name:
                update["Name"] = self.name
        if payload is not None and payload is not NO_TEXT:
            update["Payload"] = payload
        if members is not None:
            update.update(members)  # type: ignore[typeddict-item]  # members are named by this package only
        return update

    def post(
        self,
        action: OperationActionName,
        payload: str | None = None,
        members: Mapping[str, Any] | None = None,
        *,
        deferred: bool = False,
    ) -> None:
        """Queue an update that nobody waits for; ``deferred``: until there are many."""
        self.run.send(self._update(action, payload, members), self.scope.branch, False, deferred)

    def defer(self, action: OperationActionName, payload: str, mode: CheckpointMode) -> Generator[Any, Any, None]:
        """Queue an update that the program does not wait for, unless as many as are to be collected have been."""
        self.post(action, payload, deferred=mode is CheckpointMode.BATCHED)
        if self.run.collected_enough():
            branch = self.scope.branch
            yield Flush(self.run.outbox.last, self.id, None if branch is None else branch.strand)
        elif mode is CheckpointMode.OPTIMISTIC:
            yield Pause()

    @property
    def mode(self) -> CheckpointMode:
        """How the result of this operation is to be recorded."""
        return self.scope.mode or self.run.checkpoints.mode

    def put(
        self,
        action: OperationActionName,
        payload: str | None = None,
        members: Mapping[str, Any] | None = None,
        completion: bool = False,
        last: bool = False,
    ) -> Flush:
        """Queue an update; the protocol yields what this returns to go on once it is acknowledged (law R5).

        Parameters:
            members: of the update, beside those of every one; none is None.
            completion, last: see :class:`durably.engine.requests.Flush`.
        """
        branch = self.scope.branch
        seq = self.run.send(self._update(action, payload, members), branch, True)
        return Flush(seq, self.id, None if branch is None else branch.strand, completion, last)

    @property
    def recording(self) -> bool:
        """Whether this operation may still record anything."""
        branch = self.scope.branch
        return self.run.recording and (branch is None or not branch.is_over)

    def describe(self) -> str:
        """For people: ``step 'charge' (Step)``."""
        return describe(self.type, self.sub_type, self.name)

    __str__ = describe

    def error(self, record: Operation, message: str = "") -> ErrorObject:
        """The recorded error; ``message`` where the record has none."""
        error: ErrorObject = dict(self.details(record).get("Error") or {})  # type: ignore[assignment]  # a copy
        if message:
            error.setdefault("ErrorMessage", message)
        return error

    def details(self, record: Operation) -> Mapping[str, Any]:
        """The type's details of ``record``; empty when it has none."""
        return record.get(_DETAILS[self.type]) or {}  # type: ignore[return-value]


_FORGOTTEN = frozenset(
    ("Step", "Wait", "ChainedInvoke", "WaitForCondition", "RunInChildContext", "WaitForCallback", "Map", "Parallel")
)

_DETAILS = {
    "STEP": "StepDetails",
    "CONTEXT": "ContextDetails",
    "WAIT": "WaitDetails",
    "CALLBACK": "CallbackDetails",
    "CHAINED_INVOKE": "ChainedInvokeDetails",
}


def describe(op_type: str, sub_type: str | None, name: str | None) -> str:
    label = f"{sub_type or op_type}"
    return f"{label} {name!r}" if name else f"{label} without a name"
