"""How values look."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.cli.terminal import clean, clock_time, duration, elapsed, error_text, mark, pretty_json, preview, table


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (-5, "0 ms"),
        (0, "0 ms"),
        (12.4, "12 ms"),
        (999, "999 ms"),
        (1000, "1 s"),
        (3210, "3.2 s"),
        (59_900, "59.9 s"),
        (60_000, "1 min"),
        (125_000, "2 min 5 s"),
        (3_600_000, "1 h"),
        (7_380_000, "2 h 3 min"),
        (86_400_000, "1 d"),
        (273_600_000, "3 d 4 h"),
    ],
)
def test_durations_are_said_as_people_say_them(ms: float, text: str) -> None:
    assert duration(ms) == text


def test_elapsed_time_has_a_fixed_form_while_that_says_something() -> None:
    assert [elapsed(ms) for ms in (0, 1234, 599_999, 600_000)] == ["+0.00 s", "+1.23 s", "+600.00 s", "+10 min"]


def test_a_moment_of_another_day_has_its_date() -> None:
    day = 86_400_000
    assert len(clock_time(100 * day, now_ms=100 * day + 1)) == 8
    assert len(clock_time(100 * day, now_ms=103 * day)) == 19


@given(st.text(), st.integers(1, 200))
def test_a_preview_is_one_printable_line_of_limited_length(text: str, width: int) -> None:
    shown = preview(text, width)
    assert len(shown) <= width
    assert shown.isprintable()


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert clean("a\x1b[2Jb\nc") == "a\N{REPLACEMENT CHARACTER}[2Jb c"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"ErrorType": "T", "ErrorMessage": "m"}, "T: m"),
        ({"ErrorMessage": "m"}, "m"),
        ({"ErrorType": "T"}, "T"),
        ({}, "unknown error"),
        (None, "unknown error"),
    ],
)
def test_errors_are_told_by_what_there_is_of_them(error: object, text: str) -> None:
    assert error_text(error) == text


def test_a_payload_is_laid_out_when_it_is_json() -> None:
    assert pretty_json('{"ü":1}') == '{\n  "ü": 1\n}'
    assert pretty_json("plain text") == "plain text"
    assert pretty_json(None) == ""


def test_marks_have_stand_ins_where_the_output_cannot_show_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert [mark(glyph) for glyph in "▶✓☃"] == [">", "+", "*"]
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert mark("✓") == "✓"


def test_columns_are_aligned_whatever_their_style() -> None:
    lines = table(("A", "NUMBER", "C"), [("\x1b[31mred\x1b[0m", "1", "x"), ("b", "22", "")], frozenset({1}))
    assert lines[1] == "\x1b[31mred\x1b[0m       1  x"
    assert lines[2] == "b        22"
