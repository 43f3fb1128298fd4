"""What every runner has: answers to callbacks, and an end to its life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from .callbacks import Answer

if TYPE_CHECKING:
    from types import TracebackType

    from ._durations import Span

__all__ = ["RunnerBase"]


class RunnerBase:
    """Closed when a block with it ends, ``with`` or ``async with``.

    Attributes:
        callbacks: answers by the callback's name.
    """

    __test__ = False

    def __init__(self, callbacks: Mapping[str | None, Any] | None) -> None:
        self.callbacks: dict[str | None, Any] = dict(callbacks or {})

    def answer_callback(self, name: str | None, value: Any = None, *, after: Span = 0) -> None:
        """Answer every callback of that name from now on, ``after`` some time of the run; see ``callbacks``."""
        self.callbacks[name] = Answer(value, after)

    def _answer_for(self, name: str | None) -> Answer | None:
        if name not in self.callbacks:
            return None
        answer = self.callbacks[name]
        return answer if isinstance(answer, Answer) else Answer(answer)

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
