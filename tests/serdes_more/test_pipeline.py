"""Values become text, the text goes through stages, and comes back the same way."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import durably.serdes
from durably import (
    ChildConfig,
    CompressSerDes,
    JsonSerDes,
    PassThroughSerDes,
    PipelineSerDes,
    RetryableSerDesError,
    SerDes,
    SerDesContext,
    SerDesError,
    StepConfig,
    ValidationError,
    custom_serdes,
)
from durably.serdes import codec_for, json_codec_for
from engine.harness import Flavour

from .conftest import WHERE, run

ROT13 = custom_serdes(
    lambda text, where: codecs.encode(text, "rot13"),
    lambda text, where: codecs.decode(text, "rot13"),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
STAGES: list[SerDes[str]] = [CompressSerDes(above=0), CompressSerDes(), PassThroughSerDes(), ROT13]


@dataclass
class Order:
    day: date
    price: Decimal
    text: str = ""


ORDER = Order(date(2026, 3, 1), Decimal("1.10"), "pear " * 100)


@given(JSON, st.lists(st.sampled_from(STAGES), min_size=1, max_size=4))
def test_every_value_comes_back(value: Any, stages: list[SerDes[str]]) -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(*stages)
    text = serdes.serialize(value, WHERE)
    json.loads(text)  # it can be the input of an execution or the payload of an invoke
    assert serdes.deserialize(text, WHERE) == value


@given(st.text(), st.lists(st.sampled_from(STAGES), min_size=1, max_size=3))
@example("{not json", [PassThroughSerDes()])
@example('"quoted"', [PassThroughSerDes()])
@example("", [CompressSerDes(above=0)])
def test_texts_of_any_form_come_back(text: str, stages: list[SerDes[str]]) -> None:
    serdes: PipelineSerDes[str] = PipelineSerDes(*stages, serdes=PassThroughSerDes())
    assert serdes.deserialize(serdes.serialize(text, WHERE), WHERE) == text


@given(st.text(st.characters()) | st.sampled_from(["zlib:", "text:", "text:zlib:x", "zlib:zlib:"]), st.integers(0, 50))
@example("\ud800" * 50, 0)
def test_compression_takes_every_text(text: str, above: int) -> None:
    stage = CompressSerDes(above=above)
    assert stage.deserialize(stage.serialize(text, WHERE), WHERE) == text


def test_compression_makes_shorter_what_is_long() -> None:
    stage = CompressSerDes()
    assert stage.serialize("short", WHERE) == "short"
    assert len(stage.serialize("ab" * 10_000, WHERE)) < 200
    assert stage.serialize(noise := "".join(map(chr, range(32, 127))), WHERE) == noise


def test_what_was_recorded_before_there_was_compression_is_read() -> None:
    assert CompressSerDes().deserialize('{"a":1}', WHERE) == '{"a":1}'
    serdes: PipelineSerDes[Any] = PipelineSerDes(CompressSerDes())
    assert serdes.deserialize('{"a":1}', WHERE) == {"a": 1}


@pytest.mark.parametrize(
    "data", ["zlib:", "zlib:%", "zlib:abc\u00e9", CompressSerDes(0).serialize("a" * 99, WHERE)[:-3]]
)
def test_damaged_compression_says_so(data: str) -> None:
    with pytest.raises(SerDesError, match="CompressSerDes cannot read"):
        CompressSerDes().deserialize(data, WHERE)


def test_a_small_record_cannot_fill_the_memory() -> None:
    bomb = CompressSerDes().serialize("a" * 1_000_001, WHERE)
    assert len(bomb) < 2000
    assert len(CompressSerDes(max_bytes=1_000_001).deserialize(bomb, WHERE)) == 1_000_001
    with pytest.raises(SerDesError, match="max_bytes"):
        CompressSerDes(max_bytes=1_000_000).deserialize(bomb, WHERE)
    with pytest.raises(SerDesError, match="max_bytes"):
        CompressSerDes(max_bytes=1_000_000).serialize("a" * 1_000_001, WHERE)


def test_the_order_of_stages_is_kept() -> None:
    seen: list[str] = []

    def stage(name: str) -> SerDes[str]:
        def write(text: str, where: SerDesContext) -> str:
            assert where == WHERE
            seen.append(f"+{name}")
            return text + name

        def read(text: str, where: SerDesContext) -> str:
            seen.append(f"-{name}")
            assert text.endswith(name)
            return text[: -len(name)]

        return custom_serdes(write, read)

    serdes: PipelineSerDes[int] = PipelineSerDes(stage("a"), stage("b"), stage("c"))
    assert serdes.deserialize(serdes.serialize(1, WHERE), WHERE) == 1
    assert seen == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_without_a_serdes_it_keeps_to_the_type() -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(CompressSerDes())
    bound = serdes.over(lambda: codec_for(Order))
    assert bound.deserialize(bound.serialize(ORDER, WHERE), WHERE) == ORDER
    nested: PipelineSerDes[Any] = PipelineSerDes(ROT13, serdes=serdes)
    bound = nested.over(lambda: codec_for(Order))
    assert bound.deserialize(bound.serialize(ORDER, WHERE), WHERE) == ORDER


def test_its_own_serdes_is_used_whatever_the_type() -> None:
    def refused() -> Any:
        raise AssertionError("there may be no codec for the annotation")

    serdes: PipelineSerDes[Any] = PipelineSerDes(ROT13, serdes=JsonSerDes())
    bound = serdes.over(refused)
    assert bound.deserialize(bound.serialize((1, 2), WHERE), WHERE) == [1, 2]


async def awaited(value: Any, where: SerDesContext) -> str:
    return str(value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PipelineSerDes(), "at least one stage"),
        (lambda: PipelineSerDes(CompressSerDes), "stage 1 is the class CompressSerDes"),
        (lambda: PipelineSerDes(ROT13, "zip"), "stage 2 is 'zip'"),
        (lambda: PipelineSerDes(None), "stage 1 is None"),
        (lambda: PipelineSerDes(ROT13, serdes=JsonSerDes), "serdes is the class JsonSerDes"),
        (lambda: CompressSerDes(level=0), "level is 0"),
        (lambda: CompressSerDes(above=-1), "above is -1"),
        (lambda: CompressSerDes(above=None), "above is None"),
        (lambda: CompressSerDes(max_bytes=True), "max_bytes is True"),
        (lambda: custom_serdes("x", lambda text, where: text), "serialize is 'x'"),
        (lambda: custom_serdes(awaited, lambda text, where: text), "serialize is a coroutine function"),
        (lambda: custom_serdes(lambda value, where: "", None), "deserialize is None"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make()


def test_compression_alone_says_that_it_is_a_stage(flavour: Flavour) -> None:
    def handler(event: Any, ctx: Any) -> Any:
        yield ctx.step(flavour(lambda step: 5), config=StepConfig(serdes=CompressSerDes()))

    message = flavour.run(handler).error["errorMessage"]
    assert message.startswith("CompressSerDes takes texts, not a int: ")
    assert "PipelineSerDes(CompressSerDes())" in message


def failing(error: Exception) -> SerDes[str]:
    def fail(text: str, where: SerDesContext) -> str:
        raise error

    return custom_serdes(fail, fail)


def test_a_stage_that_fails_is_named_and_the_text_is_not() -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(ROT13, failing(KeyError("k1")))
    with pytest.raises(
        SerDesError, match=r"stage 2 of PipelineSerDes\(CustomSerDes, CustomSerDes\) failed to "
    ) as info:
        serdes.serialize("secret", WHERE)
    assert "secret" not in str(info.value)
    assert "frperg" not in str(info.value)
    with pytest.raises(SerDesError, match="stage 2"):
        serdes.deserialize('"x"', WHERE)


@pytest.mark.parametrize("error", [SerDesError("for good"), RetryableSerDesError("for now")])
def test_a_stage_says_itself_whether_its_failure_stays(error: Exception) -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(failing(error))
    with pytest.raises(type(error)) as info:
        serdes.serialize(1, WHERE)
    assert info.value is error


def test_a_stage_that_makes_no_text_is_named() -> None:
    broken: SerDes[Any] = custom_serdes(lambda text, where: text.encode(), lambda text, where: text)  # type: ignore[arg-type,return-value]
    with pytest.raises(SerDesError, match=r"stage 1 of .* made a bytes, not a str"):
        PipelineSerDes(broken).serialize(1, WHERE)


def test_half_a_string_is_no_record() -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(ROT13)
    with pytest.raises(SerDesError, match="no JSON string"):
        serdes.deserialize('"abc', WHERE)


def test_in_operations(flavour: Flavour) -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(CompressSerDes(above=10), ROT13)

    def body(step: Any) -> Order:
        return ORDER

    def inside(ctx: Any) -> Any:
        return (yield ctx.step(flavour(body), name="inner"))

    def handler(event: Any, ctx: Any) -> Any:
        first = yield ctx.step(flavour(body), name="typed", config=StepConfig(serdes=serdes))
        second = yield ctx.step(
            flavour(lambda step: ORDER), name="asked", config=StepConfig(serdes=serdes), result_type=Order
        )
        third = yield ctx.step(flavour(body), name="both", config=StepConfig(serdes=serdes, result_type=Order))
        child = flavour(inside)
        fourth = yield ctx.run_in_child_context(
            child, name="child", config=ChildConfig(serdes=serdes), result_type=Order
        )
        from durably import Duration

        yield ctx.wait(Duration.from_seconds(1))
        return [one == ORDER for one in (first, second, third, fourth)]

    world = run(flavour, handler)
    assert world.invocations == 2
    assert world.value == [True] * 4
    for name, details in (("typed", "StepDetails"), ("asked", "StepDetails"), ("child", "ContextDetails")):
        recorded = world.named(name)[details]["Result"]
        assert "pear" not in recorded
        bound = serdes.over(lambda: codec_for(Order))
        assert bound.deserialize(recorded, WHERE) == ORDER


def test_input_and_result(flavour: Flavour) -> None:
    serdes: PipelineSerDes[Any] = PipelineSerDes(ROT13)

    def handler(event: Order, ctx: Any) -> Any:
        assert event == ORDER
        yield ctx.step(flavour(lambda step: 1))
        return event

    handler.__annotations__["return"] = Order
    plain = serdes.over(lambda: json_codec_for(Order))
    world = run(flavour, handler, json.loads(plain.serialize(ORDER, WHERE)), serdes=serdes)
    assert plain.deserialize(json.dumps(world.value), WHERE) == ORDER
    function = world.function
    assert function.output_codec.decode(function.input_codec.encode(ORDER)) == ORDER


def test_the_familiar_constants_are_there() -> None:
    assert durably.serdes.DEFAULT_JSON_SERDES.serialize((1,), WHERE) == "[1]"
    serdes = durably.serdes.EXTENDED_TYPES_SERDES
    assert serdes.deserialize(serdes.serialize((1,), WHERE), WHERE) == (1,)
    with pytest.raises(AttributeError, match="Nonsense"):
        durably.serdes.Nonsense  # type: ignore[attr-defined]  # noqa: B018
