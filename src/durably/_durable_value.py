"""What can be recorded without saying so. A module of its own, since it loads types that few programs use."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias, Union
from uuid import UUID

DurableValue: TypeAlias = Union[
    bool, int, float, str, bytes, Decimal, UUID, datetime, date,
    "list[DurableValue]", "tuple[DurableValue, ...]", "dict[str, DurableValue]", None,
]  # fmt: skip
"""What is recorded and comes back the same without an annotation that says so."""
