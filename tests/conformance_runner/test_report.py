"""The table, the last line and the exit code."""

from __future__ import annotations

from driver import report


def result(identifier: str, suite: str, status: str) -> dict[str, str]:
    return {"id": identifier, "suite": suite, "status": status}


RESULTS = [
    result("1-10", "step", "PASSED"),
    result("1-2", "step", "FAILED"),
    result("1-7", "step", "OPTIONAL_FAILED"),
    result("2-1", "wait", "UNCOVERED"),
    result("2-2", "wait", "NOT_IMPLEMENTED"),
]


def test_ids_are_ordered_by_number() -> None:
    assert [entry["id"] for entry in report.by_id(RESULTS)] == ["1-2", "1-7", "1-10", "2-1", "2-2"]


def test_each_suite_has_its_counts_and_the_last_row_the_sums() -> None:
    header, *rows = report.table(RESULTS).splitlines()
    assert header.split() == [
        "suite",
        "passed",
        "failed",
        *["optional", "failed"],
        *["not", "implemented"],
        "uncovered",
        "total",
    ]
    assert [row.split() for row in rows] == [
        ["step", "1", "1", "1", "0", "0", "3"],
        ["wait", "0", "0", "0", "1", "1", "2"],
        ["total", "1", "1", "1", "1", "1", "5"],
    ]


def test_uncovered_fails_and_optional_does_not() -> None:
    assert report.verdict(RESULTS) == ("1 passed, 2 failed", 1)
    assert report.verdict([RESULTS[0], RESULTS[2]]) == ("1 passed, 0 failed", 0)


def test_a_run_that_passed_nothing_is_no_success() -> None:
    assert report.verdict([RESULTS[2]]) == ("0 passed, 0 failed", 1)
