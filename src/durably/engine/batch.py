"""The protocol of map and parallel: a context that holds a context for each branch.

Branches are admitted in the order of their indexes, as many as may be in flight; one that waits keeps its place. When
the policy decides, the branches that have not ended are cut off and reported as started. Branches that an earlier
invocation has finished are counted first, in the order in which they were recorded, so that a decision which fell once
falls again.

A result above 256 KiB is not stored: an envelope records the decision, and replay rebuilds the result from the
branches' records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from durably.concurrency.error_object import ErrorObject
from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
from durably.config import BatchItemStatus, ChildConfig, NestingType
from durably.exceptions import (
    ChildContextError,
    SerDesError,
    UnrecoverableError,
    ValidationError,
    error_object,
    operation_error,
)
from durably.wire.ids import operation_id
from durably.wire.limits import REPLAY_CHILDREN_ABOVE
from durably.wire.payloads import utf8_size

from .batch_policy import CompletionPolicy, CompletionRecord, ItemStatuses
from .branch import Branch
from .cancellation import cancelled_error, is_cancellation, raise_recorded
from .child import child
from .group import Group, Outcome
from .operation import Op, is_terminal
from .requests import NextOutcome, OpenGroup, Turn
from .run import Protocol
from .scope import Around
from .sizes import check_size

if TYPE_CHECKING:
    from durably.config import MapConfig, ParallelConfig
    from durably.serdes import Codec

__all__ = ["Batch", "Branches", "batch"]

_SUCCEEDED: Final = BatchItemStatus.SUCCEEDED
_NESTED: ChildConfig[Any] = ChildConfig()
_FLAT: ChildConfig[Any] = ChildConfig(is_virtual=True)


class Branches:
    """What a batch runs. Names and functions are made when they are asked for: there may be ten thousand.

    Parameters:
        count: how many branches.
        name_of: the recorded name of a branch.
        call_of: its function, and what that gets behind the branch's context.
        labels: what each item was named, if it was.
        chunks: the items of each branch, whose function returns a BatchResult of them (see ItemBatcher); None where
            each branch is one item.
    """

    __slots__ = ("call_of", "chunks", "count", "labels", "name_of")

    def __init__(
        self,
        count: int,
        name_of: Callable[[int], str],
        call_of: Callable[[int], tuple[Callable[..., Any], tuple[Any, ...]]],
        labels: Sequence[str | None],
        chunks: Sequence[range] | None = None,
    ) -> None:
        self.count: int = count
        self.name_of: Callable[[int], str] = name_of
        self.call_of: Callable[[int], tuple[Callable[..., Any], tuple[Any, ...]]] = call_of
        self.labels: Sequence[str | None] = labels
        self.chunks: Sequence[range] | None = chunks

    def items(self, branch: int) -> Sequence[int]:
        """The indexes of the items that ``branch`` stands for."""
        return (branch,) if self.chunks is None else self.chunks[branch]


class Batch:
    """What the two operations differ in, and what the context adds.

    Parameters:
        sub_type: of a branch, e.g. ``MapIteration``; ``result_type``: of the envelope, e.g. ``MapResult``.
        branch_codec: of a branch's result, by its index; ``codec``: of the whole.
        texts: where the results are kept as they are recorded, for ``codec``; None if that has no use for them.

    Attributes:
        total: items, in all branches together.
        make_context: the context for a branch's operation (virtual or not).
    """

    def __init__(
        self,
        sub_type: str,
        result_type: str,
        branches: Branches,
        config: MapConfig[Any] | ParallelConfig,
        branch_codec: Callable[[int], Codec],
        codec: Codec,
        make_context: Callable[[Op, bool], Any],
        texts: dict[int, str] | None,
    ) -> None:
        self.sub_type = sub_type
        self.result_type = result_type
        self.branches = branches
        self.total: int = len(branches.labels)
        self.config = config
        self.branch_codec = branch_codec
        self.codec = codec
        self.make_context = make_context
        self.texts = texts
        self.flat: bool = config.nesting_type is NestingType.FLAT


def batch(op: Op, plan: Batch) -> Protocol:
    """Run the branches and return their BatchResult."""
    run = op.run
    record = op.begin()
    if record is not None and is_terminal(record):
        details = op.details(record)
        if record["Status"] == "SUCCEEDED" and details.get("ReplayChildren"):
            decided = CompletionRecord.from_payload(details.get("Result"))
            rebuilt = yield from op.watched_function(_rebuild(op, plan, decided))
            if run.must_queue(op.id):
                yield Turn(op.id)
            return rebuilt
        if record["Status"] != "SUCCEEDED":
            yield from raise_recorded(op, record, ChildContextError)
        if run.must_queue(op.id):
            yield Turn(op.id)
        text = details.get("Result")
        return None if text is None else run.consult(plan.codec.decode, text)
    if record is None:
        op.post("START")
    strand = _Strand(op, plan)
    try:
        result = yield from op.watched_function(strand.run(known=record is not None))
        text, value = plan.codec.round_trip(result)
        replay_children = utf8_size(text) > REPLAY_CHILDREN_ABOVE
        if replay_children:
            text = CompletionRecord.envelope(result, plan.result_type, _summary(plan, result))
            remedy = "Let summary_generator return less, or divide the items among several calls."
            check_size(f"the summary of {op.describe()}", text, remedy)
    except UnrecoverableError as error:  # says itself what is to become of the execution or the invocation
        run.end_by(error)
        raise
    except Exception as error:
        failure = error_object(error)
        yield op.put("FAIL", None, {"Error": failure}, True)
        wrapped = operation_error(ChildContextError, failure)
        raise wrapped from wrapped.__cause__
    except BaseException as error:
        if is_cancellation(error) and op.recording:
            op.post("FAIL", None, {"Error": cancelled_error(op.describe())})
        raise
    yield op.put("SUCCEED", text, {"ContextOptions": {"ReplayChildren": replay_children}}, True)
    return value


def _summary(plan: Batch, result: BatchResult[Any]) -> str | None:
    if plan.config.summary_generator is None:
        return None
    summary: Any = plan.config.summary_generator(result)
    if not isinstance(summary, str):
        raise ValidationError(f"summary_generator returned {type(summary).__name__} {summary!r}; it must return a str")
    return summary


def _branch(op: Op, plan: Batch, index: int, branch: Branch | None) -> Protocol:
    """The protocol of one branch."""
    branches = plan.branches
    inner = Op(
        op.run, Around(op, branch), operation_id(op.id, index), "CONTEXT", plan.sub_type, branches.name_of(index), op.id
    )
    func, more = branches.call_of(index)
    context, config = plan.make_context(inner, plan.flat), _FLAT if plan.flat else _NESTED
    return inner.watched(child(inner, func, context, config, plan.branch_codec(index), more))


def _rebuild(op: Op, plan: Batch, decided: CompletionRecord | None) -> Protocol:
    """The result of a finished batch whose payload was too large to keep: its branches run over their records."""
    started = plan.total if decided is None else decided.started_total
    if started > plan.total:
        raise op.run.fail_non_deterministic(
            f"{op.describe()} started {started} items in an earlier run, but now has only {plan.total}", op.id
        )
    items: dict[int, BatchItem[Any]] = {}
    for index in range(plan.branches.count):
        first = plan.branches.items(index)[0]
        if first >= started:
            break
        if decided is not None and first in decided.started_indexes:
            _unfinished(plan.branches, index, items)
            continue
        outcome = yield from _recorded_branch(op, plan, index)
        _ended(plan.branches, outcome, items)
    ordered = [items[index] for index in sorted(items)]
    if decided is None:
        result = BatchResult.from_items(ordered, plan.config.completion_config)
    else:
        result = BatchResult(ordered, decided.completion_reason)
    return result if plan.config.serdes is None else op.run.consult(plan.codec.round_trip, result)[1]


def _recorded_branch(op: Op, plan: Batch, index: int) -> Protocol:
    """The Outcome of a branch that ended in an earlier invocation."""
    try:
        value = yield from _branch(op, plan, index, op.scope.branch)
    except (ChildContextError, SerDesError) as error:
        return Outcome(index, None, error)
    return Outcome(index, value, None)


def _unfinished(branches: Branches, index: int, items: dict[int, BatchItem[Any]]) -> None:
    """Put the items of a branch that has not ended into ``items``."""
    for n in branches.items(index):
        items[n] = BatchItem(n, BatchItemStatus.STARTED, name=branches.labels[n])


def _ended(branches: Branches, outcome: Outcome, items: dict[int, BatchItem[Any]]) -> None:
    """Put the items of a branch that has ended into ``items``."""
    index, error = outcome.index, outcome.error
    if error is not None:
        if isinstance(error, (ChildContextError, SerDesError)):
            failure = ErrorObject(error.message, error.error_type, error.data, error.stack_trace)
        else:
            failure = ErrorObject.from_exception(error)
        for n in branches.items(index):
            items[n] = BatchItem(n, BatchItemStatus.FAILED, error=failure, name=branches.labels[n])
    elif branches.chunks is None:
        items[index] = BatchItem(index, BatchItemStatus.SUCCEEDED, outcome.value, name=branches.labels[index])
    else:
        items.update((item.index, item) for item in outcome.value.all)


class _Strand:
    """One live run of a batch."""

    def __init__(self, op: Op, plan: Batch) -> None:
        self.op = op
        self.plan = plan
        self.policy = CompletionPolicy(plan.total, plan.config.completion_config)
        self.items: dict[int, BatchItem[Any]] = {}
        self.results: dict[int, Any] = {}
        """Of items that have succeeded, until it is over: ten thousand BatchItems would be looked at again and again by
        the garbage collector."""
        self.started: set[int] = set()
        self.succeeded = 0
        self.failed = 0
        self.statuses: ItemStatuses | None = None
        if self.policy.has_predicate:
            self.statuses = ItemStatuses(plan.branches.labels)

    def run(self, *, known: bool) -> Protocol:
        """``known``: an earlier invocation began this batch."""
        plan, policy = self.plan, self.policy
        reason = policy.decide(0, 0, self.statuses or ())
        if reason is not None:
            return self._result(reason)
        ended = deque(self._recorded() if known else ())
        recorded = frozenset(ended)
        held: list[int] = []

        def make(index: int, branch: Branch) -> Protocol:
            return _branch(self.op, plan, index, branch)

        waiting = deque(range(plan.branches.count))
        limit = plan.config.max_concurrency or plan.branches.count
        in_flight = 0
        group: Group | None = None
        try:
            while reason is None:
                while waiting and in_flight < limit and policy.may_admit(self.failed):
                    index = waiting.popleft()
                    self._start(index)
                    if index not in recorded:
                        held.append(index)
                    in_flight += 1
                if ended:
                    outcome: Outcome = yield from _recorded_branch(self.op, plan, ended.popleft())
                    if self._start(outcome.index):  # more could be in flight then than now
                        waiting.remove(outcome.index)
                        in_flight += 1
                else:
                    if group is None:
                        opened: Group = yield OpenGroup(self.op.scope.branch, make)
                        group = opened
                    if held:
                        for index in held:
                            group.start(index)
                        held.clear()
                    found = group.ready()
                    outcome = (yield NextOutcome(group)) if found is None else found
                in_flight -= 1
                self._note(outcome)
                reason = policy.decide(self.succeeded, self.failed, self.statuses or ())
        finally:
            if group is not None:
                group.close()
        return self._result(reason)

    def _recorded(self) -> list[int]:
        """Branches that have ended in earlier invocations, in recorded order. Those of a flat batch have no records."""
        ops, count = self.op.run.ops, self.plan.branches.count
        beyond = operation_id(self.op.id, count)
        if beyond in ops or operation_id(beyond, 1) in ops:
            raise self.op.run.fail_non_deterministic(
                f"{self.op.describe()} began more branches in an earlier run than it has now: {count}. "
                "What is mapped must be the same on every run.",
                self.op.id,
            )
        ended: list[tuple[int, int]] = []
        for index in range(count):
            record = ops.get(operation_id(self.op.id, index))
            if record is not None and is_terminal(record):
                ended.append((record.get("EndTimestamp", record["StartTimestamp"]), index))
        ended.sort()
        return [index for _, index in ended]

    def _start(self, index: int) -> bool:
        """Note that branch ``index`` has begun; False if that was noted before."""
        for item in self.plan.branches.items(index):
            if item in self.started:
                return False
            self.started.add(item)
            if self.statuses is not None:
                self.statuses.set(item, BatchItemStatus.STARTED)
        return True

    def _note(self, outcome: Outcome) -> None:
        branches, index = self.plan.branches, outcome.index
        if branches.chunks is None and outcome.error is None:
            self.results[index] = outcome.value
            self.succeeded += 1
            if outcome.text is not None and self.plan.texts is not None:
                self.plan.texts[index] = outcome.text
            if self.statuses is not None:
                self.statuses.set(index, _SUCCEEDED)
            return
        _ended(branches, outcome, self.items)
        for number in branches.items(index):
            status = self.items[number].status
            if status is _SUCCEEDED:
                self.succeeded += 1
            else:
                self.failed += 1
            if self.statuses is not None:
                self.statuses.set(number, status)

    def _result(self, reason: CompletionReason) -> BatchResult[Any]:
        branches, items, results = self.plan.branches, self.items, self.results
        if len(results) == branches.count == branches.labels.count(None):
            return BatchResult._of_results([results[index] for index in range(branches.count)], reason)
        for index in range(branches.count):
            first = branches.items(index)[0]
            if first in results:
                items[index] = BatchItem(index, _SUCCEEDED, results[index], name=branches.labels[index])
            elif first in self.started and first not in items:
                _unfinished(branches, index, items)
        return BatchResult([items[index] for index in sorted(items)], reason)
