"""What a worker process is given, what it is asked to do, and whom it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, TypeVar

from durably.service.ports import Invocation, InvocationResult

__all__ = ["AWSLAMBDARIC", "PROGRAM", "Job", "Launch", "Owner"]

AWSLAMBDARIC: Final = "--awslambdaric"
PROGRAM: Final = "--"
"""First word of a launch's command: what child.py is to become. A handler follows, or a command line."""

_Process = TypeVar("_Process", contravariant=True)


class Job:
    """An invocation on its way through the workers.

    ``left_ms`` of its timeout it still has when it begins: the time in the queue is not the function's.
    """

    __slots__ = ("done", "invocation", "left_ms")

    def __init__(self, invocation: Invocation, done: Callable[[InvocationResult], None], now_ms: int) -> None:
        self.invocation: Invocation = invocation
        self.done: Callable[[InvocationResult], None] = done
        self.left_ms: int | None = None if invocation.deadline_ms is None else invocation.deadline_ms - now_ms


class Launch(Protocol):
    """How to start a process of one function."""

    @property
    def command(self) -> list[str]: ...

    @property
    def cwd(self) -> Path: ...

    @property
    def init_timeout(self) -> float: ...

    @property
    def timeout_seconds(self) -> float | None: ...

    def environment(self, runtime_api: str, log_fd: int) -> dict[str, str]: ...

    def now_ms(self) -> int: ...


class Owner(Protocol[_Process]):
    def ready(self, process: _Process) -> None:
        """It asks for an invocation."""
        ...

    def ended(self, process: _Process, init_failure: InvocationResult | None) -> None:
        """It is gone, and its invocation answered. ``init_failure``: it never asked for one."""
        ...

    def finished(self, job: Job, result: InvocationResult) -> None: ...

    def log(self, request_id: str | None, timestamp_ms: int, message: str) -> None: ...
