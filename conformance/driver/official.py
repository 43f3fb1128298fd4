"""Runs the official conformance runner, in its own environment, against a local endpoint.

The runner is as shipped but for four seams, each put where the package itself would have put the real thing: deploying
a stack (everything is served already), creating clients (boto3 on the endpoint; CloudFormation and Logs answered from
the template and from files), the sleeps that wait for logs to propagate, and where requirement files are.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import json
import sys
import tempfile
import threading
import time
import types
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import boto3
from aws_durable_execution_conformance_tests import app, cloudwatch, validate
from aws_durable_execution_conformance_tests.clients import AwsClients
from aws_durable_execution_conformance_tests.extensions import load_extensions
from botocore.config import Config

from driver import report
from driver.logs import LogReader

LONGEST_LOG_WAIT = 0.5


class Deployed:
    """Takes the place of the package's SAM deployer."""

    def __init__(self, **_: Any) -> None: ...

    def build(self) -> None: ...

    def deploy(self, **_: Any) -> None: ...


class Stack:
    """The two CloudFormation calls the runner makes, answered with logical ids as physical names."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def get_paginator(self, operation: str) -> Any:
        if operation != "list_stack_resources":
            raise NotImplementedError(operation)
        rows = [
            {"ResourceType": "AWS::Lambda::Function", "LogicalResourceId": name, "PhysicalResourceId": name}
            for name in self._names
        ]
        return types.SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": rows}])

    def describe_stack_resource(self, *, StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        name = LogicalResourceId if LogicalResourceId in self._names else ""
        return {"StackResourceDetail": {"PhysicalResourceId": name}}


def install_seams(arguments: argparse.Namespace, names: list[str]) -> None:
    """Put the stand-ins where the package looks for the real ones."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": arguments.region}
    patience = Config(read_timeout=900, retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=64)
    lambda_client = boto3.client("lambda", endpoint_url=arguments.endpoint_url, config=patience, **credentials)
    clients = {"lambda": lambda_client, "cloudformation": Stack(names), "logs": LogReader(arguments.logs_dir)}
    AwsClients.create = classmethod(lambda cls, *_: cls(MappingProxyType(clients)))
    app.Deployer = Deployed
    app.delete_stack = lambda *_: True
    cloudwatch.time = types.SimpleNamespace(
        sleep=lambda seconds: time.sleep(min(seconds, LONGEST_LOG_WAIT)), monotonic=time.monotonic, time=time.time
    )
    cloudwatch.CloudWatchLogRetriever.EVENT_POLL_TIMEOUT_SECONDS = LONGEST_LOG_WAIT
    if arguments.requirements:
        app.TESTS_DIR = arguments.requirements


def narrowed(wanted: Callable[[str], bool]) -> Callable[[str], list[tuple[str, str]]]:
    """The package's own reading of a template, less the requirements that are not asked for."""
    read = validate.parse_function_descriptions
    return lambda path: [(function, identifier) for function, identifier in read(path) if wanted(identifier)]


def say(line: str) -> None:
    """To the real standard output, wherever the runner's own goes."""
    print(line, file=sys.__stdout__, flush=True)


def announced(total: int, durations: dict[str, float]) -> Callable[..., Any]:
    """The package's own validation of one requirement, with a line printed when it is done and its time taken."""
    validate_one, lock, done = validate.validate_description, threading.Lock(), iter(range(1, total + 1))

    def validate_and_announce(function: str, identifier: str, *rest: Any, **options: Any) -> Any:
        started = time.monotonic()
        result = validate_one(function, identifier, *rest, **options)
        seconds = time.monotonic() - started
        outcome = "passed" if result.passed else "optional failed" if result.optional else "FAILED"
        with lock:
            durations[identifier] = seconds
            say(f"[{next(done):>3}/{total}] {identifier:<6} {outcome:<15} {function} ({seconds:.1f} s)")
            for error in () if result.passed else result.errors:
                say(f"          {error}")
        return result

    return validate_and_announce


@contextlib.contextmanager
def runner_output(shown: bool) -> Iterator[None]:
    """The runner narrates at length on stdout; that is kept for --verbose."""
    with contextlib.nullcontext() if shown else contextlib.redirect_stdout(io.StringIO()):
        yield


def functions_served(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/_durably/functions") as answer:
        return [function["FunctionName"] for function in json.load(answer)["Functions"]]


def run(arguments: argparse.Namespace) -> list[Mapping[str, Any]]:
    """Run the suites asked for and return the official report's results."""
    install_seams(arguments, functions_served(arguments.endpoint_url))
    registry = load_extensions(app.TESTS_DIR)
    suites = arguments.suite or sorted(registry.suites)
    demand("suite", suites, registry.suites)
    requirements = registry.discover_requirements(suites)
    demand("requirement", arguments.id or (), requirements)
    asked = set(arguments.id or requirements)
    app.parse_function_descriptions = narrowed(asked.__contains__)
    covered = app.parse_function_descriptions(str(arguments.template))
    uncovered = asked - {identifier for _, identifier in covered}
    if not covered:
        return report.by_id(_uncovered(identifier, requirements) for identifier in uncovered)
    durations: dict[str, float] = {}
    app.validate_description = announced(len(covered), durations)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "report"
        options = {
            "--template": arguments.template,
            "--language": "python",
            "--region": arguments.region,
            "--name": "local",
            "--history-dir": arguments.history_dir,
            "--max-workers": arguments.concurrency,
            "--report-file": base,
        }
        command = [str(part) for option in options.items() for part in option]
        command += ["--suite", *suites, "--report", "console", "json"]
        with runner_output(arguments.verbose), contextlib.suppress(SystemExit):
            app.run(command)
        produced = base.with_suffix(".json")
        if not produced.exists():
            raise SystemExit("the official runner ended without a report; run again with -v to see what it said")
        results: list[dict[str, Any]] = json.loads(produced.read_text())["results"]
    for result in results:
        result["duration_seconds"] = round(durations.get(result["id"], 0.0), 3)
    return report.by_id(result for result in results if result["id"] in asked)


def demand(kind: str, asked: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that do not exist, telling which come close, or all if they are few."""
    for name in sorted(set(asked) - set(known)):
        shown = sorted(known) if len(set(known)) <= 12 else difflib.get_close_matches(name, known)
        hint = f"; there is {', '.join(shown)}" if shown else ""
        raise SystemExit(f"no {kind} {name!r} in {app.TESTS_DIR}{hint}")


def _uncovered(identifier: str, requirements: Any) -> dict[str, Any]:
    return {"id": identifier, "suite": requirements[identifier].suite.name, "status": "UNCOVERED", "errors": []}


def main() -> None:
    parser = argparse.ArgumentParser(prog="driver.official", description=__doc__)
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--logs-dir", type=Path, required=True)
    parser.add_argument("--history-dir", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="where the results go, as JSON")
    parser.add_argument("--requirements", type=Path)
    parser.add_argument("--suite", nargs="*")
    parser.add_argument("--id", nargs="*")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    arguments.results.write_text(json.dumps(run(arguments)))


if __name__ == "__main__":
    main()
