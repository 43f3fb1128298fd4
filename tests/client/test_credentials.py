"""Where credentials come from, and what is said when there are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import botocore.credentials
import pytest

from durably.client import Credentials, MissingCredentials
from durably.client.credentials import credential_source, profile_region


def test_the_environment_comes_first(credentials: None) -> None:
    given = credential_source(None, optional=False)()
    assert given == ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a-session/token==")


def test_white_space_around_a_variable_is_not_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", " AKID\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s\r\n")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    assert credential_source(None, optional=False)() == ("AKID", "s", None)


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("[profile dev]\nregion = eu-north-1\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    monkeypatch.setenv("AWS_PROFILE", "dev")


def test_a_profile_is_read_through_botocore(profile: None) -> None:
    source = credential_source(None, optional=False)
    assert source() == ("AKIDPROFILE", "s", None)
    assert profile_region() == "eu-north-1"


def test_a_plain_http_endpoint_does_not_ask_the_chain(profile: None) -> None:
    assert credential_source(None, optional=True)() is None


def test_nothing_at_all_says_what_to_do() -> None:
    with pytest.raises(MissingCredentials, match=r"AWS_ACCESS_KEY_ID .*'aws configure'"):
        credential_source(None, optional=False)()
    assert profile_region() is None


def test_without_botocore_both_remedies_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(MissingCredentials, match=r"set AWS_ACCESS_KEY_ID .*pip install 'durably\[aws\]'"):
        credential_source(None, optional=False)()
    assert profile_region() is None


def test_botocores_own_object_refreshes_itself() -> None:
    from datetime import UTC, datetime, timedelta

    keys = iter(["first", "second", "third"])

    def fresh() -> dict[str, str]:
        expiry = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()  # so near that each use refreshes
        return {"access_key": next(keys), "secret_key": "s", "token": "t", "expiry_time": expiry}

    refreshable = botocore.credentials.RefreshableCredentials.create_from_metadata(fresh(), fresh, "test")
    source = credential_source(refreshable, optional=False)
    assert source() == ("second", "s", "t")
    assert source() == ("third", "s", "t")


@pytest.mark.parametrize(
    "given",
    [
        Credentials("A", "s"),
        ("A", "s"),
        ("A", "s", None),
        ("A", "s", ""),
        lambda: Credentials("A", "s"),
        lambda: botocore.credentials.Credentials("A", "s"),
        botocore.credentials.Credentials("A", "s"),
    ],
)
def test_an_argument_may_take_several_forms(given: Any) -> None:
    assert credential_source(given, optional=False)() == ("A", "s", None)


@pytest.mark.parametrize("given", ["AKID", ("A",), ("A", ""), ("A", 1), 7])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match="credentials must be Credentials"):
        credential_source(given, optional=False)
