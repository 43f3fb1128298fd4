"""What a function returns against an annotation that restores nothing: it is recorded, with a warning."""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict

import pytest

from durably.exceptions import SerDesError
from durably.serdes import AnnotationMismatchWarning, codec_for, json_codec_for, output_codec_for, result_codec_for


@dataclass
class Line:
    sku: str


class Address(TypedDict):
    city: str


class Id(str):
    """As programs make them, and this library itself."""


class Cents(int): ...


class Ratio(float): ...


MISMATCHED: list[tuple[Any, Any, str]] = [
    (dict[str, bool], {"ok": True, "error": "no"}, r"\$\.error is of type str \('no'\), but the annotation says bool"),
    (None, {"a": 1}, r"\$ is of type dict .*says None"),
    (str, 5, r"\$ is of type int \(5\), but the annotation says str"),
    (list[str], ["a", None], r"\$\[1\] is of type NoneType"),
    (dict[str, Any], [1], r"\$ is of type list"),
    (int | None, "7", r"\$ is of type str \('7'\)"),
    (Literal["a", "b"], "c", r"\$ is of type str \('c'\)"),
    (dict[str, list[int]], {"a": [1, Decimal("1.5")]}, r"\$\.a\[1\] is of type Decimal"),
    (bool, (1, {2: dt.date(2026, 1, 2)}), r"\$ is of type tuple"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), MISMATCHED, ids=lambda part: str(part)[:30])
def test_a_mismatch_is_recorded_with_a_warning(annotation: Any, value: Any, message: str) -> None:
    codec = result_codec_for(annotation)
    with pytest.warns(AnnotationMismatchWarning, match=message):
        text, back = codec.round_trip(value)
    assert back == value
    assert type(back) is type(value)
    with pytest.warns(AnnotationMismatchWarning, match="does not fit"):
        assert codec.decode(text) == value
    assert result_codec_for(annotation) is codec
    with pytest.raises(SerDesError):
        codec_for(annotation).encode(value)


FITTING: list[tuple[Any, Any]] = [
    (dict[str, Any], {"pair": (1, 2), "n": {1: "a"}}),
    (dict, {1: 2}),
    (dict[int, str], {1: "a"}),
    (list[Any], [float("inf"), b"x", dt.date(2026, 1, 2)]),
    (int, 3),
    (str | None, None),
]


@pytest.mark.parametrize(("annotation", "value"), FITTING, ids=str)
def test_what_fits_comes_back_without_a_word(annotation: Any, value: Any) -> None:
    codec = result_codec_for(annotation)
    text, back = codec.round_trip(value)
    assert back == value
    assert codec.decode(text) == value


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Line, {"sku": "a"}),
        (list[Line], [{"sku": "a"}]),
        (Line | None, 3),
        (Address, {"city": 5}),
        (dt.datetime, "2026-01-02"),
        (dict[str, Decimal], {"a": "1"}),
        (tuple[int, str], [1, "a"]),
        (set[str], ["a"]),
        (bytes, "x"),
    ],
    ids=str,
)
def test_an_annotation_that_restores_something_is_binding(annotation: Any, value: Any) -> None:
    for codec in (result_codec_for(annotation), output_codec_for(annotation)):
        with pytest.raises(SerDesError):
            codec.encode(value)


def test_where_warnings_are_errors_a_mismatch_is_one_that_stays() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SerDesError, match=r"warnings are errors: \$ is of type int"):
            result_codec_for(str).encode(5)
        with pytest.raises(SerDesError, match="warnings are errors"):
            result_codec_for(str).decode("5")


def test_what_has_no_recorded_form_stays_an_error() -> None:
    with pytest.raises(SerDesError, match="no recorded form"):
        result_codec_for(dict[str, int]).encode({"a": object()})
    with pytest.raises(SerDesError, match="no recorded form"):
        output_codec_for(dict[str, int]).encode({"a": object()})


class TestAHandlersResult:
    """It is not read again here, so everything counts as fitting that other programs read as the annotation says."""

    @pytest.mark.parametrize(
        ("annotation", "value", "text"),
        [
            (dict[str, Any], {"pair": (1, 2)}, '{"pair":[1,2]}'),
            (dict[str, Any], {"n": {1: "a"}}, '{"n":{"1":"a"}}'),
            (dict, {True: 1, None: 2}, '{"true":1,"null":2}'),
            (list[int], (1, 2), "[1,2]"),
            (dict[str, Any], {"at": dt.date(2026, 1, 2), "is": {3}}, '{"at":"2026-01-02","is":[3]}'),
            (str, Id("x"), '"x"'),
        ],
    )
    def test_fits(self, annotation: Any, value: Any, text: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert output_codec_for(annotation).encode(value) == text

    def test_does_not_fit(self) -> None:
        with pytest.warns(AnnotationMismatchWarning, match="says bool"):
            assert output_codec_for(dict[str, bool]).encode({"error": "no"}) == '{"error":"no"}'


@pytest.mark.parametrize("value", [Id("x"), Cents(3), Ratio(1.5)])
def test_subclasses_of_scalars_are_written_as_what_they_are(value: Any) -> None:
    base = type(value).__base__
    for codec in (codec_for(), codec_for(base), json_codec_for(), json_codec_for(base)):
        text, back = codec.round_trip(value)
        assert (back, type(back)) == (value, base)
        assert codec.decode(text) == value
    own = codec_for(type(value))
    assert type(own.round_trip(value)[1]) is type(value), "an annotation that names the class restores it"
    with pytest.raises(SerDesError):
        own.decode("[]")
    holder = codec_for(dict[str, base])
    assert holder.round_trip({"a": value})[1] == {"a": value}
    assert codec_for(Line).round_trip(Line(Id("x")))[1] == Line("x")
