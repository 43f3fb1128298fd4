"""Declared values: the annotation decides, the text is plain JSON, and what does not fit is named at once."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, Optional, TypedDict, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.exceptions import SerDesError
from durably.serdes import codec_for, json_codec_for, round_trip

T = TypeVar("T")
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
ODD_ZONE = dt.timezone(dt.timedelta(minutes=53, seconds=28))


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Size(enum.Enum):
    HALF = 0.5


@dataclass
class Line:
    sku: str
    price: Decimal
    tags: set[str] = field(default_factory=set)


@dataclass
class Order:
    id: int
    lines: list[Line]
    when: dt.datetime | None = None
    extra: Any = None
    rate: float = 0.0


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Optional[Page[T]] = None  # noqa: UP045 - both spellings are to work


@dataclass(eq=False)
class Unequal:
    value: int
    rate: float = 0.0


@dataclass
class Tagged:
    t: str
    v: dict[str, int]


@dataclass
class Derived(Line):
    weight: int = 0


class Point(NamedTuple):
    x: int
    y: Decimal


class Address(TypedDict):
    city: str
    zip: NotRequired[str]


class Account(msgspec.Struct, rename="camel"):
    account_id: int
    opened_on: dt.date | None = None


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


class Opaque:
    pass


Sku = NewType("Sku", str)
LINE = Line("a", Decimal("1.50"), {"x"})

ROUND_TRIPS: list[tuple[Any, Any, str]] = [
    (int, 7, "7"),
    (int, 2**90, str(2**90)),
    (int, -(2**90), str(-(2**90))),
    (str, "grüße", '"grüße"'),
    (str, "\ud800", '"\\ud800"'),
    (bool, True, "true"),
    (float, -0.0, "-0.0"),
    (float, 1e300, "1e300"),
    (float, math.nan, '{"t":"f","v":"NaN"}'),
    (type(None), None, "null"),
    (None, None, "null"),
    (bytes, b"\x00\xff", '"AP8="'),
    (bytearray, bytearray(b"x"), '"eA=="'),
    (Decimal, Decimal("1.50"), '"1.50"'),
    (Decimal, Decimal("NaN"), '"NaN"'),
    (Decimal, Decimal("sNaN"), '"sNaN"'),
    (uuid.UUID, UUID, f'"{UUID}"'),
    (dt.date, dt.date(2026, 1, 2), '"2026-01-02"'),
    (dt.time, dt.time(1, 2, 3, 4), '"01:02:03.000004"'),
    (dt.timedelta, dt.timedelta(days=-1, microseconds=3), '"-PT86399.999997S"'),
    (dt.datetime, dt.datetime(2026, 1, 2), '"2026-01-02T00:00:00"'),  # noqa: DTZ001
    (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6, dt.UTC), '"2026-01-02T03:04:05.000006Z"'),
    (dt.datetime, dt.datetime(2026, 1, 2, tzinfo=ODD_ZONE), '{"t":"dt","v":"2026-01-02T00:00:00+00:53:28"}'),
    (Colour, Colour.RED, '"red"'),
    (Level, Level.HIGH, "1"),
    (Right, Right.READ | Right.WRITE, "3"),
    (Literal["a", "b"], "b", '"b"'),
    (list[int], [1, 2], "[1,2]"),
    (set[int], {1}, "[1]"),
    (set, {1}, "[1]"),
    (frozenset[tuple[int, str]], frozenset({(1, "a")}), '[[1,"a"]]'),
    (tuple[int, str], (1, "a"), '[1,"a"]'),
    (tuple[dt.date, ...], (dt.date(2026, 1, 2),), '["2026-01-02"]'),
    (tuple, (1, 2), "[1,2]"),
    (dict[str, int], {"a": 1}, '{"a":1}'),
    (dict[int, str], {1: "a"}, '{"1":"a"}'),
    (dict[tuple[int, str], int], {(1, "a"): 2}, '{"t":"M","v":[[{"t":"t","v":[1,"a"]},2]]}'),
    (dict[uuid.UUID, int], {UUID: 1}, f'{{"{UUID}":1}}'),
    (dict[Colour, Level], {Colour.RED: Level.HIGH}, '{"red":1}'),
    (dict[dt.date, list[Decimal]], {dt.date(2026, 1, 2): [Decimal("0.10")]}, '{"2026-01-02":["0.10"]}'),
    (dict[str, Any], {"a": [1, None]}, '{"a":[1,null]}'),
    (dict[str, Any], {"a": (1,)}, '{"t":"m","v":{"a":{"t":"t","v":[1]}}}'),
    (dict, {"a": dt.date(2026, 1, 2)}, '{"t":"m","v":{"a":{"t":"D","v":"2026-01-02"}}}'),
    (list[dict[str, Any]], [{"a": UUID}], f'{{"t":"l","v":[{{"t":"m","v":{{"a":{{"t":"u","v":"{UUID}"}}}}}}]}}'),
    (dict[str, float], {"a": math.inf}, '{"t":"m","v":{"a":{"t":"f","v":"Infinity"}}}'),
    (dict[str, str], {"t": "s", "v": "x"}, '{"t":"m","v":{"t":"s","v":"x"}}'),
    (Mapping[str, int], {"a": 1}, '{"a":1}'),
    (Sequence[int], [1], "[1]"),
    (int | None, None, "null"),
    (Optional[Line], LINE, '{"sku":"a","price":"1.50","tags":["x"]}'),  # noqa: UP045
    (int | str | None, "a", '"a"'),
    (Line, LINE, '{"sku":"a","price":"1.50","tags":["x"]}'),
    (
        Order,
        Order(1, [LINE], dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
        '{"id":1,"lines":[{"sku":"a","price":"1.50","tags":["x"]}],"when":"2026-01-02T00:00:00Z","extra":null,"rate":0.0}',
    ),
    (Page[Line], Page([LINE], Page([])), None),
    (Tagged, Tagged("m", {"a": 1}), '{"t":"m","v":{"t":"m","v":{"a":1}}}'),
    (Tagged, Tagged("no tag", {"a": 1}), '{"t":"no tag","v":{"a":1}}'),
    (Point, Point(1, Decimal("2.0")), '[1,"2.0"]'),
    (Address, {"city": "Bonn"}, '{"city":"Bonn"}'),
    (Account, Account(1, dt.date(2026, 1, 2)), '{"accountId":1,"openedOn":"2026-01-02"}'),
    (Circle | Square, Square(2.0), '{"type":"Square","side":2.0}'),
    (Sku, "x", '"x"'),
    (Annotated[int, "unit"], 3, "3"),
]


def same(value: Any, other: Any) -> bool:
    return repr(value) == repr(other) and type(value) is type(other)


@pytest.mark.parametrize(("annotation", "value", "text"), ROUND_TRIPS)
def test_a_value_comes_back_as_its_annotation_says(annotation: Any, value: Any, text: str | None) -> None:
    codec = codec_for(annotation)
    recorded, replayed = round_trip(codec, value)
    assert text is None or recorded == text
    assert same(replayed, value)
    assert same(codec.decode(recorded), value)
    assert codec.encode(value) == recorded
    json.loads(recorded, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_what_has_no_equality_or_holds_nan_comes_back_too() -> None:
    for value in (Unequal(1), Unequal(2**70, math.nan), Unequal(1, math.inf)):
        text, replayed = codec_for(Unequal).round_trip(value)
        assert type(replayed) is Unequal
        assert repr(vars(replayed)) == repr(vars(value)) == repr(vars(codec_for(Unequal).decode(text)))


def test_a_field_declared_any_keeps_what_json_has_no_word_for() -> None:
    order = Order(1, [LINE], extra={"at": dt.date(2026, 1, 2), "pair": (1, b"x")}, rate=math.nan)
    text, replayed = codec_for(Order).round_trip(order)
    assert same(replayed, order)
    assert same(codec_for(Order).decode(text), order)


def test_an_int_declared_float_is_a_float_from_the_first_run_on() -> None:
    assert same(codec_for(float).round_trip(1)[1], 1.0)
    assert same(codec_for(list[float]).round_trip([1])[1], [1.0])


def test_a_tuple_declared_sequence_is_a_list_from_the_first_run_on() -> None:
    assert codec_for(Sequence[int]).round_trip((1, 2)) == ("[1,2]", [1, 2])
    assert codec_for(dict[str, Sequence[int]]).round_trip({"a": (1,)}) == ('{"a":[1]}', {"a": [1]})


class TestReadingTheOfficialTree:
    """Payloads that the official SDK wrote for the same function."""

    @pytest.mark.parametrize(
        ("annotation", "text", "value"),
        [
            (dict[str, int], '{"t":"m","v":{"a":{"t":"i","v":1}}}', {"a": 1}),
            (tuple[int, int], '{"t":"t","v":[{"t":"i","v":1},{"t":"i","v":2}]}', (1, 2)),
            (bytes, '{"t":"B","v":"AP8="}', b"\x00\xff"),
            (uuid.UUID, f'{{"t":"u","v":"{UUID}"}}', UUID),
            (Decimal, '{"t":"d","v":"1.50"}', Decimal("1.50")),
            (dt.datetime, '{"t":"dt","v":"2026-01-02T00:00:00+00:00"}', dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
            (dt.date, '{"t":"D","v":"2026-01-02"}', dt.date(2026, 1, 2)),
            (Address, '{"t":"m","v":{"city":{"t":"s","v":"Bonn"}}}', {"city": "Bonn"}),
            (float, "NaN", math.nan),
            (list[float], "[Infinity]", [math.inf]),
            (
                Order,
                '{"t":"m","v":{"id":{"t":"i","v":3},"lines":{"t":"l","v":[{"t":"m","v":{"sku":{"t":"s","v":"a"},'
                '"price":{"t":"d","v":"1.50"},"tags":{"t":"l","v":[{"t":"s","v":"x"}]}}}]}}}',
                Order(3, [LINE]),
            ),
        ],
    )
    def test_is_converted_to_the_annotation(self, annotation: Any, text: str, value: Any) -> None:
        assert same(codec_for(annotation).decode(text), value)

    def test_another_programs_object_that_looks_like_a_tag_is_read_as_declared(self) -> None:
        assert codec_for(Tagged).decode('{"t":"m","v":{"a":1}}') == Tagged("m", {"a": 1})

    def test_but_never_at_the_boundary(self) -> None:
        assert json_codec_for(Tagged).decode('{"t":"m","v":{"a":1}}') == Tagged("m", {"a": 1})
        assert json_codec_for(Tagged).encode(Tagged("m", {"a": 1})) == '{"t":"m","v":{"a":1}}'
        with pytest.raises(SerDesError):
            json_codec_for(dict[str, int]).decode('{"t":"m","v":{"a":1}}')


BAD_VALUES: list[tuple[Any, Any, str]] = [
    (int, "7", r"\$ is of type str \('7'\), but the annotation says int"),
    (int, True, r"\$ is of type bool \(True\), which cannot be written as int: Expected `int`, got `bool`"),
    (str, dt.date(2026, 1, 2), r"\$ is of type date .*but the annotation says str"),
    (None, 3, r"\$ is of type int \(3\), but the annotation says None"),
    (Decimal, 0.1, r"\$ is of type float \(0\.1\), but the annotation says Decimal"),
    (dt.date, dt.datetime(2026, 1, 2), r"\$ is of type datetime .*as date"),  # noqa: DTZ001
    (list[int], (1, 2), r"\$ is of type tuple \(\(1, 2\)\), but the annotation says list\[int\]"),
    (dict[str, int], {"a": 1, "b": "x"}, r"\$\.b is of type str \('x'\), but the annotation says int"),
    (dict[str, Any], [1], r"\$ is of type list \(\[1\]\), but the annotation says dict\[str, Any\]"),
    (dict[str, Any], {"a": {1, 2}}, r"\$\.a is of type set: annotate"),
    (dict[str, list[Any]], {"a": [object()]}, r"\$\.a\[0\] is of type object .*no recorded form"),
    (list[Line], [LINE, Line("b", "2")], r"\$\[1\]\.price is of type str \('2'\), but the annotation says Decimal"),
    (Order, Order(1, [LINE] * 3 + [Line("b", None)]), r"\$\.lines\[3\]\.price is of type NoneType"),
    (Order, Order(1, [], extra={"x": {1}}), r"\$\.extra\.x is of type set: annotate"),
    (Order, {"id": 1, "lines": []}, r"\$ is of type dict .*but the annotation says Order"),
    (Line, Derived("a", Decimal(1)), r"\$ is of type Derived .*would come back as a Line: annotate Derived"),
    (list[Line], [Derived("a", Decimal(1))], r"\$\[0\] is of type Derived .*annotate Derived"),
    (Line | None, 3, r"\$ is of type int \(3\), but the annotation says Line \| None"),
    (Line | None, Line("a", 1.1), r"\$\.price is of type float"),
    (Page[Line], Page([LINE, 3]), r"\$\.items\[1\] is of type int \(3\), but the annotation says Line"),
    (Address, {"city": "Bonn", "street": "x"}, r"\$ has the key 'street', which Address does not declare"),
    (Address, {"zip": "1"}, r"\$ lacks the key 'city', which Address requires"),
    (Address, {"city": 5}, r"\$\.city is of type int \(5\), but the annotation says str"),
    (Address, [1], r"\$ is of type list .*TypedDict Address"),
    (list[Address], [{"city": "a"}, {"city": "a", "zip": 1}], r"\$\[1\]\.zip is of type int"),
    (Point, Point(1, "x"), r"\$\.y is of type str"),
    (tuple[int, str], (1, 2), r"\$\[1\] is of type int \(2\), but the annotation says str"),
    (tuple[int, str], (1,), r"\$ is of type tuple"),
    (Account, Account("x"), r"\$\.account_id is of type str"),
    (Colour, "red", r"\$ is of type str \('red'\), but the annotation says Colour"),
    (Literal["a"], "b", r"\$ is of type str \('b'\)"),
    (Opaque, Opaque(), r"make it a dataclass, a Pydantic model or a msgspec Struct, or pass a serdes"),
    (list[int], (number for number in [1]), "can be read only once: return list"),
    (Iterator[int], iter([1]), "can be read only once: return list"),
    (Callable[[], int], len, "pass a serdes"),
]


@pytest.mark.parametrize(("annotation", "value", "message"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_named_with_path_and_type(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        codec_for(annotation).encode(value)


def test_a_circle_of_dataclasses_is_named() -> None:
    page: Page[int] = Page([1])
    page.next = page
    with pytest.raises(SerDesError, match="contains itself"):
        codec_for(Page[int]).encode(page)


@pytest.mark.parametrize("bad", [math.nan, {"rate": math.inf}])
def test_nan_has_no_place_at_the_boundary(bad: Any) -> None:
    with pytest.raises(SerDesError):
        json_codec_for(float if isinstance(bad, float) else dict[str, float | None]).encode(bad)


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (
            Order,
            '{"id":1,"lines":[{"sku":"a","price":"1"},{"sku":"b","price":"x"}]}',
            r"the JSON does not fit Order: \$\.lines\[1\]\.price: Invalid decimal string, the value is 'x'",
        ),
        (Order, '{"id":1}', r"\$: Object missing required field `lines`, the value is \{'id': 1\}"),
        (Account, '{"accountId":"x"}', r"\$\.accountId: Expected `int`, got `str`"),
        (dict[str, list[int]], '{"k":[1,2,"x"]}', r"\$\.k\[2\]: Expected `int`, got `str`"),
        (dict[int, int], '{"x":1}', r"\$: Expected `int`, got `str`"),
        (int | None, '"x"', r"\$: Expected `int \| null`, got `str`"),
        (Colour, '"blue"', r"\$: Invalid enum value 'blue'"),
        (Order, "nope", "this is not JSON: 'nope'"),
        (Order, "[]", r"\$: Expected `object`, got `array`, the value is \[\]"),
        (Order, '{"t":"m","v":{"id":{"t":"s","v":"x"},"lines":[]}}', r"\$\.id: Expected `int`, got `str`"),
        (Decimal, '{"t":"d","v":"abc"}', r"\$ has the type tag 'd'"),
    ],
)
def test_json_that_does_not_fit_is_named_with_its_path(annotation: Any, text: str, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        codec_for(annotation).decode(text)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (Decimal | str, "could not be told apart: make them msgspec Structs with tag=True"),
        (Line | Order, "could not be told apart"),
        (list[set[int] | list[int]], "could not be told apart"),
        (Size, r"Give the enum str or int values, or return member\.name"),
        ("Order", "only the name of a type"),
    ],
)
def test_an_annotation_without_a_codec_is_refused_with_a_remedy(annotation: Any, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        codec_for(annotation)


@pytest.mark.parametrize("annotation", [Any, object, T, typing.NoReturn])
def test_annotations_that_say_nothing_leave_it_to_the_value(annotation: Any) -> None:
    assert codec_for(annotation).encode((1,)) == '{"t":"t","v":[1]}'


def test_codecs_are_kept() -> None:
    assert codec_for(list[Line]) is codec_for(list[Line])
    assert codec_for(list[Line]) is not json_codec_for(list[Line])
    assert codec_for(Annotated[int, ["unhashable"]]).encode(1) == "1"


orders = st.builds(
    Order,
    st.integers(),
    st.lists(
        st.builds(Line, st.text(), st.decimals(allow_nan=False), st.sets(st.text(max_size=3), max_size=3)), max_size=3
    ),
    # The second occurrence of an hour (fold) is the one thing about a naive datetime that no ISO text says.
    st.none() | st.datetimes(timezones=st.none() | st.just(dt.UTC)).map(lambda when: when.replace(fold=0)),
    st.none() | st.dates() | st.lists(st.integers()).map(tuple) | st.dictionaries(st.text(max_size=2), st.binary()),
    st.floats(),
)


@given(orders)
def test_every_order_comes_back(order: Order) -> None:
    text, replayed = codec_for(Order).round_trip(order)
    again = codec_for(Order).decode(text)
    for other in (replayed, again):
        assert [line.tags for line in other.lines] == [line.tags for line in order.lines]
        assert repr([line.price for line in other.lines]) == repr([line.price for line in order.lines])
        assert repr((other.id, other.when, other.extra, other.rate)) == repr(
            (order.id, order.when, order.extra, order.rate)
        )


@given(st.timedeltas(), st.times().map(lambda clock: clock.replace(fold=0)), st.dictionaries(st.uuids(), st.dates()))
def test_times_come_back(span: dt.timedelta, clock: dt.time, dates: dict[uuid.UUID, dt.date]) -> None:
    assert codec_for(dt.timedelta).round_trip(span)[1] == span
    assert codec_for(dt.time).round_trip(clock)[1] == clock
    assert codec_for(dict[uuid.UUID, dt.date]).round_trip(dates)[1] == dates


@dataclass
class Incomparable:
    """As columns of numbers are: comparing them gives no yes or no, or fails."""

    numbers: list[int]
    answer: Any = None

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("which of them?")


@pytest.mark.parametrize("make", [codec_for, json_codec_for])
def test_values_that_cannot_be_compared_come_back(make: Any) -> None:
    text, back = make(list[Incomparable]).round_trip([Incomparable([1, 2])])
    assert text == '[{"numbers":[1,2],"answer":null}]'
    assert back[0].numbers == [1, 2]


@pytest.mark.parametrize("make", [codec_for, json_codec_for])
def test_without_an_annotation_too(make: Any) -> None:
    class Odd(dict[str, int]):
        def __eq__(self, other: object) -> bool:
            raise ArithmeticError("which of them?")

    assert make().encode(Odd(a=1)) == '{"a":1}'
