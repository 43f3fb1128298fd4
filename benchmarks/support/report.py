"""From measurements to the table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from .model import Case, Measurement, Row

Results = Mapping[str, Sequence[Measurement]]
"""Per program, its measurements in the order of the rounds."""

COLUMNS = {
    "official": "official SDK (sync)",
    "async": "async-durable-execution",
    "official-testing": "official testing SDK",
    "dbos": "DBOS",
    "dbos-wal": "DBOS, WAL",
}
"""The peers' columns: a row names its peers' programs by these."""


def values(results: Results, program: str, metric: str) -> list[float]:
    return [measurement[metric] for measurement in results.get(program, ()) if metric in measurement]


def table(case: Case, results: Results) -> str:
    """The case's rows as Markdown: our median and its range, the target, and each peer's median and ratio."""
    peers = [peer for peer in COLUMNS if any(peer in row.peers for row in case.rows)]
    head = [f"{case.number}. {case.title}", "durably", "range", "target", "", *[COLUMNS[peer] for peer in peers]]
    lines = [head, ["---", "---:", "---:", "---:", "---", *["---:"] * len(peers)]]
    for row in case.rows:
        ours = values(results, row.ours, row.metric)
        median = statistics.median(ours) if ours else None
        lines.append(
            [
                row.label,
                _number(row, median),
                f"{_plain(row, min(ours))} - {_plain(row, max(ours))}" if ours else "",
                _number(row, row.target) if row.target is not None else "",
                _verdict(row, median),
                *[_peer(row, median, values(results, row.peers.get(peer, ""), row.metric)) for peer in peers],
            ]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded) + "".join(f"\n\n{note}" for note in case.notes)


def _plain(row: Row, value: float) -> str:
    return f"{value:,.{row.digits}f}"


def _number(row: Row, value: float | None) -> str:
    return "-" if value is None else f"{_plain(row, value)} {row.unit}".strip()


def _verdict(row: Row, median: float | None) -> str:
    if row.target is None or median is None:
        return ""
    shown = round(median, row.digits)
    return "yes" if (shown >= row.target if row.higher else shown <= row.target) else "NO"


def _peer(row: Row, ours: float | None, theirs: Sequence[float]) -> str:
    """The peer's median, and how many times better ours is."""
    if not theirs:
        return ""
    median = statistics.median(theirs)
    if not ours or not median or not row.compare:
        return _number(row, median)
    ratio = ours / median if row.higher else median / ours
    return f"{_number(row, median)} ({ratio:,.{0 if ratio >= 10 else 2 if ratio < 2 else 1}f}x)"
