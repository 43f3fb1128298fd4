"""Classes of the standard library as annotations: those that are their text, and those that have another form."""

from __future__ import annotations

import collections
import ipaddress
import pathlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from durably import DurableContext, Duration
from durably.exceptions import SerDesError
from durably.serdes import codec_for, json_codec_for, output_codec_for, result_codec_for
from engine.harness import run


@dataclass
class Upload:
    path: pathlib.Path
    to: ipaddress.IPv6Network | None = None


CODECS = pytest.mark.parametrize(
    "codec_of", [codec_for, result_codec_for, json_codec_for, output_codec_for], ids=lambda one: one.__name__
)


@CODECS
@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (pathlib.Path, pathlib.Path("/a/b.txt"), '"/a/b.txt"'),
        (pathlib.PurePosixPath, pathlib.PurePosixPath("a"), '"a"'),
        (pathlib.PureWindowsPath, pathlib.PureWindowsPath("c:/a"), '"c:\\\\a"'),
        (list[pathlib.Path], [pathlib.Path("a"), pathlib.Path("b")], '["a","b"]'),
        (dict[str, pathlib.Path], {"a": pathlib.Path("b")}, '{"a":"b"}'),
        (pathlib.Path | None, pathlib.Path("a"), '"a"'),
        (pathlib.Path | None, None, "null"),
        (ipaddress.IPv4Address, ipaddress.ip_address("10.0.0.1"), '"10.0.0.1"'),
        (ipaddress.IPv6Address, ipaddress.ip_address("::1%eth0"), '"::1%eth0"'),
        (ipaddress.IPv4Interface, ipaddress.ip_interface("10.0.0.1/8"), '"10.0.0.1/8"'),
        (ipaddress.IPv6Network, ipaddress.ip_network("fe80::/10"), '"fe80::/10"'),
        (Upload, Upload(pathlib.Path("a"), ipaddress.IPv6Network("::/8")), '{"path":"a","to":"::/8"}'),
        (Iterable[int], [1, 2], "[1,2]"),
        (Iterable[pathlib.Path], [pathlib.Path("a")], '["a"]'),
        (Iterable, ["a"], '["a"]'),
    ],
)
def test_what_is_recorded_comes_back_as_it_was(codec_of: Any, annotation: Any, value: Any, text: str) -> None:
    codec = codec_of(annotation)
    written, back = codec.round_trip(value)
    assert written == text
    for one in (back, codec.decode(text)):
        assert one == value
        assert type(one) is type(value)


@CODECS
@pytest.mark.parametrize(
    ("annotation", "value", "remedy"),
    [
        (collections.deque[int], collections.deque([1], maxlen=3), "return list(...) of it, annotated as list[...]"),
        (collections.OrderedDict[str, int], collections.OrderedDict(a=1), "return dict(...) of it"),
        (collections.defaultdict[str, int], collections.defaultdict(int, a=1), "return dict(...) of it"),
        (collections.Counter, collections.Counter("aa"), "annotated as dict[..., int]"),
        (range, range(3), "annotated as list[int]"),
        (complex, 1j, "return its real and imag"),
        (re.Pattern, re.compile("a"), "return its pattern, a str"),
        (Iterator[int], iter([1]), "return list(...) of it"),
        (Iterable[int], (one for one in [1]), "return list(...) of it"),
        (pathlib.PurePath, pathlib.PureWindowsPath("c:/a"), "does not come back the same as PurePath"),
    ],
)
def test_what_has_no_form_says_what_to_return_instead(codec_of: Any, annotation: Any, value: Any, remedy: str) -> None:
    with pytest.raises(SerDesError) as failure:
        codec_of(annotation).encode(value)
    assert remedy in str(failure.value)


@pytest.mark.parametrize("value", [pathlib.Path("a"), ipaddress.ip_address("::1"), {"at": pathlib.Path("a")}])
@pytest.mark.parametrize("annotation", [Any, dict, dict[str, Any]])
@pytest.mark.parametrize("codec_of", [codec_for, result_codec_for])
def test_without_an_annotation_they_are_refused(codec_of: Any, annotation: Any, value: Any) -> None:
    """They would come back as texts."""
    with pytest.raises(SerDesError):
        codec_of(annotation).encode(value)


@pytest.mark.parametrize("text", ["1", '"256.0.0.1"', "[]", "null"])
def test_what_is_no_address_is_not_read(text: str) -> None:
    with pytest.raises(SerDesError, match=r"IPv4Address|octet"):
        codec_for(ipaddress.IPv4Address).decode(text)


def test_a_step_and_its_replay_see_a_path() -> None:
    seen: list[Any] = []

    def upload(step: Any) -> pathlib.Path:
        return pathlib.Path("a")

    def handler(event: Any, ctx: DurableContext) -> pathlib.Path:
        path = ctx.step(upload)
        seen.append(path)
        ctx.wait(Duration(1))
        return path / "b"

    assert run(handler).value == "a/b"
    assert seen == [pathlib.Path("a")] * 2
