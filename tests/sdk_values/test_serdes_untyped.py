"""Values that nobody declared: plain JSON exactly when that says everything, the least tags otherwise."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import functools
import json
import math
import subprocess
import sys
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.concurrency import BatchItem, BatchResult, CompletionReason
from durably.config import BatchItemStatus
from durably.exceptions import RetryableSerDesError, SerDesError
from durably.serdes import (
    DefaultSerDes,
    ExtendedTypeSerDes,
    JsonSerDes,
    PassThroughSerDes,
    SerDes,
    SerDesCodec,
    SerDesContext,
    codec_for,
    json_codec_for,
    round_trip,
)

UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
CODEC = codec_for()

# Written once by the official SDK 3.0.0.
OFFICIAL = [
    (None, "null"),
    ("text", '"text"'),
    (True, "true"),
    (7, "7"),
    (1.5, "1.5"),
    (2**80, "1208925819614629174706176"),
    (math.nan, "NaN"),
    (math.inf, "Infinity"),
    ([1, "a", None], '[1,"a",null]'),
    ({"a": 1}, '{"t":"m","v":{"a":{"t":"i","v":1}}}'),
    ({}, '{"t":"m","v":{}}'),
    ((1, 2), '{"t":"t","v":[{"t":"i","v":1},{"t":"i","v":2}]}'),
    (
        [(1,), {"b": b"\x00\xff"}],
        '{"t":"l","v":[{"t":"t","v":[{"t":"i","v":1}]},{"t":"m","v":{"b":{"t":"B","v":"AP8="}}}]}',
    ),
    (b"bytes", '{"t":"B","v":"Ynl0ZXM="}'),
    (UUID, '{"t":"u","v":"12345678-1234-5678-1234-567812345678"}'),
    (Decimal("1.50"), '{"t":"d","v":"1.50"}'),
    (dt.datetime(2026, 1, 2, 3, 4, 5, 6), '{"t":"dt","v":"2026-01-02T03:04:05.000006"}'),  # noqa: DTZ001
    (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), '{"t":"dt","v":"2026-01-02T00:00:00+00:00"}'),
    (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), '{"t":"dt","v":"2026-01-02T00:00:00Z"}'),
    (dt.date(2026, 1, 2), '{"t":"D","v":"2026-01-02"}'),
    (
        {
            "order": {
                "id": 7,
                "lines": [{"sku": "x", "price": Decimal("9.99")}],
                "paid": True,
                "note": None,
                "rate": 0.5,
            }
        },
        '{"t":"m","v":{"order":{"t":"m","v":{"id":{"t":"i","v":7},"lines":{"t":"l","v":[{"t":"m","v":{"sku":{"t":"s",'
        '"v":"x"},"price":{"t":"d","v":"9.99"}}}]},"paid":{"t":"b","v":true},"note":{"t":"n","v":null},'
        '"rate":{"t":"f","v":0.5}}}}}',
    ),
    ({"t": "n", "v": None}, '{"t":"m","v":{"t":{"t":"s","v":"n"},"v":{"t":"n","v":null}}}'),
    ("\ud800", '"\\ud800"'),
    (
        BatchResult([BatchItem(0, BatchItemStatus.SUCCEEDED, (1,))], CompletionReason.ALL_COMPLETED),
        '{"t":"br","v":{"all":{"t":"l","v":[{"t":"m","v":{"index":{"t":"i","v":0},"status":{"t":"s","v":"SUCCEEDED"},'
        '"result":{"t":"t","v":[{"t":"i","v":1}]},"error":{"t":"n","v":null}}}]},'
        '"completionReason":{"t":"s","v":"ALL_COMPLETED"}}}',
    ),
]

# What we write. All but the last group (plain dicts and lists of them, which its reader refuses at the root) was read
# back by the official SDK 3.0.0 as the same value.
OURS = [
    (None, "null"),
    (True, "true"),
    (-7, "-7"),
    (2**64, "18446744073709551616"),
    (-(2**80), "-1208925819614629174706176"),
    (0.1, "0.1"),
    (-0.0, "-0.0"),
    ("grüße", '"grüße"'),
    ("\ud800", '"\\ud800"'),
    ([1, ["a", None]], '[1,["a",null]]'),
    (math.nan, '{"t":"f","v":"NaN"}'),
    (-math.inf, '{"t":"f","v":"-Infinity"}'),
    ((1, 2), '{"t":"t","v":[1,2]}'),
    ([(1,), {"b": b"\x00\xff"}], '{"t":"l","v":[{"t":"t","v":[1]},{"t":"m","v":{"b":{"t":"B","v":"AP8="}}}]}'),
    (b"bytes", '{"t":"B","v":"Ynl0ZXM="}'),
    (UUID, '{"t":"u","v":"12345678-1234-5678-1234-567812345678"}'),
    (Decimal("1.50"), '{"t":"d","v":"1.50"}'),
    (dt.datetime(2026, 1, 2, 3, 4, 5, 6), '{"t":"dt","v":"2026-01-02T03:04:05.000006"}'),  # noqa: DTZ001
    (dt.date(2026, 1, 2), '{"t":"D","v":"2026-01-02"}'),
    (
        {"order": {"id": 7, "lines": [{"sku": "x", "price": Decimal("9.99")}], "deep": [[{"t": 1}]], "rate": 0.5}},
        '{"t":"m","v":{"order":{"t":"m","v":{"id":7,"lines":{"t":"l","v":[{"t":"m","v":{"sku":"x","price":{"t":"d",'
        '"v":"9.99"}}}]},"deep":[[{"t":1}]],"rate":0.5}}}}',
    ),
    ({"t": "n", "v": None}, '{"t":"m","v":{"t":"n","v":null}}'),
    (
        {"x": {"t": "zz", "v": 1}, "y": (None, "a")},
        '{"t":"m","v":{"x":{"t":"m","v":{"t":"zz","v":1}},"y":{"t":"t","v":[null,"a"]}}}',
    ),
    ([{"t": "s", "v": 1, "w": 2}, b""], '{"t":"l","v":[{"t":"m","v":{"t":"s","v":1,"w":2}},{"t":"B","v":""}]}'),
    # plain
    ({"id": 7, "lines": [{"sku": "x"}]}, '{"id":7,"lines":[{"sku":"x"}]}'),
    ({"a": {"t": "n", "v": None}}, '{"a":{"t":"n","v":null}}'),
]


def exactly(value: Any, other: Any) -> bool:
    """Equal, of the same types, all the way down."""
    if type(value) is not type(other):
        return False
    if isinstance(value, (list, tuple)):
        return len(value) == len(other) and all(map(exactly, value, other))
    if isinstance(value, dict):
        return list(value) == list(other) and all(exactly(value[key], other[key]) for key in value)
    if isinstance(value, float):
        return repr(value) == repr(other)
    if isinstance(value, Decimal):
        return value.as_tuple() == other.as_tuple()
    if isinstance(value, dt.datetime):
        return value.isoformat() == other.isoformat()
    return bool(value == other)


@pytest.mark.parametrize(("value", "text"), OFFICIAL)
def test_what_the_official_sdk_wrote_is_read(value: Any, text: str) -> None:
    assert exactly(CODEC.decode(text), value)


@pytest.mark.parametrize(("value", "text"), OURS)
def test_what_we_write(value: Any, text: str) -> None:
    assert CODEC.encode(value) == text
    assert exactly(CODEC.decode(text), value)
    recorded, replayed = round_trip(CODEC, value)
    assert recorded == text
    assert exactly(replayed, value)


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None)),
    st.binary(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    st.dates(),
)
keys = st.text(max_size=3) | st.sampled_from(["t", "v", "n", "s", "m"])
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=15,
)


@given(values)
def test_every_value_comes_back_exactly(value: Any) -> None:
    text, replayed = CODEC.round_trip(value)
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert exactly(replayed, value)
    assert exactly(CODEC.decode(text), value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(plain.filter(lambda value: not (isinstance(value, dict) and {"t", "v"} <= value.keys())))
def test_plain_values_are_plain_json(value: Any) -> None:
    assert exactly(json.loads(CODEC.encode(value)), value)


@given(values)
def test_a_replayed_value_shares_nothing_with_the_first(value: Any) -> None:
    _, replayed = CODEC.round_trip(value)
    if isinstance(value, (list, dict)):
        assert replayed is not value


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 1


class Status(enum.StrEnum):
    PAID = "paid"


@dataclass
class Order:
    id: int


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "replayed"),
    [
        (Status.PAID, "paid"),
        (Level.HIGH, 1),
        ({"status": Status.PAID, Status.PAID: (Level.HIGH,)}, {"status": "paid", "paid": (1,)}),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.defaultdict(list, a=[(1,)]), {"a": [(1,)]}),
        (Point(1, 2), (1, 2)),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
    ],
)
def test_subclasses_of_json_types_become_their_base_in_the_first_run_too(value: Any, replayed: Any) -> None:
    text, back = CODEC.round_trip(value)
    assert exactly(back, replayed)
    assert exactly(CODEC.decode(text), replayed)


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", 2: "b"},
        {"a": {1.5: [{None: 1}]}},
        {True: 1, False: (0,)},
        {(1, "x"): {dt.date(2026, 1, 2): Decimal("1.5")}},
        {"t": 1, 7: {"t": "M", "v": []}},
        {uuid.UUID(int=5): b"x"},
    ],
)
def test_keys_that_are_no_strings_come_back(value: Any) -> None:
    text, back = CODEC.round_trip(value)
    assert exactly(back, value)
    assert exactly(CODEC.decode(text), value)


@pytest.mark.parametrize("text", ['{"t":"M","v":[1]}', '{"t":"M","v":[[[1],2]]}', '{"t":"M","v":[[1,2,3]]}'])
def test_pairs_that_are_none_are_an_error(text: str) -> None:
    with pytest.raises(SerDesError, match="type tag 'M'"):
        CODEC.decode(text)


def circle() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


def chain(depth: int, end: Any = None) -> Any:
    return functools.reduce(lambda inner, _: [inner], range(depth), end)


async def coroutine() -> None: ...


BAD: list[tuple[Any, str]] = [
    ({1, 2}, r"\$ is of type set: annotate the function's return type \(e\.g\. -> set\[str\]\), or use a list"),
    ({"a": [frozenset()]}, r"\$\.a\[0\] is of type frozenset"),
    (
        {"items": [1, {"price": Colour.RED}]},
        r"\$\.items\[1\]\.price is of type Colour .*annotate the function's return",
    ),
    ([Order(1)], r"\$\[0\] is of type Order \(.*Order\(id=1\)\): annotate the function's return type"),
    (dt.timedelta(1), r"\$ is of type timedelta .*annotate"),
    ({"at": dt.time(1)}, r"\$\.at is of type time .*annotate"),
    ({"a b": object()}, r"\$\['a b'\] is of type object .*no recorded form: return plain data, or pass a serdes"),
    ({"a": {Colour.RED: 2}}, r"\$\.a is a dict with the key .*RED.* \(Colour\).*-> dict\[Colour, \.\.\.\]"),
    ({1: object()}, r"\$\.?\[?'?1.* is of type object"),
    ([1 + 2j], r"\$\[0\] is of type complex"),
    ((number for number in [1]), "can be read only once: return list"),
    (ValueError("x"), r"\$ is of type ValueError"),
    (len, r"\$ is of type builtin_function_or_method"),
    (circle(), r"\$\[0\]\.again contains itself"),
    (chain(100_000), r"\$(\[0\])+ \.\.\. (\[0\])+ is nested more than 200 levels deep"),
    (chain(201, ()), "is nested more than 200 levels deep"),
    ([2**20_000], r"\$\[0\] is an int of 20001 bits"),
]


@pytest.mark.parametrize(("value", "message"), BAD, ids=lambda part: part[:20] if isinstance(part, str) else "")
def test_what_cannot_be_restored_is_an_error_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        CODEC.encode(value)


def test_a_forgotten_await_is_named_without_a_stray_warning() -> None:
    with pytest.raises(SerDesError, match=r"\$\.a is of type coroutine that was not awaited: await it"):
        CODEC.encode({"a": coroutine()})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON: ''"),
        ("{nope", "this is not JSON: '{nope'"),
        ('{"t":"d","v":"abc"}', r"\$ has the type tag 'd', and 'abc' cannot be read as one"),
        ('{"t":"l","v":[{"t":"u","v":"x"}]}', r"\$\[0\] has the type tag 'u'"),
        ('{"t":"m","v":{"a":{"t":"B","v":"@"}}}', r"\$\.a has the type tag 'B'"),
        ('{"t":"l","v":[' * 5000 + "]}" * 5000, "nested too deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
    ],
)
def test_what_cannot_be_read_is_an_error(text: str, message: str) -> None:
    with pytest.raises(SerDesError, match=message):
        CODEC.decode(text)


@pytest.mark.parametrize("text", ['{"t":"zz","v":1}', '{"t":"l","v":1}', '{"t":1,"v":1}', '{"t":"s","v":"x","w":1}'])
def test_an_object_that_only_resembles_a_tag_is_an_object(text: str) -> None:
    assert CODEC.decode(text) == json.loads(text)


class TestJsonCodec:
    """For what leaves the execution: usual JSON, and objects taken at their word."""

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (dt.date(2026, 1, 2), '"2026-01-02"'),
            ({"at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "n": None}, '{"at":"2026-01-02T00:00:00Z","n":null}'),
            (Decimal("1.50"), '"1.50"'),
            (b"bytes", '"Ynl0ZXM="'),
            ((1, {2}), "[1,[2]]"),
            (Colour.RED, '"red"'),
            (Order(1), '{"id":1}'),
            ({1: 2}, '{"1":2}'),
            ({"t": "n", "v": None}, '{"t":"n","v":null}'),
            ("\ud800", '"\\ud800"'),
            ({"a": 2**80, "b": None}, '{"a":1208925819614629174706176,"b":null}'),
        ],
    )
    def test_writes(self, value: Any, text: str) -> None:
        assert json_codec_for().encode(value) == text
        assert json_codec_for().round_trip(value) == (text, json.loads(text))

    def test_never_untags(self) -> None:
        assert json_codec_for().decode('{"t":"d","v":"1"}') == {"t": "d", "v": "1"}

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (math.nan, r"\$ is nan, which JSON has no word for: use None or a string"),
            ({"a": [None, math.inf]}, r"\$\.a\[1\] is inf"),
            ({"a": [object()]}, r"\$\.a\[0\] is of type object"),
            ({(1, 2): 3}, r"\$ is a dict whose keys cannot be written as strings"),
            (circle(), "contains itself"),
            (chain(100_000), "nested too deep"),
        ],
    )
    def test_errors_name_the_path(self, value: Any, message: str) -> None:
        with pytest.raises(SerDesError, match=message):
            json_codec_for().encode(value)


class TestSerDes:
    context = SerDesContext("op", "arn")

    def test_context_is_a_value(self) -> None:
        assert self.context == SerDesContext(operation_id="op", durable_execution_arn="arn")
        assert SerDesContext().operation_id == ""

    def test_json(self) -> None:
        serdes = JsonSerDes[Any]()
        assert serdes.serialize({"a": (1, 2)}, self.context) == '{"a":[1,2]}'
        assert serdes.deserialize('{"a":[1,2]}', self.context) == {"a": [1, 2]}
        with pytest.raises(SerDesError, match="JsonSerDes cannot write a float"):
            serdes.serialize(math.nan, self.context)
        with pytest.raises(SerDesError, match="JsonSerDes cannot write a set"):
            serdes.serialize({1}, self.context)
        with pytest.raises(SerDesError, match="JsonSerDes cannot read 'nope'"):
            serdes.deserialize("nope", self.context)

    def test_pass_through(self) -> None:
        serdes = PassThroughSerDes[Any]()
        assert serdes.serialize("<xml/>", self.context) == "<xml/>"
        assert serdes.deserialize("<xml/>", self.context) == "<xml/>"
        with pytest.raises(SerDesError, match=r"PassThroughSerDes takes a str, not a dict: \{\}"):
            serdes.serialize({}, self.context)

    def test_default(self) -> None:
        assert ExtendedTypeSerDes is DefaultSerDes
        serdes = DefaultSerDes()
        assert serdes.deserialize(serdes.serialize((1,), self.context), self.context) == (1,)
        assert DefaultSerDes(set[int]).deserialize("[1,2]", self.context) == {1, 2}

    def test_as_a_codec_it_is_given_its_context(self) -> None:
        seen = []

        class Mine(SerDes[int]):
            def serialize(self, value: int, serdes_context: SerDesContext) -> str:
                seen.append(serdes_context)
                return hex(value)

            def deserialize(self, data: str, serdes_context: SerDesContext) -> int:
                seen.append(serdes_context)
                return int(data, 16)

        codec = SerDesCodec(Mine(), self.context)
        assert round_trip(codec, 255) == ("0xff", 255)
        assert seen == [self.context, self.context]

    def test_what_it_raises_is_classified(self) -> None:
        class Broken(SerDes[Any]):
            def serialize(self, value: Any, serdes_context: SerDesContext) -> Any:
                if isinstance(value, Exception):
                    raise value
                return value

            def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:
                raise KeyError(data)

        codec = SerDesCodec(Broken(), self.context)
        with pytest.raises(
            SerDesError, match=r"Broken\.serialize\(\) failed on a ZeroDivisionError: ZeroDivisionError: x"
        ):
            codec.encode(ZeroDivisionError("x"))
        with pytest.raises(SerDesError, match=r"Broken\.deserialize\(\) failed on 'text': KeyError: 'text'"):
            codec.decode("text")
        with pytest.raises(SerDesError, match=r"Broken\.serialize\(\) returned 5 \(int\), not a str"):
            codec.encode(5)
        assert codec.encode("naïve \U0001f600") == "naïve \U0001f600"
        with pytest.raises(
            SerDesError, match=r"Broken\.serialize\(\) returned 'é\\ud800', with half of a surrogate pair at 1"
        ):
            codec.encode("é\ud800")
        for own in (SerDesError("mine"), RetryableSerDesError("later")):
            with pytest.raises(type(own)) as error:
                codec.encode(own)
            assert error.value is own


def test_importing_stays_cheap() -> None:
    """Lambda cold starts: nothing heavy before the first value is written."""
    script = (
        "import sys, durably.config, durably.retries, durably.exceptions, durably.serdes;"
        "print([m for m in ('asyncio', 'inspect', 'dataclasses', 'msgspec', 'pydantic', 'random', 'decimal', 'uuid')"
        " if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-S", "-c", _WITH_PATH + script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


_WITH_PATH = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r};"
