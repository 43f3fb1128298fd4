"""Endpoints against botocore's resolver, and percent-encoding against urllib's."""

from __future__ import annotations

import urllib.parse

import botocore.session
import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader
from hypothesis import given
from hypothesis import strategies as st

from durably.client.urls import Endpoint, lambda_endpoint, quote, region_of


def _regions() -> list[str]:
    session = botocore.session.Session()
    return [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("lambda", partition)
    ]


def _provider() -> EndpointProvider:
    loader = Loader()
    return EndpointProvider(loader.load_service_model("lambda", "endpoint-rule-set-1"), loader.load_data("partitions"))


@pytest.mark.parametrize("fips", [False, True])
def test_every_region_has_the_endpoint_botocore_gives_it(fips: bool) -> None:
    provider = _provider()
    regions = _regions()
    assert len(regions) > 30
    environment = {"AWS_USE_FIPS_ENDPOINT": "true"} if fips else {}
    for region in [*regions, "us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"]:
        expected = provider.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=False).url
        assert lambda_endpoint(environment, region, None).url == expected


def test_the_argument_wins_over_the_environment_and_the_service_over_the_global_setting() -> None:
    both = {"AWS_ENDPOINT_URL_LAMBDA": "http://l:1", "AWS_ENDPOINT_URL": "http://g:2"}
    assert lambda_endpoint(both, "us-east-1", "http://a:3").url == "http://a:3"
    assert lambda_endpoint(both, "us-east-1", None).url == "http://l:1"
    assert lambda_endpoint({"AWS_ENDPOINT_URL": "http://g:2"}, None, None).url == "http://g:2"
    ignored = {**both, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert lambda_endpoint(ignored, "eu-west-1", None).url == "https://lambda.eu-west-1.amazonaws.com"


def test_without_region_and_endpoint_the_error_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"AWS_REGION.*AWS_ENDPOINT_URL_LAMBDA"):
        lambda_endpoint({}, None, None)


@pytest.mark.parametrize("region", ["us east 1", "evil.com/", "us-east-1.evil", "", "--", "x@y"])
def test_a_region_cannot_lead_elsewhere(region: str) -> None:
    with pytest.raises(ValueError, match="is not an AWS region"):
        lambda_endpoint({}, region, None)


def test_the_region_comes_from_the_argument_or_either_variable() -> None:
    assert region_of({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, "c") == "c"
    assert region_of({"AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"}, None) == "a"
    assert region_of({"AWS_DEFAULT_REGION": "b"}, None) == "b"
    assert region_of({"AWS_REGION": ""}, None) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:9014", (False, "127.0.0.1", 9014, "127.0.0.1:9014", "")),
        ("HTTPS://Example.com/", (True, "Example.com", 443, "Example.com", "")),
        ("https://e.com:443/a/b/", (True, "e.com", 443, "e.com", "/a/b")),
        ("http://e.com:443", (False, "e.com", 443, "e.com:443", "")),
        ("http://[::1]:80", (False, "::1", 80, "[::1]", "")),
        ("http://[::1]", (False, "::1", 80, "[::1]", "")),
    ],
)
def test_an_endpoint_is_split_into_its_parts(url: str, expected: tuple[object, ...]) -> None:
    parsed = Endpoint.parse(url)
    assert tuple(parsed)[:5] == expected


@pytest.mark.parametrize(
    "url",
    ["", "localhost:9014", "ftp://e.com", "http://", "http://e.com:x", "http://e.com:0", "http://e.com:99999",
     "http://u:p@e.com", "http://e.com/?a=1", "http://e\r\n.com", "http://é.com", "http://:80"],
)  # fmt: skip
def test_a_malformed_endpoint_is_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="is not an endpoint URL"):
        Endpoint.parse(url)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoting_is_urllibs_with_nothing_but_the_unreserved_safe(text: str) -> None:
    assert quote(text) == urllib.parse.quote(text, safe="-._~")
    assert quote(text, "/") == urllib.parse.quote(text, safe="/-._~")
