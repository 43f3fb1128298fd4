"""Loggers that are not the standard library's; and loggers that fail."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog

from durably import Duration, ValidationError, durable_execution, simple_logger
from durably.logger import DurableLogger
from engine.harness import Flavour, run

from .conftest import Records

FIELDS = {"executionArn": "arn:1", "attempt": 2}


class Least:
    """The five methods, and nothing but a message."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def debug(self, msg: str) -> None:
        self.said.append(("debug", msg))

    def info(self, msg: str) -> None:
        self.said.append(("info", msg))

    def warning(self, msg: str) -> None:
        self.said.append(("warning", msg))

    def error(self, msg: str) -> None:
        self.said.append(("error", msg))

    def exception(self, msg: str) -> None:
        self.said.append(("exception", msg))


def test_the_least_logger(capsys: pytest.CaptureFixture[str]) -> None:
    least = Least()
    logger = DurableLogger(least, FIELDS)
    logger.debug("a %s", 1)
    logger.info("b", extra={"order": 7}, stacklevel=2)
    logger.warning("c")
    logger.error("d", exc_info=True)
    logger.exception("e")
    logger.critical("f")
    logger.log(logging.WARNING, "g")
    logger.log(5, "h")
    assert least.said == [
        ("debug", "a 1"),
        ("info", "b"),
        ("warning", "c"),
        ("error", "d"),
        ("exception", "e"),
        ("error", "f"),
        ("warning", "g"),
        ("debug", "h"),
    ]
    assert logger.isEnabledFor(logging.DEBUG)
    assert capsys.readouterr().err == ""


class Official:
    """As the official SDK describes a logger: ``extra`` and no other option."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def debug(self, msg: object, *args: object, extra: Any = None) -> None:
        self.said.append((msg, args, extra))

    info = warning = error = exception = debug


def test_a_logger_that_takes_extra() -> None:
    official = Official()
    DurableLogger(official, FIELDS).info("a %s", 1, extra={"name": "mine"}, exc_info=True, stacklevel=3)
    assert official.said == [("a %s", (1,), {**FIELDS, "name": "mine"})]


class Anything:
    """Passes on whatever it is given, as a wrapper around a standard logger would."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def debug(self, msg: object, *args: object, **options: Any) -> None:
        self.said.append((msg, args, options))

    info = warning = error = exception = debug


def test_a_logger_that_takes_anything_is_given_extra() -> None:
    anything = Anything()
    DurableLogger(anything, FIELDS).info("a", order=7)
    assert anything.said == [("a", (), {"extra": {**FIELDS, "order": 7}})]


class Bound(Anything):
    """Fields are keywords, as structlog and loguru have it."""

    def debug(self, event: object, *args: object, **fields: Any) -> None:
        self.said.append((event, args, fields))

    info = warning = error = exception = debug

    def bind(self, **fields: Any) -> Bound:
        return self


def test_a_logger_with_bind_is_given_fields_as_keywords() -> None:
    bound = Bound()
    logger = DurableLogger(bound, FIELDS)
    logger.info("a", extra={"event": "click"}, order=7)
    logger.exception("b", exc_info=True)
    assert bound.said == [
        ("a", (), {**FIELDS, "extra_event": "click", "order": 7}),
        ("b", (), {**FIELDS, "exc_info": True}),
    ]


def test_structlog() -> None:
    out = io.StringIO()
    under = structlog.wrap_logger(
        structlog.PrintLogger(out),
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    logger = DurableLogger(under, FIELDS)
    logger.debug("hidden")
    logger.info("charged %d", 19, event="click")
    assert json.loads(out.getvalue()) == {**FIELDS, "event": "charged 19", "extra_event": "click", "level": "info"}


# ---- simple_logger -----------------------------------------------------------------------------------------


def test_simple_logger(flavour: Flavour) -> None:
    said: list[tuple[str, str, dict[str, Any]]] = []

    def handler(event, ctx):
        ctx.set_logger(simple_logger(lambda level, message, fields: said.append((level, message, fields))))
        ctx.logger.warning("%d%%", 50, extra={"order": 7})
        try:
            raise ValueError("bad")
        except ValueError:
            ctx.logger.exception("caught")
        ctx.logger.critical("worse")
        ctx.logger.log(10, "detail")
        yield ctx.wait(Duration.from_seconds(1))

    world = flavour.run(handler)
    assert [(level, message) for level, message, _ in said] == [
        ("WARNING", "50%"),
        ("ERROR", "caught"),
        ("CRITICAL", "worse"),
        ("DEBUG", "detail"),
    ]
    assert said[0][2] == {"executionArn": world.arn, "order": 7}
    failed = said[1][2]
    assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "bad")
    assert failed["stackTrace"][-1] == "ValueError: bad"


def test_simple_logger_stands_alone() -> None:
    said: list[Any] = []
    logger = simple_logger(lambda *all: said.append(all))
    logger.info("a %s", 1)
    logger.error("b", exc_info=ValueError("bad"))
    logger.debug("no %d", "number")
    assert [(level, message) for level, message, _ in said] == [
        ("INFO", "a 1"),
        ("ERROR", "b"),
        ("DEBUG", "no %d ('number',)"),
    ]
    assert said[1][2]["errorType"] == "ValueError"


def test_simple_logger_takes_a_function() -> None:
    with pytest.raises(ValidationError, match="takes a function"):
        simple_logger("print")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=r"of \(level, message, fields\)"):
        simple_logger(lambda message: None)  # type: ignore[arg-type, misc]


# ---- what is no logger -------------------------------------------------------------------------------------


@pytest.mark.parametrize("nonsense", ["name", print, object()])
def test_what_is_no_logger_is_refused_where_it_is_said(nonsense: Any) -> None:
    with pytest.raises(ValidationError, match=r"is no logger: it has no debug\(\).*simple_logger"):
        durable_execution(logger=nonsense)(lambda event, ctx: None)
    refused = []

    def handler(event: Any, ctx: Any) -> None:
        for way in (ctx.set_logger, ctx.configure_logger):
            with pytest.raises(ValidationError, match="is no logger"):
                way(nonsense)
            refused.append(way)

    assert run(handler).status == "SUCCEEDED"
    assert len(refused) == 2


def test_fields_that_are_no_mapping_are_refused_and_nothing_is_changed() -> None:
    logger = DurableLogger(logging.getLogger("a"), {})
    with pytest.raises(ValidationError, match="mapping of names to values, not 7"):
        logger.configure(logging.getLogger("b"), fields=7)  # type: ignore[arg-type]
    assert logger.get_logger() is logging.getLogger("a")


# ---- loggers that fail ---------------------------------------------------------------------------------------


class Broken(Anything):
    def debug(self, msg: object, *args: object, **options: Any) -> None:
        raise OSError("disk full")

    info = warning = error = exception = debug


def test_a_logger_that_fails_changes_no_outcome(flavour: Flavour, capsys: pytest.CaptureFixture[str]) -> None:
    def body(step):
        step.logger.exception("in a step")
        return 7

    def handler(event, ctx):
        ctx.set_logger(Broken())
        ctx.logger.info("in the handler")
        return (yield ctx.step(flavour(body)))

    world = flavour.run(handler)
    assert world.value == 7
    assert [batch for batch in world.batches if any("FAIL" in str(one) for one in batch)] == []
    said = capsys.readouterr().err
    assert said.count("A durable logger could not log") == 2
    assert said.count("OSError: disk full") == 2


def test_a_filter_or_an_argument_that_fails_raises_nothing(
    records: Records, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError("unprintable")

    def refuse(record: logging.LogRecord) -> bool:
        raise RuntimeError("filter")

    logger = DurableLogger(records.logger, {})
    logger.info("%d", "no number")
    logger.info(Unprintable())
    records.logger.addFilter(refuse)
    logger.info("hello")
    assert len(records.records) == 2
    assert "RuntimeError: filter" in capsys.readouterr().err


def test_failures_are_silent_where_logging_is_told_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    DurableLogger(Broken(), {}).info("hello")
    assert capsys.readouterr().err == ""


def test_what_is_no_exception_is_not_swallowed() -> None:
    def write(level: str, message: str, fields: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        DurableLogger(simple_logger(write), {}).info("hello")


def test_a_logger_that_cannot_be_asked_for_its_level(capsys: pytest.CaptureFixture[str]) -> None:
    class Sulking(Official):
        def isEnabledFor(self, level: int) -> bool:
            raise OSError("gone")

    assert DurableLogger(Sulking(), {}).isEnabledFor(10) is False
    assert "OSError: gone" in capsys.readouterr().err
