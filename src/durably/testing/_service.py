"""The embedded service as a runner has it: in memory, inline, for functions by any name that AWS may know them by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from durably.service.clock import SequentialIds
from durably.service.config import ServiceConfig
from durably.service.functions import LATEST
from durably.service.kernel import Service
from durably.service.machine.env import Target
from durably.service.ports import FunctionSpec, Invocation, InvocationResult
from durably.service.store.memory import MemoryStore
from durably.wire.api_errors import ApiError

from ._invocations import Running
from .errors import UnknownFunction

if TYPE_CHECKING:
    from ._world import World

__all__ = ["InlineService"]


class _Store(MemoryStore):
    """Keeps ended executions however much time passes: the test may still want to look at them."""

    def next_purge_ms(self) -> int | None:
        return None

    def purgeable(self, now_ms: int, limit: int) -> Sequence[int]:
        return ()


class InlineService(Service):
    """The service, for programs that call functions by names which only AWS knows: with aliases and versions."""

    def __init__(self, world: World, config: ServiceConfig) -> None:
        self._world = world
        super().__init__(_Store(), _Worker(world), clock=world.clock, ids=SequentialIds(), config=config)

    def _resolve_chained(self, function_name: str) -> Target | ApiError | None:
        world = self._world
        served = world.functions.find(function_name)
        if served is None:
            names = ", ".join(sorted(world.functions.names))
            world.failure = UnknownFunction(
                f"the function invokes {function_name!r}, which the runner does not know (it knows {names}). Pass it: "
                f"functions={{{function_name!r}: ...}}, with a function, a Mock, or a value to answer with."
            )
            served = function_name
        elif ":" in function_name:
            served = f"{served}:{LATEST}"
        return super()._resolve_chained(served)


class _Worker:
    """Takes invocations in for the driver."""

    def __init__(self, world: World) -> None:
        self._world = world

    def functions(self) -> Mapping[str, FunctionSpec]:
        return self._world.functions.specs

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        world = self._world
        record = None if invocation.execution_arn is None else world.executions.get(invocation.execution_arn)
        number = 0
        if record is not None:
            record.invocations += 1
            number = record.invocations
        world.queue.append(Running(world, invocation, record, number, done))

    def close(self) -> None:
        pass
