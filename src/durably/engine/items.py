"""The body of a branch that stands for several items (ItemBatcher): one after the other, each with its own outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durably.concurrency.error_object import ErrorObject
from durably.concurrency.models import BatchItem, BatchResult, CompletionReason
from durably.config import BatchItemStatus
from durably.exceptions import ExecutionError, InvocationError
from durably.serdes import Codec

from .cancellation import by_own_code, is_cancellation
from .requests import Body
from .run import Protocol
from .scope import Scope

__all__ = ["items_in_turn"]


def items_in_turn(
    call: Callable[[Any, int], Any],
    items: Sequence[Any],
    first: int,
    scope: Scope,
    codec_of: Callable[[int], Codec],
    names: Sequence[str | None],
) -> Protocol:
    """Return a BatchResult of ``call(item, index)`` for each item. A failed item does not stop the others."""
    done: list[BatchItem[Any]] = []
    for index, (item, name) in enumerate(zip(items, names, strict=True), first):
        try:
            value = yield Body(call, (item, index), scope)
            _, value = codec_of(index).round_trip(value)
        except (ExecutionError, InvocationError):
            raise  # they say what is to become of the whole
        except BaseException as error:
            failure = ErrorObject.from_exception(_failure(scope, name or f"item {index}", error))
            done.append(BatchItem(index, BatchItemStatus.FAILED, error=failure, name=name))
        else:
            done.append(BatchItem(index, BatchItemStatus.SUCCEEDED, value, name=name))
    return BatchResult(done, CompletionReason.ALL_COMPLETED)


def _failure(scope: Scope, what: str, error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    run, branch = scope.run, scope.branch
    given_up = not run.recording or (branch is not None and branch.is_over)
    if is_cancellation(error) and not given_up and not run.is_being_cancelled():
        return by_own_code(what, error)
    raise error
