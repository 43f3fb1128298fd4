"""Beside Lambda's own handler, and beside Powertools."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from aws_lambda_powertools import Logger as Powertools

from durably import Duration, durable_execution
from durably.logger import DurableLogger
from engine.harness import Flavour

awslambdaric = pytest.importorskip("awslambdaric", reason="Lambda's runtime client does not install on Windows")

PROGRAM = """
    import os
    from awslambdaric import bootstrap
    from awslambdaric.lambda_runtime_log_utils import LogFormat

    # as the runtime does before it loads the function and before it calls it
    log_format = LogFormat.from_str(os.environ["AWS_LAMBDA_LOG_FORMAT"])
    bootstrap._setup_logging(log_format, os.environ.get("AWS_LAMBDA_LOG_LEVEL", ""), bootstrap.StandardLogSink())
    bootstrap._GLOBAL_AWS_REQUEST_ID = "8f2c"

    from durably import durable_execution, json_logger, setup_logging

    {setup}

    @durable_execution(logger={logger})
    def handler(event, ctx):
        ctx.logger.info("hello %s", "you", extra={{"order": 7, "when": object}})
        ctx.logger.debug("detail")
        try:
            1 / 0
        except ZeroDivisionError:
            ctx.logger.exception("caught")

    class Context:
        aws_request_id = "8f2c"
        tenant_id = None

    start = {{"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "ExecutionDetails": {{"InputPayload": "{{}}"}}}}
    state = {{"Operations": [start]}}
    event = {{"DurableExecutionArn": "arn:1", "CheckpointToken": "t", "InitialExecutionState": state}}
    assert handler.run_sync(event, Context(), client=object())["Status"] == "SUCCEEDED"
"""


def in_lambda(log_format: str, setup: str = "", logger: str = "None", level: str = "INFO") -> str:
    """What the function prints, under the runtime's own logging."""
    program = textwrap.dedent(PROGRAM).format(setup=setup, logger=logger)
    settings = {"AWS_LAMBDA_LOG_FORMAT": log_format, "AWS_LAMBDA_LOG_LEVEL": level}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **settings}
    )
    assert done.stderr == ""
    return done.stdout


def check_json(printed: str) -> list[dict[str, Any]]:
    hello, caught = lines = [json.loads(line) for line in printed.splitlines()]
    assert (hello["message"], hello["level"], hello["order"]) == ("hello you", "INFO", 7)
    assert (caught["message"], caught["level"], caught["errorType"]) == ("caught", "ERROR", "ZeroDivisionError")
    for line in lines:
        assert (line["requestId"], line["executionArn"]) == ("8f2c", "arn:1")
        assert "location" in line or line is hello
    assert printed.count("8f2c") == 2, "the request id once a line"
    return lines


@pytest.mark.parametrize("setup", ["", "setup_logging()", "setup_logging(); setup_logging('JSON')"])
def test_lambdas_json_lines_carry_our_fields_and_are_not_printed_twice(setup: str) -> None:
    check_json(in_lambda("JSON", setup))


def test_json_lines_in_a_function_with_the_text_format() -> None:
    lines = check_json(in_lambda("Text", "setup_logging('JSON')"))
    assert [line["timestamp"][-1] for line in lines] == ["Z", "Z"]


def test_the_text_format_stays_where_the_function_says_so() -> None:
    printed = in_lambda("Text", "setup_logging()").splitlines()
    assert printed[0].startswith("[INFO]\t")
    assert printed[0].endswith("\t8f2c\thello you")
    assert printed[1].startswith("[ERROR]\t")


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_a_json_logger_of_its_own_is_not_printed_twice(log_format: str) -> None:
    lines = check_json(in_lambda(log_format, logger="json_logger('shop')"))
    assert {line["logger"] for line in lines} == {"shop"}
    assert lines[0]["when"] == "<class 'object'>"


def test_the_level_of_the_function() -> None:
    assert in_lambda("JSON", "setup_logging()", level="FATAL") == ""
    assert len(in_lambda("JSON", "setup_logging()", level="TRACE").splitlines()) == 3


# ---- Powertools ----------------------------------------------------------------------------------------------


def powertools(name: str) -> tuple[Any, io.StringIO]:
    out = io.StringIO()
    return Powertools(service=name, stream=out, level="DEBUG"), out


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_powertools(flavour: Flavour) -> None:
    logger, out = powertools(f"powertools-{flavour.name}")
    logger.append_keys(shop="north")

    def body(step):
        step.logger.info("step", extra={"order": 7})

    def handler(event, ctx):
        ctx.set_logger(logger)
        ctx.logger.info("start %d", 1)
        yield ctx.step(flavour(body), name="one")
        yield ctx.wait(Duration.from_seconds(1))
        try:
            raise ValueError("bad")
        except ValueError:
            ctx.logger.exception("caught", amount=19)
        ctx.logger.critical("worse")

    world = flavour.run(handler)
    assert world.status == "SUCCEEDED"
    start, step, caught, worse = printed = lines(out)
    assert [line["message"] for line in printed] == ["start 1", "step", "caught", "worse"]
    assert {line["executionArn"] for line in printed} == {world.arn}
    assert {line["shop"] for line in printed} == {"north"}
    assert (step["operationName"], step["attempt"], step["order"]) == ("one", 1, 7)
    assert (caught["exception_name"], caught["amount"]) == ("ValueError", 19)
    assert [line["location"].partition(":")[0] for line in printed] == ["handler", "body", "handler", "handler"]
    first = handler.__code__.co_firstlineno
    assert [int(line["location"].partition(":")[2]) - first for line in (start, caught, worse)] == [2, 8, 9]


def test_powertools_keeps_what_it_buffers() -> None:
    from aws_lambda_powertools.logging.buffer import LoggerBufferConfig

    out = io.StringIO()
    under = Powertools(
        service="buffered",
        stream=out,
        level="INFO",
        buffer_config=LoggerBufferConfig(buffer_at_verbosity="DEBUG"),
    )
    os.environ["_X_AMZN_TRACE_ID"] = "Root=1-5759e988-bd862e3fe1be46a994272793"
    try:
        logger = DurableLogger(under, {"attempt": 1})
        logger.debug("kept back")
        assert lines(out) == []
        logger.error("bang")
        assert sorted((line["message"], line["attempt"]) for line in lines(out)) == [("bang", 1), ("kept back", 1)]
    finally:
        del os.environ["_X_AMZN_TRACE_ID"]


def test_powertools_decorates_a_durable_function() -> None:
    logger, out = powertools("decorating")

    @logger.inject_lambda_context
    @durable_execution(logger=logger)
    def handler(event: Any, ctx: Any) -> int:
        ctx.logger.info("hello")
        return 7

    class Context:
        function_name = "shop"
        memory_limit_in_mb = 128
        invoked_function_arn = "arn:shop"
        aws_request_id = "8f2c"

    start = {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "ExecutionDetails": {"InputPayload": "{}"}}
    event = {
        "DurableExecutionArn": "arn:1",
        "CheckpointToken": "t",
        "InitialExecutionState": {"Operations": [start]},
    }
    handler.__wrapped__.client = object()
    assert handler(event, Context()) == {"Status": "SUCCEEDED", "Result": "7"}
    (line,) = lines(out)
    assert (line["executionArn"], line["requestId"], line["function_request_id"]) == ("arn:1", "8f2c", "8f2c")


# ---- what it costs ---------------------------------------------------------------------------------------------


def test_a_handler_that_does_not_log_does_not_load_logging() -> None:
    program = """
        import sys
        from durably import ReplayLogging, durable_execution

        class Quiet:
            def debug(self, msg): pass
            info = warning = error = exception = debug

        @durable_execution(replay_logging=ReplayLogging.ERRORS_ONLY, logger=Quiet())
        def handler(event, ctx):
            return ctx.run_in_child_context(lambda child: child.is_replaying(), name="child")

        class Client:
            def checkpoint(self, arn, token, updates, client_token):
                return {"CheckpointToken": "t", "NewExecutionState": {"Operations": []}}

        start = {"Id": "e", "Type": "EXECUTION", "Status": "STARTED", "ExecutionDetails": {"InputPayload": "{}"}}
        state = {"Operations": [start]}
        event = {"DurableExecutionArn": "arn:1", "CheckpointToken": "t", "InitialExecutionState": state}
        assert handler.run_sync(event, None, client=Client())["Status"] == "SUCCEEDED"
        print(sorted({"logging", "traceback", "durably.logger"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
