"""Log files answer FilterLogEvents as CloudWatch would, for what the official runner asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driver.logs import LogReader, LogWriter

ARN = 'arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/n"1/x\\y'
OTHER = ARN + "2"


def pattern(arn: str) -> str:
    escaped = arn.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{ ($.durableExecutionArn = "{escaped}") || ($.executionArn = "{escaped}") }}'


@pytest.fixture
def reader(tmp_path: Path) -> LogReader:
    writer = LogWriter(tmp_path)
    writer.write("f", 1000, "START RequestId: 1\n")
    writer.write("f", 1001, json.dumps({"message": "mine", "executionArn": ARN}))
    writer.write("f", 1002, json.dumps({"message": "mine too", "durableExecutionArn": ARN}))
    writer.write("f", 1003, json.dumps({"message": "another's", "executionArn": OTHER}))
    writer.write("f", 1004, json.dumps([ARN]))
    writer.write("g", 1001, json.dumps({"message": "another function's", "executionArn": ARN}))
    return LogReader(tmp_path)


def messages(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [json.loads(event["message"])["message"] for event in answer["events"]]


def test_an_execution_is_picked_by_either_field(reader: LogReader) -> None:
    answer = reader.filter_log_events(logGroupName="/aws/lambda/f", startTime=0, filterPattern=pattern(ARN))
    assert messages(answer) == ["mine", "mine too"]


def test_times_are_inclusive(reader: LogReader) -> None:
    answer = reader.filter_log_events(logGroupName="/aws/lambda/f", startTime=1002, endTime=1003)
    assert messages(answer) == ["mine too", "another's"]


def test_without_a_pattern_every_record_is_returned_whole(reader: LogReader) -> None:
    events = reader.filter_log_events(logGroupName="/aws/lambda/f")["events"]
    assert len(events) == 5
    assert events[0] == {"timestamp": 1000, "message": "START RequestId: 1\n"}


def test_a_function_that_never_wrote_has_no_records(reader: LogReader) -> None:
    assert reader.filter_log_events(logGroupName="/aws/lambda/h") == {"events": []}


def test_a_record_that_is_half_written_is_not_there_yet(reader: LogReader, tmp_path: Path) -> None:
    before = reader.filter_log_events(logGroupName="/aws/lambda/f")
    with (tmp_path / "f.jsonl").open("a") as file:
        file.write('{"timestamp": 1005, "mess')
    assert reader.filter_log_events(logGroupName="/aws/lambda/f") == before


def test_a_pattern_that_is_not_understood_is_refused(reader: LogReader) -> None:
    with pytest.raises(ValueError, match="ERROR"):
        reader.filter_log_events(logGroupName="/aws/lambda/f", filterPattern="ERROR")
