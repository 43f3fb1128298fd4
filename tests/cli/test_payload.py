"""Input from the command line: text, files, standard input; and where JSON goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from durably.cli.failures import Failure
from durably.cli.payload import json_text, text


def test_text_is_taken_as_it_stands() -> None:
    assert text(' {"a": 1} ') == ' {"a": 1} '


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    path.write_bytes(b"\xef\xbb\xbf" + '{"ü": 1}'.encode())
    assert text(f"@{path}") == '{"ü": 1}'


@pytest.mark.parametrize(
    ("given", "complaint"),
    [("@/no/such/file", "cannot read /no/such/file: No such file"), ("@", "cannot read"), ("@/", "cannot read /: ")],
)
def test_a_file_that_cannot_be_read_is_named(given: str, complaint: str) -> None:
    with pytest.raises(Failure, match=complaint):
        text(given)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.bin"
    path.write_bytes(b"abc\xff")
    with pytest.raises(Failure, match=r"in\.bin is not UTF-8 text \(byte 3\)"):
        text(f"@{path}")


@pytest.mark.parametrize("given", ["null", "1.5", '"text"', '{"a":  [1, 2, {"b": null}]}'])
def test_json_passes_unchanged(given: str) -> None:
    assert json_text(given, "INPUT") == given
    assert json_text(f" {given}\r\n\t", "INPUT") == given, "but for the white space around it"


@pytest.mark.parametrize(
    ("given", "message", "remedy"),
    [
        ("{'id': 7}", "line 1, column 2", "JSON strings are written with double quotes."),
        ("hello", "line 1, column 1", "A string is written with its quotes: '\"hello\"'."),
        ("", "line 1, column 1", "It is empty; leave it out for {}, or write null."),
        ('{"a": 1,\n "b": }', "line 2, column 7", '     "b": }\n          ^'),
        ('{"a": NaN}', "NaN is not a JSON value", ""),
        ("[" * 100_000, "nested too deeply", ""),
        ("x" * 300 + "'", "line 1, column 1", "^"),
    ],
)
def test_what_is_not_json_is_shown_with_its_place(given: str, message: str, remedy: str) -> None:
    with pytest.raises(Failure) as raised:
        json_text(given, "INPUT")
    assert "INPUT is" in raised.value.message
    assert message in raised.value.message
    assert remedy in raised.value.remedy
    assert all(len(line) < 120 for line in raised.value.remedy.splitlines())


def test_the_pointer_stands_under_the_mistake_in_a_long_line() -> None:
    given = '{"padding": "' + "x" * 200 + '", oops}'
    with pytest.raises(Failure) as raised:
        json_text(given, "INPUT")
    shown, pointer = raised.value.remedy.splitlines()[:2]
    assert shown[pointer.index("^")] == "o"
