"""Keeping web pages away from the API.

The service asks for no credentials (SigV4 headers are accepted and not verified): whoever can reach its port may
use it, and so it listens on 127.0.0.1 unless told otherwise. That alone does not keep a browser out. Any page the
developer visits can send requests to 127.0.0.1, and an Invoke runs code. Two checks close that door, and no client
that is not a browser ever meets them:

- **Cross-site requests.** A browser names the page's origin in ``Origin`` (on every request that can change
  something) and its relation to the target in ``Sec-Fetch-Site``. Unless the page came from this very address the
  request is refused. A port of the same machine is another origin: a page of some other local server has no
  business here either. A link that is merely followed (GET, ``Sec-Fetch-Mode: navigate``) is let through, since the
  page it leaves cannot read the answer and no GET changes anything. No CORS header is ever sent.
- **DNS rebinding.** A hostile page can have its own host name resolve to 127.0.0.1, and is then of the same origin.
  The browser still sends that name in ``Host``; so while the service listens on a loopback address only loopback
  names are accepted there.

Someone who binds the service to a wider address has decided who may reach it; then any ``Host`` is accepted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from durably.wire.api_errors import ApiError

__all__ = ["check_host", "check_origin", "is_loopback"]

_REMEDY: Final = "Call the API from a program (boto3, the AWS CLI, curl, durably), not from a web page of another site"


def is_loopback(host: str) -> bool:
    """Is ``host`` (a name or an address, without port) this machine and only this machine?"""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host(headers: Mapping[bytes, bytes], bound_to: str | None) -> None:
    """Refuse a ``Host`` that does not belong to a service listening on ``bound_to``.

    Parameters:
        bound_to: the host the service listens on; None when the caller of the application answers for that.
    Raises:
        ApiError: AccessDeniedException, 403.
    """
    host = headers.get(b"host")
    if host and bound_to is not None and not _host_is_ours(host, bound_to):
        shown = host.decode("latin-1")[:256]
        raise _denied(
            f"the Host header names {shown!r}, but this service listens on {bound_to} only and answers to loopback "
            "names alone (a web page could have its name point here). Use http://127.0.0.1:PORT or "
            "http://localhost:PORT, or serve on another address with --host"
        )


def check_origin(headers: Mapping[bytes, bytes], method: str) -> None:
    """Refuse what a browser sends on behalf of another site's page. Raises ApiError: AccessDeniedException, 403."""
    origin = headers.get(b"origin")
    if origin is not None and origin.partition(b"://")[2].lower() != headers.get(b"host", b"").lower():
        raise _denied(f"cross-site request from origin {origin.decode('latin-1')[:256]!r}. {_REMEDY}")
    site = headers.get(b"sec-fetch-site", b"none")
    if site in (b"cross-site", b"same-site"):
        followed = method in ("GET", "HEAD") and headers.get(b"sec-fetch-mode") == b"navigate"
        if not followed:
            raise _denied(f"{site.decode()} request. {_REMEDY}")


@lru_cache(256)
def _host_is_ours(header: bytes, bound_to: str) -> bool:
    if not is_loopback(bound_to):
        return True
    text = header.decode("latin-1").strip()
    name = text[: text.find("]") + 1] if text.startswith("[") else text.partition(":")[0]
    return is_loopback(name)


def _denied(message: str) -> ApiError:
    return ApiError("AccessDeniedException", f"Refused: {message}", 403)
