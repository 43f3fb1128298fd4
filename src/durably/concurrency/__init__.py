"""What comes out of map and parallel."""

from __future__ import annotations

from .models import BatchCompletionError, BatchItem, BatchResult, CompletionReason, ErrorObject

__all__ = ["BatchResult", "BatchItem", "CompletionReason", "BatchCompletionError", "ErrorObject"]
