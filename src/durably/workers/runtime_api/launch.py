"""How the processes of a function are started."""

from __future__ import annotations

import importlib.util
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from durably.service.clock import Clock
from durably.service.ports import FunctionSpec
from durably.workers.loader import LoadedApp, load_functions

from .environment import Surroundings, process_environment
from .roles import AWSLAMBDARIC, PROGRAM

__all__ = ["FunctionLaunch", "RuntimeFunction", "runtime_functions"]


@dataclass(frozen=True, slots=True)
class RuntimeFunction:
    """A function for :class:`LambdaWorkers`.

    Parameters:
        handler: as the runtime client takes it, e.g. ``module.attr`` for Python.
        task_root: directory of the code: working directory of the process, first on Python's path.
        command: command line of another runtime client, e.g. ``["node", "index.mjs"]``; ``{handler}`` in it is
            replaced. By default awslambdaric under this Python.
    """

    spec: FunctionSpec
    handler: str
    task_root: Path
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def runtime_functions(
    functions: str | LoadedApp | Iterable[RuntimeFunction], default_command: Sequence[str] | None
) -> list[RuntimeFunction]:
    """The functions meant by what a user may give.

    Raises:
        LoadError: a target could not be loaded.
        RuntimeError: awslambdaric is needed and not installed.
    """
    if isinstance(functions, str):
        functions = load_functions(functions)
    if isinstance(functions, LoadedApp):
        functions = [
            RuntimeFunction(function.spec, function.reference.replace(":", "."), functions.import_root)
            for function in functions.functions.values()
        ]
    wanted = list(functions)
    needed = any((function.command or default_command) is None for function in wanted)
    if needed and importlib.util.find_spec("awslambdaric") is None:
        raise RuntimeError("worker processes need awslambdaric: pip install 'durably[service]'")
    return wanted


class FunctionLaunch:
    """See :class:`~.roles.Launch`."""

    def __init__(
        self,
        function: RuntimeFunction,
        default_command: Sequence[str] | None,
        init_timeout: float,
        clock: Clock,
        surroundings: Callable[[], Surroundings],
    ) -> None:
        self._function = function
        self._surroundings = surroundings
        self._is_awslambdaric = (function.command or default_command) is None
        self.command: list[str] = [AWSLAMBDARIC, function.handler]
        if not self._is_awslambdaric:
            words = function.command or default_command or ()
            self.command = [PROGRAM, *(word.replace("{handler}", function.handler) for word in words)]
        self.cwd: Path = Path(function.task_root)
        self.init_timeout = init_timeout
        self.timeout_seconds: float | None = function.spec.timeout_seconds
        self.now_ms: Callable[[], int] = clock.now_ms

    def environment(self, runtime_api: str, log_fd: int) -> dict[str, str]:
        function = self._function
        log_stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
        own = {**function.environment, "_LAMBDA_TELEMETRY_LOG_FD": str(log_fd)}
        if self._is_awslambdaric:
            own["AWS_EXECUTION_ENV"] = f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}"
        return process_environment(
            function.spec, function.handler, self.cwd, runtime_api, log_stream, self._surroundings(), own
        )
