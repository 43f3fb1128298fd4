"""Which statuses are final. Apart from the enumerations, which take a millisecond to make and are for users."""

from __future__ import annotations

from typing import Final

TERMINAL_STATUSES: Final[frozenset[str]] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"})
"""Operation statuses that never change again."""

ENDED_STATUSES: Final[frozenset[str]] = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"})
"""Execution statuses that never change again (but for deletion)."""
