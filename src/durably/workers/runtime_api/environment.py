"""The environment variables of a worker process: what Lambda sets, on top of the service's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from durably.service.ports import FunctionSpec
from durably.workers._credentials import stand_in_credentials
from durably.workers._lambda_context import log_group

__all__ = ["Surroundings", "process_environment"]

_NOT_INHERITED: Final = (
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_LEVEL",
    "_LAMBDA_TELEMETRY_LOG_FD",
    "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET",
    "_X_AMZN_TRACE_ID",
)
"""Set where the service itself runs on Lambda; they would change what the runtime client does."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all functions of a service share."""

    endpoint_url: str | None
    region: str
    log_format: Literal["JSON", "Text"]
    log_level: str
    environment: Mapping[str, str]


def process_environment(
    spec: FunctionSpec,
    handler: str,
    task_root: Path,
    runtime_api: str,
    log_stream: str,
    shared: Surroundings,
    own: Mapping[str, str],
) -> dict[str, str]:
    """All variables of a process of ``spec``.

    A later one wins: this process's own, those given for all functions, those of the function, those that
    Lambda reserves.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    environment = {**inherited, **shared.environment, **spec.environment, **own}
    environment |= stand_in_credentials(environment)
    search = [str(task_root), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {
        "_HANDLER": handler,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(spec.name),
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": environment.get("AWS_LAMBDA_LOG_FORMAT", shared.log_format),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": shared.region,
        "AWS_DEFAULT_REGION": shared.region,
        "LAMBDA_TASK_ROOT": str(task_root),
        "LAMBDA_RUNTIME_DIR": str(task_root),
        "PYTHONPATH": os.pathsep.join(search),
    }
    if environment["AWS_LAMBDA_LOG_FORMAT"] == "JSON":
        environment.setdefault("AWS_LAMBDA_LOG_LEVEL", shared.log_level)
    if shared.endpoint_url is not None:
        environment["AWS_ENDPOINT_URL_LAMBDA"] = shared.endpoint_url
    return environment
