"""The context object that Lambda hands to a function."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from durably.service.ports import FunctionSpec, Invocation

__all__ = ["LambdaContext", "client_context_json", "log_group"]

NO_DEADLINE_MS: Final = 366 * 86_400_000
"""What is told to be left of an invocation without a timeout."""


@dataclass(slots=True)
class CognitoIdentity:
    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass(slots=True)
class Client:
    installation_id: str | None = None
    app_title: str | None = None
    app_version_name: str | None = None
    app_version_code: str | None = None
    app_package_name: str | None = None


@dataclass(slots=True)
class ClientContext:
    client: Client | None = None
    custom: Any = None
    env: Any = None


@dataclass(slots=True)
class LambdaContext:
    """All documented members of Lambda's context object for Python, of the types the real one has."""

    aws_request_id: str
    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    tenant_id: str | None
    client_context: ClientContext | None
    deadline_ms: int | None = field(repr=False)
    now_ms: Callable[[], int] = field(repr=False)
    identity: CognitoIdentity = field(default_factory=CognitoIdentity)

    def get_remaining_time_in_millis(self) -> int:
        if self.deadline_ms is None:
            return NO_DEADLINE_MS
        return max(0, self.deadline_ms - self.now_ms())

    @classmethod
    def of(
        cls,
        invocation: Invocation,
        spec: FunctionSpec,
        log_stream: str,
        deadline_ms: int | None,
        now_ms: Callable[[], int],
    ) -> LambdaContext:
        return cls(
            aws_request_id=invocation.request_id,
            function_name=invocation.function_name,
            function_version=invocation.function_version,
            invoked_function_arn=invocation.invoked_function_arn,
            memory_limit_in_mb=str(spec.memory_mb),
            log_group_name=log_group(invocation.function_name),
            log_stream_name=log_stream,
            tenant_id=invocation.tenant_id,
            client_context=_client_context(invocation.client_context),
            deadline_ms=deadline_ms,
            now_ms=now_ms,
        )


def log_group(function_name: str) -> str:
    return f"/aws/lambda/{function_name}"


def client_context_json(text: str | None) -> dict[str, Any] | None:
    """The client context as Invoke's header carries it (base64 of JSON) or as plain JSON; None if it is neither."""
    if not text:
        return None
    for candidate in (text, _from_base64(text)):
        try:
            parsed = json.loads(candidate or "")
        except ValueError:
            continue
        if isinstance(parsed, dict):
            return parsed
    return None


def _from_base64(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


def _client_context(text: str | None) -> ClientContext | None:
    parsed = client_context_json(text)
    if parsed is None:
        return None
    client = parsed.get("client")
    known = {key: client.get(key) for key in Client.__slots__} if isinstance(client, dict) else {}
    return ClientContext(Client(**known), parsed.get("custom"), parsed.get("env"))
