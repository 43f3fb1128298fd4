"""Dozens of executions of everything that app.py holds: started, answered, and checked at the end."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from . import laws
from .services import Service, eventually

EXPECTED: dict[str, Callable[[int], Any]] = {
    "pipeline": lambda n: 4 * (n + 1) + 9,
    "fan": lambda n: [n + 1, n + 2, n + 3, n + 4, n + 100, n + 101],
    "parent": lambda n: [n + 20, 3 * n, 3 * n + 1],
    "big": lambda n: "c" * 300_000,
    "loop": lambda n: n + sum(range(500)),
    "async_loop": lambda n: n + sum(range(100)),
    "size": lambda n: n,
}


class Load:
    """Executions of a service, and the answers to their callbacks."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.started: dict[str, tuple[str, int]] = {}
        self.acknowledged: dict[str, str] = {}
        """The answer to each callback that the service said it took."""
        self.sent: dict[str, list[str]] = {}

    def start(self, function: str, number: int) -> str:
        arn = self.service.invoke(function, json.dumps(number), f"{function}-{number}")
        self.started[arn] = function, number
        return arn

    def start_many(self, each: dict[str, int], pause: float, seed: int) -> Callable[[Callable[[], bool]], None]:
        """For :class:`~.services.Background`: ``each`` function so many times, in a random order."""
        wanted = [(function, number) for function, count in each.items() for number in range(count)]
        random.Random(seed).shuffle(wanted)

        def work(stopped: Callable[[], bool]) -> None:
            for function, number in wanted:
                self.start(function, number)
                time.sleep(pause)

        return work

    def answer(self, stopped: Callable[[], bool]) -> None:
        """Answer every callback that asks, each time with another answer, until one was taken."""
        while not stopped():
            for entry in laws.ledger(self.service.ledger):
                if entry["kind"] == "callback" and entry["id"] not in self.acknowledged:
                    self._answer(entry["id"])
            time.sleep(0.05)

    def _answer(self, callback_id: str) -> None:
        answers = self.sent.setdefault(callback_id, [])
        answers.append(f"answer {len(answers) + 1}")
        try:
            self.service.api.send_durable_execution_callback_success(CallbackId=callback_id, Result=answers[-1])
        except BotoCoreError:
            return
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                return
            if len(answers) == 1:
                raise
            # An earlier answer arrived, though nobody heard that it did.
            self.acknowledged[callback_id] = ""
        else:
            self.acknowledged[callback_id] = answers[-1]

    # ---- at the end ----------------------------------------------------------------------------------------

    def check(self, patience: float, *, repeats: bool = True) -> int:
        """Every law of every execution. Returns how many step bodies had to be repeated.

        ``repeats``: a body may run again only where its process was killed.
        """
        service, end = self.service, time.monotonic() + patience
        for arn in self.started:
            service.ended(arn, max(1, end - time.monotonic()))
        self._check_lists()
        entries = laws.ledger(service.ledger)
        laws.check_once(entries)
        laws.check_order(entries, {arn for arn, (function, _) in self.started.items() if function.endswith("loop")})
        repeated = 0
        arns = [*self.started, *service.executions("leaf")]
        for number, arn in enumerate(arns):
            events = service.history(arn, page=(7, 100, 1000)[number % 3])
            laws.check_history(events)
            repeated += laws.check_ledger(service if repeats else None, entries, arn, events)
            self._check_callbacks(events)
            if arn in self.started:
                self._check_result(arn, *self.started[arn], entries)
        return repeated

    def _check_lists(self) -> None:
        """All that were acknowledged are there, and nothing was started twice."""
        for function in {function for function, _ in self.started.values()}:
            assert sorted(self.service.executions(function)) == sorted(
                arn for arn, (name, _) in self.started.items() if name == function
            )
        parents = sum(function == "parent" for function, _ in self.started.values())
        assert len(self.service.executions("leaf")) == parents

    def _check_result(self, arn: str, function: str, number: int, entries: list[Any]) -> None:
        execution = self.service.execution(arn)
        assert execution["Status"] == "SUCCEEDED", (arn, execution.get("Error"), self.service.tail())
        result = json.loads(execution["Result"])
        if function == "once":
            assert result[1] == 100 * (number + 1)
            assert result[0] in (number, "interrupted")
            ran = sum(line["kind"] == "step" and line["arn"] == arn and line["name"] == "no retry" for line in entries)
            assert ran == 1 if result[0] == number else ran <= 1
        elif function != "asks":
            assert result == EXPECTED[function](number)

    def _check_callbacks(self, events: list[Any]) -> None:
        """Each was delivered once, and what was delivered is what the service acknowledged."""
        ids = {
            e["Id"]: e["CallbackStartedDetails"]["CallbackId"] for e in events if e["EventType"] == "CallbackStarted"
        }
        delivered = {
            ids[event["Id"]]: event["CallbackSucceededDetails"]["Result"]["Payload"]
            for event in events
            if event["EventType"] == "CallbackSucceeded"
        }
        assert delivered.keys() == set(ids.values())
        for callback_id, result in delivered.items():
            eventually(lambda: callback_id in self.acknowledged, "the answer is known to have arrived")  # noqa: B023
            acknowledged = self.acknowledged[callback_id]
            assert result == acknowledged if acknowledged else result in self.sent[callback_id]
