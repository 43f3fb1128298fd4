"""The error that a raising function answers with."""

from __future__ import annotations

import traceback

import pytest

from durably.workers._errors import from_exception


def caught() -> ValueError:
    try:
        raise ValueError("no such order")
    except ValueError as error:
        return error


def test_frames_that_cannot_be_formatted_lose_only_their_source(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = from_exception(caught())

    def broken(frames: object) -> list[str]:
        raise SystemError("AST constructor recursion depth mismatch (before=22, after=25)")

    monkeypatch.setattr(traceback, "format_list", broken)
    bare = from_exception(caught())
    assert (bare.kind, bare.error["ErrorType"], bare.error["ErrorMessage"]) == (  # type: ignore[index]
        whole.kind,
        "ValueError",
        "no such order",
    )
    assert bare.error["StackTrace"] == [whole.error["StackTrace"][0].splitlines(keepends=True)[0]]  # type: ignore[index]
