"""``DurableValue`` in annotations: a value comes back the same, wherever in the annotation the name stands."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest

from durably.serdes import codec_for, json_codec_for, output_codec_for, result_codec_for
from durably.types import DurableValue

VALUE: Any = {"a": [Decimal("1.5"), b"x", None, (1, 2)], "b": {"c": True}}

ANNOTATIONS: list[tuple[Any, Any]] = [
    (DurableValue, VALUE),
    (Optional[DurableValue], None),  # noqa: UP045 - this form
    (list[DurableValue], [VALUE, 1]),
    (dict[str, DurableValue], {"k": VALUE}),
    (tuple[int, DurableValue], (1, VALUE)),
    (tuple[DurableValue, ...], (VALUE, VALUE)),
    (dict[str, list[DurableValue]], {"k": [VALUE]}),
    (Annotated[list[DurableValue], "why"], [VALUE]),
]


@pytest.mark.parametrize(("annotation", "value"), ANNOTATIONS, ids=lambda one: str(one)[:20])
@pytest.mark.parametrize("make", [codec_for, result_codec_for])
def test_a_value_comes_back_the_same(make: Any, annotation: Any, value: Any) -> None:
    text, first = make(annotation).round_trip(value)
    again = make(annotation).decode(text)
    assert first == again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("make", [json_codec_for, output_codec_for])
def test_outside_it_is_plain_json(make: Any) -> None:
    assert make(list[DurableValue]).encode([1.5, {"a": None}]) == '[1.5,{"a":null}]'


def test_a_text_of_that_name_is_none() -> None:
    assert codec_for(Literal["DurableValue"]).round_trip("DurableValue") == ('"DurableValue"', "DurableValue")
