"""Serves a template's functions on the embedded service until its standard input closes.

Runs in the project's environment. Prints one line of JSON, ``{"url": ...}``, once it answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from pathlib import Path

from driver.logs import LogWriter
from durably.service.config import ServiceConfig
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.store.sqlite import SqliteStore
from durably.workers.runtime_api import LambdaWorkers
from durably.workers.template import load_template


def serve(template: Path, parameters: dict[str, str], place: Path, region: str, processes: int) -> None:
    """Serve until standard input closes, which it also does when the one who started us dies."""
    logs = LogWriter(place / "logs")
    workers = LambdaWorkers(
        load_template(template, parameters, region=region).functions.values(),
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
    parser.add_argument("template", type=Path)
    parser.add_argument("--parameter", nargs="*", default=[], metavar="NAME=VALUE", help="of the template")
    parser.add_argument("--place", type=Path, required=True, help="folder for the store and the logs")
    parser.add_argument("--region", required=True)
    parser.add_argument("--processes", type=int, default=16, help="worker processes at a time (default 16)")
    arguments = parser.parse_args()
    parameters = dict(assignment.split("=", 1) for assignment in arguments.parameter)
    serve(arguments.template, parameters, arguments.place, arguments.region, arguments.processes)


if __name__ == "__main__":
    main()
