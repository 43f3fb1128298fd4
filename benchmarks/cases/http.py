"""Durable steps over HTTP: our service with its store on disk, functions in two worker processes that run the real
Lambda runtime client, each checkpoint a signed request. The callers invoke over HTTP too."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support.embedded import directory, recorded_steps
from support.loopback import CREDENTIALS
from support.model import Case, Measurement, Row, Settings, check

APP = Path(__file__).resolve().parent.parent / "support" / "app.py"
WORKERS = 2


def durably(settings: Settings, function: str) -> Measurement:
    from durably.client import LambdaApi
    from durably.service.http.server import HttpServer
    from durably.service.kernel import Service
    from durably.service.store.sqlite import SqliteStore
    from durably.workers.runtime_api import LambdaWorkers

    os.environ.update(CREDENTIALS)
    with directory() as place:
        service = Service(SqliteStore(str(place / "store.db")))
        workers = LambdaWorkers(str(APP), concurrency=WORKERS)
        service.attach(workers)
        service.start()
        server = HttpServer(service, port=0)
        server.start()
        workers.endpoint_url = server.url
        api = LambdaApi(endpoint_url=server.url, read_timeout=300)

        def run(steps: int) -> dict[str, Any]:
            answer = api.call(
                "Invoke",
                FunctionName=f"{function}:$LATEST",
                InvocationType="RequestResponse",
                Payload=json.dumps({"steps": steps}),
            )
            check(not answer.get("FunctionError"), f"the execution failed: {answer}")
            check(json.loads(answer["Payload"]) == steps * (steps + 1) // 2, f"wrong result: {answer}")
            return answer

        def timed(executions: int, steps: int) -> float:
            """Seconds for so many executions, WORKERS of them at a time."""
            began = time.perf_counter()
            list(pool.map(run, [steps] * executions))
            return time.perf_counter() - began

        try:
            with ThreadPoolExecutor(WORKERS) as pool:
                timed(2 * WORKERS, 10)
                steps = settings.count(1000, 50)
                began = time.perf_counter()
                arn = run(steps)["DurableExecutionArn"]
                alone = time.perf_counter() - began
                together = timed(WORKERS, steps)
                executions = settings.count(300, 20)
                short = timed(executions, 1)
            arn = run(7)["DurableExecutionArn"]
            recorded = recorded_steps(api.call("GetDurableExecutionHistory", DurableExecutionArn=arn))
            check(recorded == 7, f"{recorded} steps are recorded of 7")
        finally:
            server.stop()
            service.close()
            workers.close()
    return {
        "steps_per_s": steps / alone,
        "steps_per_s_at_once": WORKERS * steps / together,
        "executions_per_s": executions / short,
    }


CASE = Case(
    number=10,
    title="over HTTP, two worker processes, store on disk",
    programs={
        "durably/sync": lambda settings: durably(settings, "blocking"),
        "durably/async": lambda settings: durably(settings, "awaiting"),
    },
    rows=tuple(
        Row(f"{label}, {world}", metric, "/s", f"durably/{world}", {}, target, higher=True, digits=0)
        for label, metric, target in (
            ("steps, one execution", "steps_per_s", 1000),
            ("steps, two executions at once", "steps_per_s_at_once", 1000),
            ("one-step executions, two at once", "executions_per_s", None),
        )
        for world in ("sync", "async")
    ),
    notes=("No peer has this to measure: the nearest, AWS's own test server, keeps everything in memory.",),
)
