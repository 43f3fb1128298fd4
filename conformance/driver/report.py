"""What a run says at its end. Standard library only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = {
    "PASSED": "passed",
    "FAILED": "failed",
    "OPTIONAL_FAILED": "optional failed",
    "NOT_IMPLEMENTED": "not implemented",
    "UNCOVERED": "uncovered",
}
FAILURES = ("FAILED", "UNCOVERED")


def by_id(results: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Results in the order of their ids, 1-2 before 1-10."""
    return sorted(results, key=lambda result: [(len(part), part) for part in re.split(r"\W+", result["id"])])


def table(results: Iterable[Mapping[str, Any]]) -> str:
    """One line a suite, and the sum."""
    suites: dict[str, Counter[str]] = {}
    for result in by_id(results):
        suites.setdefault(result["suite"] or "(none)", Counter())[result["status"]] += 1
    suites["total"] = sum(suites.values(), Counter())
    width = max(len(name) for name in suites)
    rows = [f"{'suite':<{width}}" + "".join(f"  {title}" for title in (*COLUMNS.values(), "total"))]
    for name, counts in suites.items():
        cells = [f"  {counts[status]:>{len(title)}}" for status, title in COLUMNS.items()]
        rows.append(f"{name:<{width}}" + "".join(cells) + f"  {counts.total():>{len('total')}}")
    return "\n".join(rows)


def verdict(results: Iterable[Mapping[str, Any]]) -> tuple[str, int]:
    """The last line, and the exit code: an uncovered requirement counts as failed, an optional one does not."""
    counts = Counter(result["status"] for result in results)
    failed = sum(counts[status] for status in FAILURES)
    return f"{counts['PASSED']} passed, {failed} failed", 1 if failed or not counts["PASSED"] else 0
