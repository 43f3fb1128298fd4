"""JSON lines."""

from __future__ import annotations

import io
import json
import logging
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably import JsonFormatter, ValidationError, json_logger, setup_logging
from durably.logger import DurableLogger
from engine.harness import Flavour

FIELDS = {"executionArn": "arn:1", "operationId": "ab", "operationName": "charge", "attempt": 2}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_LAMBDA_LOG_LEVEL", raising=False)
    monkeypatch.delenv("AWS_LAMBDA_LOG_FORMAT", raising=False)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    text = out.getvalue()
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def shown(log: Any) -> dict[str, Any]:
    """The one line that ``log`` makes of a durable logger."""
    out = io.StringIO()
    log(DurableLogger(json_logger("shop", "TRACE", stream=out), FIELDS))
    (line,) = lines(out)
    return line


def test_one_line() -> None:
    line = shown(lambda logger: logger.info("charged %s", "7 €", extra={"order": 7}))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line.pop("location").startswith(f"{__file__}:<lambda>:")
    assert line == {"level": "INFO", "message": "charged 7 €", "logger": "shop", **FIELDS, "order": 7}


def test_the_time_is_the_records_in_utc() -> None:
    record = logging.makeLogRecord({"created": 1_700_000_000.5, "msg": "x"})
    assert json.loads(JsonFormatter().format(record))["timestamp"] == "2023-11-14T22:13:20.500Z"


def test_an_error() -> None:
    def log(logger: DurableLogger) -> None:
        try:
            try:
                raise KeyError("order")
            except KeyError as error:
                raise ValueError("bad\norder") from error
        except ValueError:
            logger.exception("failed", stack_info=True)

    line = shown(log)
    assert (line["level"], line["errorType"], line["errorMessage"]) == ("ERROR", "ValueError", "bad\norder")
    trace = "\n".join(line["stackTrace"])
    assert "KeyError: 'order'" in trace
    assert trace.endswith("ValueError: bad\norder")
    assert line["stackInfo"][0].startswith("Stack")


def test_exc_info_without_an_exception_is_nothing() -> None:
    assert "errorType" not in shown(lambda logger: logger.error("x", exc_info=True))


@pytest.mark.parametrize("key", ["timestamp", "level", "logger", "location"])
def test_an_extra_called_like_a_member_of_ours(key: str) -> None:
    line = shown(lambda logger: logger.info("x", extra={key: "mine"}))
    assert line[f"extra_{key}"] == "mine"
    assert line[key] != "mine"


def test_an_extra_called_like_a_member_of_the_error() -> None:
    line = shown(lambda logger: logger.info("x", errorType="mine", exc_info=ValueError("bad")))
    assert (line["errorType"], line["extra_errorType"]) == ("ValueError", "mine")
    assert shown(lambda logger: logger.info("x", errorType="mine"))["errorType"] == "mine"


class Colour(Enum):
    RED = 1


@dataclass
class Login:
    user: str
    password: str = field(repr=False)


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


class NastyDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ({"a": [1, (2.5, None, True)]}, {"a": [1, [2.5, None, True]]}),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("19.90"), "19.90"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a"), "/a"),
        (Colour.RED, "<Colour.RED: 1>"),
        (b"ab", "b'ab'"),
        ({1}, "{1}"),
        (Login("ann", "secret"), "Login(user='ann')"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**70, str(2**70)),
        ({1: 2, None: 3, Decimal(4): 5}, {"1": 2, "None": 3, "4": 5}),
        (Nasty(), "<Nasty whose repr raises RuntimeError>"),
        ({"a": Nasty()}, {"a": "<Nasty whose repr raises RuntimeError>"}),
        ("\ud800", "\ud800"),
    ],
)
def test_what_json_cannot_say(value: Any, printed: Any) -> None:
    assert shown(lambda logger: logger.info("x", value=value))["value"] == printed


def test_what_has_no_end() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert shown(lambda logger: logger.info("x", value=loop))["value"] == [1, "[1, [...]]"]
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(shown(lambda logger: logger.info("x", value=deep))["value"], list)
    while deep:
        deep = deep.pop()  # taken apart by hand: a destructor that recurses this deep is another matter


def test_a_dict_with_a_mind_of_its_own() -> None:
    assert shown(lambda logger: logger.info("x", value=NastyDict(a=1)))["value"] == "{'a': 1}"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.integers() | st.text() | st.none(), inner) | st.tuples(inner)
        ),
    )
)
def test_whatever_is_logged_is_one_line_of_json(value: Any) -> None:
    line = shown(lambda logger: logger.info(value, extra={"value": value}))
    assert {"message", "value", "executionArn"} <= set(line)


def test_a_message_that_is_a_dict() -> None:
    assert shown(lambda logger: logger.info({"a": Decimal(1)}))["message"] == {"a": "1"}


@pytest.mark.parametrize(
    ("msg", "args", "text"),
    [
        ("%(a)s", ({"a": 1},), "1"),
        ("%d items", ("no",), "%d items ('no',)"),
        ("%s", (Nasty(),), "%s (<Nasty whose repr raises RuntimeError>,)"),
        (Nasty(), (), "<Nasty whose repr raises RuntimeError>"),
    ],
)
def test_messages_that_do_not_fit_their_arguments(msg: Any, args: Any, text: str) -> None:
    assert shown(lambda logger: logger.info(msg, *args))["message"] == text


def test_records_of_other_loggers_get_the_executions_fields(flavour: Flavour) -> None:
    out = io.StringIO()
    plain = json_logger("library", stream=out, location=False)

    def body(step):
        plain.info("in a step")

    def handler(event, ctx):
        plain.info("in the handler")
        yield ctx.step(flavour(body))

    world = flavour.run(handler)
    plain.info("outside")
    assert [(line["message"], line.get("executionArn")) for line in lines(out)] == [
        ("in the handler", world.arn),
        ("in a step", world.arn),
        ("outside", None),
    ]
    assert "location" not in lines(out)[0]


def test_through_a_context(flavour: Flavour) -> None:
    out = io.StringIO()

    def handler(event, ctx):
        ctx.set_logger(json_logger(stream=out))
        yield ctx.step(flavour(lambda step: step.logger.info("hello")), name="one")

    world = flavour.run(handler)
    (line,) = lines(out)
    one = world.named("one")["Id"]
    found = (line["executionArn"], line["operationId"], line["operationName"], line["attempt"])
    assert found == (world.arn, one, "one", 1)


# ---- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "level"),
    [
        ("TRACE", 5),
        ("DEBUG", 10),
        ("info", 20),
        ("WARN", 30),
        ("ERROR", 40),
        ("FATAL", 50),
        ("NONSENSE", 20),
        ("", 20),
        (None, 20),
    ],
)
def test_the_level_is_the_functions_setting(
    monkeypatch: pytest.MonkeyPatch, root: logging.Logger, setting: str | None, level: int
) -> None:
    if setting is not None:
        monkeypatch.setenv("AWS_LAMBDA_LOG_LEVEL", setting)
    assert json_logger().level == level
    setup_logging()
    assert root.level == level
    assert json_logger(level="ERROR").level == 40
    assert json_logger(level=33).level == 33


@pytest.mark.parametrize("level", ["LOUD", 1.5, True])
def test_a_level_that_does_not_exist(level: Any, root: logging.Logger) -> None:
    before = root.handlers[:]
    for way in (lambda: json_logger(level=level), lambda: setup_logging(level=level)):
        with pytest.raises(ValidationError, match="TRACE, DEBUG, INFO, WARN"):
            way()
    assert root.handlers == before


def test_a_format_that_does_not_exist(root: logging.Logger) -> None:
    with pytest.raises(ValidationError, match="'JSON' or 'Text', not 'XML'"):
        setup_logging("XML")  # type: ignore[arg-type]


def test_setup_prints_each_record_once_to_the_stdout_of_the_moment(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    setup_logging()
    setup_logging(level="WARN")
    logging.getLogger("shop").info("hidden")
    logging.getLogger("shop").warning("hello")
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["message"], json.loads(line)["logger"]) == ("hello", "shop")


def test_setup_for_text(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_LOG_FORMAT", "Text")
    setup_logging()
    logging.getLogger("shop").info("hello")
    assert re.fullmatch(r"[\d-]+T[\d:]+\.\d{3}Z INFO +shop  hello\n", capsys.readouterr().out)
    setup_logging("json")  # type: ignore[arg-type]  # in any case
    logging.getLogger("shop").info("hello")
    assert json.loads(capsys.readouterr().out)["message"] == "hello"


def test_handlers_of_the_program_stay(root: logging.Logger) -> None:
    mine = logging.NullHandler()
    root.addHandler(mine)
    setup_logging()
    assert mine in root.handlers


def test_a_stream_that_is_not_utf8() -> None:
    raw = io.BytesIO()
    logger = json_logger(stream=io.TextIOWrapper(raw, encoding="latin-1"))
    logger.info("7 € 😀 é")
    assert json.loads(raw.getvalue().decode("ascii"))["message"] == "7 € 😀 é"


def test_a_stream_that_is_closed(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    logger = DurableLogger(json_logger(stream=out), {})
    out.close()
    logger.info("hello")
    assert "Logging error" in capsys.readouterr().err
