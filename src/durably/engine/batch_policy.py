"""When a batch is complete, and what is recorded of that decision. Pure: no I/O, no clock.

The order of the questions is the official SDK's. A predicate of the user's decides alone; otherwise failures beyond
the tolerance come first, then "all done", then "enough succeeded". The reason is taken once, from the counts that ended
the batch: an item that finishes a moment later may still be reported as done, but does not change the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias, TypeGuard

from durably._completion import (
    BatchItemStatus,
    CompletionConfig,
    CompletionDecision,
    CompletionItemStatus,
    CompletionOutcome,
    CompletionStatus,
)
from durably._values import Value
from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
from durably.exceptions import ValidationError

__all__ = ["CompletionPolicy", "CompletionRecord", "ItemStatuses"]

Items: TypeAlias = Sequence[CompletionItemStatus] | Callable[[], Sequence[CompletionItemStatus]]


class ItemStatuses:
    """How far each item of a batch is, kept up to date one change at a time.

    Parameters:
        names: the name of each item, None for an item that was not named.
    """

    __slots__ = ("_items",)

    def __init__(self, names: Iterable[str | None]) -> None:
        self._items = [CompletionItemStatus(index, name) for index, name in enumerate(names)]

    def set(self, index: int, status: BatchItemStatus) -> None:
        self._items[index] = CompletionItemStatus(index, self._items[index].name, status)

    def __call__(self) -> tuple[CompletionItemStatus, ...]:
        """A snapshot, in input order."""
        return tuple(self._items)


class CompletionPolicy:
    """Decides when a batch is complete.

    Parameters:
        total: how many items the batch has.
        config: the criteria; by default none, so that the first failure completes it.
    """

    __slots__ = ("_min_successful", "_predicate", "tolerated", "total")

    def __init__(self, total: int, config: CompletionConfig | None = None) -> None:
        config = config or CompletionConfig()
        self.total: int = total
        self.tolerated: int | None = _tolerated_failures(total, config)
        self._predicate = config.should_complete
        self._min_successful = config.min_successful

    @property
    def has_predicate(self) -> bool:
        """Whether :meth:`decide` looks at the items."""
        return self._predicate is not None

    def may_admit(self, failed: int) -> bool:
        """Whether another item may begin after ``failed`` failures."""
        return self.tolerated is None or failed <= self.tolerated

    def decide(self, succeeded: int, failed: int, items: Items = ()) -> CompletionReason | None:
        """Why the batch is complete, or None if it is not. To be asked once after each change.

        Parameters:
            succeeded, failed: counts.
            items: a snapshot of all items, or what makes one; only a predicate sees it.

        Raises:
            ValidationError: the predicate answered with something that is no decision.
        """
        if self._predicate is not None:
            snapshot = items() if callable(items) else items
            status = CompletionStatus(succeeded, failed, succeeded + failed, self.total, snapshot)
            decision = _checked(self._predicate(status))
            if decision.complete:
                if decision.outcome is CompletionOutcome.FAILED:
                    return CompletionReason.CUSTOM_COMPLETION_FAILED
                return CompletionReason.CUSTOM_COMPLETION_SUCCEEDED
        elif not self.may_admit(failed):
            return CompletionReason.FAILURE_TOLERANCE_EXCEEDED
        if succeeded + failed >= self.total:
            return CompletionReason.ALL_COMPLETED
        if self._min_successful is not None and succeeded >= self._min_successful:
            return CompletionReason.MIN_SUCCESSFUL_REACHED
        return None

    def infer(self, items: Sequence[BatchItem[Any]]) -> CompletionReason:
        """The reason of a batch that ended with these items, where it was not recorded."""
        succeeded = sum(item.status is BatchItemStatus.SUCCEEDED for item in items)
        failed = sum(item.status is BatchItemStatus.FAILED for item in items)
        snapshot = [CompletionItemStatus(item.index, item.name, item.status) for item in items]
        return self.decide(succeeded, failed, snapshot) or CompletionReason.ALL_COMPLETED


def _tolerated_failures(total: int, config: CompletionConfig) -> int | None:
    """How many items may fail; None for any number."""
    if config.should_complete is not None:
        return None
    limits: list[int] = []
    if config.tolerated_failure_count is not None:
        limits.append(config.tolerated_failure_count)
    if config.tolerated_failure_percentage is not None:
        # Rounded first, so that 7 of 100 are 7 percent, and 333 of 1,000 are 33.3: binary fractions say otherwise.
        limits.append(math.floor(round(config.tolerated_failure_percentage * total / 100, 9)))
    if limits:
        return min(limits)
    return None if config.min_successful is not None else 0


def _checked(answer: Any) -> CompletionDecision:
    if isinstance(answer, CompletionDecision):
        return answer
    if hasattr(answer, "__await__"):
        if hasattr(answer, "close"):
            answer.close()  # or Python warns, later and elsewhere, that it was never awaited
        raise ValidationError("should_complete is async: make it an ordinary function")
    raise ValidationError(f"should_complete answered {answer!r}: return continue_batch() or complete_batch()")


# ---- what is recorded of a large result ---------------------------------------------------------------------


class CompletionRecord(Value):
    """The decision of a batch whose result was too large to store, so that a replay rebuilds exactly that result.

    Parameters:
        completion_reason: why it was complete.
        started_total: how many items were begun. They begin in input order, so these are the first ones.
        started_indexes: those of them that were not done.
    """

    __slots__ = ("completion_reason", "started_indexes", "started_total")
    __match_args__ = _fields = ("completion_reason", "started_total", "started_indexes")

    completion_reason: CompletionReason
    started_total: int
    started_indexes: frozenset[int]

    def __init__(self, completion_reason: CompletionReason, started_total: int, started_indexes: Iterable[int]) -> None:
        self._set(
            completion_reason=completion_reason,
            started_total=started_total,
            started_indexes=frozenset(started_indexes),
        )

    @staticmethod
    def envelope(result: BatchResult[Any], type: str, summary: str | None = None) -> str:
        """The payload to record (WIRE.md, Payloads).

        Parameters:
            result: the result.
            type: ``MapResult`` or ``ParallelResult``.
            summary: what the user's summary generator says.
        """
        started = [item.index for item in result.all if item.status is BatchItemStatus.STARTED]
        completed = [item.index for item in result.all if item.status is not BatchItemStatus.STARTED]
        fields: dict[str, Any] = {
            "type": type,
            "totalCount": result.total_count,
            "completionReason": result.completion_reason.value,
        }
        if len(started) <= len(completed):
            fields["startedIndexes"] = started
        else:
            fields["completedIndexes"] = completed
        fields["startedCount"] = len(started)
        fields["successCount"] = result.success_count
        fields["failureCount"] = result.failure_count
        fields["status"] = result.status.value
        if summary is not None:
            fields["summary"] = summary
        return json.dumps(fields, separators=(",", ":"))

    @classmethod
    def from_payload(cls, payload: str | None) -> CompletionRecord | None:
        """The decision in a recorded payload; None if there is none that can be read. Never raises."""
        try:
            data = json.loads(payload or "null")
        except (TypeError, ValueError, RecursionError):
            return None
        if not isinstance(data, dict):
            return None
        total = data.get("totalCount")
        reason = _REASONS.get(str(data.get("completionReason")))
        if reason is None or not _is_count(total):
            return None
        started, completed = data.get("startedIndexes"), data.get("completedIndexes")
        indexes = started if isinstance(started, list) else completed
        if not isinstance(indexes, list) or not all(_is_count(index) and index < total for index in indexes):
            return None
        if isinstance(started, list):
            return cls(reason, total, indexes)
        return cls(reason, total, frozenset(range(total)).difference(indexes))


_REASONS: Final = {reason.value: reason for reason in CompletionReason}


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
