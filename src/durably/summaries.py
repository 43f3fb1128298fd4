"""Ready-made summary generators, for MapConfig and ParallelConfig: a large batch in a few words, for the history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .concurrency.models import CompletionReason

if TYPE_CHECKING:
    from .concurrency.models import BatchResult

__all__ = ["map_summary", "parallel_summary"]


def map_summary(result: BatchResult[Any], /) -> str:
    """JSON with ``type`` (``map``), ``totalCount``, ``successCount``, ``failureCount`` and ``status``.

    The status is ``completed`` if nothing failed, ``failed`` if nothing succeeded or the predicate said so, else
    ``partial``.
    """
    return _summary("map", result)


def parallel_summary(result: BatchResult[Any], /) -> str:
    """The same with the ``type`` ``parallel``."""
    return _summary("parallel", result)


def _summary(kind: str, result: BatchResult[Any]) -> str:
    succeeded, failed = result.success_count, result.failure_count
    if result.completion_reason is CompletionReason.CUSTOM_COMPLETION_FAILED:
        status = "failed"
    elif not failed:
        status = "completed"
    else:
        status = "partial" if succeeded else "failed"
    fields = {
        "type": kind,
        "totalCount": result.total_count,
        "successCount": succeeded,
        "failureCount": failed,
        "status": status,
    }
    return json.dumps(fields, separators=(",", ":"))
