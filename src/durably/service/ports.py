"""What the service and the workers know of each other: functions, invocations, results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from durably.wire.shapes import ErrorObject

__all__ = ["FunctionSpec", "Invocation", "InvocationResult", "Worker"]


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function that can be invoked.

    Parameters:
        name: as in ``name:$LATEST``.
        durable: it answers with an InvocationOutput and may suspend; otherwise a plain request/response function.
        timeout_seconds: of one invocation (Lambda's ``Timeout``); None for no limit.
        execution_timeout_seconds: of a whole durable execution (``DurableConfig.ExecutionTimeout``, 1 to 31,622,400).
        retention_days: how long an ended execution is kept (``DurableConfig.RetentionPeriodInDays``, 1 to 90).
        memory_mb: what the function is told it has (Lambda's ``MemorySize``).
        environment: environment variables for a worker process; the in-process worker cannot honour it.
        aliases: qualifiers it answers to besides ``$LATEST``; there is one version, so they all mean it.
    """

    name: str
    durable: bool = True
    timeout_seconds: float | None = 900
    execution_timeout_seconds: int = 31_622_400
    retention_days: int = 14
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one function, to be carried out by a worker.

    Parameters:
        request_id: unique; ``aws_request_id`` of the context and ``RequestId`` of the InvocationCompleted event.
        payload: the event as JSON text (for a durable function an InvocationInput).
        deadline_ms: epoch milliseconds at which the function's timeout strikes, counted from when the worker was handed
            the invocation; None for none.
        execution_arn: the durable execution, None for a plain function.
    """

    request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    payload: str
    deadline_ms: int | None = None
    execution_arn: str | None = None
    tenant_id: str | None = None
    trace_id: str | None = None
    client_context: str | None = None


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended.

    ``kind``: ``returned`` (``payload`` is the JSON text it answered); ``raised`` (the function raised: a function
    error); ``crashed`` (its process ended, ErrorType ``Runtime.ExitError``); ``timed_out`` (killed at its deadline,
    ErrorType ``Sandbox.Timedout``); ``unavailable`` (it was never started, e.g. the file does not import);
    ``interrupted`` (the service ended, or was given another worker, while it ran; what the service says, no worker).
    ``error`` is set for all but ``returned``. ``log`` is what the invocation wrote, for LogType Tail.
    """

    kind: Literal["returned", "raised", "crashed", "timed_out", "unavailable", "interrupted"]
    payload: str | None = None
    error: ErrorObject | None = None
    log: str = ""


class Worker(Protocol):
    """Runs functions for the service.

    When another worker is attached, this one is free to go: the service gives up what it still runs, begins it again on
    the other, and ignores what this one reports of it.
    """

    def functions(self) -> Mapping[str, FunctionSpec]:
        """The functions that exist now, by name. Cheap; called for every Invoke; thread-safe."""
        ...

    def submit(self, invocation: Invocation, done: Callable[[InvocationResult], None]) -> None:
        """Start ``invocation`` and return at once. ``done`` is called exactly once, on any thread."""
        ...

    def close(self) -> None:
        """Stop what runs and release processes, threads and ports.

        ``done`` of what it cut off need not be called; so while the service goes on, attach another worker first.
        What is submitted afterwards is ``unavailable``.
        """
        ...
