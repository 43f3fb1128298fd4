"""The sheet on which a checkpoint's updates are tried out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from durably.wire import limits
from durably.wire.shapes import ErrorObject, Event

from .checks import checked_error, clipped, invalid, payload, text
from .env import Env
from .events import operation_event
from .model import Execution, Op

__all__ = ["Stage", "Update", "completion", "no_action", "only_new", "options_of"]

Update = Mapping[str, Any]


class Stage:
    """The changes one checkpoint asks for, before it is known whether all of them are allowed."""

    __slots__ = ("by", "env", "events", "ex", "now", "ops", "seq")

    def __init__(self, ex: Execution, env: Env) -> None:
        self.ex: Execution = ex
        self.env: Env = env
        self.now: int = env.now
        self.ops: dict[str, Op] = {}
        self.events: list[Event] = []
        self.seq: int = ex.head.seq
        self.by: int = ex.head.invocation

    def find(self, op_id: str) -> Op | None:
        return self.ops.get(op_id) or self.ex.ops.get(op_id)

    def create(self, update: Update, op_id: str, kind: str) -> Op:
        config = self.env.config
        most = config.max_operations
        if most is not None and len(self.ex.ops) + sum(one not in self.ex.ops for one in self.ops) >= most:
            invalid(f"the execution has {most:,} operations, the most one may have; continue in a new execution")
        view: dict[str, Any] = {"Id": op_id}
        parent = update.get("ParentId")
        if parent is not None:
            view["ParentId"] = parent
        name = update.get("Name")
        if name is not None:
            if limits.NAME_PATTERN.fullmatch(text(name, "Name")) is None:
                invalid(f"Name {clipped(name)} of operation {op_id} must be 1 to 256 printable ASCII characters")
            if len(name) > config.max_name_length:
                invalid(f"Name {clipped(name)} of operation {op_id} is longer than {config.max_name_length} characters")
            view["Name"] = name
        view["Type"] = kind
        subtype = update.get("SubType")
        if subtype is not None:
            if limits.SUBTYPE_PATTERN.fullmatch(text(subtype, "SubType")) is None:
                invalid(f"SubType {clipped(subtype)} of operation {op_id} must be 1 to 32 of A-Z a-z 0-9 _ -")
            view["SubType"] = subtype
        view["StartTimestamp"] = self.now
        view["Status"] = "STARTED"
        self.seq += 1
        op = self.ops[op_id] = Op(view, self.seq, self.by)
        return op

    def edit(self, op: Op) -> Op:
        """``op`` as a record of this stage, now the latest change."""
        op_id: str = op.view["Id"]
        self.seq += 1
        staged = self.ops.pop(op_id, None)
        if staged is None:
            staged = Op(dict(op.view), 0, 0, op.data)
        staged.seq = self.seq
        staged.by = self.by
        self.ops[op_id] = staged
        return staged

    def log(self, kind: str, view: dict[str, Any], details: dict[str, Any]) -> None:
        self.events.append(operation_event(kind, view, self.now, details))


def completion(stage: Stage, update: Update, op_id: str, action: str) -> tuple[str | None, ErrorObject | None]:
    """Payload and Error of a completing update, each only where its action has one."""
    result = update.get("Payload")
    if result is not None:
        result = payload(result, f"Payload of operation {op_id}", stage.env.config.max_operation_payload)
    failure = update.get("Error")
    if failure is not None:
        failure = checked_error(failure, f"Error of operation {op_id}", stage.env.config.max_error_bytes)
    if action == "SUCCEED" and failure is not None:
        invalid(f"operation {op_id}: SUCCEED carries a Payload, not an Error")
    if action == "FAIL" and result is not None:
        invalid(f"operation {op_id}: FAIL carries an Error, not a Payload")
    return result, failure


def options_of(update: Update, member: str, op_id: str) -> Mapping[str, Any]:
    options = update.get(member)
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        invalid(f"{member} of operation {op_id} must be an object, not {clipped(options)}")
    return options


def only_new(what: str, op_id: str, op: Op | None) -> None:
    if op is not None:
        invalid(f"{what} {op_id} exists already and cannot START again")


def no_action(kind: str, op_id: str, action: str) -> NoReturn:
    invalid(f"Action {clipped(action)} is not one of a {kind} (operation {op_id})")
