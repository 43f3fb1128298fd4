"""Snapshots of what executions did."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durably import DurableContext, StepConfig
from durably.retries import NoRetry
from durably.testing import History, LocalRunner, SnapshotMismatch, assert_matches_snapshot, signature


def order(event: Any, ctx: DurableContext) -> Any:
    ctx.step(lambda step: event["id"], name="charge")
    ctx.wait(timedelta(hours=event.get("hours", 1)), name="cool")
    return ctx.map(
        range(3), lambda branch, item: branch.step(lambda step: item, name="pack"), name="packing"
    ).get_results()


def run(handler: Any = order, **event: Any) -> Any:
    return LocalRunner(handler).run({"id": 7, **event})


def test_ids_times_and_payloads_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert_matches_snapshot(run(), path, update=True)
    assert_matches_snapshot(run(id=8, hours=5), path)
    assert_matches_snapshot(History.of_run(run(id=9)), path)


def test_the_signature_is_a_tree() -> None:
    shape = signature(run())
    assert shape["Status"] == "SUCCEEDED"
    assert [(one["SubType"], one["Name"], one["Status"]) for one in shape["Operations"]] == [
        ("Step", "charge", "SUCCEEDED"),
        ("Wait", "cool", "SUCCEEDED"),
        ("Map", "packing", "SUCCEEDED"),
    ]
    branches = shape["Operations"][2]["Operations"]
    assert [one["Name"] for one in branches] == ["map-item-0", "map-item-1", "map-item-2"]
    assert branches[0]["Operations"] == [{"Type": "STEP", "SubType": "Step", "Name": "pack", "Status": "SUCCEEDED"}]


def test_branches_are_shown_in_the_order_of_the_program() -> None:
    history = History.of_run(run())
    history.operations.reverse()  # as if threads had been faster or slower
    assert signature(history)["Operations"][2]["Operations"] == signature(run())["Operations"][2]["Operations"]


def test_a_difference_is_shown_line_by_line(tmp_path: Path) -> None:
    def changed(event: Any, ctx: DurableContext) -> Any:
        ctx.step(lambda step: None, name="charge")
        ctx.step(lambda step: None, name="notify")
        ctx.wait(timedelta(hours=1), name="cool")

    path = tmp_path / "order.json"
    assert_matches_snapshot(run(), path, update=True)
    with pytest.raises(SnapshotMismatch) as failure:
        assert_matches_snapshot(run(changed), path)
    text = str(failure.value)
    assert " STEP Step 'charge' SUCCEEDED" in text
    assert "+STEP Step 'notify' SUCCEEDED" in text
    assert "-  CONTEXT MapIteration 'map-item-0' SUCCEEDED" in text
    assert "DURABLY_UPDATE_SNAPSHOTS=1" in text


def test_the_switch_writes_them_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "order.json"
    with pytest.raises(SnapshotMismatch, match="there is no snapshot"):
        assert_matches_snapshot(run(), path)
    monkeypatch.setenv("DURABLY_UPDATE_SNAPSHOTS", "1")
    assert_matches_snapshot(run(), path)
    monkeypatch.setenv("DURABLY_UPDATE_SNAPSHOTS", "0")
    assert_matches_snapshot(run(), path)
    path.write_text("{")
    with pytest.raises(SnapshotMismatch, match="is not JSON"):
        assert_matches_snapshot(run(), path)


def test_what_is_asked_for_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert_matches_snapshot(run(), path, include=["payloads"], update=True)
    assert_matches_snapshot(run(), path, include=["payloads"])
    with pytest.raises(SnapshotMismatch, match=r'-STEP Step .charge. SUCCEEDED {"Result": 7}'):
        assert_matches_snapshot(run(id=8), path, include=["payloads"])
    with pytest.raises(SnapshotMismatch):
        assert_matches_snapshot(run(), path)  # which has the payloads


def test_everything_that_can_be_included() -> None:
    def flaky(event: Any, ctx: DurableContext) -> Any:
        def body(step: Any) -> None:
            if step.attempt == 1:
                raise ValueError("at first")
            raise KeyError("at last")

        ctx.step(body, name="flaky", config=StepConfig(retry_strategy=NoRetry()))

    shape = signature(run(flaky), include=["attempts", "ids", "payloads", "times"])
    assert shape["Include"] == ["attempts", "ids", "payloads", "times"]
    assert shape["Input"] == {"id": 7}
    assert shape["Error"]["ErrorType"].endswith("StepError")
    (step,) = shape["Operations"]
    assert step["Attempts"] == 1
    assert len(step["Id"]) == 64
    assert step["Error"] == {"ErrorType": "ValueError", "ErrorMessage": "at first"}
    assert (step["Start"], step["End"]) == (0, 0)
    with pytest.raises(ValueError, match="'names'; what can be included is attempts, ids, payloads, times"):
        signature(run(), include=["names"])


def test_the_file_is_to_be_read_by_people(tmp_path: Path) -> None:
    path = tmp_path / "order.json"
    assert_matches_snapshot(run(), path, update=True)
    assert json.loads(path.read_text()) == signature(run())
    assert path.read_text().count("\n") > 20
