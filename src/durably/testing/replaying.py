"""Does today's code still follow a recorded execution?

:func:`replay` runs a handler over a history again and again, each time with the state that the service handed to one
of the recorded invocations, and then with the whole record. Nothing is executed: steps that are recorded return what is
recorded, and where the record ends the run ends. What is compared is what the engine would hold the code to (type,
subtype, name and parent of every operation) and, for an execution that has ended, that all of the record is used and
that the handler comes to the same end.

A context that has finished is not entered again in a real execution. Here it is, in a run of its own: an execution that
is inside it at this moment must be able to go on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from durably.engine.batch_policy import CompletionRecord
from durably.engine.operation import describe
from durably.execution import DurableFunction, durable_execution, durable_function_of
from durably.wire.ids import operation_id
from durably.wire.shapes import Operation

from ._decisions import OF_THE_ENGINE, is_cancelled
from ._durations import Span, as_ms
from .history import History, HistoryError, as_history
from .history_state import (
    InvocationState,
    StateBuilder,
    invocation_states,
    is_made_by_function,
    is_terminal,
    must_rebuild,
    shown,
)
from .replay_report import ReplayReport
from .replay_run import PATIENCE, Replayed, run_over
from .replay_trace import Call, Difference, Line, Observer

__all__ = ["ReplayFailedError", "assert_replays", "histories_in", "replay"]

_MOST_INVOCATIONS: Final = 200
_NOT_BY_HANDLER: Final = frozenset({"NonDeterministicExecutionError"})
_ENDED_BY_ITSELF: Final = frozenset({"SUCCEEDED", "FAILED"})


class ReplayFailedError(AssertionError):
    """Code does not follow a recorded execution. ``reports`` has what was found."""

    def __init__(self, reports: Sequence[ReplayReport]) -> None:
        super().__init__("\n\n".join(str(report) for report in reports))
        self.reports: list[ReplayReport] = list(reports)


def replay(
    handler: Any,
    history: Any,
    *,
    inside_contexts: bool = True,
    max_invocations: int = _MOST_INVOCATIONS,
    patience: Span = PATIENCE,
) -> ReplayReport:
    """Run ``handler`` over ``history`` and report whether it follows it.

    Parameters:
        handler: a durable function, or the function to be decorated as one.
        history: a :class:`~durably.testing.history.History`, the path of a file with one, or the result of a runner.
        inside_contexts: also run the functions of contexts that have finished, over what is recorded inside them.
        max_invocations: replay the states of at most so many invocations, evenly spread if there are more.
        patience: real time after which code that neither ends nor comes to another operation is reported as stuck.

    Raises:
        HistoryError: the history cannot be read, or lacks the payloads.
        TypeError: ``handler`` is no durable function.
    """
    record = as_history(history)
    missing = record.missing_data()
    if missing is not None:
        raise HistoryError(f"{record!r} cannot be replayed: {missing}")
    seconds = as_ms(patience, "patience") / 1000
    return _Replay(_durable(handler), record, inside_contexts, max_invocations, seconds).run()


def assert_replays(handler: Any, history: Any, **options: Any) -> list[ReplayReport]:
    """Raise ReplayFailedError (an AssertionError with the side-by-side) unless ``handler`` follows ``history``.

    Parameters:
        history: as :func:`replay` takes it, or a folder: every ``*.json`` below it is replayed.
        options: of :func:`replay`.
    """
    found: list[Any] = [history]
    if isinstance(history, (str, os.PathLike)) and Path(history).is_dir():
        found = list(histories_in(history))
    reports = [replay(handler, one, **options) for one in found]
    failed = [report for report in reports if not report.ok]
    if failed:
        raise ReplayFailedError(failed)
    return reports


def histories_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The files below ``folder``, sorted. Raises HistoryError if there are none: that would be a test of nothing."""
    found = sorted(Path(folder).rglob("*.json"))
    if not found:
        raise HistoryError(f"there is no history (*.json) in {folder}")
    return found


def _durable(handler: Any) -> DurableFunction[Any, Any]:
    function = durable_function_of(handler)
    if function is not None:
        return function
    if getattr(handler, "__code__", None) is None:
        raise TypeError(
            f"{handler!r} cannot be replayed: it takes a function decorated with durably's @durable_execution"
        )
    return cast("DurableFunction[Any, Any]", durable_execution(handler))


class _Replay:
    """All runs of one handler over one history."""

    def __init__(
        self,
        function: DurableFunction[Any, Any],
        history: History,
        inside_contexts: bool,
        max_invocations: int,
        patience: float,
    ) -> None:
        self.patience = patience
        self.stuck = False
        self.function = function
        self.history = history
        self.inside_contexts = inside_contexts
        self.max_invocations = max(1, max_invocations)
        self.records: dict[str, Operation] = {operation["Id"]: operation for operation in history.operations}
        self.report = ReplayReport(history, getattr(function, "__name__", repr(function)))
        self.calls: dict[str, Call] = {}
        self.lines: dict[str, Line | None] = {}
        self.met: set[str] = set()
        self.loose: set[str] = set()
        """Operations that the record may have although the code does not come to them (again)."""

    def run(self) -> ReplayReport:
        builder = StateBuilder(self.history.execution_id, self.history.name)
        states = invocation_states(builder, self.history.events)
        for state in _spread(states, self.max_invocations):
            if not self.stuck:
                self._one_invocation(state)
        if not self.stuck:
            whole = self._whole(builder)
            if self.inside_contexts and not self.stuck:
                self._inside(builder)
            if not self.report.differences and whole.status != "PENDING":
                self._unmet()
        self.report.finish(self.calls, self.met)
        return self.report

    def _run(
        self, operations: list[Operation], updated: list[str], invocation: int | None
    ) -> tuple[Replayed, Observer]:
        observer = Observer(self.records, invocation=invocation, lines=self.lines)
        to_failure = invocation is None and self.history.status == "FAILED"
        outcome = run_over(
            self.function,
            self.history.arn,
            shown(operations),
            updated,
            observer,
            to_failure=to_failure,
            patience=self.patience,
        )
        self.stuck = outcome.stuck
        for op_id in set(observer.calls) - self.calls.keys():
            call = observer.call(op_id)
            if call is not None:
                self.calls[op_id] = call
        self.met |= observer.met
        self.loose |= observer.started | outcome.given_up
        self.report.runs += 1
        self.report.differences += observer.differences
        return outcome, observer

    # ---- one invocation -------------------------------------------------------------------------------------

    def _one_invocation(self, state: InvocationState) -> None:
        outcome, observer = self._run(state.operations, state.updated, state.number)
        if observer.differences or state.is_last or outcome.status == "PENDING":
            return
        if outcome.status == "RAISED" and self._failed(state.number):
            return
        if any(not is_terminal(one) and one["Type"] != "EXECUTION" for one in state.operations):
            return  # the code may have been told not to wait for it, by what came while the invocation ran
        following = next((event for event in self.history.events[state.after :] if is_made_by_function(event)), None)
        if following is None:
            return  # it was told of what came while the invocation before was ending, so it ends one earlier
        seen = observer.met | observer.calls.keys()
        left = next((one for one in self.history.operations if one["Id"] not in seen), None)
        then = _event(following) if left is None else describe(left["Type"], left.get("SubType"), left.get("Name"))
        message = f"the code {_ending(outcome)}, where the record goes on with {then}"
        self.report.differences.append(Difference("outcome", message, None, None, outcome.line, state.number))

    def _failed(self, number: int) -> bool:
        """Whether the recorded invocation ``number`` failed, too."""
        ended = [event for event in self.history.events if event["EventType"] == "InvocationCompleted"]
        return number <= len(ended) and bool(_details(ended[number - 1]).get("Error"))

    # ---- the whole record ---------------------------------------------------------------------------------------

    def _whole(self, builder: StateBuilder) -> Replayed:
        outcome, observer = self._run(self._state(builder, {}), [], None)
        if observer.differences:
            return outcome
        if not self._ended_by_handler():
            if observer.new:
                self.report.goes_on = observer.new[0]
            return outcome
        if outcome.status == "PENDING" and observer.new:
            self._note_new(observer)
        else:
            message = self._other_end(outcome)
            if message is not None:
                self.report.differences.append(Difference("outcome", message, None, None, outcome.line, None))
        return outcome

    def _state(self, builder: StateBuilder, instead: Mapping[str, Operation]) -> list[Operation]:
        """Everything recorded, in the order of the last changes; some of it replaced."""
        state = [cast(Operation, builder.execution)]
        for op_id, rebuilt in builder.operations.items():
            state.append(instead.get(op_id) or self.records.get(op_id) or cast(Operation, rebuilt))
        return state

    def _ended_by_handler(self) -> bool:
        """Whether the execution ended with what its handler answered: today's must answer the same."""
        history = self.history
        if history.status not in _ENDED_BY_ITSELF:
            return False
        last = next((event for event in reversed(history.events) if event["EventType"] == "InvocationCompleted"), None)
        if last is not None and _details(last).get("Error"):
            return False
        error: Mapping[str, Any] = history.error or {}
        return str(error.get("ErrorType", "")).rpartition(".")[2] not in _NOT_BY_HANDLER

    def _note_new(self, observer: Observer) -> None:
        call = observer.new[0]
        message = f"the code calls {call.describe()} where the record has no operation"
        line = observer.line_for(call)
        self.report.differences.append(Difference("new", message, None, call, line, observer.invocation))

    def _other_end(self, outcome: Replayed) -> str | None:
        """What is different about the end of the execution; None: nothing."""
        history = self.history
        if outcome.status != history.status:
            return f"the code {_ending(outcome)}; the record ended {_recorded_end(history)}"
        if outcome.status == "SUCCEEDED":
            if _parsed(outcome.result) == _parsed(history.result):
                return None
            return f"the code returns {_short(outcome.result)}; the record's result is {_short(history.result)}"
        now: Mapping[str, Any] = _error_of(outcome)
        then: Mapping[str, Any] = history.error or {}
        if all(now.get(member) == then.get(member) for member in ("ErrorType", "ErrorMessage")):
            return None
        return f"the code {_ending(outcome)}; the record ended {_recorded_end(history)}"

    def _unmet(self) -> None:
        """Operations that have ended in the record and that the code does not come to any more."""
        for operation in self.history.operations:
            op_id = operation["Id"]
            if op_id in self.met or op_id in self.calls or operation.get("SubType") in OF_THE_ENGINE:
                continue
            if operation["Status"] == "CANCELLED" or is_cancelled(operation):
                continue  # before it was called, this time: how far it comes is a matter of timing
            if is_terminal(operation) and not self._excused(operation):
                call = Call(op_id, cast("Mapping[str, Any]", operation), None)
                message = f"the record has {call.describe()}, which the code does not call any more"
                self.report.differences.append(Difference("missing", message, operation, None, None, None))
                return

    def _excused(self, operation: Operation) -> bool:
        """Whether it may well be that nothing comes to ``operation``: it is given up, or inside what is."""
        one: Operation | None = operation
        while one is not None:
            if one["Id"] in self.loose:
                return True
            one = self.records.get(one.get("ParentId", ""))
            if one is not None and (one["Status"] != "SUCCEEDED" or one["Id"] not in self.met):
                return True
            if one is not None and one["Id"] not in self.opened:
                return True
        return False

    # ---- inside contexts ----------------------------------------------------------------------------------------

    opened: frozenset[str] = frozenset()

    def _inside(self, builder: StateBuilder) -> None:
        """Run the functions of finished contexts over what is recorded inside them."""
        children: dict[str, list[Operation]] = {}
        for operation in self.history.operations:
            children.setdefault(operation.get("ParentId", ""), []).append(operation)
        opened: dict[str, Operation] = {}
        for op_id, below in children.items():
            context = self.records.get(op_id)
            if context is not None and context["Type"] == "CONTEXT" and context["Status"] == "SUCCEEDED":
                changed = _opened(context, below)
                if changed is not None:
                    opened[op_id] = changed
                    self.loose |= _undecided(changed, below)
        self.opened = frozenset(opened)
        if not opened:
            return
        known = {one.operation_id for one in self.report.differences}
        before = len(self.report.differences)
        outcome, observer = self._run(self._state(builder, opened), [], None)
        found = self.report.differences[before:]
        self.report.differences[before:] = [one for one in found if one.operation_id not in known]
        inside = [call for call in observer.new if call.identity.get("ParentId") in opened]
        if not self.report.differences and outcome.status == "PENDING" and inside:
            self._note_new(observer)


def _opened(operation: Operation, below: list[Operation]) -> Operation | None:
    """``operation``, a finished context, as if its result had to be rebuilt; None where that cannot be said."""
    details: dict[str, Any] = dict(operation.get("ContextDetails") or {})
    if operation.get("SubType") in ("Map", "Parallel") and not must_rebuild(details.get("Result")):
        envelope = _envelope(str(operation.get("SubType")), details.get("Result"))
        if envelope is None:
            return None
        details["Result"] = envelope
    details["ReplayChildren"] = True
    return cast(Operation, {**operation, "ContextDetails": details})


def _envelope(sub_type: str, result: str | None) -> str | None:
    """What would have been recorded of a batch with this result, had it been too large (WIRE.md, Payloads)."""
    batch = _parsed(result)
    if isinstance(batch, dict) and batch.get("t") == "br":
        batch = batch.get("v")
    if not isinstance(batch, dict) or not isinstance(batch.get("all"), list):
        return None
    items: list[Any] = batch["all"]
    if not all(isinstance(item, dict) and "index" in item for item in items):
        return None
    started = [item["index"] for item in items if item.get("status") == "STARTED"]
    return json.dumps(
        {
            "type": f"{sub_type}Result",
            "totalCount": len(items),
            "completionReason": batch.get("completionReason"),
            "startedIndexes": started,
        }
    )


def _undecided(batch: Operation, below: Sequence[Operation]) -> set[str]:
    """Ids of the branches that a batch was decided without; they may have ended all the same."""
    decided = CompletionRecord.from_payload(batch.get("ContextDetails", {}).get("Result"))
    started: frozenset[int] = frozenset() if decided is None else decided.started_indexes
    several = {one["Id"]: _items_of(one) for one in below if (one.get("Name") or "").startswith("map-batch-")}
    if any(several.values()):
        return {op_id for op_id, items in several.items() if not started.isdisjoint(items)}
    ids = {one["Id"] for one in below}
    if started and all(operation_id(batch["Id"], index) not in ids for index in range(len(ids) + len(started))):
        return ids  # flat: nothing says which of them are whose
    return {operation_id(batch["Id"], index) for index in started}


def _items_of(branch: Operation) -> list[int]:
    """The items that a branch of an ItemBatcher stands for, as far as its result says."""
    result = _parsed(branch.get("ContextDetails", {}).get("Result"))
    items = result.get("v", {}).get("all") if isinstance(result, dict) and result.get("t") == "br" else None
    return [item["index"] for item in items if "index" in item] if isinstance(items, list) else []


def _spread(states: Sequence[InvocationState], most: int) -> list[InvocationState]:
    if len(states) <= most:
        return list(states)
    picked = {round(n * (len(states) - 1) / max(1, most - 1)) for n in range(most)}
    return [states[n] for n in sorted(picked)]


def _details(event: Any) -> Mapping[str, Any]:
    return event.get(event["EventType"] + "Details") or {}


def _event(event: Any) -> str:
    name = event.get("Name")
    return f"{event['EventType']} {name!r}" if name else str(event["EventType"])


def _ending(outcome: Replayed) -> str:
    if outcome.output is None:
        return f"now raises {type(outcome.failure).__name__}: {outcome.failure}"
    if outcome.status == "SUCCEEDED":
        return f"now returns {_short(outcome.result)}"
    if outcome.status == "PENDING":
        return "now waits for something that the record does not have"
    error = _error_of(outcome)
    return f"now fails with {error.get('ErrorType')}: {error.get('ErrorMessage')}"


def _error_of(outcome: Replayed) -> Mapping[str, Any]:
    return {} if outcome.output is None else outcome.output.get("Error") or {}


def _recorded_end(history: History) -> str:
    error: Mapping[str, Any] = history.error or {}
    if history.status == "SUCCEEDED":
        return f"SUCCEEDED with {_short(history.result)}"
    return f"{history.status} with {error.get('ErrorType')}: {error.get('ErrorMessage')}"


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _short(text: str | None) -> str:
    return "nothing" if text is None else text if len(text) <= 200 else f"{text[:200]}…"
