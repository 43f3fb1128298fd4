"""HTTPS through a proxy, as HTTPS_PROXY and NO_PROXY ask for it.

Plain-HTTP endpoints are never proxied: they are services of this machine or network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from .urls import Endpoint

__all__ = ["Proxy", "proxy_for"]


class Proxy(NamedTuple):
    """Where to connect to instead, and what to say there. ``shown`` is the URL without its password."""

    host: str
    port: int
    authorization: str | None
    shown: str

    def connect_request(self, endpoint: Endpoint) -> bytes:
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        target = f"{host}:{endpoint.port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if self.authorization is not None:
            lines.append(f"Proxy-Authorization: Basic {self.authorization}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def proxy_for(environment: Mapping[str, str], endpoint: Endpoint) -> Proxy | None:
    """The proxy for ``endpoint``. Raises ValueError when the variable names none that can be used."""
    if not endpoint.secure:
        return None
    url = environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    if not url:
        return None
    excluded = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    if _is_excluded(endpoint.host.lower(), excluded):
        return None
    scheme, _, rest = url.strip().rpartition("://")
    userinfo, at, address = rest.rpartition("@")
    try:
        if scheme.lower() not in ("", "http"):
            raise ValueError(scheme)
        parsed = Endpoint.parse(f"http://{address}")
    except ValueError:
        raise ValueError(
            f"HTTPS_PROXY must be http://[user:password@]host:port, not {scheme or 'http'}://{address}"
        ) from None
    return Proxy(parsed.host, parsed.port, _basic(userinfo) if at else None, parsed.url)


def _is_excluded(host: str, excluded: str) -> bool:
    for entry in excluded.lower().replace(",", " ").split():
        domain = entry.rsplit(":", 1)[0] if entry.count(":") == 1 else entry
        domain = domain.strip("[]").removeprefix("*").lstrip(".")
        if entry == "*" or host == domain or (domain and host.endswith("." + domain)):
            return True
    return False


def _basic(userinfo: str) -> str:
    from base64 import b64encode

    return b64encode(_unquoted(userinfo)).decode()


_HEX: Final = "0123456789abcdefABCDEF"


def _unquoted(text: str) -> bytes:
    parts = text.split("%")
    decoded = parts[0].encode()
    for part in parts[1:]:
        if len(part) >= 2 and part[0] in _HEX and part[1] in _HEX:
            decoded += bytes([int(part[:2], 16)]) + part[2:].encode()
        else:
            decoded += b"%" + part.encode()
    return decoded
