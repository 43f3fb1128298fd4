"""Serves a template's functions on the embedded service until its standard input closes.

Runs in the project's environment. Prints one line of JSON, ``{"url": ...}``, once it answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from driver.logs import LogWriter
from durably.service.config import ServiceConfig
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.ports import FunctionSpec
from durably.service.store.sqlite import SqliteStore
from durably.workers.runtime_api import LambdaWorkers, RuntimeFunction


def spec_of(function: dict[str, Any]) -> FunctionSpec:
    """What the service needs to know; what the template leaves out keeps the service's default."""
    stated = {"execution_timeout_seconds": function["execution_timeout"], "retention_days": function["retention_days"]}
    return FunctionSpec(
        name=function["name"],
        durable=function["durable"],
        timeout_seconds=function["timeout"],
        memory_mb=function["memory"],
        environment=function["environment"],
        **{name: value for name, value in stated.items() if value is not None},
    )


def serve(functions: list[dict[str, Any]], place: Path, region: str, processes: int) -> None:
    """Serve until standard input closes, which it also does when the one who started us dies."""
    logs = LogWriter(place / "logs")
    workers = LambdaWorkers(
        [RuntimeFunction(spec_of(function), function["handler"], Path(function["code"])) for function in functions],
        max_processes=processes,
        region=region,
        on_log=lambda function, _request, moment, message: logs.write(function, moment, message),
    )
    with contextlib.ExitStack() as running:
        running.callback(workers.close)
        service = running.enter_context(
            Service(SqliteStore(place / "executions.db"), workers, config=ServiceConfig(region=region))
        )
        server = HttpServer(service, port=0)
        running.callback(server.stop)
        server.start()
        workers.endpoint_url = server.url
        print(json.dumps({"url": server.url}), flush=True)
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser(prog="driver.service", description=__doc__)
    parser.add_argument("functions", type=Path, help="JSON, as driver.functions prints it")
    parser.add_argument("--place", type=Path, required=True, help="folder for the store and the logs")
    parser.add_argument("--region", required=True)
    parser.add_argument("--processes", type=int, default=16, help="worker processes at a time (default 16)")
    arguments = parser.parse_args()
    serve(json.loads(arguments.functions.read_text()), arguments.place, arguments.region, arguments.processes)


if __name__ == "__main__":
    main()
