"""Our signatures against botocore's, and against one that AWS published."""

from __future__ import annotations

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from durably.client.sigv4 import Signer, SigningCredentials
from durably.client.urls import encode_query, quote

KEY, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def oracle(
    method: str,
    host: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    timestamp: str,
    region: str,
    service: str,
) -> str:
    target = path + ("?" + "&".join(f"{name}={value}" for name, value in query) if query else "")
    request = AWSRequest(method=method, url=f"https://{host}{target}", data=body, headers=dict(headers))
    request.context["timestamp"] = timestamp
    auth = SigV4Auth(Credentials(KEY, SECRET, token), service, region)
    auth._modify_request_before_signing(request)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    auth._inject_signature_to_request(request, signature)
    return str(request.headers["Authorization"])


def ours(
    method: str,
    host: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    timestamp: str,
    region: str,
    service: str,
    signer: Signer | None = None,
) -> str:
    signed = {"host": host, "x-amz-date": timestamp, **headers}
    if token:
        signed["x-amz-security-token"] = token
    return (signer or Signer(region, service)).authorization(
        method, path, query, signed, body, SigningCredentials(KEY, SECRET, token), timestamp
    )


def test_the_published_vector() -> None:
    """``get-vanilla`` of the AWS Signature Version 4 test suite."""
    got = ours("GET", "example.amazonaws.com", "/", [], {}, b"", None, "20150830T123600Z", "us-east-1", "service")
    assert got == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


segments = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(quote),
    st.sampled_from(["", ".", "..", "~a", "a.b", "%2F", "arn%3Aaws%3Alambda", "%24LATEST"]),
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.lists(segments, min_size=0, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    query=st.lists(st.tuples(text.filter(bool), text), max_size=4),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "x-amz-invocation-type", "x-amz-tenant-id", "x-amz-log-type"]), header_values
    ),
    body=st.binary(max_size=200),
    token=st.none() | st.text("ABCabc/+=", min_size=1, max_size=30),
    timestamp=st.datetimes().filter(lambda d: d.year > 2000).map(lambda d: d.strftime("%Y%m%dT%H%M%SZ")),
    host=st.sampled_from(["lambda.us-west-2.amazonaws.com", "127.0.0.1:9014", "localhost"]),
    region=st.sampled_from(["us-west-2", "cn-north-1"]),
)
def test_signatures_are_botocores(
    method: str,
    path: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    timestamp: str,
    host: str,
    region: str,
) -> None:
    args = (method, host, path, encode_query(query), headers, body, token, timestamp, region, "lambda")
    assert ours(*args) == oracle(*args)


def test_a_signer_used_for_many_days_paths_and_keys_signs_as_a_fresh_one() -> None:
    signer = Signer("us-west-2")
    for timestamp in ("20261121T120000Z", "20261122T000000Z", "20261121T130000Z"):
        for path in ("/a%3Ab/checkpoint", "/a%3Ab/state", "/a%3Ab/state"):
            args = ("GET", "h", path, [("a", "b")], {}, b"", None, timestamp, "us-west-2", "lambda")
            assert ours(*args, signer=signer) == oracle(*args)
    signed = {"host": "h", "x-amz-date": "20261121T130000Z"}
    other = SigningCredentials(KEY, "another secret")
    arguments = ("GET", "/a", [], signed, b"", other, "20261121T130000Z")
    assert signer.authorization(*arguments) == Signer("us-west-2").authorization(*arguments)


def test_query_pairs_are_ordered_by_name_and_then_value() -> None:
    assert encode_query([("a-b", "1"), ("a", "2"), ("a", "1")]) == [("a", "1"), ("a", "2"), ("a-b", "1")]
