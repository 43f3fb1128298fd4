"""What a service can be told about itself."""

from __future__ import annotations

from dataclasses import dataclass

from durably.wire import limits

__all__ = ["ServiceConfig"]


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """Settings of a :class:`~durably.service.kernel.Service`. Sizes are bytes of UTF-8.

    Parameters:
        region, account: as they appear in ARNs.
        max_operation_payload: payload of a STEP, CONTEXT, CALLBACK or CHAINED_INVOKE.
        max_sync_payload: input and result of an execution started with RequestResponse.
        max_async_payload: the same for Event and for a chained invoke.
        max_recorded_result: result of an execution that is recorded with an EXECUTION update, as one is that does not
            fit into a function's answer; of one started asynchronously at most ``max_async_payload``. The service
            model gives 6 MiB for any payload, so AWS may refuse what is between.
        max_error_bytes: all members of one error together.
        max_updates, max_checkpoint_bytes: of one checkpoint call (a single update may be larger than the latter).
        max_operations: how many operations one execution may have; None for any number.
        max_name_length: of an operation, in characters.
        max_delay_seconds: of a wait, and before another attempt.
        page_operations, page_bytes: of the first page of an invocation event and of a checkpoint response.
        retry_initial_ms, retry_cap_ms: an invocation that raised, crashed, timed out or never started is tried again
            after ``initial``, twice that, and so on up to the cap.
        retry_attempts: failed invocations in a row, none of which recorded anything, after which the execution fails.
            One that could not be started, or was cut off by the service's own end, does not count.
        chained_invoke_grace_ms: how long the launch of a chained invoke waits for the invocation that asked for it to
            checkpoint again or to end. It keeps a history's order the same whether the target is fast or slow.
        idempotency_window_ms: how long a repeated ClientToken is recognised.
        cached_executions: how many executions are kept in memory between their commands.
    """

    region: str = "us-east-1"
    account: str = "000000000000"
    max_operation_payload: int = limits.MAX_OPERATION_PAYLOAD
    max_sync_payload: int = limits.MAX_PAYLOAD
    max_async_payload: int = limits.MAX_ASYNC_PAYLOAD
    max_recorded_result: int = limits.MAX_RECORDED_RESULT
    max_error_bytes: int = limits.MAX_ERROR_BYTES
    max_updates: int = limits.MAX_UPDATES_PER_CHECKPOINT
    max_checkpoint_bytes: int = limits.MAX_CHECKPOINT_BYTES
    max_operations: int | None = None
    max_name_length: int = limits.MAX_NAME_LENGTH
    max_delay_seconds: int = limits.MAX_WAIT_SECONDS
    page_operations: int = limits.MAX_STATE_PAGE
    page_bytes: int = 5 * 1024 * 1024
    retry_initial_ms: int = 250
    retry_cap_ms: int = 60_000
    retry_attempts: int = 10
    chained_invoke_grace_ms: int = 20
    idempotency_window_ms: int = 15 * 60 * 1000
    cached_executions: int = 10_000
