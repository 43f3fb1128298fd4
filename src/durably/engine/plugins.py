"""Calling the plugins of an invocation (see :mod:`durably.plugin`).

The protocols of the operations know nothing of plugins. :class:`Hooks` stands between a protocol and its driver
(:meth:`Hooks.watch`): it passes every request on and sees, in the thread or task of the operation, when its function
runs and when it is over. Only the beginning is told by the operation itself (``Op.begin``), which knows what it has
met, and what answers of the service change by the run (``Run.absorb``). A run without plugins has no Hooks, and pays
one look at an attribute in each of these places.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from durably.concurrency.error_object import ErrorObject
from durably.exceptions import TerminationReason, error_object, reason_of
from durably.plugin import (
    DurableInstrumentationPlugin,
    InvocationEndInfo,
    InvocationFacts,
    InvocationStartInfo,
    InvocationStatus,
    OperationChangeInfo,
    OperationEndInfo,
    OperationStartInfo,
    PropagationInput,
    PropagationMetadata,
    UserFunctionEndInfo,
    UserFunctionOutcome,
    UserFunctionStartInfo,
    moment,
    view,
)
from durably.wire.shapes import InvocationOutput, Operation
from durably.wire.statuses import TERMINAL_STATUSES

from .operation import Op, is_terminal
from .plugin_calls import HOOKS, Guard, PluginCalls, is_interrupt, name_of, say
from .requests import Body
from .run import Protocol, Run
from .scope import Scope
from .suspension import pending_reason

if TYPE_CHECKING:
    from durably.plugin import DurableInstrumentationPluginFactory

__all__ = ["Hooks"]


class Hooks:
    """The plugins of one invocation of ``run``, and what has been told to them."""

    def __init__(
        self,
        run: Run,
        factories: Sequence[DurableInstrumentationPluginFactory],
        operations: Sequence[Operation],
    ) -> None:
        self._run = run
        self._updated = updated = run.updated
        self._first = all(one.get("Type") == "EXECUTION" for one in operations)
        self._execution: Any = run.execution or {}
        self._inside = Scope(run, None, None, "a plugin's hook")
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)
        self._busy = 0
        self._over = False
        self._open: dict[str, None] = {}
        """Operations that were begun or met unfinished, and have not been told to have ended."""
        self._met: set[str] = set()
        self._ended: set[str] = set()
        self._rebuilt: set[str] = set()
        self._late: deque[str] = deque()
        """Those that the program went on from before they were recorded."""
        self._changed: deque[str] = deque()
        self._telling_changes = threading.Lock()
        facts = InvocationFacts(self._execution, lambda: operations, updated, run.lambda_context)
        self._plugins = [
            plugin for factory in factories if (plugin := self._made(factory, self._start_info(facts))) is not None
        ]
        self._telling = {hook: [one for one in self._plugins if hook in one.hooks] for hook in HOOKS}

    @property
    def watch_operations(self) -> bool:
        """Whether any plugin wants to know of more than the invocation."""
        return any(self._telling[hook] for hook in HOOKS[2:])

    def _start_info(self, facts: InvocationFacts) -> InvocationStartInfo:
        return view(InvocationStartInfo, facts, execution_arn=self._run.arn, is_first_invocation=self._first)

    def _made(self, factory: DurableInstrumentationPluginFactory, info: InvocationStartInfo) -> PluginCalls | None:
        name = name_of(factory)
        try:
            with Guard(self._inside):
                plugin = factory.create_plugin(info)
                if not isinstance(plugin, DurableInstrumentationPlugin):
                    raise TypeError(
                        f"it returned {plugin!r}, which is no durably.plugin.DurableInstrumentationPlugin object"
                    )
        except BaseException as error:
            say("%s of the plugin factory %s failed; this invocation goes on without it", "create_plugin", name, error)
            if is_interrupt(error):
                raise
            return None
        return PluginCalls(plugin, info)

    # ---- the invocation --------------------------------------------------------------------------------------

    def invocation_start(self) -> None:
        for n, plugin in enumerate(self._plugins):
            if "on_invocation_start" in plugin.hooks:
                try:
                    with Guard(self._inside):
                        plugin.call("on_invocation_start", plugin.start)
                except BaseException:  # an interrupt: those that have not started are not told of an end
                    began = self._plugins[: n + 1]
                    self._telling = {
                        hook: [one for one in told if one in began] for hook, told in self._telling.items()
                    }
                    raise

    def invocation_end(self, answer: InvocationOutput | BaseException) -> None:
        """Tell of what has not been told yet, then of the end, with the final ``answer`` or what is raised instead."""
        run = self._run
        try:
            self._tell_rest()
        finally:
            with self._quiet:
                self._over = True
                while self._busy:
                    self._quiet.wait()
            facts = InvocationFacts(
                self._execution,
                lambda: list(run.ops.values()),
                self._updated,
                run.lambda_context,
                lambda: _reason(run, answer),
            )
            known: dict[str, Any] = {"execution_arn": run.arn, "is_first_invocation": self._first}
            failure: Any
            if isinstance(answer, BaseException):
                known |= {"status": InvocationStatus.RETRY, "execution_result": None}
                failure = error_object(answer)
            else:
                known |= {"status": InvocationStatus(answer["Status"]), "execution_result": answer.get("Result")}
                failure = answer.get("Error")
            interrupt: BaseException | None = None
            for plugin in self._telling["on_invocation_end"]:
                known["error"] = None if failure is None else ErrorObject.from_dict(failure)
                try:
                    with Guard(self._inside):
                        plugin.call("on_invocation_end", view(InvocationEndInfo, facts, **known))
                except BaseException as raised:  # all are told, then it goes on
                    interrupt = interrupt or raised
            if interrupt is not None:
                raise interrupt

    def _tell_rest(self) -> None:
        """What has ended without being seen by the program; then the last changes."""
        ops = self._run.ops
        with self._lock:
            unseen = [*sorted(self._updated), *reversed(self._open)]
        for op_id in unseen:
            record = ops.get(op_id)
            if record is not None and record.get("Type") != "EXECUTION":
                self._tell_end(op_id, record)
        self._tell_changes(wait=True)

    # ---- operations ----------------------------------------------------------------------------------------------

    def operation_start(self, op: Op, record: Operation | None) -> None:
        """``op`` is about to be recorded for the first time, or has met the ``record`` of its beginning."""
        with self._lock:
            if op.id in self._met:
                return  # by an earlier run of the same code in this invocation
            self._met.add(op.id)
            self._open[op.id] = None
        self._tell_late()
        if self._telling["on_operation_start"]:
            source = _sketch(op, "STARTED") if record is None else record
            self._tell("on_operation_start", OperationStartInfo, source, is_replayed=record is not None)

    def watch(self, op: Op, protocol: Protocol) -> Protocol:
        """``protocol``, the one of ``op``, with the hooks around what it does."""
        try:
            request = protocol.send(None)
            while True:
                try:
                    if type(request) is Body and _is_own(op, request):
                        answer = yield from self.function(op, _asked(request), _attempt(request))
                    else:
                        answer = yield request
                        if self._changed:
                            self._tell_changes()
                except BaseException as error:
                    request = protocol.throw(error)
                else:
                    request = protocol.send(answer)
        except StopIteration as stop:
            value = stop.value
        except Exception as error:
            self._operation_over(op, error)
            raise
        self._operation_over(op, None)
        return value

    def function(self, op: Op, protocol: Protocol, attempt: int | None = None) -> Protocol:
        """``protocol`` runs what ``op`` is there to run: with the hooks around it."""
        rebuilt = (record := op.record()) is not None and is_terminal(record)
        if rebuilt:
            self._rebuilt.add(op.id)
        source = _sketch(op, "STARTED")
        now_ms = op.run.environment.now_ms
        source["StartTimestamp"] = now_ms()
        known = {"is_replay_children": rebuilt, "attempt": attempt}
        self._tell("on_user_function_start", UserFunctionStartInfo, source, **known)
        outcome = UserFunctionOutcome.INCOMPLETE
        failure: Exception | None = None
        try:
            answer = yield from protocol
            outcome = UserFunctionOutcome.SUCCEEDED
        except Exception as error:
            outcome, failure = UserFunctionOutcome.FAILED, error
            raise
        finally:
            if self._changed:
                self._tell_changes()
            if self._telling["on_user_function_end"]:
                ended = source | {"EndTimestamp": now_ms()}
                if failure is not None:
                    ended["StepDetails"] = {"Error": error_object(failure)}
                self._tell("on_user_function_end", UserFunctionEndInfo, ended, outcome=outcome, **known)
            failure = None  # a cycle with its traceback
        return answer

    def _operation_over(self, op: Op, failure: Exception | None) -> None:
        """The program is about to go on with the outcome of ``op``."""
        record = op.record()
        if record is not None and is_terminal(record):
            self._tell_end(op.id, record, op.id in self._rebuilt)
        elif record is None and op.type == "CONTEXT":
            self._tell_virtual_end(op, failure)
        elif op.type == "STEP" and failure is None:
            self._late.append(op.id)
        self._tell_late()

    def _tell_end(self, op_id: str, record: Operation, rebuilt: bool = False) -> None:
        if record.get("Status") not in TERMINAL_STATUSES:
            return
        with self._lock:
            if op_id in self._ended or not (rebuilt or op_id in self._open or op_id in self._updated):
                return  # told before, in this invocation or in an earlier one
            self._ended.add(op_id)
            self._open.pop(op_id, None)
        self._tell("on_operation_end", OperationEndInfo, record, is_replayed=rebuilt)

    def _tell_virtual_end(self, op: Op, failure: Exception | None) -> None:
        """A context without a record is over."""
        with self._lock:
            if op.id in self._ended or op.id not in self._open:
                return
            self._ended.add(op.id)
            del self._open[op.id]
        source = _sketch(op, "SUCCEEDED" if failure is None else "FAILED")
        if failure is not None:
            source["ContextDetails"] = {"Error": error_object(failure.__cause__ or failure)}
        self._tell(
            "on_operation_end",
            OperationEndInfo,
            source,
            start_time=None,
            end_time=moment(self._run.environment.now_ms()),
        )

    def _tell_late(self) -> None:
        ops = self._run.ops
        while self._late:
            with self._lock:
                record = ops.get(self._late[0]) if self._late else None
                if record is None or not is_terminal(record):
                    return
                op_id = self._late.popleft()
            self._tell_end(op_id, record)

    # ---- what answers have changed -----------------------------------------------------------------------------

    def note_changes(self, operations: Sequence[Operation]) -> None:
        """``operations`` are about to be taken into the journal. Only notes it: the writer's locks may be held."""
        if self._telling["on_operation_change"] and not self._over:
            ops = self._run.ops
            for operation in operations:
                before = ops.get(operation["Id"])
                if before is None or before.get("Status") != operation.get("Status"):
                    self._changed.append(operation["Id"])

    def _tell_changes(self, *, wait: bool = False) -> None:
        """Tell of what has changed, in the order in which it has; what changes meanwhile is told of next.

        If that is being done by another thread, it is left to that one; ``wait``: until it has.
        """
        while self._changed and self._telling_changes.acquire(blocking=wait):
            try:
                ids = dict.fromkeys(self._changed.popleft() for _ in range(len(self._changed)))
                ops = self._run.ops
                source = ([ops[op_id] for op_id in ids if op_id in ops], ops)
                self._tell("on_operation_change", OperationChangeInfo, source, execution_arn=self._run.arn)
            finally:
                self._telling_changes.release()

    # ---- invokes ---------------------------------------------------------------------------------------------------

    def trace_id(self, op: Op, function_name: str) -> str | None:
        """What the first plugin that has an opinion says."""
        value: str | None = None
        for plugin in self._telling["provide_propagation_metadata"]:
            info = PropagationInput(self._run.arn, op.id, function_name, op.parent_id)
            with Guard(self._inside):
                given = plugin.call("provide_propagation_metadata", info)
            try:
                if given is not None and not isinstance(given, PropagationMetadata):
                    raise TypeError(f"it returned {given!r}, not PropagationMetadata or None")
                found = None if given is None else given.x_amzn_trace_id
                if found is not None and not isinstance(found, str):
                    raise TypeError(f"x_amzn_trace_id is {found!r}, not a str or None")
            except Exception as error:
                plugin.report("provide_propagation_metadata", error)
                continue
            if found is None or not found.strip():
                continue
            if value is None:
                value = str.__str__(found)
            elif found != value:
                plugin.report("provide_propagation_metadata", ValueError("an earlier plugin has given another value"))
        return value

    # ---- telling ---------------------------------------------------------------------------------------------------

    def _tell(self, hook: str, cls: type[Any], source: Any, **known: Any) -> None:
        plugins = self._telling[hook]
        if not plugins:
            return
        with self._lock:
            if self._over:
                return
            self._busy += 1
        try:
            with Guard(self._inside):
                for plugin in plugins:
                    plugin.call(hook, view(cls, source, **known))
        finally:
            with self._quiet:
                self._busy -= 1
                if not self._busy:
                    self._quiet.notify_all()


def _reason(run: Run, answer: InvocationOutput | BaseException) -> TerminationReason | None:
    """Why the invocation has ended as it has."""
    if isinstance(answer, BaseException):
        return getattr(answer, "termination_reason", TerminationReason.UNHANDLED_ERROR)
    if answer["Status"] == "PENDING":
        if run.token is None:  # revoked
            return TerminationReason.OPERATION_TERMINATED
        return pending_reason(list(run.ops.values()))
    if answer["Status"] == "FAILED":
        return reason_of((answer.get("Error") or {}).get("ErrorType"))
    return None


def _asked(body: Body) -> Protocol:
    return (yield body)


def _attempt(body: Body) -> int | None:
    attempt: int | None = body.args[-1].attempt if body.is_step else None
    return attempt


def _is_own(op: Op, body: Body) -> bool:
    """Whether ``body`` is the function that ``op`` is there to run; its protocol may pass on those of others."""
    if op.type == "STEP":
        return body.is_step
    return op.type == "CONTEXT" and body.scope.prefix == op.id


def _sketch(op: Op, status: str) -> dict[str, Any]:
    """What is known of ``op`` before it has a record, or without one."""
    return {
        "Id": op.id,
        "Type": op.type,
        "SubType": op.sub_type,
        "Name": op.name,
        "ParentId": op.parent_id,
        "Status": status,
    }
