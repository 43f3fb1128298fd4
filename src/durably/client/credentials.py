"""Where signing credentials come from.

On Lambda they are in the environment and are read for each call, which costs a microsecond and follows whatever
refreshes them. Everywhere else botocore's chain is asked (profiles, SSO, containers, instance roles), imported
only then: it costs more than the rest of an invocation's start together.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .sigv4 import SigningCredentials

__all__ = ["CredentialSource", "Credentials", "MissingCredentials", "credential_source", "profile_region"]

Credentials = SigningCredentials


class MissingCredentials(Exception):
    """There is nothing to sign requests with."""


CredentialSource = Callable[[], SigningCredentials | None]
"""Asked before every request, so that refreshed credentials are seen at once. None: send unsigned."""


def credential_source(given: Any, *, optional: bool) -> CredentialSource:
    """What yields credentials for a client.

    Parameters:
        given: the user's argument: :class:`Credentials`, a ``(key id, secret[, token])`` tuple, a function that
            returns either, or botocore's own credentials object. None: environment, then botocore's chain.
        optional: without credentials in the environment the requests go out unsigned (plain-HTTP endpoints, i.e. a
            service on this machine or in this network).
    """
    if given is None:
        return _Environment(optional)
    if hasattr(given, "get_frozen_credentials"):
        return _Botocore(given)
    if callable(given):
        function: Callable[[], Any] = given
        return lambda: _as_credentials(function())
    fixed = _as_credentials(given)
    return lambda: fixed


def _as_credentials(value: Any) -> SigningCredentials:
    if hasattr(value, "get_frozen_credentials"):
        value = value.get_frozen_credentials()
    if hasattr(value, "access_key") and hasattr(value, "secret_key"):
        value = (value.access_key, value.secret_key, getattr(value, "token", None))
    if isinstance(value, tuple) and 2 <= len(value) <= 3 and all(isinstance(part, str) and part for part in value[:2]):
        return SigningCredentials(value[0], value[1], (value[2] or None) if len(value) == 3 else None)
    raise TypeError(
        f"credentials must be Credentials(access_key, secret_key, token), botocore credentials or a function "
        f"returning either, not {type(value).__name__}"
    )


class _Environment:
    def __init__(self, optional: bool) -> None:
        self._optional = optional
        self._chain: CredentialSource | None = None

    def __call__(self) -> SigningCredentials | None:
        get = os.environ.get
        access_key = get("AWS_ACCESS_KEY_ID", "").strip()
        secret_key = get("AWS_SECRET_ACCESS_KEY", "").strip()
        if access_key and secret_key:
            return SigningCredentials(access_key, secret_key, get("AWS_SESSION_TOKEN", "").strip() or None)
        if self._optional:
            return None
        if self._chain is None:
            self._chain = _Botocore(_botocore_chain())
        return self._chain()


class _Botocore:
    """Botocore refreshes what expires by itself, whenever a frozen copy is asked for."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def __call__(self) -> SigningCredentials:
        return _as_credentials(self._credentials)


def _botocore_chain() -> Any:
    try:
        from botocore.session import Session
    except ImportError:
        raise MissingCredentials(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or install "
            "botocore for profiles, SSO and roles: pip install 'durably[aws]'"
        ) from None
    credentials = Session().get_credentials()
    if credentials is None:
        raise MissingCredentials(
            "no AWS credentials: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor a profile, SSO session or "
            "role; run 'aws configure', or set AWS_PROFILE"
        )
    return credentials


def profile_region() -> str | None:
    """The region of the AWS profile in use, for tools that people run; None without botocore or a profile."""
    try:
        from botocore.session import Session
    except ImportError:
        return None
    region = Session().get_config_variable("region")
    return region if isinstance(region, str) and region else None
