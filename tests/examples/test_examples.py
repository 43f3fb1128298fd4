"""Every example runs on the embedded service and gives what it says; its docstring shows the first case of it."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from durably.client.in_process import InProcessClient
from durably.service.http.server import HttpServer
from durably.service.kernel import Service
from durably.service.store.memory import MemoryStore
from durably.workers.in_process import InProcessWorker
from durably.workers.loader import load_functions

from .stage import ROOT, Answer, play

NOT_EXAMPLES = {"demo.py"}
"""Programs that show an example."""
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Case:
    path: str
    function: str
    event: Any
    result: Any
    answers: Mapping[str, Sequence[Answer]] = field(default_factory=dict)
    seconds: float | None = None
    """that pass, to the second, if that is worth looking at"""
    error: str | None = None
    """part of the error with which the execution fails"""
    statuses: Mapping[str, str] = field(default_factory=dict)
    """of operations, by name"""

    def __str__(self) -> str:
        return f"{self.path.removesuffix('.py')}-{self.function}-{self.event}"[:80]


def ask(name: str, *answers: Answer) -> dict[str, Sequence[Answer]]:
    """Of a wait_for_callback."""
    return {f"{name} create callback id": answers}


CASES = [
    Case("getting_started/hello.py", "hello", "Ada", "Hello, Ada!", statuses={"greet": "SUCCEEDED"}),
    Case(
        "getting_started/quick_start.py",
        "process_order",
        {"order_id": "A-17", "amount": 40},
        {"order_id": "A-17", "status": "completed", "payment": "payment of 40 for A-17"},
        seconds=5,
        statuses={"validate": "SUCCEEDED", "pay": "SUCCEEDED", "payment confirmation": "SUCCEEDED"},
    ),
    Case(
        "getting_started/quick_start.py",
        "process_order",
        {"order_id": "A-18", "amount": 0},
        None,
        error="the order A-18 is for nothing",
    ),
    # ---- steps -------------------------------------------------------------------------------------------------
    Case(
        "steps/basics.py",
        "bake",
        {"cake": "Linzer torte", "guests": 6},
        ["240 g of Linzer torte, piece 1", "240 g of Linzer torte, piece 2"],
        statuses={"bake": "SUCCEEDED", "cut": "SUCCEEDED"},
    ),
    Case(
        "steps/at_most_once.py",
        "send_letter",
        {"to": "Grace", "text": "Dear Grace"},
        ["copy 1ced8f5b", "posted to Grace"],
    ),
    Case(
        "steps/retries.py",
        "call_cat",
        {"patience": "exponential", "comes_at": 4},
        "it came at call 4",
        seconds=1 + 2 + 4,
    ),
    Case("steps/retries.py", "call_cat", {"patience": "linear"}, "it came at call 4", seconds=1 + 3 + 5),
    Case("steps/retries.py", "call_cat", {"patience": "fixed"}, "it came at call 4", seconds=90),
    Case("steps/retries.py", "call_cat", {"patience": "none"}, "gave up: no cat, but a meow, at call 1", seconds=0),
    Case("steps/retries.py", "call_cat", {"patience": "preset"}, "it came at call 4"),
    Case("steps/retries.py", "call_cat", {"patience": "own"}, "it came at call 4", seconds=1 + 2 + 3),
    Case(
        "steps/retries.py",
        "call_cat",
        {"patience": "fixed", "comes_at": 9},
        "gave up: no cat, but a meow, at call 5",
        seconds=120,
    ),
    Case(
        "steps/retry_filters.py",
        "phone",
        "line busy",
        ["connected at attempt 2", "not tried again: line busy", "connected at attempt 2"],
    ),
    Case(
        "steps/retry_filters.py",
        "phone",
        "error 503",
        ["not tried again: error 503", "connected at attempt 2", "not tried again: error 503"],
        seconds=5,
    ),
    Case("steps/time_limit.py", "dial_in", "host-7", "host-7 answers at attempt 2", seconds=1),
    Case("steps/typed_errors.py", "withdraw", {"account": "DE-1", "amount": 80}, "pay in 30 first"),
    Case("steps/typed_errors.py", "withdraw", {"account": "DE-2", "amount": 80}, "420 left"),
    Case("steps/typed_errors.py", "withdraw", {"account": "AT-1", "amount": 80}, "NoSuchAccount: AT-1"),
    # ---- waits, conditions -------------------------------------------------------------------------------------
    Case(
        "waits/pauses.py",
        "collect",
        {"plate": "W-1", "paid_after_letter": 3},
        "paid after 51 days and 3 letters",
        seconds=51 * DAY,
    ),
    Case("waits/pauses.py", "collect", {"plate": "W-1", "paid_after_letter": 4}, "for the court", seconds=51 * DAY),
    Case("waits/durations.py", "units", "hours", 7200, seconds=7200),
    Case("waits/durations.py", "units", "years", 31_536_000, seconds=31_536_000),
    Case(
        "waits/cancelled.py",
        "bill",
        {"number": 7, "pays": True},
        "bill 7 is paid",
        seconds=0,
        statuses={"until the reminder": "CANCELLED"},
    ),
    Case("waits/cancelled.py", "bill", {"number": 8, "pays": False}, "bill 8: please remember", seconds=30 * DAY),
    Case(
        "conditions/polling.py",
        "wash",
        {"programme": "cotton", "minutes": 90},
        "cotton is done, after 4 looks",
        seconds=60 * (5 + 10 + 20),
    ),
    Case(
        "conditions/polling.py",
        "wash",
        {"programme": "carpets", "minutes": 2000},
        "somebody should see to it: the condition was not met in 7 attempts, as many as allowed",
    ),
    # ---- callbacks ---------------------------------------------------------------------------------------------
    Case(
        "callbacks/approval.py",
        "holiday",
        {"who": "Ada", "days": 10},
        "yes, says Grace",
        answers=ask("approval", Answer('{"approved": true, "by": "Grace"}', after=HOUR)),
        seconds=HOUR,
    ),
    Case(
        "callbacks/approval.py",
        "holiday",
        {"who": "Bob", "days": 90},
        "nobody said no, so have a nice time",
        seconds=DAY,
    ),
    Case(
        "callbacks/two_phase.py",
        "print_book",
        {"title": "On Engines", "copies": 3},
        "On Engines, 100 pages, number OE-1843",
        answers={"printed": [Answer('"OE-1843"')]},
    ),
    Case(
        "callbacks/heartbeat.py",
        "climb",
        "the north face",
        "at the top",
        answers=ask(
            "the north face",
            *[Answer(heartbeat=True, after=HOUR + n) for n in range(5)],
            Answer('"at the top"', after=HOUR),
        ),
    ),
    Case(
        "callbacks/heartbeat.py",
        "climb",
        "the chimney",
        "a search party leaves",
        answers=ask("the chimney", Answer(heartbeat=True, after=HOUR)),
        seconds=3 * HOUR,
    ),
    Case(
        "callbacks/heartbeat.py",
        "climb",
        "a wall",
        "a long climb",
        answers=ask("a wall", *[Answer(heartbeat=True, after=2 * HOUR - 1)] * 24),
        seconds=2 * DAY,
    ),
    Case(
        "callbacks/outcomes.py",
        "quote",
        "a piano",
        "refused, TooHeavy: four people needed",
        answers=ask("price", Answer(failure={"ErrorType": "TooHeavy", "ErrorMessage": "four people needed"})),
    ),
    Case("callbacks/outcomes.py", "quote", "a harp", "250 for a harp", answers=ask("price", Answer("250"))),
    Case("callbacks/outcomes.py", "quote", "a horn", "no answer within a day", seconds=DAY),
    Case("callbacks/outcomes.py", "quote", "", "could not ask: there is nothing to carry"),
    Case(
        "callbacks/answer_formats.py",
        "weather",
        "Vienna",
        "Vienna: rain, west 12, 20.0 degrees",
        answers={
            "sky": [Answer("rain")],
            "wind": [Answer('{"direction": "west", "knots": 12}')],
            "degrees": [Answer("68F")],
        },
    ),
    Case(
        "callbacks/several.py",
        "judge",
        {"recipe": "plum dumplings", "jury": ["Ada", "Grace", "Mary"]},
        [["delicious", 2]],
        answers={**ask("Mary", Answer('"delicious"')), **ask("Ada", Answer('"delicious"'))},
        statuses={"vote of Grace": "STARTED"},
    ),
    # ---- invoke, child contexts ----------------------------------------------------------------------------------
    Case(
        "invoke/bakery.py",
        "breakfast",
        {"rolls": 4, "eggs": 2},
        {"rolls": ["roll 1", "roll 2", "roll 3", "roll 4"], "eggs": "2 soft eggs", "bill": 14},
        seconds=24 * 60,
    ),
    Case(
        "invoke/bakery.py",
        "breakfast",
        {"rolls": 1, "eggs": 20},
        {"rolls": ["roll 1"], "eggs": "no eggs: the pot does not hold 20 eggs", "bill": 62},
    ),
    Case(
        "child_contexts/nested.py",
        "tour",
        ["Graz", "Vienna"],
        ["Graz, evening 1", "Graz, evening 2", "Vienna, evening 1", "Vienna, evening 2"],
        seconds=2 * DAY,
    ),
    Case(
        "child_contexts/large_results.py",
        "scan_archive",
        {"rolls": 3, "kilobytes": 100},
        "3 scans, 307,200 bytes",
        seconds=HOUR,
    ),
    Case("child_contexts/error_mapping.py", "unlock", "1234", "DoorStaysShut: sorry, the lock does not know 1234"),
    Case("child_contexts/error_mapping.py", "unlock", "4321", "open"),
    # ---- batches -------------------------------------------------------------------------------------------------
    Case("batches/squares.py", "squares", [1, 2, 3, 4, 5], [1, 4, 9, 16, 25]),
    Case("batches/squares.py", "squares", [], []),
    Case("batches/postcards.py", "write_all", 250, "249 written, not [13]"),
    Case(
        "batches/failures.py",
        "inspect",
        ["apple", "rotten pear", "plum", "rotten fig"],
        {
            "reason": ["ALL_COMPLETED"],
            "fine": ["a fine apple", "a fine plum"],
            "rotten": ["rotten pear smells", "rotten fig smells"],
        },
        statuses={"apple": "SUCCEEDED", "rotten fig": "FAILED"},
    ),
    Case("batches/failures.py", "inspect", [], {"reason": ["ALL_COMPLETED"], "fine": [], "rotten": []}),
    Case(
        "batches/branches.py",
        "moving_day",
        {"boxes": 12},
        [12, "a blue van", True],
        seconds=3 * HOUR,
        statuses={"boxes": "SUCCEEDED", "van": "SUCCEEDED", "parallel-branch-2": "SUCCEEDED"},
    ),
    Case(
        "batches/completion.py",
        "lift",
        "first",
        "Dora (1 no, 3 not answered)",
        seconds=2 * HOUR,
        statuses={"Dora": "SUCCEEDED", "Emil": "STARTED"},
    ),
    Case("batches/completion.py", "lift", "all", "Ada and Cleo and Dora (2 no, 0 not answered)", seconds=5 * HOUR),
    Case("batches/completion.py", "lift", "two", "Ada and Dora (1 no, 2 not answered)", seconds=3 * HOUR),
    Case(
        "batches/completion.py",
        "lift",
        "one no is fine",
        "Ada and Cleo and Dora (2 no, 0 not answered)",
        seconds=5 * HOUR,
    ),
    Case("batches/completion.py", "lift", "own", "Ada and Cleo and Dora (1 no, 1 not answered)", seconds=4 * HOUR),
    # ---- futures -------------------------------------------------------------------------------------------------
    Case("futures/combinators.py", "letters", "all", ["not all: nobody has no address"]),
    Case(
        "futures/combinators.py",
        "letters",
        "all_settled",
        ["Ada answered", "no letter: nobody has no address", "Robinson answered"],
        seconds=3 * DAY,
    ),
    Case("futures/combinators.py", "letters", "race", ["Ada answered"], seconds=0),
    Case("futures/combinators.py", "letters", "any", ["Ada answered"], seconds=0),
    Case("futures/combinators.py", "letters", "hopeless", ["1 failed: nobody has no address"]),
    Case(
        "futures/deadline.py",
        "restore",
        {"painting": "The Harvest", "days_needed": 40},
        "a photograph of The Harvest hangs in the exhibition",
        seconds=30 * DAY,
    ),
    Case(
        "futures/deadline.py",
        "restore",
        {"painting": "The Mill", "days_needed": 20},
        "The Mill hangs in the exhibition",
        seconds=20 * DAY,
    ),
    Case("futures/found_it.py", "find_keys", {"keys_are_in": "the coat"}, "found in the coat", seconds=15 * 60),
    Case(
        "futures/found_it.py",
        "find_keys",
        {"keys_are_in": "the car"},
        "found in the car",
        seconds=10 * 60,
        statuses={"rummage in the coat": "STARTED", "search": "STARTED"},
    ),
    Case("futures/found_it.py", "find_keys", {"keys_are_in": "the lock"}, "call a locksmith", seconds=15 * 60),
    Case("futures/side_by_side.py", "dinner", 4, ["table for 4", "soup", "bread"], seconds=HOUR),
    Case("futures/gathered.py", "garden", ["tomato", "bean"], ["tomatos", "beans", "weeds"], seconds=71 * DAY),
    # ---- sagas ---------------------------------------------------------------------------------------------------
    Case(
        "sagas/compensations.py",
        "weekend",
        {"who": "Ada", "concert": "sold out", "hotel": "closed"},
        ["train: given back", "hotel: nobody at the hotel takes back the room for Ada"],
        statuses={"cancel the seat": "SUCCEEDED"},
    ),
    Case(
        "sagas/compensations.py",
        "weekend",
        {"who": "Bob"},
        ["room for Bob", "seat for Bob", "ticket for Bob"],
    ),
    Case(
        "sagas/again_as_a_whole.py",
        "photograph",
        {"clouds_on_days": [1, 2]},
        "a picture of the comet, in night 3",
        seconds=2 * DAY + 3 * 600,
    ),
    # ---- replay --------------------------------------------------------------------------------------------------
    Case(
        "replay/safe_values.py",
        "raffle",
        ["Ada", "Ada", "Ada"],
        {"winner": "Ada", "ticket_version": 4, "days": 7, "since_start": True},
        seconds=7 * DAY,
    ),
    Case(
        "replay/determinism.py",
        "plan_route",
        ["Linz", "Graz", "Wels"],
        ["lorry 1", "Graz", "Linz", "Wels", "trip True"],
        seconds=12 * 60,
    ),
    Case(
        "replay/about_itself.py",
        "whoami",
        {"order_id": "A-17"},
        {
            "order": "A-17",
            "sent": '{"order_id":"A-17"}',
            "function": "whoami",
            "replaying_before_the_nap": True,
            "replaying_now": False,
        },
    ),
    # ---- data, logs, errors, clients -----------------------------------------------------------------------------
    Case("serialization/custom_formats.py", "chess", ["e4", "e5", "Nf3"], {"moves": ["e4", "e5", "Nf3"], "count": 3}),
    Case(
        "serialization/rich_types.py",
        "museum",
        {"visitor": "Ada"},
        "Ada: ADULT 13.50 from 01 May, 40 m to dinosaurs, stamp 00ff",
    ),
    Case("logs/fields.py", "ferry", {"passengers": 3}, 3),
    Case(
        "logs/own_logger.py",
        "lighthouse",
        3,
        ["ERROR a bulb is out"],
        seconds=3 * DAY,
    ),
    Case("logs/own_logger.py", "foghorn", 2, ["ding: clear"]),
    Case("errors/kinds.py", "launch", "bad weather", "lift-off"),
    Case("errors/kinds.py", "launch", "wet powder", "STEP_FAILED, retriable: False, wet powder"),
    Case("errors/kinds.py", "launch", "no rocket", None, error="there is nothing to launch"),
    Case(
        "errors/wrong_context.py",
        "mistakes",
        {},
        ["in a child: CONTEXT_MISUSE", "in a step: durably.ContextMisuseError", "in a thread: CONTEXT_MISUSE"],
    ),
    Case("ways_to_write/four_styles.py", "decorated", "Ada", "Dear Ada"),
    Case("ways_to_write/four_styles.py", "called", "Ada", "Dear Ada"),
    Case("ways_to_write/four_styles.py", "from_class", "Ada", "Dear Ada"),
    Case("ways_to_write/four_styles.py", "built", "Ada", "Dear Ada", statuses={"greet": "SUCCEEDED"}),
    Case("ways_to_write/error_handler.py", "order_wine", {"bottles": 400}, None, error="the cellar has no 400 bottles"),
    Case("ways_to_write/error_handler.py", "order_wine", {"bottles": 4}, "4 bottles"),
    Case(
        "types_and_ids/typed_ids.py",
        "ids",
        {},
        {
            "starts": True,
            "json": '"op-123"',
            "key": "as a key",
            "refused": "'' is no OperationId, which is 1 to 64 characters of A-Z a-z 0-9 _ -",
            "parts": ["eu-west-1", "ship", "A-17"],
            "own function": "ids",
            "callback": True,
        },
    ),
    Case("types_and_ids/helpers.py", "tidy", ["desk", "shelf"], ["noted: desk is clear", "noted: shelf is clear"]),
    Case(
        "testing/parcel.py",
        "deliver",
        {"to": "Ada", "express": True},
        "300 g, signed by Ada L.",
        answers=ask("signature", Answer("Ada L.")),
        seconds=1,
    ),
    Case("clients/counting.py", "counted", 3, 3),
    # ---- styles ----------------------------------------------------------------------------------------------------
    *(
        Case("styles.py", name, {"sku": "tea", "count": 3}, "3 tea: 12 EUR", seconds=HOUR)
        for name in ("decorated", "called", "from_class", "from_method", "built")
    ),
    *(
        Case("styles.py", name, {"sku": "silver", "count": 1}, None, error="we do not have that")
        for name in ("decorated", "from_class", "from_method", "built")
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_example(case: Case) -> None:
    ended = play(case.path, case.function, case.event, case.answers)
    if case.error is not None:
        assert ended.error is not None
        assert case.error in ended.error
    else:
        assert ended.error is None
        assert ended.value == case.result
    if case.seconds is not None:
        assert ended.seconds == pytest.approx(case.seconds, abs=0.9)
    assert {name: ended.operations.get(name) for name in case.statuses} == case.statuses


PRINTED = {
    "waits/durations.py": "hours         7,200 s = 2:00:00",
    "replay/safe_values.py": "bc4d5388-118b-4be1-9c2a-4d8fcc4e374f",
    "clients/counting.py": "result 3 {'calls': 3, 'STEP START': 3, 'STEP SUCCEED': 3}",
}
"""What `python examples/...` prints, among other things."""


@pytest.mark.parametrize("path", PRINTED)
def test_example_as_a_program(path: str) -> None:
    done = subprocess.run([sys.executable, str(ROOT / path)], capture_output=True, text=True, timeout=120, check=True)
    assert PRINTED[path] in done.stdout
    assert done.stderr == ""


# ---- tests that are examples ---------------------------------------------------------------------------------------


def run_pytest(*arguments: str, **environment: str) -> str:
    """As a user would, who has no configuration."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(ROOT), "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_tests_of_a_parcel() -> None:
    shown = run_pytest("testing/test_parcel.py", "testing/test_deployed.py")
    assert "7 passed, 1 skipped" in shown


def test_tests_of_a_deployed_parcel() -> None:
    functions = load_functions(str(ROOT / "testing/parcel.py")).functions
    service = Service(MemoryStore())
    worker = InProcessWorker(functions, client_factory=lambda: InProcessClient(service))
    service.attach(worker)
    service.start()
    try:
        with HttpServer(service, "127.0.0.1", 0) as server:
            shown = run_pytest(
                "testing/test_deployed.py",
                PARCEL_FUNCTION="deliver",
                AWS_ENDPOINT_URL_LAMBDA=server.url,
                AWS_REGION="us-east-1",
                AWS_ACCESS_KEY_ID="x",
                AWS_SECRET_ACCESS_KEY="x",
            )
    finally:
        worker.close()
        service.close()
    assert "1 passed" in shown


# ---- nothing is missing ----------------------------------------------------------------------------------------

FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))
MINE = sorted({case.path for case in CASES})


def docstring(path: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""


@pytest.mark.parametrize("path", MINE)
def test_docstring_shows_how_to_run_it(path: str) -> None:
    lines = [line.strip() for line in docstring(path).splitlines()]
    assert f"durably dev examples/{path}" in lines
    shown = [shlex.split(line) for line in lines if line.startswith("durably invoke ")]
    cases = [(case.function, case.event) for case in CASES if case.path == path]
    found = [(words[2], json.loads(words[3])) for words in shown]
    assert found[0][0] == cases[0][0]
    assert path == "replay/safe_values.py" or found[0] == cases[0], "the first case is the one that is shown"
    assert {name for name, _ in found} <= {name for name, _ in cases}


@pytest.mark.parametrize("path", FILES)
def test_a_test_runs_it(path: str) -> None:
    if path.startswith("testing/test_"):
        return  # see above
    tests = [one.read_text() for one in Path(__file__).parents[1].rglob("test_*.py")]
    name = path.rpartition("/")[2]
    assert path in MINE or any(name in text or f'"{name[:-3]}"' in text for text in tests), (
        f"no test runs examples/{path}: add a case to CASES"
    )


@pytest.mark.parametrize("path", FILES)
def test_the_index_lists_it(path: str) -> None:
    index = (ROOT / "README.md").read_text()
    assert path in NOT_EXAMPLES or f"]({path})" in index, f"add examples/{path} to the table in examples/README.md"


def test_the_index_lists_nothing_else() -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_examples_are_typed() -> None:
    checked = [str(ROOT / path) for path in FILES]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=/dev/null", *checked]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "testing")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT.parent, timeout=880, env=environment)
    assert done.returncode == 0, done.stdout
