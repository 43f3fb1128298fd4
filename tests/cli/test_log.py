"""The log of ``durably dev``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from durably.cli import log as module
from durably.cli.log import EventLog
from durably.wire.api_errors import ApiError

ARN = "arn:aws:lambda:us-east-1:000000000000:function:order:$LATEST/durable-execution/{}/id-1"


def context(identifier: int, kind: str = "ContextStarted", **members: Any) -> dict[str, Any]:
    return {"EventType": kind, "EventId": identifier, "EventTimestamp": 0, "Id": f"c{identifier}", **members}


def written(capsys: pytest.CaptureFixture[str], log: EventLog) -> list[str]:
    log.close()  # the end is in the queue before anything is read
    log.start()
    log.close()
    return capsys.readouterr().out.splitlines()


def no_history(arn: str) -> Iterable[Any]:
    raise AssertionError("the history is asked for only when events are missing")


def test_lines_have_time_function_and_execution(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(as_json=False, options="", history=no_history)
    log.listener(ARN.format("n"), [context(1, Name="a")])
    log.listener(ARN.format("x" * 40), [context(1, Name="b")])
    first, second = written(capsys, log)
    assert first[8:] == "  order n  ▸ a  context started"
    assert second[8:] == f"  order {'x' * 23}…  ▸ b  context started"


def test_an_execution_from_before_is_told_with_what_is_known_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = [context(1, Name="outer"), context(2, Name="inner", ParentId="c1"), context(3, Name="not yet")]
    log = EventLog(as_json=False, options="", history=lambda arn: before)
    log.listener(ARN.format("n"), [context(3, "ContextSucceeded", Id="c2", ParentId="c1")])
    assert [line[8:] for line in written(capsys, log)] == ["  order n    ✓ inner  context succeeded"]


def test_a_history_that_is_gone_does_not_end_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    def gone(arn: str) -> Iterable[Any]:
        raise ApiError("ResourceNotFoundException", "deleted")

    log = EventLog(as_json=False, options="", history=gone)
    log.listener(ARN.format("n"), [context(7, Name="a")])
    log.say("reload", "done")
    lines = written(capsys, log)
    assert lines[0].endswith("▸ a  context started")
    assert lines[1] == "reload  done"


def test_a_flood_is_cut_short_and_says_so(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FLOOD", 10)
    log = EventLog(as_json=False, options="", history=no_history)
    for number in range(15):
        log.listener(ARN.format(f"n{number}"), [context(1, Name="a")])
    lines = written(capsys, log)
    assert sum("context started" in line for line in lines) == 10
    assert lines[0] == "(5 lines left out: too many at once)"


def test_json_lines_carry_the_event_whole(capsys: pytest.CaptureFixture[str]) -> None:
    log = EventLog(as_json=True, options="", history=no_history)
    log.listener(ARN.format("n"), [context(5, Name="a")])
    log.worker_message("order", "r-1", 0, "printed\n")
    log.say("reload", "broken", bad=True)
    event, output, reload = map(json.loads, written(capsys, log))
    assert event == {"Event": "Execution", "DurableExecutionArn": ARN.format("n"), **context(5, Name="a")}
    assert output == {"Event": "Output", "Function": "order", "RequestId": "r-1", "Text": "printed\n"}
    assert reload == {"Event": "Reload", "Failed": True, "Text": "broken"}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("printed\n", "printed"),
        ('{"a": 1}', '{"a": 1}'),
        ("{not json", "{not json"),
        ('{"level": "INFO", "message": "m", "requestId": "r"}', "INFO    m"),
        (
            '{"level":"ERROR","message":"m","stackTrace":["  File x\\n"],"errorType":"E","errorMessage":"why"}',
            "ERROR   m\n  File x\nE: why",
        ),
    ],
)
def test_what_worker_processes_log_is_readable(capsys: pytest.CaptureFixture[str], message: str, shown: str) -> None:
    log = EventLog(as_json=False, options="", history=no_history)
    log.worker_message("order", "r", 0, message)
    assert "\n".join(written(capsys, log)).split("  order  ", 1)[1] == shown
