"""Credentials for functions that have none: clients insist on some, and the embedded service looks at none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["stand_in_credentials"]

_SOURCES: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_KEYS_IN_FILES: Final = ("aws_access_key_id", "credential_process", "role_arn", "sso_", "login_session")


def stand_in_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to ``environment``: nothing where it, or a file it leads to, has credentials."""
    if any(environment.get(name) for name in _SOURCES) or _in_files(environment):
        return {}
    return {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


def _in_files(environment: Mapping[str, str]) -> bool:
    home = Path(environment.get("HOME") or "~").expanduser() / ".aws"
    places = (
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials",
        environment.get("AWS_CONFIG_FILE") or home / "config",
    )
    for place in places:
        try:
            text = Path(place).expanduser().read_text(errors="replace")
        except OSError:
            continue
        if any(key in text for key in _KEYS_IN_FILES):
            return True
    return False
