"""AWS Signature Version 4, as botocore computes it for every service but S3.

Two things differ from a first reading of the specification and decide whether a signature is accepted: the path
in the canonical request is encoded once more than on the wire (``%3A`` becomes ``%253A``), after dot segments and
doubled slashes are removed; and query pairs are ordered by encoded name, then value, not as joined text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from hmac import digest
from typing import Final, NamedTuple

from .urls import quote

__all__ = ["Signer", "SigningCredentials"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_EMPTY: Final = sha256(b"").hexdigest()


class SigningCredentials(NamedTuple):
    """What a request is signed with."""

    access_key: str
    secret_key: str
    token: str | None = None


class Signer:
    """Signs for one region and service. Thread-safe.

    Keeps the last derived key, which holds for a day, and the last path: an invocation checkpoints to one. Each is
    one tuple, so that a thread sees a whole one.
    """

    __slots__ = ("_key", "_path", "_region", "_service")

    def __init__(self, region: str, service: str = "lambda") -> None:
        self._region = region
        self._service = service
        self._key = ("", "", b"")
        self._path = ("", "/")

    def authorization(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: bytes,
        credentials: SigningCredentials,
        timestamp: str,
    ) -> str:
        """The value of the Authorization header.

        Parameters:
            path: as sent, percent-encoded.
            query: encoded pairs in canonical order (see :func:`~durably.client.urls.encode_query`).
            headers: exactly those to sign, names in lower case, among them ``host`` and ``x-amz-date``.
            timestamp: the value of ``x-amz-date``, ``YYYYMMDDTHHMMSSZ``.
        """
        names = sorted(headers)
        signed = ";".join(names)
        known_path, canonical_path = self._path
        if known_path != path:
            canonical_path = _canonical_path(path)
            self._path = (path, canonical_path)
        lines = [method, canonical_path, "&".join([f"{name}={value}" for name, value in query])]
        for name in names:
            lines.append(f"{name}:{' '.join(headers[name].split())}")
        lines += ["", signed, sha256(body).hexdigest() if body else _EMPTY]
        scope = f"{timestamp[:8]}/{self._region}/{self._service}/aws4_request"
        request_hash = sha256("\n".join(lines).encode()).hexdigest()
        to_sign = f"{_ALGORITHM}\n{timestamp}\n{scope}\n{request_hash}"
        signature = digest(self._signing_key(credentials.secret_key, timestamp[:8]), to_sign.encode(), "sha256").hex()
        who = f"{credentials.access_key}/{scope}"
        return f"{_ALGORITHM} Credential={who}, SignedHeaders={signed}, Signature={signature}"

    def _signing_key(self, secret: str, date: str) -> bytes:
        known_secret, known_date, key = self._key
        if known_secret != secret or known_date != date:
            key = f"AWS4{secret}".encode()
            for part in (date, self._region, self._service, "aws4_request"):
                key = digest(key, part.encode(), "sha256")
            self._key = (secret, date, key)
        return key


def _canonical_path(path: str) -> str:
    if "//" in path or "/." in path:
        kept: list[str] = []
        for segment in path.split("/"):
            if segment == "..":
                if kept:
                    kept.pop()
            elif segment and segment != ".":
                kept.append(segment)
        tail = "/" if path.endswith("/") and kept else ""
        path = "/" + "/".join(kept) + tail
    return quote(path, "/") if path else "/"
