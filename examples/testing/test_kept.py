"""Executions that are kept: `pytest examples/testing/test_kept.py`.

`histories/` holds what happened to parcels that have been delivered. Whatever is changed in `parcel.py`, the parcels
that are on the road must arrive: the code has to follow each of these records. The same from the command line:

    durably replay examples/testing/histories examples/testing/parcel.py

`snapshots/` holds what a delivery does, step by step, without ids and times; `DURABLY_UPDATE_SNAPSHOTS=1 pytest ...`
writes it anew. And `pack` is tested by itself, with a mock context.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from parcel import Parcel, deliver, labels, pack

from durably import DurableContext, durable_execution
from durably.testing import (
    LocalRunner,
    Mock,
    MockDurableContext,
    ReplayFailedError,
    assert_matches_snapshot,
    assert_operations,
    assert_replays,
)

HERE = Path(__file__).parent


def test_parcels_on_the_road_arrive() -> None:
    labels.clear()
    assert_replays(deliver, HERE / "histories")
    assert labels == []  # nothing was printed again: no step is run


def test_a_change_that_would_lose_them_is_caught() -> None:
    @durable_execution
    def without_weighing(parcel: Parcel, ctx: DurableContext) -> str:
        ctx.run_in_child_context(lambda inner: inner.step(lambda step: None, name="print_label"), name="pack")
        ctx.wait(timedelta(days=3), name="on the road")
        return "delivered"

    with pytest.raises(ReplayFailedError, match="the record has Step 'weigh', the code calls Step 'print_label'"):
        assert_replays(without_weighing, HERE / "histories" / "signed.json")


def test_what_a_delivery_does() -> None:
    result = LocalRunner(deliver, callbacks={"signature": "Ada L."}).run(Parcel("Ada"))
    assert_matches_snapshot(result, HERE / "snapshots" / "signed.json", include=["attempts"])


def test_packing_by_itself() -> None:
    scales = Mock.each(OSError("no battery"), 250)
    ctx = MockDurableContext(steps={"weigh": scales})
    assert pack(ctx, Parcel("Grace")) == 250
    assert len(scales.calls) == 2
    assert_operations(ctx, ["step:weigh", "step:print_label"])
