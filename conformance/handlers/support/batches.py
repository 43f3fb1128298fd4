"""What handlers of map and parallel answer with instead of the results."""

from __future__ import annotations

from typing import Any

from durably import BatchResult


def facts(result: BatchResult[Any], *names: str) -> dict[str, str | int]:
    """The named facts of a batch's result, e.g. ``successCount``."""
    known: dict[str, str | int] = {
        "completionReason": result.completion_reason.value,
        "status": result.status.value,
        "successCount": result.success_count,
        "failureCount": result.failure_count,
        "totalCount": result.total_count,
    }
    return {name: known[name] for name in names or known}
