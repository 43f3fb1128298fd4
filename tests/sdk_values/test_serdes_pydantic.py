"""Pydantic models, alone, in containers and inside dataclasses."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, computed_field

from durably.exceptions import SerDesError
from durably.serdes import codec_for, json_codec_for

T = TypeVar("T")


class Line(BaseModel):
    sku: str
    price: Decimal = Decimal("1.10")


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: int
    lines: list[Line] = []
    at: dt.datetime | None = None
    customer: str = Field(default="", alias="customerName")
    _cache: dict[str, int] = PrivateAttr(default_factory=dict)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def total(self) -> Decimal:
        return sum((line.price for line in self.lines), Decimal(0))


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


class Envelope(BaseModel, Generic[T]):
    body: T


class Tagged(BaseModel):
    t: str
    v: dict[str, int]


class Skus(RootModel[list[str]]):
    pass


class Special(Line):
    discount: Decimal


class Rate(BaseModel):
    rate: float | None


@dataclass
class Shipment:
    order: Order
    weights: dict[dt.date, Decimal]
    note: Line | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
ORDER = Order(id=1, lines=[Line(sku="a")], at=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), customerName="Ada")


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (
            Order,
            ORDER,
            '{"id":1,"lines":[{"sku":"a","price":"1.10"}],"at":"2026-01-02T00:00:00Z","customerName":"Ada"}',
        ),
        (list[Line], [Line(sku="a")], '[{"sku":"a","price":"1.10"}]'),
        (Line | None, None, "null"),
        (dict[dt.date, Line], {dt.date(2026, 1, 2): Line(sku="a")}, '{"2026-01-02":{"sku":"a","price":"1.10"}}'),
        (Cat | Dog, Dog(tricks=["sit"]), '{"kind":"dog","tricks":["sit"]}'),
        (list[Pet], [Cat(), Dog()], '[{"kind":"cat","lives":9},{"kind":"dog","tricks":[]}]'),
        (Envelope[Line], Envelope[Line](body=Line(sku="a")), '{"body":{"sku":"a","price":"1.10"}}'),
        (Skus, Skus(["a"]), '["a"]'),
        (Tagged, Tagged(t="m", v={"a": 1}), '{"t":"m","v":{"t":"m","v":{"a":1}}}'),
        (Tagged, Tagged(t="no tag", v={}), '{"t":"no tag","v":{}}'),
        (
            Shipment,
            Shipment(Order(id=2), {dt.date(2026, 1, 2): Decimal("0.5")}, Line(sku="b")),
            '{"order":{"id":2,"lines":[],"at":null,"customerName":""},"weights":{"2026-01-02":"0.5"},'
            '"note":{"sku":"b","price":"1.10"}}',
        ),
    ],
)
def test_models_come_back(annotation: Any, value: Any, text: str) -> None:
    codec = codec_for(annotation)
    recorded, replayed = codec.round_trip(value)
    assert recorded == text
    assert replayed == value
    assert type(replayed) is type(value)
    assert codec.decode(recorded) == value
    assert replayed is not value or value is None


def test_private_attributes_are_a_cache_and_stay_behind() -> None:
    order = Order(id=1)
    order._cache["x"] = 1
    _, replayed = codec_for(Order).round_trip(order)
    assert replayed._cache == {}


class Scan(BaseModel):
    model_config = ConfigDict(extra="allow")
    image: bytes = b""
    sharpness: list[float] = []
    parts: set[int] = set()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Rate, Rate(rate=math.nan)),
        (Scan, Scan(image=b"\xff\x00", parts={1, 2})),
        (list[Scan], [Scan(image=b"\xff"), Scan(sharpness=[math.inf, math.nan])]),
        (dict[str, Scan], {"a": Scan(taken=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), by=Decimal("1.10"))}),
    ],
)
def test_what_json_has_no_word_for_comes_back(annotation: Any, value: Any) -> None:
    codec = codec_for(annotation)
    text, back = codec.round_trip(value)
    assert repr(back) == repr(codec.decode(text)) == repr(value)


def test_what_a_model_holds_beyond_its_fields_is_not_changed() -> None:
    with pytest.raises(SerDesError, match=r"\$\.note\.price is Decimal.*and would come back as '1.10'"):
        codec_for(Scan).encode(Scan(note=Line(sku="a")))


class Account(BaseModel):
    name: str
    password: str = Field(default="", exclude=True)


def test_a_field_that_is_left_out_may_not_be_lost_in_a_record_but_is_not_for_others() -> None:
    account = Account(name="ada", password="secret")
    assert json_codec_for(list[Account]).encode([account]) == '[{"name":"ada"}]'
    with pytest.raises(SerDesError, match=r"\$\.password is 'secret'"):
        codec_for(Account).encode(account)


def test_for_other_programs_it_is_json_as_pydantic_writes_it() -> None:
    taken = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    text = json_codec_for(Scan).encode(Scan(taken=taken))
    assert '"taken":"2026-01-02T00:00:00Z"' in text
    with pytest.raises(SerDesError, match=r"\$\.rate is nan \(float\), and would come back as None"):
        json_codec_for(Rate).encode(Rate(rate=math.nan))


def test_the_official_tree_is_read() -> None:
    text = '{"t":"m","v":{"sku":{"t":"s","v":"a"},"price":{"t":"d","v":"2.50"}}}'
    assert codec_for(Line).decode(text) == Line(sku="a", price=Decimal("2.50"))


def test_at_the_boundary_objects_are_taken_at_their_word() -> None:
    codec = json_codec_for(Tagged)
    assert codec.encode(Tagged(t="m", v={})) == '{"t":"m","v":{}}'
    assert codec.decode('{"t":"m","v":{}}') == Tagged(t="m", v={})
    assert json_codec_for().encode({"order": ORDER.lines}) == '{"order":[{"sku":"a","price":"1.10"}]}'


def test_undeclared_models_ask_for_an_annotation() -> None:
    with pytest.raises(SerDesError, match=r"\$\.line is of type Line .*annotate the function's return type"):
        codec_for().encode({"line": Line(sku="a")})


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (Line, {"sku": "a"}, r"\$ is \{'sku': 'a'\} \(dict\), and would come back as Line"),
        (Line, Special(sku="a", discount=Decimal(1)), r"\$ is Special\(.*\(Special\), and would come back as Line"),
        (list[Line], [Line(sku="a"), Special(sku="a", discount=Decimal(1))], r"\$\[1\] is Special"),
        (
            Line,
            Line.model_construct(sku=5),
            r"Line does not read back what it writes: .*\$\.sku: Input should be a valid",
        ),
        (Shipment, Shipment(Order.model_construct(id="x"), {}), r"\$\.order"),
    ],
)
def test_a_value_that_does_not_fit_is_named(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        codec_for(annotation).encode(value)


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (
            Order,
            '{"id":"x","lines":[{"sku":1}]}',
            r"\$\.id: Input should be a valid integer.*; \$\.lines\[0\]\.sku: Input",
        ),
        (Order, '{"id":1,"nope":2}', r"\$\.nope: Extra inputs are not permitted, got 2"),
        (Order, "nope", "Invalid JSON"),
        (Shipment, '{"order":{"id":"x"},"weights":{}}', r"\$\.order\.id: Expected `int`, got `str`"),
    ],
)
def test_json_that_does_not_fit_is_named(annotation: Any, text: str, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        codec_for(annotation).decode(text)


def test_pydantic_is_not_needed_where_nobody_uses_it() -> None:
    script = (
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}; sys.modules['pydantic'] = None\n"
        "from dataclasses import dataclass\n"
        "from durably.serdes import codec_for\n"
        "@dataclass\n"
        "class Order:\n    id: int\n"
        "print(codec_for(Order).round_trip(Order(1)), codec_for().encode((1,)))\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == """('{"id":1}', Order(id=1)) {"t":"t","v":[1]}"""
