"""What a case declares: the programs it runs and the rows of the table they fill.

A case module imports nothing but the standard library at module level, for two interpreters read it: the one
that prints the table and the one that has the SDK under test installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Measurement = dict[str, float]
Program = Callable[["Settings"], Measurement]

DURABLY = "durably"
OFFICIAL = "official"
ASYNC = "async"
DBOS = "dbos"


@dataclass(frozen=True)
class Settings:
    """How a program is to run. ``quick`` shortens it: good for seeing that it works, not for its numbers."""

    quick: bool = False

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Parameters:
        label: what is measured.
        metric: the key in what each program returns.
        unit: printed behind the number.
        ours: the program of ours the row shows (a key of ``Case.programs``).
        peers: the peers' programs shown beside it, as {column: program}.
        target: the number to reach; None for a row that is shown for its own sake.
        higher: more is better (rates); otherwise less is (times, bytes).
        digits: decimals printed.
        compare: print how many times better ours is beside the peer's number.
    """

    label: str
    metric: str
    unit: str
    ours: str
    peers: Mapping[str, str] = field(default_factory=dict)
    target: float | None = None
    higher: bool = False
    digits: int = 1
    compare: bool = True


@dataclass(frozen=True)
class Case:
    """One case. ``programs`` maps ``side`` or ``side/variant`` to a function of the case's module; ``side`` names the
    virtual environment it runs in. All programs run in turn, round by round, each time in a new process."""

    number: int
    title: str
    programs: Mapping[str, Program]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def side_of(program: str) -> str:
    return program.partition("/")[0]


def check(condition: Any, message: str) -> None:
    """A measurement of a program that did the wrong thing is worth nothing."""
    if not condition:
        raise AssertionError(message)
