"""What a record carries: fields, file and line, levels."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import pytest

from durably import Duration, StepConfig, durable_execution
from durably.logger import DurableLogger, Logger
from durably.retries import FixedDelay
from engine.harness import Flavour

from .conftest import Records


def test_fields_say_where_a_record_comes_from(flavour: Flavour, records: Records) -> None:
    def inner(child):
        child.logger.info("child")
        yield child.step(flavour(lambda step: step.logger.info("step in child")), name="inner step")

    def unnamed(step):
        step.logger.info("step")
        if step.attempt == 1:
            raise ConnectionError

    def handler(event, ctx):
        ctx.set_logger(records.logger)
        ctx.logger.info("handler")
        config = StepConfig(retry_strategy=FixedDelay(Duration.from_seconds(1), max_attempts=2))
        yield ctx.step(flavour(unnamed), config=config)
        yield ctx.run_in_child_context(flavour(inner), name="child")

    world = flavour.run(handler)
    child, inner_step = world.named("child")["Id"], world.named("inner step")["Id"]
    (step,) = [op_id for op_id, view in world.operations.items() if "Name" not in view]
    assert records.fields("executionArn", "parentId", "operationId", "operationName", "attempt") == [
        (world.arn, None, None, None, None),
        (world.arn, None, step, None, 1),
        (world.arn, None, step, None, 2),
        (world.arn, child, None, None, None),
        (world.arn, child, inner_step, "inner step", 1),
    ]
    assert [record.levelname for record in records.records] == ["INFO"] * 5


class Invocation:
    """Lambda's context, as far as the logger reads it."""

    aws_request_id = "8f2c"
    tenant_id: Any = "blue"


def log_once(records: Records, lambda_context: Any) -> logging.LogRecord:
    @durable_execution(logger=records.logger)
    def handler(event: Any, ctx: Any) -> None:
        ctx.logger.info("hello")

    start = {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "ExecutionDetails": {"InputPayload": "{}"}}
    event = {
        "DurableExecutionArn": "arn:1",
        "CheckpointToken": "t",
        "InitialExecutionState": {"Operations": [start]},
    }
    assert handler.run_sync(event, lambda_context, client=object())["Status"] == "SUCCEEDED"
    (record,) = records.records
    return record


def test_fields_of_the_invocation(records: Records) -> None:
    record = log_once(records, Invocation())
    assert (record.requestId, record.tenantId) == ("8f2c", "blue")  # type: ignore[attr-defined]


def test_a_context_of_lambda_that_does_not_say_them(records: Records) -> None:
    stranger = Invocation()
    stranger.tenant_id = object()
    stranger.aws_request_id = ""
    record = log_once(records, stranger)
    assert not {"requestId", "tenantId"} & set(vars(record))


# ---- extra -------------------------------------------------------------------------------------------------


def test_extra_and_keywords_win_over_what_is_configured(records: Records) -> None:
    logger = DurableLogger(records.logger, {"executionArn": "arn:1", "attempt": 1})
    logger.configure(fields={"attempt": 2, "shop": "north"})
    logger.info("a")
    logger.info("b", extra={"attempt": 3, "order": 7})
    logger.info("c", extra={"order": 7}, order=8, shop="south")
    assert records.fields("executionArn", "attempt", "shop", "order") == [
        ("arn:1", 2, "north", None),
        ("arn:1", 3, "north", 7),
        ("arn:1", 2, "south", 8),
    ]


def test_configured_fields_reach_steps_and_children_but_not_outwards(flavour: Flavour, records: Records) -> None:
    def inner(child):
        child.configure_logger(fields={"line": 1})
        child.logger.info("child")
        yield child.step(flavour(lambda step: step.logger.info("step")))

    def handler(event, ctx):
        ctx.configure_logger(records.logger, fields={"order": 7})
        yield ctx.run_in_child_context(flavour(inner), name="child")
        ctx.logger.info("handler")

    assert flavour.run(handler).status == "SUCCEEDED"
    assert records.fields("order", "line") == [(7, 1), (7, 1), (7, None)]


@pytest.mark.parametrize("key", sorted({*vars(logging.makeLogRecord({})), "message", "asctime"}))
def test_a_name_that_log_records_keep_for_themselves_gets_a_prefix(records: Records, key: str) -> None:
    DurableLogger(records.logger, {}).info("hello", extra={key: "mine"})
    (record,) = records.records
    assert getattr(record, f"extra_{key}") == "mine"
    assert record.getMessage() == "hello"


def test_names_of_a_record_class_of_the_programs_own_are_kept_too(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Traced(logging.LogRecord):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.trace = "1-2-3"

    logger = DurableLogger(records.logger, {})
    logger.info("before", trace="mine")
    logging.setLogRecordFactory(Traced)
    try:
        logger.info("after", trace="mine")
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    assert records.fields("trace", "extra_trace") == [("mine", None), ("1-2-3", "mine")]


@pytest.mark.parametrize("extra", [["a"], "text", 7])
def test_an_extra_that_is_no_mapping_is_kept(records: Records, extra: Any) -> None:
    DurableLogger(records.logger, {}).info("hello", extra=extra)
    assert records.fields("extra") == [(extra,)]


def test_the_callers_own_extra_is_not_changed(records: Records) -> None:
    extra = {"name": "mine"}
    DurableLogger(records.logger, {"attempt": 1}).info("hello", extra=extra)
    assert extra == {"name": "mine"}


# ---- file and line -----------------------------------------------------------------------------------------


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.mark.parametrize("adapted", [False, True], ids=["logger", "adapter"])
def test_file_line_and_function_are_the_callers(records: Records, adapted: bool) -> None:
    under: Any = logging.LoggerAdapter(records.logger, {"service": "shop"}) if adapted else records.logger
    logger = DurableLogger(under, {"attempt": 1})

    def helper() -> None:
        logger.info("for whoever called", stacklevel=2)

    lines = []
    for method in (logger.debug, logger.info, logger.warning, logger.warn, logger.error, logger.critical):
        method("hello")
        lines.append(here() - 1)
    logger.log(25, "hello")
    lines.append(here() - 1)
    logger.exception("hello")
    lines.append(here() - 1)
    helper()
    lines.append(here() - 1)
    assert [record.lineno for record in records.records] == lines
    assert {record.pathname for record in records.records} == {__file__}
    assert {record.funcName for record in records.records} == {"test_file_line_and_function_are_the_callers"}
    assert records.fields("attempt", "service") == [(1, "shop" if adapted else None)] * 9


def test_an_adapter_with_a_process_of_its_own_is_used(records: Records) -> None:
    class Shouting(logging.LoggerAdapter[logging.Logger]):
        def process(self, msg: Any, kwargs: Any) -> Any:
            return msg.upper(), kwargs

    DurableLogger(Shouting(records.logger, {}), {"attempt": 1}).info("hello")
    assert records.lines == ["HELLO"]
    assert records.fields("attempt", "funcName") == [(1, "test_an_adapter_with_a_process_of_its_own_is_used")]


def test_file_and_line_through_a_context(flavour: Flavour, records: Records) -> None:
    lines = []

    def body(step):
        step.logger.info("step")
        lines.append(here() - 1)

    def handler(event, ctx):
        ctx.set_logger(records.logger)
        ctx.logger.info("handler")
        lines.append(here() - 1)
        yield ctx.step(flavour(body))

    assert flavour.run(handler).status == "SUCCEEDED"
    assert [(record.pathname, record.lineno) for record in records.records] == [(__file__, line) for line in lines]


# ---- levels ------------------------------------------------------------------------------------------------


def test_each_method_has_its_level(records: Records) -> None:
    logger = DurableLogger(records.logger, {})
    for name in ("debug", "info", "warning", "warn", "error", "exception", "critical"):
        getattr(logger, name)("%s %d", name, 1)
    logger.log(15, "15")
    logger.log("error", "by name")
    logger.log("nonsense", "unknown")  # type: ignore[arg-type]
    assert [record.levelno for record in records.records] == [10, 20, 30, 30, 40, 40, 50, 15, 40, 20]
    assert records.lines[0] == "debug 1"


def test_a_level_that_is_off_costs_no_record(records: Records) -> None:
    records.logger.setLevel(logging.ERROR)
    logger = DurableLogger(records.logger, {})
    logger.info("hello")
    logger.log(logging.WARNING, "hello")
    assert records.records == []
    assert (logger.isEnabledFor(logging.WARNING), logger.isEnabledFor(logging.ERROR)) == (False, True)


def test_exception_carries_the_exception(records: Records) -> None:
    logger = DurableLogger(records.logger, {})
    try:
        raise ValueError("bad")
    except ValueError as error:
        logger.exception("caught")
        logger.error("caught", exc_info=error)
        logger.info("plain")
    shown = [record.exc_info and record.exc_info[0] for record in records.records]
    assert shown == [ValueError, ValueError, None]


def test_is_enabled_for_knows_of_replay(flavour: Flavour, records: Records) -> None:
    asked = []

    def handler(event, ctx):
        ctx.set_logger(records.logger)
        asked.append(ctx.logger.isEnabledFor(logging.ERROR))
        yield ctx.wait(Duration.from_seconds(1))
        asked.append(ctx.logger.isEnabledFor(logging.ERROR))

    assert flavour.run(handler).status == "SUCCEEDED"
    assert asked == [True, False, True]


# ---- which logger ------------------------------------------------------------------------------------------


def test_by_default_the_root_logger(flavour: Flavour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def handler(event, ctx):
        ctx.logger.info("hello")
        assert ctx.logger.get_logger() is logging.getLogger()
        yield ctx.step(flavour(lambda step: step.logger.info("step")))

    assert flavour.run(handler).status == "SUCCEEDED"
    assert [line for line in caplog.messages if line in ("hello", "step")] == ["hello", "step"]


def test_a_logger_that_was_kept_follows_set_logger(records: Records) -> None:
    other = Records()

    def handler(event: Any, ctx: Any) -> None:
        ctx.set_logger(records.logger)
        kept = ctx.logger
        kept.info("one")
        ctx.set_logger(other.logger)
        kept.info("two")

    assert Flavour("sync").run(_generator(handler)).status == "SUCCEEDED"
    assert (records.lines, other.lines) == (["one"], ["two"])


def test_a_durable_logger_given_as_a_logger_is_not_wrapped_again(records: Records) -> None:
    inner = DurableLogger(records.logger, {"attempt": 1})
    outer = DurableLogger(logging.getLogger(), {"attempt": 2})
    outer.configure(inner)
    outer.info("hello")
    assert outer.get_logger() is records.logger
    assert records.fields("attempt", "funcName") == [
        (2, "test_a_durable_logger_given_as_a_logger_is_not_wrapped_again")
    ]


def _generator(function: Any) -> Any:
    def source(event: Any, ctx: Any) -> Any:
        function(event, ctx)
        return None
        yield

    return source


def test_the_official_names() -> None:
    from durably.types import LoggerInterface

    assert Logger is DurableLogger
    assert LoggerInterface.__module__.startswith("durably")
