"""What the machine is given from outside, so that it needs no clock, no randomness and no I/O of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from durably.service.clock import Ids
from durably.service.config import ServiceConfig
from durably.service.ports import FunctionSpec
from durably.wire.api_errors import ApiError

__all__ = ["Env", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A function that was found: what it is, the version meant, and its qualified ARN."""

    spec: FunctionSpec
    version: str
    arn: str


class Env:
    """Settings, injected values, and ``now`` of the command at hand."""

    __slots__ = ("config", "ids", "now", "resolve")

    def __init__(self, config: ServiceConfig, ids: Ids, resolve: Callable[[str], Target | ApiError | None]) -> None:
        self.config: ServiceConfig = config
        self.ids: Ids = ids
        self.now: int = 0
        self.resolve: Callable[[str], Target | ApiError | None] = resolve
        """Finds a function by a name that may carry a qualifier, as for a chained invoke. None: no worker says yet."""
