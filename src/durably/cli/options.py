"""Options that several commands share, and the API client they make."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from durably.client.api import LambdaApi

from .failures import Failure

__all__ = ["DEFAULT_URL", "Place", "as_json", "connect", "emit", "function_option", "place_options"]

DEFAULT_URL: Final = "http://127.0.0.1:9014"

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Place:
    """Which service a command talks to."""

    api: LambdaApi
    aws: bool
    options: str
    """How to name the same place on another command line (empty or with a leading blank)."""

    def functions(self) -> list[dict[str, Any]]:
        """What the service serves: FunctionName, Durable, ... Empty where it does not tell (AWS)."""
        if self.aws:
            return []
        from durably.wire.api_errors import CONNECTION_ERROR, ApiError

        try:
            found = self.api.get_json("/_durably/functions")
        except ApiError as exc:
            if exc.code == CONNECTION_ERROR and isinstance(exc.__cause__, OSError):
                raise
            return []  # something else that speaks the API
        functions: list[dict[str, Any]] = found.get("Functions", []) if isinstance(found, dict) else []
        return functions


def connect(endpoint_url: str | None, aws: bool, region: str | None) -> Place:
    """The service the options name. Nothing is sent yet."""
    try:
        if aws:
            if endpoint_url is not None:
                raise Failure("--aws and --endpoint-url exclude each other.")
            from durably.client.credentials import profile_region
            from durably.client.urls import lambda_endpoint, region_of

            region = region_of(os.environ, region) or profile_region()
            # The public endpoint, whatever AWS_ENDPOINT_URL_LAMBDA is set to for the local service.
            url = lambda_endpoint({}, region, None).url if region else None
            given = f" --aws --region {region}" if region else " --aws"
            return Place(LambdaApi(region, url), True, given)
        from_environment = os.environ.get("AWS_ENDPOINT_URL_LAMBDA") or os.environ.get("AWS_ENDPOINT_URL")
        url = endpoint_url or from_environment or DEFAULT_URL
        return Place(
            LambdaApi(region, url, max_attempts=1), False, f" --endpoint-url {endpoint_url}" if endpoint_url else ""
        )
    except ValueError as exc:
        raise Failure(f"{exc}.") from exc


def place_options(function: _F) -> _F:
    """``--endpoint-url``, ``--aws`` and ``--region``; the command gets ``place``."""
    from functools import wraps

    @wraps(function)
    def wrapper(*args: Any, endpoint_url: str | None, aws: bool, region: str | None, **kwargs: Any) -> Any:
        return function(*args, place=connect(endpoint_url, aws, region), **kwargs)

    decorated: Any = wrapper
    for option in (
        click.option("--region", metavar="REGION", help="AWS region, with --aws."),
        click.option("--aws", is_flag=True, help="Talk to the AWS account of the current credentials."),
        click.option("--endpoint-url", metavar="URL", help=f"The service. [default: {DEFAULT_URL}]"),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def as_json(function: _F) -> _F:
    return click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")(function)


def function_option(function: _F) -> _F:
    return click.option(
        "-f", "--function", "function", metavar="NAME", help="The function, where executions are named (needed on AWS)."
    )(function)


def emit(shape: Any) -> None:
    """One JSON document on standard output. Timestamps are integer milliseconds."""
    click.echo(json.dumps(shape, indent=2, ensure_ascii=False))
