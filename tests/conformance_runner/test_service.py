"""The serving half: a real handler in a worker process, reached as the official runner reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from driver.logs import LogReader

CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"


TEMPLATE = """
Globals:
  Function: {Runtime: python3.11, CodeUri: HANDLERS, Timeout: 60, DurableConfig: {ExecutionTimeout: 3600}}
Resources:
  Sync: {Type: AWS::Serverless::Function, Properties: {Handler: sync.step.step_logger}}
  Async: {Type: AWS::Serverless::Function, Properties: {Handler: asynchronous.step.step_logger}}
"""


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "template.yaml").write_text(TEMPLATE.replace("HANDLERS", str(CONFORMANCE / "handlers")))
    (tmp_path / "logs").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "driver.service", "template.yaml", "--place", ".", "--region", "us-east-1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CONFORMANCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.communicate(timeout=60)
    assert process.returncode == 0, "it stops by itself when its standard input closes"


@pytest.mark.slow
def test_handlers_run_and_their_logs_are_found_by_execution(
    endpoint: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    request.addfinalizer(client.close)
    for name in ("Sync", "Async"):
        answer = client.invoke(FunctionName=name, Qualifier="$LATEST", Payload=b'"World"')
        assert json.loads(answer["Payload"].read()) == "Hello, World!"
        arn = answer["DurableExecutionArn"]
        assert f":function:{name}:$LATEST/durable-execution/" in arn
        pattern = f'{{ ($.durableExecutionArn = "{arn}") || ($.executionArn = "{arn}") }}'
        events = LogReader(tmp_path / "logs").filter_log_events(
            logGroupName=f"/aws/lambda/{name}", filterPattern=pattern
        )["events"]
        assert [json.loads(event["message"])["message"] for event in events] == [
            "Greeting step started for: World",
            "Greeting step completed with: Hello, World!",
        ]
