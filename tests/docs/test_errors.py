"""docs/errors.md and docs/errors/: every public error has a section, which says what the class says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import durably
from durably import DurableExecutionsError, DurableOperationError, TerminationReason, UnrecoverableError

DOCS = Path(__file__).parents[2] / "docs"
OVERVIEW = (DOCS / "errors.md").read_text()
BASES = {"DurableExecutionsError", "DurableOperationError"}
"""Described by the overview."""
AS_ANSWERED = {"CheckpointError", "GetExecutionStateError"}
ERRORS = {
    name: value
    for name in durably.__all__
    if isinstance(value := getattr(durably, name), type) and issubclass(value, DurableExecutionsError)
}
ROWS = ["when", "code", "retriable", "if nobody catches it", "recorded", "what to do"]


def sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted((DOCS / "errors").glob("*.md")):
        parts = re.split(r"^## (.+)$", path.read_text(), flags=re.MULTILINE)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            found.setdefault(heading, []).append(text)
    return found


def reason_of(cls: type[DurableExecutionsError]) -> TerminationReason | None:
    if cls is UnrecoverableError:
        return None
    return (cls(message="m") if issubclass(cls, DurableOperationError) else cls("m")).termination_reason


@pytest.mark.parametrize("name", sorted(set(ERRORS) - BASES))
def test_an_error_has_one_section_that_agrees_with_its_class(name: str) -> None:
    cls = ERRORS[name]
    (text,) = sections()[name]
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.*) \|$", text, flags=re.MULTILINE))
    assert list(rows) == ROWS
    assert rows["code"] == f"`{cls.code}`"
    if name in AS_ANSWERED:
        assert rows["retriable"].startswith("as the answer says")
    else:
        assert rows["retriable"].startswith("yes" if cls.retriable else "no")
    reason = reason_of(cls)
    assert reason is None or f"`{reason.value}`" in rows["if nobody catches it"]


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_the_overview_agrees_with_the_class(name: str) -> None:
    cls = ERRORS[name]
    (row,) = [line for line in OVERVIEW.splitlines() if re.match(rf"\| `[^A-Za-z]*{name}`", line)]
    _, _, code, retriable, page, _ = [cell.strip() for cell in row.split("|")]
    assert code == f"`{cls.code}`"
    assert retriable == ("as answered" if name in AS_ANSWERED else "yes" if cls.retriable else "no")
    linked = re.findall(r"\]\((.+?)\)", page)
    assert bool(linked) is (name not in BASES)
    assert not linked or f"## {name}\n" in (DOCS / linked[0]).read_text()


def test_the_overview_lists_every_reason() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", OVERVIEW.partition("## Termination reasons")[2], flags=re.MULTILINE)
    assert sorted(listed) == sorted(reason.value for reason in TerminationReason)
