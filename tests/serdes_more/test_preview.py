"""What is shown of a value that is kept elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durably import FieldMatchMode, PreviewConfig, PreviewField, PreviewMode, ValidationError, build_preview

ALL, NONE = PreviewMode.INCLUDE_ALL, PreviewMode.EXCLUDE_ALL
ORDER = {
    "id": 7,
    "customer": {"name": "Ada", "email": "ada@example.org", "card": {"number": "4111", "month": 12}},
    "lines": [{"sku": "a", "price": 1.5}, {"sku": "b", "note": None}],
    "tags": ["x", "y"],
}


def at(path: str) -> PreviewField:
    return PreviewField(path, FieldMatchMode.PATH)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (PreviewConfig(ALL, exclude=["customer", "lines"]), {"id": 7}),
        (PreviewConfig(NONE, include=["id"]), {"id": 7}),
        (PreviewConfig(NONE), None),
        (
            PreviewConfig(NONE, include=[at("customer.name")], mask=["card"]),
            {"customer": {"name": "Ada", "card": "***"}},
        ),
        (PreviewConfig(NONE, include=["card"]), {"customer": {"card": {"number": "4111", "month": 12}}}),
        (PreviewConfig(NONE, include=["sku"]), {"lines": {"sku": "b"}}),
        (PreviewConfig(NONE, include=[at("name")]), None),
        (PreviewConfig(NONE, mask=["email", "id"], mask_string="?"), {"id": "?", "customer": {"email": "?"}}),
        (PreviewConfig(NONE, mask=["email"], exclude=["customer"]), None),
        (PreviewConfig(NONE, include=["id"], exclude=[at("id")]), None),
    ],
)
def test_rules(config: PreviewConfig, expected: Any) -> None:
    assert build_preview(ORDER, config) == expected


def test_a_preview_ends_where_there_is_no_more_room() -> None:
    value = {f"field{number}": "x" * 10 for number in range(1000)}
    preview = build_preview(value, PreviewConfig(ALL, max_preview_bytes=200))
    assert preview == {f"field{number}": "x" * 10 for number in range(len(preview or ()))}
    assert 150 < len(json.dumps(preview, separators=(",", ":"))) <= 200
    assert build_preview({"a": "x" * 5000}, PreviewConfig(ALL)) is None


def test_what_is_not_shown_is_not_looked_at() -> None:
    class Heavy(dict[str, Any]):
        def items(self) -> Any:
            raise AssertionError("looked at what is not shown")

    value = {f"a{number}": "x" * 100 for number in range(100)} | {"heavy": Heavy(a=1)}
    assert build_preview(value, PreviewConfig(ALL)) is not None
    with pytest.raises(AssertionError):
        build_preview(value, PreviewConfig(ALL, max_preview_bytes=100_000))


@dataclass
class Line:
    price: Decimal
    secret: str


@dataclass
class Order:
    day: date
    lines: list[Line]


class Model(pydantic.BaseModel):
    name: str
    secret: str


class Struct(msgspec.Struct):
    model: Model
    secret: bytes = b"s3cret"


def test_what_is_written_as_a_dictionary_is_shown_as_one() -> None:
    config = PreviewConfig(ALL, mask=["secret"])
    assert build_preview(Order(date(2026, 3, 1), [Line(Decimal("1.10"), "s3cret")]), config) == {
        "day": "2026-03-01",
        "lines": {"price": "1.10", "secret": "***"},
    }
    assert build_preview(Struct(Model(name="n", secret="s3cret")), config) == {
        "model": {"name": "n", "secret": "***"},
        "secret": "***",
    }
    assert build_preview({"nested": Line(Decimal(1), "s3cret")}, config) == {"nested": {"price": "1", "secret": "***"}}
    assert build_preview({"pair": (Line(Decimal(1), "s3cret"),)}, config) == {"pair": {"price": "1", "secret": "***"}}


@pytest.mark.parametrize("value", [None, 1, "text", [1], ({"a": 1},), object(), 1.5])
def test_what_is_none_has_no_preview(value: Any) -> None:
    assert build_preview(value, PreviewConfig(ALL)) is None


def test_a_preview_says_what_it_can() -> None:
    assert build_preview(
        {"a": object(), "b": float("inf"), "c": {1: 2}, "d.e": 3, "f": {1, 2}}, PreviewConfig(ALL)
    ) == {
        "a": "<object>",
        "b": "inf",
        "c": {"1": 2},
    }


def test_a_value_in_itself_has_an_end() -> None:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    assert build_preview(value, PreviewConfig(ALL)) is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PreviewConfig("INCLUDE_ALL"), "mode is 'INCLUDE_ALL'"),
        (lambda: PreviewConfig(ALL, exclude="email"), r"pass a list of fields, \['email'\]"),
        (lambda: PreviewConfig(ALL, include=5), "include is 5: pass a list of fields"),
        (lambda: PreviewConfig(ALL, exclude=None), "exclude is None: pass a list of fields"),
        (lambda: PreviewConfig(ALL, mask=[1]), r"PreviewField\('1'\)"),
        (lambda: PreviewConfig(ALL, mask_string=None), "mask_string is None"),
        (lambda: PreviewConfig(ALL, max_preview_bytes=0), "max_preview_bytes is 0"),
        (lambda: PreviewField(""), "name is ''"),
        (lambda: PreviewField("a", "PATH"), "match is 'PATH'"),
        (lambda: PreviewField("a.b"), "is a path"),
        (lambda: build_preview({}, {}), "pass a PreviewConfig"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


# ---- the same as the official SDK's -------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d.e", "email"])
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=4,
)
RULES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "email"]), st.just("ANYWHERE"))
    | st.tuples(st.sampled_from(["a", "a.b", "b.c", "a.b.c"]), st.just("PATH")),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of the first draw, on a busy machine
@given(TREES, st.sampled_from(PreviewMode), RULES, RULES, RULES, st.integers(2, 200))
def test_no_more_and_no_less_than_under_the_official_sdk(
    value: Any, mode: PreviewMode, include: Any, exclude: Any, mask: Any, size: int
) -> None:
    official = pytest.importorskip("aws_durable_execution_sdk_python.preview")

    def config(module: Any) -> Any:
        lists = [
            [module.PreviewField(name, module.FieldMatchMode(match)) for name, match in rules]
            for rules in (include, exclude, mask)
        ]
        return module.PreviewConfig(module.PreviewMode(mode.value), *lists, max_preview_bytes=size)

    import durably.preview

    assert build_preview(value, config(durably.preview)) == official.build_preview(value, config(official))


def test_lists_in_lists_are_shown_as_far_as_they_can_be() -> None:
    deep: Any = [{"far": 1}]
    for _ in range(5_000):
        deep = [deep]
    endless: Any = [{"near": 1}]
    endless += [endless, endless]
    preview = build_preview({"deep": deep, "endless": endless}, PreviewConfig(ALL))
    assert preview == {"endless": {"near": 1}}
