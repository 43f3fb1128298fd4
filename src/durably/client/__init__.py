"""How a running function reaches the durable execution service.

:class:`LambdaClient` speaks signed HTTPS to AWS Lambda (or to anything that speaks its API), :class:`Boto3Client`
adapts a client the user already has, :class:`InProcessClient` talks to a service in the same process, and
:class:`LambdaApi` manages executions from outside. Whatever satisfies :class:`DurableServiceClient` or
:class:`AsyncDurableServiceClient` may take their place.

Names are resolved on first use: a function on Lambda pays only for the client it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import LambdaApi as LambdaApi
    from .boto3_client import Boto3Client as Boto3Client
    from .credentials import Credentials as Credentials
    from .credentials import MissingCredentials as MissingCredentials
    from .in_process import InProcessClient as InProcessClient
    from .lambda_client import LambdaClient as LambdaClient
    from .protocol import AsyncDurableServiceClient as AsyncDurableServiceClient
    from .protocol import DurableServiceClient as DurableServiceClient

_HOME = {
    "DurableServiceClient": "protocol",
    "AsyncDurableServiceClient": "protocol",
    "LambdaClient": "lambda_client",
    "Boto3Client": "boto3_client",
    "InProcessClient": "in_process",
    "LambdaApi": "api",
    "Credentials": "credentials",
    "MissingCredentials": "credentials",
}

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "DurableServiceClient",
    "AsyncDurableServiceClient",
    "LambdaClient",
    "Boto3Client",
    "InProcessClient",
    "LambdaApi",
    "Credentials",
    "MissingCredentials",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
