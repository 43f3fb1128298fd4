"""The network between functions and service loses answers and requests, and repeats them. Nothing happens twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from . import laws
from .load import Load
from .proxy import FATES, LossyProxy
from .services import APP, Background, Service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

LOSSY = APP.with_name("lossy_app.py")


def expected(function: str, n: int) -> list[Any]:
    if function.endswith("_async"):
        return [*(n + start + 1 for start in range(5)), n]
    n += sum(range(20))
    return [n, n, 2 * n + 3]


@pytest.mark.parametrize("client", ["boto3", "ours"])
def test_a_repeated_checkpoint_is_applied_once(tmp_path: Path, client: str) -> None:
    served = Service(tmp_path, "--workers", "3", app=LOSSY)
    with LossyProxy(served.port, seed=40, share=0.4) as proxy:
        served.environment["CRASH_PROXY"] = proxy.url
        try:
            load = Load(served.start())
            with Background(load.answer):
                arns = [load.start(f"{client}_{kind}", n) for kind in ("sync", "async") for n in range(3)]
                for arn in arns:
                    execution = served.ended(arn)
                    assert execution["Status"] == "SUCCEEDED", execution.get("Error")
                    *results, answer = json.loads(execution["Result"])
                    assert results == expected(*load.started[arn])
                    assert answer.startswith("answer ")
            entries = laws.ledger(served.ledger)
            for arn in arns:
                events = served.history(arn)
                laws.check_history(events)
                assert laws.check_ledger(served, entries, arn, events) == 0
                failed = [event for event in events if "Error" in event.get("InvocationCompletedDetails", {})]
                assert failed == [], "every call got through in the end"
            assert set(proxy.met) == {"arrives", *FATES}, "each fate was met"
            served.stop()
            laws.check_store(served.store)
        finally:
            served.destroy()
