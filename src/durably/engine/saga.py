"""Running compensations: last registered first, each a context operation of its own, all of them tried.

Each is recorded when it ends, so after a crash half-way those that ran are not repeated. A compensation that fails
does not stop the others; its error is part of the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from durably.concurrency.error_object import ErrorObject
from durably.config import ChildConfig
from durably.exceptions import ChildContextError, SerDesError
from durably.saga import CompensationItem, CompensationResult
from durably.serdes import MISSING, codec_for

from .child import child
from .operation import Op
from .run import Protocol

__all__ = ["run_compensations"]

_PLAIN: ChildConfig[Any] = ChildConfig()


def run_compensations(todo: Sequence[tuple[Op, Callable[[Any], Any], Any]]) -> Protocol:
    """``todo``: (operation, function of a child context, that context), in the order in which they are to run."""
    items: list[CompensationItem] = []
    codec = codec_for(MISSING)
    for op, func, context in todo:
        try:
            yield from op.watched(child(op, func, context, _PLAIN, codec))
        except (ChildContextError, SerDesError) as error:
            failure = ErrorObject(error.message, error.error_type, error.data, error.stack_trace)
            items.append(CompensationItem(op.name, failure))
        else:
            items.append(CompensationItem(op.name))
        if op.scope.replaying:
            op.end()
    return CompensationResult(items)
