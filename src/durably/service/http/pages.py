"""Everything outside the API: ``/_durably/health``, ``/_durably/functions`` and routes added by others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from durably._version import __version__
from durably.service.ports import FunctionSpec
from durably.wire.api_errors import ApiError

from .answers import Answer, error_answer, json_answer
from .routes import ROUTES

__all__ = ["create_pages"]


class HasFunctions(Protocol):
    def functions(self) -> Mapping[str, FunctionSpec]: ...


def create_pages(service: HasFunctions, routes: Sequence[BaseRoute]) -> Starlette:
    """The Starlette application for all that is not the API.

    ``GET /_durably/health`` tells that a durably service listens here, which version, and its functions' names;
    ``GET /_durably/functions`` describes each function.
    """

    def health(_: Request) -> Response:
        return _response(
            json_answer(200, {"Service": "durably", "Version": __version__, "Functions": sorted(service.functions())})
        )

    def describe(_: Request) -> Response:
        return _response(json_answer(200, {"Functions": [_described(spec) for spec in service.functions().values()]}))

    return Starlette(
        routes=[Route("/_durably/health", _soon(health)), Route("/_durably/functions", _soon(describe)), *routes],
        exception_handlers={HTTPException: _refused},
    )


def _soon(page: Callable[[Request], Response]) -> Any:
    # Starlette runs plain functions on threads; these never wait for anything.
    async def endpoint(request: Request) -> Response:
        return page(request)

    return endpoint


def _described(spec: FunctionSpec) -> dict[str, Any]:
    # The environment may hold secrets; only its names are shown.
    return {
        "FunctionName": spec.name,
        "Durable": spec.durable,
        "Timeout": spec.timeout_seconds,
        "ExecutionTimeout": spec.execution_timeout_seconds,
        "RetentionPeriodInDays": spec.retention_days,
        "MemorySize": spec.memory_mb,
        "EnvironmentNames": sorted(spec.environment),
    }


def _refused(request: Request, refusal: Exception) -> Response:
    status = refusal.status_code if isinstance(refusal, HTTPException) else 500
    known = ", ".join(
        [f"{route.method} {route.path}" for route in ROUTES] + ["GET /_durably/health", "GET /_durably/functions"]
    )
    message = f"no such operation: {request.method} {request.url.path[:2048]}. This service answers: {known}"
    answer = error_answer(ApiError("UnknownOperationException", message, status))
    response = _response(answer)
    if isinstance(refusal, HTTPException) and refusal.headers:
        response.headers.update(refusal.headers)
    return response


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    for name, value in answer.headers:
        response.headers[name.decode()] = value.decode("latin-1")
    return response
