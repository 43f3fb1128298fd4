"""Sagas: what undoes a completed step, run in reverse order when a later one fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ._values import Value, publish
from .concurrency.error_object import ErrorObject
from .exceptions import CompensationError

__all__ = ["CompensationItem", "CompensationResult"]


class CompensationItem(Value):
    """The outcome of one compensation.

    Parameters:
        name: of the step that it undoes, if that was named.
        error: what it failed with; None if it succeeded.
    """

    __slots__ = ("error", "name")
    __match_args__ = _fields = ("name", "error")
    _defaults = {"error": None}  # noqa: RUF012 - declared in the base

    name: str | None
    error: ErrorObject | None

    def __init__(self, name: str | None, error: ErrorObject | None = None) -> None:
        self._set(name=name, error=error)

    @property
    def succeeded(self) -> bool:
        return self.error is None


class CompensationResult(Value):
    """The outcome of all compensations, in the order in which they ran: last registered first.

    Parameters:
        items: one for each.
    """

    __slots__ = ("items",)
    __match_args__ = _fields = ("items",)

    items: list[CompensationItem]

    def __init__(self, items: Sequence[CompensationItem]) -> None:
        self._set(items=list(items))

    @property
    def all_succeeded(self) -> bool:
        """True when none failed; also when there was nothing to do."""
        return all(item.succeeded for item in self.items)

    def failed(self) -> list[CompensationItem]:
        return [item for item in self.items if not item.succeeded]

    def throw_if_error(self) -> None:
        """Raise CompensationError, which names those that failed, unless all succeeded.

        Its type, data and stack trace are those of the first that failed.
        """
        failed = self.failed()
        if not failed:
            return
        each = "; ".join(
            f"{item.name or '(without a name)'}: {item.error.message}" for item in failed if item.error is not None
        )
        error = failed[0].error
        assert error is not None
        raise CompensationError(
            f"{len(failed)} of {len(self.items)} compensations failed: {each}",
            error.type,
            error.data,
            error.stack_trace,
        )

    def __iter__(self) -> Iterator[CompensationItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __bool__(self) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(tuple(self.items))


publish("durably", __all__, globals())
