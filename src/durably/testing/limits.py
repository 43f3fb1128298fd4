"""What the service allows in a test."""

from __future__ import annotations

from dataclasses import dataclass

from durably.service.config import ServiceConfig

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits(ServiceConfig):
    """The service's limits: AWS's, but for those that are given.

    The most useful ones: ``max_operation_payload`` (bytes of a step's result; deployments on AWS have been seen to
    refuse more than 262,144), ``max_sync_payload`` (of input and result), ``max_updates`` and ``max_checkpoint_bytes``
    (of one call), ``page_operations`` (how many a page of state holds), ``max_operations``, ``max_name_length``,
    ``max_delay_seconds``, ``retry_attempts`` (invocations that may fail in a row). All are described in
    :class:`durably.service.config.ServiceConfig`.
    """
