"""A BatchResult as text: written as the official SDK reads it, and read as the official SDK writes it."""

from __future__ import annotations

import dataclasses
import json
from decimal import Decimal
from typing import Any

import aws_durable_execution_sdk_python.concurrency.models as official_models
import aws_durable_execution_sdk_python.lambda_service as official_service
import pytest
from aws_durable_execution_sdk_python.config import BatchItemStatus as OfficialStatus
from aws_durable_execution_sdk_python.serdes import ExtendedTypeSerDes as OfficialSerDes
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from durably.concurrency import BatchItem, BatchResult, CompletionReason, ErrorObject
from durably.concurrency.codec import BatchCodec
from durably.config import BatchItemStatus as S
from durably.exceptions import SerDesError
from durably.serdes import Codec, JsonSerDes, SerDes, SerDesCodec, SerDesContext, codec_for, json_codec_for

ALL = CompletionReason.ALL_COMPLETED
UNTYPED = codec_for()


@dataclasses.dataclass
class Line:
    sku: str
    price: Decimal


class Model(BaseModel):
    sku: str


OUT = ErrorObject("out", "shop.OutOfStock", '{"n":1}', ["File a"])


def batch(*results: Any) -> BatchResult[Any]:
    """These results, then a failed and a started item."""
    items: list[BatchItem[Any]] = [BatchItem(index, S.SUCCEEDED, result) for index, result in enumerate(results)]
    items.append(BatchItem(len(results), S.FAILED, error=OUT))
    items.append(BatchItem(len(results) + 1, S.STARTED))
    return BatchResult(items, CompletionReason.FAILURE_TOLERANCE_EXCEEDED)


# Written once by the official SDK 3.0.0.
OFFICIAL = (
    '{"t":"br","v":{"all":{"t":"l","v":[{"t":"m","v":{"index":{"t":"i","v":0},"status":{"t":"s","v":"SUCCEEDED"},'
    '"result":{"t":"m","v":{"sku":{"t":"s","v":"x"},"price":{"t":"d","v":"9.99"}}},"error":{"t":"n","v":null}}},'
    '{"t":"m","v":{"index":{"t":"i","v":1},"status":{"t":"s","v":"FAILED"},"result":{"t":"n","v":null},"error":{"t":"m",'
    '"v":{"ErrorMessage":{"t":"s","v":"out"},"ErrorType":{"t":"s","v":"shop.OutOfStock"},"ErrorData":{"t":"s",'
    '"v":"{\\"n\\":1}"},"StackTrace":{"t":"l","v":[{"t":"s","v":"File a"}]}}}}},{"t":"m","v":{"index":{"t":"i","v":2},'
    '"status":{"t":"s","v":"STARTED"},"result":{"t":"n","v":null},"error":{"t":"n","v":null}}}]},'
    '"completionReason":{"t":"s","v":"FAILURE_TOLERANCE_EXCEEDED"}}}'
)


def test_what_the_official_sdk_wrote_is_read() -> None:
    assert UNTYPED.decode(OFFICIAL) == batch({"sku": "x", "price": Decimal("9.99")})
    assert UNTYPED.decode(f'{{"t":"l","v":[{OFFICIAL}]}}') == [batch({"sku": "x", "price": Decimal("9.99")})]
    assert codec_for(BatchResult[Line]).decode(OFFICIAL) == batch(Line("x", Decimal("9.99")))
    assert codec_for(dict[str, BatchResult[Line]]).decode(f'{{"t":"m","v":{{"a":{OFFICIAL}}}}}') == {
        "a": batch(Line("x", Decimal("9.99")))
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (BatchResult([], ALL), '{"t":"br","v":{"all":[],"completionReason":"ALL_COMPLETED"}}'),
        (
            BatchResult([BatchItem(0, S.SUCCEEDED, {"id": 1}, name="a")], ALL),
            '{"t":"br","v":{"all":[{"index":0,"status":"SUCCEEDED","result":{"id":1},"error":null,"name":"a"}],'
            '"completionReason":"ALL_COMPLETED"}}',
        ),
        (
            BatchResult([BatchItem(0, S.FAILED, error=ErrorObject("m", "T"))], ALL),
            '{"t":"br","v":{"all":[{"index":0,"status":"FAILED","result":null,"error":{"ErrorMessage":"m",'
            '"ErrorType":"T"}}],"completionReason":"ALL_COMPLETED"}}',
        ),
        (
            BatchResult([BatchItem(0, S.SUCCEEDED, (1, 2))], ALL),
            '{"t":"br","v":{"all":{"t":"l","v":[{"t":"m","v":{"index":0,"status":"SUCCEEDED","result":{"t":"t",'
            '"v":[1,2]},"error":null}}]},"completionReason":"ALL_COMPLETED"}}',
        ),
    ],
)
@pytest.mark.parametrize("codec", [UNTYPED, codec_for(BatchResult), codec_for(BatchResult[Any]), codec_for(Any)])
def test_what_we_write(value: BatchResult[Any], text: str, codec: Codec) -> None:
    assert codec.encode(value) == text
    assert codec.round_trip(value) == (text, value)


def test_a_batch_inside_other_values() -> None:
    value = {"first": batch((1,), "b"), "rest": [batch()]}
    text, back = UNTYPED.round_trip(value)
    assert back == value
    assert UNTYPED.decode(text) == value


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.decimals(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["a", "t", "v", "b"]), inner, max_size=4)
    ),
    max_leaves=6,
)
texts = st.none() | st.text(max_size=5)
errors = st.builds(ErrorObject, texts, texts, texts, st.none() | st.lists(st.text(max_size=5), max_size=2))
outcomes = st.lists(
    st.tuples(st.just(S.SUCCEEDED), plain, st.none())
    | st.tuples(st.just(S.FAILED), st.none(), errors)
    | st.tuples(st.just(S.STARTED), st.none(), st.none()),
    max_size=4,
)


def exactly(one: Any, other: Any) -> bool:
    return repr(one) == repr(other)


@given(outcomes, st.sampled_from(list(CompletionReason)))
def test_both_sdks_read_what_either_writes(parts: list[Any], reason: CompletionReason) -> None:
    ours = BatchResult([BatchItem(i, *part) for i, part in enumerate(parts)], reason)
    theirs = official_models.BatchResult(
        [
            official_models.BatchItem(
                i,
                OfficialStatus(status.value),
                result,
                error and official_service.ErrorObject(error.message, error.type, error.data, error.stack_trace),
            )
            for i, (status, result, error) in enumerate(parts)
        ],
        official_models.CompletionReason(reason.value),
    )
    official = OfficialSerDes()
    written = official.serialize(theirs)
    for codec in (UNTYPED, BatchCodec(lambda index: UNTYPED)):
        assert exactly(codec.decode(written), ours)
        assert exactly(codec.decode(codec.encode(ours)), ours)
        if all(error != ErrorObject() for _, _, error in parts):  # which they read as no error at all
            assert exactly(official.deserialize(codec.encode(ours)), theirs)


# ---- types -----------------------------------------------------------------------------------------------------


def test_results_come_back_as_their_type() -> None:
    value = batch(Line("x", Decimal("9.99")), Line("y", Decimal("1")))
    text, back = codec_for(BatchResult[Line]).round_trip(value)
    assert back == value
    assert back is not value
    assert back[0].result is not value[0].result
    assert '"result":{"sku":"x","price":"9.99"}' in text


def test_models_too() -> None:
    value = batch(Model(sku="x"))
    assert codec_for(BatchResult[Model]).round_trip(value)[1] == value
    assert json_codec_for(BatchResult[Model]).round_trip(value)[1] == value


def test_each_branch_has_its_own_codec() -> None:
    codecs = [codec_for(Line), codec_for(tuple[int, ...]), codec_for(int)]
    codec = BatchCodec(codecs.__getitem__)
    value = batch(Line("x", Decimal(1)), (1, 2), 3)
    assert codec.decode(codec.encode(value)) == value


def test_a_round_trip_that_needs_no_reading_back_gives_the_same_object() -> None:
    value = batch(Line("x", Decimal(1)))
    assert BatchCodec(lambda index: codec_for(Line)).round_trip(value)[1] is value


def test_inside_typed_values() -> None:
    @dataclasses.dataclass
    class Report:
        title: str
        lines: BatchResult[Line]

    report = Report("t", batch(Line("x", Decimal("9.99"))))
    for codec in (codec_for(Report), json_codec_for(Report)):
        text, back = codec.round_trip(report)
        assert back == report
        assert json.loads(text)["lines"]["all"][0]["result"] == {"sku": "x", "price": "9.99"}
    items = report.lines.all
    assert codec_for(list[BatchItem[Line]]).round_trip(items)[1] == items
    assert codec_for(list[ErrorObject]).round_trip([OUT])[1] == [OUT]


def test_plain_json_is_the_official_dict_and_says_nothing_of_tags() -> None:
    value = batch({"id": 1})
    for codec in (json_codec_for(), json_codec_for(BatchResult[dict[str, int]])):
        assert json.loads(codec.encode(value)) == value.to_dict()
    assert json_codec_for(BatchResult[dict[str, int]]).decode(json.dumps(value.to_dict())) == value


def test_a_missing_reason_is_inferred() -> None:
    text = '{"t":"br","v":{"all":[{"index":0,"status":"SUCCEEDED","result":1}]}}'
    assert (
        codec_for(BatchResult[int]).decode(text)
        == UNTYPED.decode(text)
        == BatchResult([BatchItem(0, S.SUCCEEDED, 1)], ALL)
    )


# ---- a user's serdes ---------------------------------------------------------------------------------------------


class Reversed(SerDes[str]):
    """Text that is not JSON."""

    def serialize(self, value: str, serdes_context: SerDesContext) -> str:
        return f"<{value[::-1]}>"

    def deserialize(self, data: str, serdes_context: SerDesContext) -> str:
        return data[1:-1][::-1]


def test_the_text_of_a_serdes_need_not_be_json() -> None:
    mine = SerDesCodec(Reversed(), SerDesContext())
    codec = BatchCodec(lambda index: mine)
    value = batch("abc", 'a "quoted" one', "")
    text = codec.encode(value)
    assert '"<cba>"' in text
    assert codec.decode(text) == value


def test_what_the_official_sdk_left_in_the_clear_is_read_as_it_is() -> None:
    codec = BatchCodec(lambda index: SerDesCodec(JsonSerDes[Any](), SerDesContext()))
    assert codec.decode(OFFICIAL) == batch({"sku": "x", "price": Decimal("9.99")})
    value = OfficialSerDes().serialize(
        official_models.BatchResult(
            [official_models.BatchItem(0, OfficialStatus.SUCCEEDED, "abc")],
            official_models.CompletionReason.ALL_COMPLETED,
        )
    )
    assert codec.decode(value).get_results() == ["abc"]


# ---- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "value", "says"),
    [
        (codec_for(BatchResult[int]), [1], "it is a list, not a BatchResult"),
        (codec_for(BatchResult[int]), batch(1, "x"), "item 1 of the batch"),
        (UNTYPED, batch({1, 2}), r"$.all[0].result is of type set"),
        (UNTYPED, batch().all, "annotate the function's return type"),
    ],
)
def test_what_cannot_be_written(codec: Codec, value: Any, says: str) -> None:
    with pytest.raises(SerDesError) as error:
        codec.encode(value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "[]",
        "{",
        '{"t":"br","v":{}}',
        '{"t":"br","v":{"all":3,"completionReason":"ALL_COMPLETED"}}',
        '{"t":"br","v":{"all":[3],"completionReason":"ALL_COMPLETED"}}',
        '{"t":"br","v":{"all":[{"index":0,"status":"LOST"}],"completionReason":"ALL_COMPLETED"}}',
        '{"t":"br","v":{"all":[],"completionReason":"SUSPENDED"}}',
        '{"t":"br","v":{"all":[{"index":0,"status":"SUCCEEDED","result":"x"}],"completionReason":"ALL_COMPLETED"}}',
    ],
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(SerDesError):
        codec_for(BatchResult[int]).decode(text)
    with pytest.raises(SerDesError):
        codec_for(list[BatchResult[int]]).decode(f"[{text}]")


def test_an_untyped_tag_that_is_no_batch_is_refused() -> None:
    with pytest.raises(SerDesError, match="'br'"):
        UNTYPED.decode('{"t":"br","v":{"all":[{}]}}')


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("results", [[1, 2], ["a", None], [Decimal("1.5"), 2], [{"t": "x", "v": 1}], [[b"x"], "é"]])
def test_what_was_written_before_is_not_written_again(results: list[Any], tagged: bool) -> None:
    texts = dict(enumerate(map(UNTYPED.encode, results)))
    usual = BatchResult([BatchItem(index, S.SUCCEEDED, result) for index, result in enumerate(results)], ALL)

    def never(index: int) -> Codec:
        raise AssertionError(f"the result of item {index} was written twice")

    for value in (BatchResult._of_results(results, ALL), usual):
        again = BatchCodec(never, tagged=tagged, texts=texts)
        assert again.encode(value) == BatchCodec(lambda index: UNTYPED, tagged=tagged).encode(usual)


def test_what_was_not_written_before_is_written() -> None:
    codec = BatchCodec(lambda index: UNTYPED, texts={0: "1"})
    assert codec.encode(BatchResult._of_results([1, 2], ALL)) == codec.encode(
        BatchResult([BatchItem(0, S.SUCCEEDED, 1), BatchItem(1, S.SUCCEEDED, 2)], ALL)
    )
    assert [item.result for item in codec.decode(codec.encode(BatchResult._of_results([1, 2], ALL)))] == [1, 2]
