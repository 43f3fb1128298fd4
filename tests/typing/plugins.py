"""What type checkers make of plugins. Checked by mypy and pyright, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_type

from durably import (
    DurableContext,
    DurableInstrumentationPlugin,
    ErrorObject,
    InvocationStartInfo,
    OperationEndInfo,
    OperationStartInfo,
    UserFunctionEndInfo,
    UserFunctionOutcome,
    durable_execution,
)
from durably.plugin import InvocationEndInfo, InvocationStatus, OperationInfo, PropagationInput, PropagationMetadata


class Plugin(DurableInstrumentationPlugin):
    def on_operation_end(self, info: OperationEndInfo) -> None:
        assert_type(info.name, str | None)
        assert_type(info.start_time, datetime | None)
        assert_type(info.error, ErrorObject | None)
        info.nmae  # type: ignore[attr-defined]  # noqa: B018
        info.name = "other"  # type: ignore[misc]

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        assert_type(info.outcome, UserFunctionOutcome)
        assert_type(info.attempt, int | None)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        assert_type(info.status, InvocationStatus)
        assert_type(info.operations, dict[str, OperationInfo])

    def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
        return PropagationMetadata(info.operation_id)


class Wrong(DurableInstrumentationPlugin):
    async def on_operation_start(self, info: OperationStartInfo) -> None: ...  # type: ignore[override]


class Factory:
    def create_plugin(self, info: InvocationStartInfo) -> Plugin:
        return Plugin()


class ByStatic:
    @staticmethod
    def create_plugin(started: InvocationStartInfo) -> Plugin:
        return Plugin()


class NoFactory:
    def create(self, info: Any) -> Plugin:
        return Plugin()


@durable_execution(plugins=[Factory(), ByStatic])
def handler(event: dict[str, Any], ctx: DurableContext) -> int:
    return 1


@durable_execution(plugins=[NoFactory()])  # type: ignore[list-item]
def refused_object(event: dict[str, Any], ctx: DurableContext) -> int:
    return 1


@durable_execution(plugins=[Plugin()])  # type: ignore[list-item]
def refused_plugin(event: dict[str, Any], ctx: DurableContext) -> int:
    return 1
