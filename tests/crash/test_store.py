"""The store's file: one service at a time, and a disk that is full."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from . import laws
from .load import Load
from .services import PATIENCE, Background, Service, eventually, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]


def test_a_second_service_on_the_same_store_is_refused(tmp_path: Path) -> None:
    with service(tmp_path) as first:
        load = Load(first.start())
        second = Service(tmp_path)
        with Background(load.answer):
            for number, function in enumerate(("pipeline", "fan", "parent", "asks")):
                load.start(function, number)
                refused = second.spawn()
                assert refused.wait(PATIENCE) == 1
                assert not second.listening()
                assert first.listening()
            load.check(300)
        told = second.tail()
        assert f"{first.store} is used by another durably service; stop that one, or give this one another path" in told
        assert "Traceback" not in told
        first.kill()
        second.start()  # the dead leave no lock behind
        second.stop()
        laws.check_store(first.store)
        second.destroy()


def test_a_second_service_on_the_same_port_leaves_the_store_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with service(tmp_path) as first:
        first.start()
        second = Service(tmp_path / "other")
        second.port = first.port
        assert second.spawn().wait(PATIENCE) == 1
        assert f"127.0.0.1:{first.port} is in use" in second.tail()
        assert not second.store.exists()
        second.destroy()
        first.stop()


@pytest.mark.parametrize(
    ("options", "restart"),
    [
        pytest.param((), "restarted", id="in-process-restarted"),
        pytest.param((), "goes on", id="in-process-goes-on"),
        pytest.param(("--workers", "2"), "killed", id="workers-killed"),
        pytest.param(("--workers", "2"), "goes on", id="workers-go-on"),
    ],
)
def test_a_full_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path, options: tuple[str, ...], restart: str
) -> None:
    with service(tmp_path, *options) as served:
        load = Load(served.start())
        with Background(load.answer):
            for function in ("pipeline", "fan", "parent", "asks", "big", "loop"):
                load.start(function, 0)
            eventually(lambda: len(laws.ledger(served.ledger)) > 20, "work is under way")
            served.limit_file_size(_largest(tmp_path) + 20_000)
            refusal = _until_refused(served, load)
            assert refusal.response["Error"]["Code"] == "ServiceException"
            assert refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            assert "the store could not write" in str(refusal)
            time.sleep(1)  # with timers due, functions at work, all of them refused
            for arn in load.started:
                assert served.execution(arn)["Status"] in ("RUNNING", "SUCCEEDED"), "what can be read is answered"
            acknowledged = {arn: served.history(arn) for arn in load.started}
            if restart == "restarted":
                served.stop()
                served.start()
            elif restart == "killed":
                served.kill()
                served.start()
            else:
                served.limit_file_size(-1)
            for arn, events in acknowledged.items():
                assert served.history(arn)[: len(events)] == events
            load.start("pipeline", 99)
            # A body whose result could not be written is run again without anybody having been killed.
            load.check(300, repeats=False)
            for arn, events in acknowledged.items():
                assert served.history(arn)[: len(events)] == events
        served.stop()
        laws.check_store(served.store)


def _largest(directory: Path) -> int:
    return max(path.stat().st_size for path in directory.iterdir() if path.name.startswith("store.db"))


def _until_refused(served: Service, load: Load) -> ClientError:
    """Start executions with much input until one is refused; those that were not are among the load."""
    for number in range(100):
        try:
            answer = served.api.invoke(
                FunctionName="size:$LATEST",
                InvocationType="Event",
                DurableExecutionName=f"size-{number}",
                Payload='"' + "x" * 50_000 + '"',
            )
        except ClientError as refusal:
            return refusal
        load.started[answer["DurableExecutionArn"]] = "size", 50_000
    raise AssertionError("the disk is never full")
