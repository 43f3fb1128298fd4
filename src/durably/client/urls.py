"""Percent-encoding, and where the Lambda API of a region lives.

``urllib.parse`` and an endpoint resolver would cost more at import than all of this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

__all__ = ["Endpoint", "encode_query", "lambda_endpoint", "region_of", "quote"]

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED: Final = [chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256)]


def quote(text: str, safe: str = "") -> str:
    """``text`` as one path segment or query value: everything but RFC 3986's unreserved characters is encoded."""
    if not safe:
        return "".join([_ENCODED[byte] for byte in text.encode()])
    keep = safe.encode()
    return "".join([chr(byte) if byte in keep else _ENCODED[byte] for byte in text.encode()])


def encode_query(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The pairs encoded and in the order a signature wants them, so that one form serves request and signature."""
    return sorted((quote(name), quote(value)) for name, value in pairs)


class Endpoint(NamedTuple):
    """Where requests go. ``host_header`` leaves out the scheme's default port, as signatures expect."""

    secure: bool
    host: str
    port: int
    host_header: str
    base_path: str
    url: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Split ``http[s]://host[:port][/path]``. Raises ValueError naming the value."""
        scheme, separator, rest = url.strip().partition("://")
        authority, slash, path = rest.partition("/")
        host, colon, port_text = authority.rpartition(":")
        if not colon or port_text.endswith("]"):
            host, port_text = authority, ""
        scheme = scheme.lower()
        if (
            not separator
            or scheme not in ("http", "https")
            or not host.strip("[]")
            or (port_text and not (port_text.isascii() and port_text.isdigit() and 0 < int(port_text) < 65536))
            or not url.isascii()
            or any(character in rest for character in "@?# \r\n")
        ):
            raise ValueError(f"{url!r} is not an endpoint URL; expected http[s]://host[:port][/path]")
        default = 443 if scheme == "https" else 80
        port = int(port_text) if port_text else default
        base = (slash + path).rstrip("/")
        header = host if port == default else f"{host}:{port}"
        return cls(scheme == "https", host.strip("[]"), port, header, base, f"{scheme}://{header}{base}")


# Regions whose names start so are in a partition with another DNS suffix (and FIPS hosts where there are any).
_SUFFIXES: Final = (
    ("cn-", "amazonaws.com.cn"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
)


def region_of(environment: Mapping[str, str], region: str | None) -> str | None:
    """The region to sign for: the argument, AWS_REGION or AWS_DEFAULT_REGION."""
    return region or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None


def lambda_endpoint(environment: Mapping[str, str], region: str | None, endpoint_url: str | None) -> Endpoint:
    """The endpoint the argument or the environment names, else the public one of ``region``.

    Looks at AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS and
    AWS_USE_FIPS_ENDPOINT, as the AWS SDKs do. Raises ValueError when there is neither region nor endpoint.
    """
    if endpoint_url is None and environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        endpoint_url = environment.get("AWS_ENDPOINT_URL_LAMBDA") or environment.get("AWS_ENDPOINT_URL")
    if endpoint_url:
        return Endpoint.parse(endpoint_url)
    if region is None:
        raise ValueError(
            "no AWS region: set AWS_REGION (or AWS_DEFAULT_REGION), pass region=, "
            "or name the service with AWS_ENDPOINT_URL_LAMBDA or endpoint_url="
        )
    if not all(part.isalnum() and part.isascii() for part in region.split("-")):
        raise ValueError(f"{region!r} is not an AWS region; expected e.g. 'eu-central-1'")
    suffix = next((suffix for prefix, suffix in _SUFFIXES if region.startswith(prefix)), "amazonaws.com")
    service = "lambda-fips" if environment.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true" else "lambda"
    return Endpoint.parse(f"https://{service}.{region}.{suffix}")
