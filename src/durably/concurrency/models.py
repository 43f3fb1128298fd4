"""The result of a batch: what a map or a parallel returns, and what it says about each item or branch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from durably._completion import (
    BatchItemStatus,
)
from durably._completion import (
    CompletionDecision as CompletionDecision,
)
from durably._completion import (
    CompletionItemStatus as CompletionItemStatus,
)
from durably._completion import (
    CompletionOutcome as CompletionOutcome,
)
from durably._completion import (
    CompletionStatus as CompletionStatus,
)
from durably._values import Value, publish
from durably.exceptions import DurableOperationError, InvalidStateError, register_operation_error

from .error_object import ErrorObject, NotADataclass

if TYPE_CHECKING:
    from durably._completion import CompletionConfig

__all__ = ["CompletionReason", "BatchItem", "BatchResult", "BatchCompletionError", "ErrorObject"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

_SUCCEEDED = BatchItemStatus.SUCCEEDED
_FAILED = BatchItemStatus.FAILED
_STARTED = BatchItemStatus.STARTED


class CompletionReason(Enum):
    """Why a batch was complete."""

    ALL_COMPLETED = "ALL_COMPLETED"
    """Every item is done."""
    MIN_SUCCESSFUL_REACHED = "MIN_SUCCESSFUL_REACHED"
    """As many succeeded as were asked for."""
    FAILURE_TOLERANCE_EXCEEDED = "FAILURE_TOLERANCE_EXCEEDED"
    """More failed than are tolerated."""
    CUSTOM_COMPLETION_SUCCEEDED = "CUSTOM_COMPLETION_SUCCEEDED"
    """The predicate ended it as a success."""
    CUSTOM_COMPLETION_FAILED = "CUSTOM_COMPLETION_FAILED"
    """The predicate ended it as a failure."""


class BatchCompletionError(DurableOperationError):
    """A batch was ended as a failure by its ``should_complete`` predicate, although no item of it failed."""

    code = "BATCH_COMPLETION_FAILED"

    def __init__(
        self,
        completion_reason: CompletionReason = CompletionReason.CUSTOM_COMPLETION_FAILED,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: list[str] | None = None,
    ) -> None:
        super().__init__(
            message or f"should_complete ended the batch as failed ({completion_reason.value})",
            error_type,
            data,
            stack_trace,
        )
        self.completion_reason = completion_reason


class BatchItem(Value, Generic[R_co]):
    """One item or branch of a batch.

    Parameters:
        index: its place in the input.
        status: what became of it.
        result: what its function returned, if it succeeded.
        error: what it failed with.
        name: what the item namer or its ParallelBranch named it, if it was named.
    """

    __slots__ = ("error", "index", "name", "result", "status")
    __match_args__ = _fields = ("index", "status", "result", "error", "name")
    _keyword_only = ("name",)
    if not TYPE_CHECKING:
        __dataclass_fields__ = NotADataclass()

    index: int
    status: BatchItemStatus
    result: R_co | None
    error: ErrorObject | None
    name: str | None

    def __init__(
        self,
        index: int,
        status: BatchItemStatus,
        result: R_co | None = None,
        error: ErrorObject | None = None,
        *,
        name: str | None = None,
    ) -> None:
        put = object.__setattr__  # there may be ten thousand
        put(self, "index", index)
        put(self, "status", status)
        put(self, "result", result)
        put(self, "error", error)
        put(self, "name", name)

    def get_result(self) -> R_co:
        """The result.

        Raises:
            ChildContextError: the item failed; ``__cause__`` stands for what it raised.
            InvalidStateError: it was not done when the batch was complete.
        """
        if self.status is _SUCCEEDED:
            return cast("R_co", self.result)
        if self.status is _STARTED:
            raise InvalidStateError(f"item {self._label()} was not done when the batch was complete")
        error = self.error or ErrorObject(f"item {self._label()} failed, and no error was recorded")
        raise error.to_exception()

    def _label(self) -> str:
        return str(self.index) if self.name is None else f"{self.index} ({self.name})"

    def with_result(self, result: T) -> BatchItem[T]:
        """The same item with another result."""
        return BatchItem(self.index, self.status, result, self.error, name=self.name)

    def to_dict(self) -> dict[str, Any]:
        """The recorded form, with the result as it is."""
        fields: dict[str, Any] = {
            "index": self.index,
            "status": self.status.value,
            "result": self.result,
            "error": None if self.error is None else self.error.to_dict(),
        }
        if self.name is not None:
            fields["name"] = self.name
        return fields

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BatchItem[R_co]:
        error = data.get("error")
        return cls(
            data["index"],
            BatchItemStatus(data["status"]),
            data.get("result"),
            None if error is None else ErrorObject.from_dict(error),
            name=data.get("name"),
        )


class BatchResult(Value, Generic[R_co]):
    """What became of a batch: its items in input order, without those that were never begun.

    It can be iterated over, indexed and measured like a list of its items. Unlike an empty list, it is always true.

    Parameters:
        all: the items.
        completion_reason: why the batch was complete.
    """

    __slots__ = ("_items", "_plain", "completion_reason")
    __match_args__ = _fields = ("all", "completion_reason")
    if not TYPE_CHECKING:
        __dataclass_fields__ = NotADataclass()

    completion_reason: CompletionReason

    def __init__(self, all: Sequence[BatchItem[R_co]], completion_reason: CompletionReason) -> None:
        self._set(_items=list(all), _plain=None, completion_reason=completion_reason)

    @classmethod
    def _of_results(cls, results: list[R_co], completion_reason: CompletionReason) -> BatchResult[R_co]:
        """All items have succeeded and none is named. There may be ten thousand: they are made when asked for."""
        made = cls.__new__(cls)
        made._set(_items=None, _plain=results, completion_reason=completion_reason)
        return made

    @property
    def all(self) -> list[BatchItem[R_co]]:
        """The items."""
        plain = self._plain  # looked at once, before the items: another thread may make them
        items: list[BatchItem[R_co]] | None = self._items
        if items is None:
            items = [BatchItem(index, _SUCCEEDED, result) for index, result in enumerate(plain or ())]
            self._set(_items=items, _plain=None)  # the list is the program's own now: it may change it
        return items

    if TYPE_CHECKING:
        _items: list[BatchItem[Any]] | None
        _plain: list[Any] | None

    @classmethod
    def from_items(
        cls, items: Sequence[BatchItem[R_co]], completion_config: CompletionConfig | None = None
    ) -> BatchResult[R_co]:
        """With the reason that the items and the criteria imply, where it was not recorded."""
        from durably.engine.batch_policy import CompletionPolicy

        return cls(items, CompletionPolicy(len(items), completion_config).infer(items))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], completion_config: CompletionConfig | None = None) -> BatchResult[R_co]:
        """From the recorded form; ``completion_config`` is for records without a reason."""
        items: list[BatchItem[R_co]] = [BatchItem.from_dict(item) for item in data["all"]]
        reason = data.get("completionReason")
        return cls.from_items(items, completion_config) if reason is None else cls(items, CompletionReason(reason))

    def to_dict(self) -> dict[str, Any]:
        """The recorded form, with the results as they are."""
        return {"all": [item.to_dict() for item in self.all], "completionReason": self.completion_reason.value}

    # ---- as a sequence ------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[BatchItem[R_co]]:
        return iter(self.all)

    def __len__(self) -> int:
        plain = self._plain
        return len(self.all if plain is None else plain)

    def __bool__(self) -> bool:
        return True

    @overload
    def __getitem__(self, index: int) -> BatchItem[R_co]: ...
    @overload
    def __getitem__(self, index: slice) -> list[BatchItem[R_co]]: ...
    def __getitem__(self, index: int | slice) -> BatchItem[R_co] | list[BatchItem[R_co]]:
        return self.all[index]

    # ---- by status ----------------------------------------------------------------------------------------

    def succeeded(self) -> list[BatchItem[R_co]]:
        return [item for item in self.all if item.status is _SUCCEEDED]

    def failed(self) -> list[BatchItem[R_co]]:
        return [item for item in self.all if item.status is _FAILED] if self._plain is None else []

    def started(self) -> list[BatchItem[R_co]]:
        """The items that were begun and not done when the batch was complete."""
        return [item for item in self.all if item.status is _STARTED] if self._plain is None else []

    @property
    def success_count(self) -> int:
        plain = self._plain
        return sum(item.status is _SUCCEEDED for item in self.all) if plain is None else len(plain)

    @property
    def failure_count(self) -> int:
        return len(self.failed())

    @property
    def started_count(self) -> int:
        return len(self.started())

    @property
    def total_count(self) -> int:
        """How many items were begun."""
        return len(self)

    @property
    def has_failure(self) -> bool:
        return bool(self.failed())

    @property
    def status(self) -> BatchItemStatus:
        """SUCCEEDED or FAILED: what the predicate said if it ended the batch, else whether any item failed."""
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_SUCCEEDED:
            return _SUCCEEDED
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED:
            return _FAILED
        return _FAILED if self.has_failure else _SUCCEEDED

    # ---- results and errors -------------------------------------------------------------------------------

    def get_results(self) -> list[R_co]:
        """The results of the items that succeeded, in input order."""
        plain = self._plain
        if plain is not None:
            return list(plain)
        return [cast("R_co", item.result) for item in self.all if item.status is _SUCCEEDED]

    def get_errors(self) -> list[ErrorObject | None]:
        """The error of each item that failed, in input order; None where none was recorded."""
        return [item.error for item in self.failed()]

    def throw_if_error(self) -> None:
        """Raise for the first item that failed, or for a predicate that ended the batch as failed.

        Raises:
            ChildContextError: an item failed; ``__cause__`` stands for what it raised.
            SerDesError: an item's result could not be written or read.
            BatchCompletionError: the predicate said so, and no item failed.
        """
        for item in self.failed():
            item.get_result()
        if self.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED:
            raise BatchCompletionError(self.completion_reason)


publish("durably", ["CompletionReason", "BatchItem", "BatchResult", "BatchCompletionError"], globals())
publish("durably.concurrency", ["ErrorObject"], globals())
register_operation_error(BatchCompletionError)
