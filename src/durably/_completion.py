"""When a batch (a map or a parallel) is complete: the criteria, and what a predicate of the user's sees and answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, TypeAlias

from ._config_checks import check_callable
from ._values import Value
from .exceptions import ValidationError


class BatchItemStatus(Enum):
    """What became of an item or branch of a batch."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STARTED = "STARTED"
    """Begun, and not done when the batch was complete. It can write nothing any more."""


class CompletionOutcome(Enum):
    """What a batch ended by a predicate counts as."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class CompletionDecision(Value):
    """The answer of a ``should_complete`` predicate; made by :func:`continue_batch` and :func:`complete_batch`.

    Parameters:
        complete: True to end the batch now.
        outcome: what the batch then counts as; None unless ``complete``.
    """

    __slots__ = ("complete", "outcome")
    __match_args__ = _fields = ("complete", "outcome")

    complete: bool
    outcome: CompletionOutcome | None

    def __init__(self, complete: bool, outcome: CompletionOutcome | None = None) -> None:
        if not isinstance(complete, bool):
            raise ValidationError(f"complete is {complete!r}, and must be True or False")
        if outcome is not None and not isinstance(outcome, CompletionOutcome):
            raise ValidationError(f"outcome is {outcome!r}: pass a CompletionOutcome")
        if complete and outcome is None:
            raise ValidationError("a decision to complete needs an outcome: write complete_batch()")
        if not complete and outcome is not None:
            raise ValidationError(f"outcome is {outcome}, and a batch that goes on has none: write continue_batch()")
        self._set(complete=complete, outcome=outcome)


_CONTINUE = CompletionDecision(False)


def continue_batch() -> CompletionDecision:
    """Go on with the batch."""
    return _CONTINUE


def complete_batch(outcome: CompletionOutcome = CompletionOutcome.SUCCEEDED) -> CompletionDecision:
    """End the batch now, as a success unless ``outcome`` says otherwise."""
    return CompletionDecision(True, outcome)


class CompletionItemStatus(Value):
    """How far one item or branch is.

    Parameters:
        index: its place in the input.
        name: what it was named by the item namer or its ParallelBranch, if it was.
        status: None until it is begun.
    """

    __slots__ = ("index", "name", "status")
    __match_args__ = _fields = ("index", "name", "status")

    index: int
    name: str | None
    status: BatchItemStatus | None

    def __init__(self, index: int, name: str | None = None, status: BatchItemStatus | None = None) -> None:
        self._set(index=index, name=name, status=status)


class CompletionStatus(Value):
    """How far a batch is.

    Parameters:
        success_count, failure_count: how many succeeded, how many failed.
        completed_count: both together.
        total_count: how many there are.
        items: each of them, in input order: ``items[i]`` is item ``i``.
    """

    __slots__ = ("completed_count", "failure_count", "items", "success_count", "total_count")
    __match_args__ = _fields = ("success_count", "failure_count", "completed_count", "total_count", "items")
    _defaults = {"items": ()}  # noqa: RUF012 - declared in the base

    success_count: int
    failure_count: int
    completed_count: int
    total_count: int
    items: tuple[CompletionItemStatus, ...]

    def __init__(
        self,
        success_count: int,
        failure_count: int,
        completed_count: int,
        total_count: int,
        items: Sequence[CompletionItemStatus] = (),
    ) -> None:
        self._set(
            success_count=success_count,
            failure_count=failure_count,
            completed_count=completed_count,
            total_count=total_count,
            items=tuple(items),
        )


ShouldComplete: TypeAlias = Callable[[CompletionStatus], CompletionDecision]


class CompletionConfig(Value):
    """When a batch is complete. Whichever criterion is met first decides; with none given, the first failure does.

    Parameters:
        min_successful: complete as soon as this many succeeded (at least 1).
        tolerated_failure_count: complete as soon as more than this many failed.
        tolerated_failure_percentage: complete as soon as more than this share of all items failed: 0 to 100.
        should_complete: decides alone, instead of the other criteria. It is asked before the first item begins and
            after every change, gets a :class:`CompletionStatus` and answers with :func:`continue_batch` or
            :func:`complete_batch`. It must look at nothing but its argument, and must not go back on a decision when
            more items are done, because a resumed batch meets finished items in another order.

    A batch whose items are all done is complete in any case.
    """

    __slots__ = ("min_successful", "should_complete", "tolerated_failure_count", "tolerated_failure_percentage")
    _fields = ("min_successful", "tolerated_failure_count", "tolerated_failure_percentage", "should_complete")

    min_successful: int | None
    tolerated_failure_count: int | None
    tolerated_failure_percentage: int | float | None
    should_complete: ShouldComplete | None

    def __init__(
        self,
        min_successful: int | None = None,
        tolerated_failure_count: int | None = None,
        tolerated_failure_percentage: int | float | None = None,
        should_complete: ShouldComplete | None = None,
    ) -> None:
        check_count(min_successful, "min_successful", minimum=1)
        check_count(tolerated_failure_count, "tolerated_failure_count", minimum=0)
        _check_percentage(tolerated_failure_percentage)
        check_callable(
            should_complete,
            "should_complete",
            "lambda status: complete_batch() if status.success_count >= 2 else continue_batch()",
            ("status",),
        )
        thresholds = {
            "min_successful": min_successful,
            "tolerated_failure_count": tolerated_failure_count,
            "tolerated_failure_percentage": tolerated_failure_percentage,
        }
        given = [name for name, value in thresholds.items() if value is not None]
        if should_complete is not None and given:
            raise ValidationError(
                f"should_complete decides alone: leave out {' and '.join(given)}, or let should_complete look at the "
                "counts of its argument"
            )
        self._set(**thresholds, should_complete=should_complete)

    def validate_for_total(self, total: int) -> None:
        """Check the criteria against the number of items.

        Raises:
            ValidationError: more successes are asked for than there are items.
        """
        if self.min_successful is not None and self.min_successful > total:
            raise ValidationError(
                f"min_successful is {self.min_successful}, and there are only {total} items to succeed"
            )

    @staticmethod
    def first_successful() -> CompletionConfig:
        """Complete with the first success; failures are tolerated until none can succeed any more."""
        return CompletionConfig(min_successful=1)

    @staticmethod
    def all_completed() -> CompletionConfig:
        """Every item runs, whatever fails."""
        return CompletionConfig(tolerated_failure_percentage=100)

    @staticmethod
    def all_successful() -> CompletionConfig:
        """The first failure completes the batch."""
        return CompletionConfig(tolerated_failure_count=0, tolerated_failure_percentage=0)


def check_count(value: Any, field: str, *, minimum: int) -> None:
    """An optional int with a lower bound."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValidationError(f"{field} is {value!r}, and must be an int")
    if value < minimum:
        raise ValidationError(f"{field} is {value}, and must be at least {minimum}")


def _check_percentage(value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValidationError(f"tolerated_failure_percentage is {value!r}, and must be a number from 0 to 100")
    if not 0 <= value <= 100:
        raise ValidationError(f"tolerated_failure_percentage is {value}, and must be from 0 to 100")
