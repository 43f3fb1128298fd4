"""Starts the service with the handlers, runs the official runner against it and reports."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from driver import environment, report

ROOT = Path(__file__).resolve().parent.parent
REGION = "us-east-1"


def arguments_from(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="conformance/run",
        description="Run the official durable execution requirements against durably's embedded service.",
    )
    parser.add_argument("--mode", choices=["sync", "async"], required=True, help="which handlers")
    parser.add_argument("--suite", nargs="+", action="extend", metavar="S", help="only these suites (default: all)")
    parser.add_argument("--id", nargs="+", action="extend", metavar="ID", help="only these requirements, such as 1-1")
    parser.add_argument(
        "--requirements",
        type=Path,
        metavar="DIR",
        help="another edition's requirement files: a folder of suites, each a folder of YAML files",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write every requirement's result there, as JSON")
    parser.add_argument("--concurrency", type=int, default=8, metavar="N", help="requirements at a time (default 8)")
    parser.add_argument("--work", type=Path, default=ROOT / ".work", metavar="DIR", help="environment and histories")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what the runner and the service say")
    arguments = parser.parse_args(argv)
    if arguments.requirements and not any(arguments.requirements.glob("*/*.yaml")):
        parser.error(f"--requirements {arguments.requirements}: no suite folder with YAML files in it")
    if arguments.concurrency < 1:
        parser.error(f"--concurrency {arguments.concurrency}: at least 1")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    arguments = arguments_from(argv)
    python = environment.runner_python(arguments.work / "runner")
    template = ROOT / "templates" / f"{arguments.mode}.yaml"
    histories = arguments.work / "history" / arguments.mode
    shutil.rmtree(histories, ignore_errors=True)
    histories.mkdir(parents=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="durably-conformance-") as scratch:
        place = Path(scratch)
        with service_for(template, place, arguments) as url:
            results = run_official(python, arguments, template, url, place, histories)
    seconds = time.monotonic() - started
    if arguments.report:
        summary = {"mode": arguments.mode, "seconds": round(seconds, 1), "results": results}
        arguments.report.write_text(json.dumps(summary, indent=1))
    for result in results:
        if result["status"] in report.FAILURES:
            print(f"{result['id']:<6} {report.COLUMNS[result['status']]}")
    last_line, code = report.verdict(results)
    print(f"\n{report.table(results)}\n")
    print(f"{arguments.mode} handlers, {seconds:.0f} s; histories in {histories}")
    print(last_line)
    return code


@contextlib.contextmanager
def service_for(template: Path, place: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """The embedded service with the handlers, in a process of its own, until the block ends; gives its URL."""
    for folder in ("logs", "attempts"):
        (place / folder).mkdir()
    program = [sys.executable, "-m", "driver.service", str(template), "--place", str(place), "--region", REGION]
    program += ["--parameter", f"AttemptsDirectory={place / 'attempts'}"]
    # Each requirement may keep two processes busy, its function's and that of the function it invokes.
    program += ["--processes", str(2 * arguments.concurrency)]
    log = place / "service.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if arguments.verbose else said,
            text=True,
            env=child_environment(),
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit(f"{log.read_text()}the service did not start")
        yield json.loads(line)["url"]
    finally:
        process.communicate(timeout=60)  # closing its standard input asks it to stop


def run_official(
    python: Path, arguments: argparse.Namespace, template: Path, url: str, place: Path, histories: Path
) -> list[dict[str, Any]]:
    program = [str(python), "-m", "driver.official", "--template", str(template), "--endpoint-url", url]
    program += ["--region", REGION, "--logs-dir", str(place / "logs"), "--history-dir", str(histories)]
    program += ["--results", str(place / "results.json"), "--concurrency", str(arguments.concurrency)]
    if arguments.requirements:
        program += ["--requirements", str(arguments.requirements.resolve())]
    for option in ("suite", "id"):
        if getattr(arguments, option):
            program += [f"--{option}", *getattr(arguments, option)]
    if arguments.verbose:
        program.append("--verbose")
    finished = subprocess.run(program, env=child_environment())
    if finished.returncode:
        raise SystemExit(finished.returncode)
    results: list[dict[str, Any]] = json.loads((place / "results.json").read_text())
    return results


def child_environment() -> dict[str, str]:
    """Ours, with this folder importable and nothing that would send a client to a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONPATH"))}
    return kept | {"PYTHONPATH": str(ROOT), "AWS_EC2_METADATA_DISABLED": "true"}
