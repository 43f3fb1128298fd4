"""Serves a template's functions on the embedded service until its standard input closes.

Runs in the project's environment. Prints one line of JSON, ``{"url": ...}``, once it answers.
"""

from __future__ import annotations

from typing import Any

from durably.service.ports import FunctionSpec


def spec_of(function: dict[str, Any]) -> FunctionSpec:
    """What the service needs to know; what the template leaves out keeps the service's default."""
    stated = {"execution_timeout_seconds": function["execution_timeout"], "retention_days": function["retention_days"]}
    return FunctionSpec(
        name=function["name"],
        durable=function["durable"],
        timeout_seconds=function["timeout"],
        memory_mb=function["memory"],
        environment=function["environment"],
        **{name: value for name, value in stated.items() if value is not None},
    )
