"""Crashes at every boundary: whatever moment a process dies at, the execution must come to the same end.

A run is made of calls to the service. A process that dies between two of them dies, for all the world can know, either
before a call arrived or after it was carried out and before its answer came back; or after the function returned and
before anybody heard so. :func:`explore_crashes` runs the function once undisturbed, and then once with a crash at each
of these moments, and once with a crash wherever the function has recorded a result or begun to wait, so that everything
is replayed that can be. Each of these runs must have the outcome, the operations and the side effects of the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, MutableSet, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

from durably.exceptions import ValidationError

from . import _session
from ._course import ANOTHER_ORDER, other_course
from ._decisions import decided_by_time, left_to_timing
from ._threads import in_thread
from .calls import Crash, ServiceCall
from .errors import TestingError
from .printing import one_line, report
from .result import RunResult
from .runner import LocalRunner

if TYPE_CHECKING:
    from durably.wire.shapes import Operation

    from .signatures import Handler

__all__ = [
    "CrashPoint",
    "CrashReport",
    "CrashRun",
    "CrashesFoundError",
    "Killer",
    "aexplore_crashes",
    "explore_crashes",
]

In = TypeVar("In")
Out = TypeVar("Out")

Ledger: TypeAlias = "Callable[[], Any] | MutableSequence[Any] | MutableSet[Any] | MutableMapping[Any, Any]"
Moment: TypeAlias = Literal["before", "after", "return"]

_SUSPENDING: Final = frozenset({"WAIT START", "CALLBACK START", "CHAINED_INVOKE START"})
_ENDING: Final = frozenset({"SUCCEED", "FAIL", "RETRY"})
_WHEN: Final = {
    "before": "before call {0}",
    "after": "after call {0} was carried out",
    "return": "after invocation {0} returned, unheard",
}


class CrashesFoundError(AssertionError):
    """A crash changes what an execution comes to. The message is the report."""


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """A moment at which the process dies.

    Attributes:
        moment: ``before`` a call reaches the service, ``after`` it was carried out and before its answer arrives, or
            on ``return``: the function has returned, and nobody has heard.
        number: of the call or, for ``return``, of the invocation, counted over the whole run from 1.
        actions: what the call records, as in ``STEP SUCCEED charge``.
    """

    moment: Moment
    number: int
    actions: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(self.actions[:3]) + (", ..." if len(self.actions) > 3 else "")
        return _WHEN[self.moment].format(self.number) + (f" ({shown})" if shown else "")


@dataclass(frozen=True)
class CrashRun:
    """One run with crashes.

    Attributes:
        point: where the process died; None for the run with a crash at every suspension and every recorded result.
        result: what the execution came to.
        ledger: the side effects of the run.
        repeated: names of the steps whose body ran again although the crash-free run did not run it again.
        interrupted: names of at-most-once steps that the crash interrupted.
        differences: from the crash-free run.
        excused: the differences are those that an interrupted at-most-once step may make.
        course: what came in another order than without the crash, or was decided otherwise; None if nothing was.
    """

    point: CrashPoint | None
    result: RunResult[Any]
    ledger: Any
    repeated: tuple[str, ...]
    interrupted: tuple[str, ...]
    differences: tuple[str, ...]
    excused: bool
    course: str | None = None

    @property
    def where(self) -> str:
        return "a crash at every suspension and recorded result" if self.point is None else f"a crash {self.point}"

    @property
    def _may_have_lost_state(self) -> bool:
        decided = self.course is not None and (len(self.differences) > 1 or not self.course.startswith(ANOTHER_ORDER))
        return not decided and any(one.startswith("the outcome is SUCCEEDED") for one in self.differences)

    def __str__(self) -> str:
        lines = [f"{self.where}: {'; '.join(self.differences) or 'as without'}"]
        if self.course is not None:
            lines.append(f"    {self.course}")
        if self.repeated:
            names = ", ".join(f"'{name}'" for name in self.repeated)
            lines.append(
                f"    ran again: {names}. The body had run, its result was not recorded yet. A step that runs at "
                "least once must be idempotent; one that must not run twice is AT_MOST_ONCE_PER_RETRY."
            )
        elif not self.interrupted and any(one.startswith("the ledger") for one in self.differences):
            lines.append("    no step ran again: the side effect is outside of the steps")
        elif not self.interrupted and self._may_have_lost_state:
            lines.append(
                "    no step ran again: what the body of a step leaves behind elsewhere than in its result is lost "
                "on replay"
            )
        if self.interrupted:
            names = ", ".join(f"'{name}'" for name in self.interrupted)
            lines.append(f"    interrupted: {names} (at most once; its retry strategy is asked)")
        return "\n".join(lines)


class CrashReport:
    """What :func:`explore_crashes` found.

    Attributes:
        baseline: the run without a crash.
        runs: those with.
        unstable: what was not compared, because two runs without a crash differ in it.
    """

    def __init__(
        self, baseline: RunResult[Any], runs: Sequence[CrashRun], unstable: Sequence[str], skipped: int
    ) -> None:
        self.baseline = baseline
        self.runs: list[CrashRun] = list(runs)
        self.unstable: list[str] = list(unstable)
        self.skipped = skipped

    @cached_property
    def differing(self) -> list[CrashRun]:
        """Runs that came to something else, and may not."""
        return [run for run in self.runs if run.differences and not run.excused]

    @property
    def ok(self) -> bool:
        return not self.differing

    @cached_property
    def repeatable(self) -> list[str]:
        """Names of the steps whose body some crash made run again."""
        return sorted({name for run in self.runs for name in run.repeated})

    def check(self) -> CrashReport:
        """Raises CrashesFoundError if a crash changes anything. Returns the report."""
        if not self.ok:
            raise CrashesFoundError(str(self))
        return self

    def __str__(self) -> str:
        runs, bad = len(self.runs), len(self.differing)
        head = f"{self.baseline.function}: {runs:,} runs with crashes, "
        lines = [head + (f"{bad:,} of them differ from the run without" if bad else "all as without a crash")]
        lines += [f"  not compared, since it varies without crashes: {what}" for what in self.unstable]
        if self.skipped:
            lines.append(f"  {self.skipped:,} further moments were left out: raise max_runs= to try them all")
        lines += [f"  {run}" for run in self.differing[:10]]
        if bad > 10:
            lines.append(f"  ... and {bad - 10:,} more")
        if bad:
            lines += [
                "without a crash:",
                report(self.baseline),
                "with the first of them:",
                report(self.differing[0].result),
            ]
        elif self.repeatable:
            lines.append(f"  steps that a crash may run again: {', '.join(self.repeatable)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<CrashReport {len(self.runs)} runs, {len(self.differing)} differ>"


def explore_crashes(
    handler: LocalRunner[In, Out] | Handler[In, Out],
    input: In | None = None,
    *,
    ledger: Ledger | None = None,
    reset: Callable[[], object] | None = None,
    max_runs: int = 1000,
) -> CrashReport:
    """Run a durable function with a crash at every moment that makes a difference.

    Parameters:
        handler: a durable function, or a :class:`LocalRunner` whose settings (callbacks, functions, mocks) each run
            gets.
        input: of every run.
        ledger: the side effects. A list, set or dict that steps write to is emptied before each run; a function
            is called after each run, and returns something that can be compared.
        reset: called before each run: put the world outside back to what it was.
        max_runs: with more moments than that, as many are tried, spread evenly.

    Returns:
        the report; ``.check()`` raises if a crash changes the outcome, the recorded operations or the ledger. A step
        that runs at most once per retry may come to something else when a crash interrupts it: such runs are
        listed, and excused.

    Raises:
        ExecutionStuck: the run without a crash can never end.
    """
    return _Exploration(handler, input, ledger, reset).report(max_runs)


async def aexplore_crashes(
    handler: LocalRunner[In, Out] | Handler[In, Out],
    input: In | None = None,
    *,
    ledger: Ledger | None = None,
    reset: Callable[[], object] | None = None,
    max_runs: int = 1000,
) -> CrashReport:
    """As :func:`explore_crashes`, for async tests."""
    return await in_thread(lambda: _Exploration(handler, input, ledger, reset).report(max_runs))


class Killer:
    """Counts calls and invocations of a run, and kills the process at the given moments."""

    def __init__(self, point: CrashPoint | None = None, *, always: bool = False) -> None:
        self._point = point
        self._always = always
        self._calls = count(1)
        self._returns = count(1)
        self._numbers: dict[int, int] = {}
        self.points: list[CrashPoint] = []

    def before(self, call: ServiceCall) -> None:
        number = self._numbers[id(call)] = next(self._calls)
        self._meet("before", number, call)

    def after(self, call: ServiceCall) -> None:
        number = self._numbers.pop(id(call))
        self._meet("after", number, call)
        if self._always and _settles(call):
            raise Crash

    def returned(self, function: str) -> None:
        self._meet("return", next(self._returns), None)

    def _meet(self, moment: Moment, number: int, call: ServiceCall | None) -> None:
        self.points.append(CrashPoint(moment, number, () if call is None else tuple(call.actions)))
        point = self._point
        if point is not None and (moment, number) == (point.moment, point.number):
            raise Crash


def _settles(call: ServiceCall) -> bool:
    """Whether the call records a result or begins a wait, and no body of a step may be under way because of it."""
    begun = {update["Id"] for update in call.updates if update["Type"] == "STEP" and update["Action"] == "START"}
    ended = {update["Id"] for update in call.updates if update["Action"] in _ENDING}
    waits = any(f"{update['Type']} {update['Action']}" in _SUSPENDING for update in call.updates)
    return call.applied and begun <= ended and (waits or bool(ended))


@dataclass
class _Run:
    """What one run came to, in comparable form."""

    result: RunResult[Any]
    ledger: Any
    bodies: Counter[tuple[str, str, int]]
    points: list[CrashPoint]

    @cached_property
    def outcome(self) -> tuple[Any, ...]:
        error = self.result.error or {}
        return (self.result.status, self.result.payload, error.get("ErrorType"), error.get("ErrorMessage"))

    @cached_property
    def operations(self) -> dict[str, tuple[Any, ...]]:
        found: dict[str, tuple[Any, ...]] = {}
        for operation in self.result.operations.all:
            kind = operation.sub_type or operation.type
            found[operation.id] = (kind, operation.name, operation.parent_id, operation.status)
        return found

    @cached_property
    def records(self) -> list[Operation]:
        return [operation.record for operation in self.result.operations.all]

    @cached_property
    def _interruptions(self) -> list[Any]:
        """The events of attempts that were interrupted."""
        found: list[Any] = []
        for event in self.result.history:
            if event["EventType"] == "StepFailed":
                details = cast("Mapping[str, Any]", event)["StepFailedDetails"]
                error = (details.get("Error") or {}).get("Payload") or {}
                if str(error.get("ErrorType", "")).rpartition(".")[2] == "StepInterruptedError":
                    found.append(event)
        return found

    @property
    def interrupted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(event.get("Name") or event.get("Id", "") for event in self._interruptions))

    @cached_property
    def interruptions(self) -> set[str]:
        """Ids of the steps that were interrupted."""
        return {event["Id"] for event in self._interruptions}


class _Exploration:
    def __init__(self, handler: Any, input: Any, ledger: Ledger | None, reset: Callable[[], object] | None) -> None:
        self._runner: LocalRunner[Any, Any] = handler if isinstance(handler, LocalRunner) else LocalRunner(handler)
        self._input = input
        self._ledger = ledger
        self._reset = reset
        if (
            ledger is not None
            and not callable(ledger)
            and not isinstance(ledger, MutableSequence | MutableSet | MutableMapping)
        ):
            raise ValidationError(
                f"ledger is {ledger!r}; it must be a list, set or dict that steps write to, or a function that returns "
                "the side effects"
            )

    def report(self, max_runs: int) -> CrashReport:
        if max_runs < 1:
            raise ValidationError(f"max_runs is {max_runs}; it must be at least 1")
        first, second = self._run(Killer()), self._run(Killer())
        unstable = self._unstable(first, second)
        points, skipped = _spread(first.points, max_runs - 1)
        runs = [self._compare(first, self._run(Killer(always=True)), None, unstable)]
        runs += [self._compare(first, self._run(Killer(point)), point, unstable) for point in points]
        return CrashReport(first.result, runs, list(unstable.values()), skipped)

    def _run(self, killer: Killer) -> _Run:
        ledger = self._ledger
        if self._reset is not None:
            self._reset()
        if ledger is not None and not callable(ledger):
            ledger.clear()
        with _session.apart(), self._runner.copy(interceptors=[killer]) as runner:
            result = runner.run(self._input)
            bodies: Counter[tuple[str, str, int]] = Counter()
            for record in runner.world.executions.values():
                for name, op_id, attempt, _ in record.bodies:
                    bodies[name or op_id, op_id, attempt] += 1
        seen = None if ledger is None else deepcopy(ledger() if callable(ledger) else ledger)
        return _Run(result, seen, bodies, killer.points)

    @staticmethod
    def _unstable(first: _Run, second: _Run) -> dict[str, str]:
        if first.operations != second.operations:
            raise TestingError(
                "two runs without a crash record different operations, so there is nothing to compare crashes with: "
                + "; ".join(_changed(first, second))
                + ". Find what differs between them: time, chance, or state that the first run left behind (reset=)."
            )
        unstable: dict[str, str] = {}
        if first.outcome != second.outcome:
            unstable["outcome"] = f"the outcome ({_shown(first.outcome)} and {_shown(second.outcome)})"
        if first.ledger != second.ledger:
            unstable["ledger"] = f"the ledger ({first.ledger!r:.100} and {second.ledger!r:.100})"
        return unstable

    @staticmethod
    def _compare(baseline: _Run, run: _Run, point: CrashPoint | None, unstable: Mapping[str, str]) -> CrashRun:
        differences: list[str] = []
        status = run.outcome[0] != baseline.outcome[0]
        if status or ("outcome" not in unstable and run.outcome != baseline.outcome):
            differences.append(f"the outcome is {_shown(run.outcome)}, not {_shown(baseline.outcome)}")
        differences += _changed(baseline, run)
        if "ledger" not in unstable and run.ledger != baseline.ledger:
            differences.append(_ledgers(baseline.ledger, run.ledger))
        repeated = {body[0] for body, times in run.bodies.items() if times > baseline.bodies[body]}
        interrupted = run.interrupted
        excused = bool(interrupted)
        if interrupted:
            twice = _attempts_made_twice(run)
            excused = not twice and (_may_go_another_way(baseline, run) or _only_ledger(differences, baseline, run))
            differences = [*twice, *differences]
        return CrashRun(
            point,
            run.result,
            run.ledger,
            tuple(sorted(repeated - set(interrupted))),
            interrupted,
            tuple(differences),
            excused,
            other_course(baseline.result, run.result) if differences else None,
        )


def _attempts_made_twice(run: _Run) -> list[str]:
    return [
        f"attempt {attempt} of the at-most-once step '{name}' ran {times} times"
        for (name, op_id, attempt), times in run.bodies.items()
        if op_id in run.interruptions and times > 1
    ]


def _may_go_another_way(baseline: _Run, run: _Run) -> bool:
    """Whether the program may do something else because of an interruption.

    It cannot where every step that was interrupted has come to the result of the crash-free run after all, unless the
    time that this took may have decided something.
    """
    was, now = ({one["Id"]: one for one in which.records} for which in (baseline, run))
    for op_id in run.interruptions:
        before, after = was.get(op_id), now.get(op_id)
        if before is None or after is None or before["Status"] != after["Status"]:
            return True
        if before.get("StepDetails", {}).get("Result") != after.get("StepDetails", {}).get("Result"):
            return True
    return any(decided_by_time(one) for one in (*baseline.records, *run.records))


def _only_ledger(differences: Sequence[str], baseline: _Run, run: _Run) -> bool:
    """Whether nothing differs but side effects, and a step that was interrupted has made further attempts."""
    more = any(body[1] in run.interruptions and body not in baseline.bodies for body in run.bodies)
    return more and all(one.startswith("the ledger") for one in differences)


def _changed(baseline: _Run, run: _Run) -> list[str]:
    left = left_to_timing(baseline.records, run.records)
    was, now = (
        {op_id: one for op_id, one in which.operations.items() if op_id not in left} for which in (baseline, run)
    )
    found = [f"{_described(was[op_id])} is not recorded" for op_id in was if op_id not in now]
    found += [f"{_described(now[op_id])} is recorded besides" for op_id in now if op_id not in was]
    found += [
        f"{_described(now[op_id])}, not {_described(was[op_id])}"
        for op_id in was
        if op_id in now and now[op_id] != was[op_id]
    ]
    return found[:5] + ([f"and {len(found) - 5} more operations"] if len(found) > 5 else [])


def _described(operation: tuple[Any, ...]) -> str:
    kind, name, _, status = operation
    return f"{kind} '{name}' {status}" if name else f"{kind} {status}"


def _shown(outcome: tuple[Any, ...]) -> str:
    status, payload, error_type, message = outcome
    if error_type or message:
        return f"{status} with {one_line({'ErrorType': error_type or 'Error', 'ErrorMessage': message or ''})}"
    return f"{status} with {payload:.100}" if payload is not None else str(status)


def _ledgers(was: Any, now: Any) -> str:
    if isinstance(was, MutableSequence) and isinstance(now, MutableSequence):
        before, after = Counter(map(repr, cast("Any", was))), Counter(map(repr, cast("Any", now)))
        parts = [f"{_times(entry, times)} too often" for entry, times in (after - before).items()]
        parts += [f"{_times(entry, times)} missing" for entry, times in (before - after).items()]
        if parts:
            return "the ledger differs: " + ", ".join(parts[:5]) + (", ..." if len(parts) > 5 else "")
        return f"the ledger has another order: {now!r:.200}, not {was!r:.200}"
    return f"the ledger is {now!r:.200}, not {was!r:.200}"


def _times(entry: str, times: int) -> str:
    return f"{entry:.80}" + (f" {times} times" if times > 1 else "")


def _spread(points: list[CrashPoint], most: int) -> tuple[list[CrashPoint], int]:
    """At most so many, evenly; and how many were left out."""
    if len(points) <= most:
        return points, 0
    chosen = [points[index * len(points) // most] for index in range(most)]
    return chosen, len(points) - most
