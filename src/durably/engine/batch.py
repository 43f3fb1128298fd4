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
from typing import TYPE_CHECKING, Any

from durably.concurrency.error_object import ErrorObject
from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
from durably.config import BatchItemStatus, ChildConfig, NestingType
from durably.exceptions import ChildContextError, ExecutionError, InvocationError, error_object, operation_error
from durably.wire.ids import operation_id
from durably.wire.limits import REPLAY_CHILDREN_ABOVE
from durably.wire.payloads import utf8_size

from .batch_policy import CompletionPolicy, CompletionRecord, ItemStatuses
from .branch import Branch
from .child import child
from .group import Group, Outcome
from .operation import Op, is_terminal
from .requests import NextOutcome, OpenGroup, Turn
from .run import Protocol
from .scope import Scope

if TYPE_CHECKING:
    from durably.config import MapConfig, ParallelConfig
    from durably.serdes import Codec

__all__ = ["Batch", "BranchSpec", "batch"]

_NESTED: ChildConfig[Any] = ChildConfig()
_FLAT: ChildConfig[Any] = ChildConfig(is_virtual=True)


class BranchSpec:
    """One branch: its recorded name, its function of the branch's context, and the items it stands for.

    ``size`` None: the branch is item ``first``. Otherwise its function returns a BatchResult of ``size`` items from
    ``first`` on (see ItemBatcher).
    """

    __slots__ = ("first", "func", "label", "name", "size")

    def __init__(
        self, name: str, func: Callable[[Any], Any], first: int, size: int | None = None, label: str | None = None
    ) -> None:
        self.name = name
        self.func = func
        self.first = first
        self.size = size
        self.label = label


class Batch:
    """What the two operations differ in, and what the context adds.

    Parameters:
        sub_type: of a branch, e.g. ``MapIteration``; ``result_type``: of the envelope, e.g. ``MapResult``.
        total: items, in all branches together.
        branch_codec: of a branch's result, by its index and operation; ``codec``: of the whole.
        make_context: the context for a branch's operation (virtual or not).
    """

    def __init__(
        self,
        sub_type: str,
        result_type: str,
        specs: Sequence[BranchSpec],
        total: int,
        config: MapConfig[Any] | ParallelConfig,
        branch_codec: Callable[[int, Op], Codec],
        codec: Codec,
        make_context: Callable[[Op, bool], Any],
    ) -> None:
        self.sub_type = sub_type
        self.result_type = result_type
        self.specs = specs
        self.total = total
        self.config = config
        self.branch_codec = branch_codec
        self.codec = codec
        self.make_context = make_context
        self.flat = config.nesting_type is NestingType.FLAT


def batch(op: Op, plan: Batch) -> Protocol:
    """Run the branches and return their BatchResult."""
    run = op.run
    record = op.begin()
    if record is not None and is_terminal(record):
        details = op.details(record)
        if record["Status"] == "SUCCEEDED" and details.get("ReplayChildren"):
            return (yield from _rebuild(op, plan, CompletionRecord.from_payload(details.get("Result"))))
        if run.must_queue(op.id):
            yield Turn(op.id)
        if record["Status"] == "SUCCEEDED":
            text = details.get("Result")
            return None if text is None else plan.codec.decode(text)
        raise operation_error(ChildContextError, op.error(record))
    if record is None:
        op.post("START")
    strand = _Strand(op, plan)
    try:
        result = yield from strand.run(known=record is not None)
        text, value = plan.codec.round_trip(result)
        replay_children = utf8_size(text) > REPLAY_CHILDREN_ABOVE
        if replay_children:
            text = CompletionRecord.envelope(result, plan.result_type, _summary(plan, result))
    except (ExecutionError, InvocationError):
        raise  # the run's verdict is out
    except Exception as error:
        failure = error_object(error)
        yield op.put("FAIL", completion=True, Error=failure)
        wrapped = operation_error(ChildContextError, failure)
        raise wrapped from wrapped.__cause__
    yield op.put("SUCCEED", completion=True, Payload=text, ContextOptions={"ReplayChildren": replay_children})
    return value


def _summary(plan: Batch, result: BatchResult[Any]) -> str | None:
    generate = plan.config.summary_generator
    return None if generate is None else generate(result)


def _branch(op: Op, plan: Batch, index: int, branch: Branch | None) -> Protocol:
    """The protocol of one branch."""
    spec = plan.specs[index]
    scope = Scope(op.run, None, None, op.describe(), replaying=op.scope.replaying, branch=branch)
    inner = Op(op.run, scope, operation_id(op.id, index), "CONTEXT", plan.sub_type, spec.name, op.id)
    config = _FLAT if plan.flat else _NESTED
    return child(inner, spec.func, plan.make_context(inner, plan.flat), config, plan.branch_codec(index, inner))


def _rebuild(op: Op, plan: Batch, decided: CompletionRecord | None) -> Protocol:
    """The result of a finished batch whose payload was too large to keep: its branches run over their records."""
    started = plan.total if decided is None else decided.started_total
    if started > plan.total:
        raise op.run.fail_non_deterministic(
            f"{op.describe()} started {started} items in an earlier run, but now has only {plan.total}", op.id
        )
    items: dict[int, BatchItem[Any]] = {}
    for index, spec in enumerate(plan.specs):
        if spec.first >= started:
            break
        if decided is not None and spec.first in decided.started_indexes:
            items.update(
                (n, BatchItem(n, BatchItemStatus.STARTED)) for n in range(spec.first, spec.first + (spec.size or 1))
            )
            continue
        try:
            value = yield from _branch(op, plan, index, op.scope.branch)
        except ChildContextError as error:
            items.update(_items(spec, None, error))
        else:
            items.update(_items(spec, value, None))
    ordered = [items[index] for index in sorted(items)]
    if decided is None:
        return BatchResult.from_items(ordered, plan.config.completion_config)
    return BatchResult(ordered, decided.completion_reason)


def _items(spec: BranchSpec, value: Any, error: Exception | None) -> dict[int, BatchItem[Any]]:
    """The items that a branch which has ended stands for."""
    if error is not None:
        if isinstance(error, ChildContextError):
            failure = ErrorObject(error.message, error.error_type, error.data, error.stack_trace)
        else:
            failure = ErrorObject.from_exception(error)
        indexes = range(spec.first, spec.first + (spec.size or 1))
        return {n: BatchItem(n, BatchItemStatus.FAILED, error=failure, name=spec.label) for n in indexes}
    if spec.size is None:
        return {spec.first: BatchItem(spec.first, BatchItemStatus.SUCCEEDED, value, name=spec.label)}
    return {item.index: item for item in value.all}


class _Strand:
    """One live run of a batch."""

    def __init__(self, op: Op, plan: Batch) -> None:
        self.op = op
        self.plan = plan
        self.policy = CompletionPolicy(plan.total, plan.config.completion_config)
        self.items: dict[int, BatchItem[Any]] = {}
        self.started: set[int] = set()
        self.succeeded = 0
        self.failed = 0
        self.statuses: ItemStatuses | None = None
        if self.policy.has_predicate:
            self.statuses = ItemStatuses(spec.label for spec in plan.specs for _ in range(spec.size or 1))

    def run(self, *, known: bool) -> Protocol:
        """``known``: an earlier invocation began this batch."""
        plan = self.plan
        ended: set[int] = set()
        reason = self._decide()
        for index in self._recorded() if known and not plan.flat and reason is None else ():
            ended.add(index)
            self._start(index)
            try:
                value = yield from _branch(self.op, plan, index, self.op.scope.branch)
            except ChildContextError as error:
                self._note(index, None, error)
            else:
                self._note(index, value, None)
            reason = self._decide()
            if reason is not None:
                break
        if reason is not None:
            return self._result(reason)

        def make(index: int, branch: Branch) -> Protocol:
            return _branch(self.op, plan, index, branch)

        waiting = deque(index for index in range(len(plan.specs)) if index not in ended)
        limit = plan.config.max_concurrency or len(plan.specs)
        in_flight = 0
        group: Group = yield OpenGroup(self.op.scope.branch, make)
        try:
            while reason is None:
                while waiting and in_flight < limit and self.policy.may_admit(self.failed):
                    index = waiting.popleft()
                    self._start(index)
                    group.start(index)
                    in_flight += 1
                outcome: Outcome = yield NextOutcome(group)
                in_flight -= 1
                self._note(outcome.index, outcome.value, outcome.error)
                reason = self._decide()
        finally:
            group.close()
        return self._result(reason)

    def _recorded(self) -> list[int]:
        """Branches that have ended in earlier invocations, in recorded order."""
        ops = self.op.run.ops
        ended: list[tuple[int, int]] = []
        for index in range(len(self.plan.specs)):
            record = ops.get(operation_id(self.op.id, index))
            if record is not None and is_terminal(record):
                ended.append((record.get("EndTimestamp", record["StartTimestamp"]), index))
        ended.sort()
        return [index for _, index in ended]

    def _start(self, index: int) -> None:
        spec = self.plan.specs[index]
        for item in range(spec.first, spec.first + (spec.size or 1)):
            self.started.add(item)
            if self.statuses is not None:
                self.statuses.set(item, BatchItemStatus.STARTED)

    def _note(self, index: int, value: Any, error: Exception | None) -> None:
        for number, item in _items(self.plan.specs[index], value, error).items():
            self.items[number] = item
            if item.status is BatchItemStatus.SUCCEEDED:
                self.succeeded += 1
            else:
                self.failed += 1
            if self.statuses is not None:
                self.statuses.set(number, item.status)

    def _decide(self) -> CompletionReason | None:
        return self.policy.decide(self.succeeded, self.failed, self.statuses or ())

    def _result(self, reason: CompletionReason) -> BatchResult[Any]:
        items = [self.items.get(index) or BatchItem(index, BatchItemStatus.STARTED) for index in sorted(self.started)]
        return BatchResult(items, reason)
