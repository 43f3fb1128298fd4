"""What programs of other SDKs are held to while processes are killed: helpers for the tests of this folder.

The programs note their steps and callbacks in a ledger by name; see the ``note`` of each.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from crash import laws
from crash.services import Background, Service


def answer_callbacks(served: Service) -> Callable[[Callable[[], bool]], None]:
    """For Background: whoever asks gets what the program wants to hear, until the service has taken it."""

    def work(stopped: Callable[[], bool]) -> None:
        taken: set[str] = set()
        while not stopped():
            for entry in laws.ledger(served.ledger):
                if entry["kind"] == "callback" and entry["id"] not in taken and answered(served, entry):
                    taken.add(entry["id"])
            time.sleep(0.05)

    return work


def answered(served: Service, entry: Mapping[str, Any]) -> bool:
    try:
        if entry["what"] == "fail":
            error = {"ErrorType": "Refusal", "ErrorMessage": "no"}
            served.api.send_durable_execution_callback_failure(CallbackId=entry["id"], Error=error)
        else:
            served.api.send_durable_execution_callback_success(CallbackId=entry["id"], Result=entry["result"])
    except BotoCoreError:
        return False
    except ClientError as error:
        return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] < 500)  # an earlier answer did arrive
    return True


def check_steps(served: Service, arn: str, entries: Sequence[Mapping[str, Any]], *, kills: bool = True) -> int:
    """Nothing runs again after it was recorded, nor before without need. Returns how often a body was repeated.

    ``kills``: a process that was killed is the only need.
    """
    ended: dict[tuple[str, int], int] = {}
    attempt: Counter[str] = Counter()
    for event in served.history(arn):
        if event["EventType"] in ("StepSucceeded", "StepFailed"):
            name = event.get("Name", event["Id"])
            attempt[name] += 1
            ended[name, attempt[name]] = laws.milliseconds(event)
    runs: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for line in entries:
        if line["kind"] == "step" and line["arn"] == arn:
            assert line["ms"] <= ended[line["name"], line["attempt"]], f"{line} ran again after its end was recorded"
            runs[line["name"], line["attempt"]].append(line)
    repeats = [pair for lines in runs.values() for pair in pairwise(lines)]
    for before, after in repeats:
        assert not kills or before["name"] == "crash" or laws.was_killed(served, before, after), f"{after} without need"
    return len(repeats)


def check_careful_steps(entries: Sequence[Mapping[str, Any]]) -> None:
    """An at-most-once body runs at most once for an attempt."""
    runs = Counter(
        (line["arn"], line["name"], line["attempt"]) for line in entries if line.get("name") in ("once", "per attempt")
    )
    assert {key: count for key, count in runs.items() if count > 1} == {}


def check_once(result: Sequence[Any], arn: str, number: int, entries: Sequence[Mapping[str, Any]]) -> None:
    """The result of a program with an at-most-once step that is not retried, and another that is."""
    assert result in ([number, number + 1], ["interrupted", number + 1])
    ran = sum(line.get("name") == "once" and line["arn"] == arn for line in entries)
    assert ran == 1 if result[0] == number else ran <= 1


def processes_but_of(served: Service, function: str) -> list[int]:
    """Worker processes, without those of a plain function: if one is killed, it has failed for whoever invoked it."""
    found: list[int] = []
    for pid in served.workers():
        with contextlib.suppress(OSError):
            if f"AWS_LAMBDA_FUNCTION_NAME={function}\0".encode() not in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return found


@contextlib.contextmanager
def storm(
    served: Service, wanted: Sequence[tuple[str, int, str]], moments: random.Random, kills: int, spared: str
) -> Iterator[dict[str, tuple[str, int]]]:
    """Starts what is ``wanted`` (function, number, payload) and kills workers, and the service, at random moments.

    In the block all kills are over, and callbacks are answered. Gives (function, number) of each ARN.
    """
    started: dict[str, tuple[str, int]] = {}

    def start_all(stopped: Callable[[], bool]) -> None:
        for function, number, payload in wanted:
            started[served.invoke(function, payload, f"{function}-{number}")] = function, number

    with Background(answer_callbacks(served)):
        with Background(start_all):
            for _ in range(kills):
                time.sleep(moments.uniform(0.2, 1.5))
                processes = processes_but_of(served, spared)
                for pid in moments.sample(processes, min(2, len(processes))):
                    served.kill_worker(pid)
                time.sleep(moments.uniform(0.0, 0.5))
                served.kill()
                served.start()
        yield started
