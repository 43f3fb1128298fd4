"""Tests of parcel.py: outcomes, operations, callbacks, stand-ins for steps, and a crash at every moment.

    pytest examples/testing/test_parcel.py

Nothing is deployed, nothing waits: the runner's clock jumps to whatever is due next.
"""

from datetime import timedelta

from parcel import Parcel, deliver, labels

from durably.testing import NEVER, LocalRunner, StepOperation, explore_crashes


def test_a_parcel_is_delivered() -> None:
    runner = LocalRunner(deliver, callbacks={"signature": "Ada L."})
    result = runner.run(Parcel("Ada"))
    assert result.status == "SUCCEEDED"
    assert result.value == "300 g, signed by Ada L."
    assert timedelta(days=3) < result.duration < timedelta(days=4)


def test_nobody_is_at_home() -> None:
    runner = LocalRunner(deliver, callbacks={"signature": NEVER})
    result = runner.run(Parcel("Bob"))
    assert result.value == "300 g, returned to sender"
    assert result.duration > timedelta(days=10)


def test_what_was_recorded() -> None:
    """Operations are found by name, by number and by id; each tells of its kind, and knows its children."""
    result = LocalRunner(deliver, callbacks={"signature": "x"}).run(Parcel("Ada"))
    assert result.operations.names == ["pack", "on the road", "signature"]
    weigh = result.step("weigh")
    assert (weigh.status, weigh.attempt, weigh.result) == ("SUCCEEDED", 2, 300)
    assert result.operations[0].children.names == ["weigh", "print_label"]
    assert isinstance(result.operations.by_id(weigh.id), StepOperation)
    assert result.wait("on the road").seconds == 3 * 86_400
    assert result.callback("signature").callback_id
    assert "weigh" in str(result)  # a table of all of it: result.print()


def test_signing_by_hand() -> None:
    """The execution stands still while the test looks at it and answers."""
    execution = LocalRunner(deliver).start(Parcel("Grace"))
    signature = execution.callback("signature").wait()  # lets three days pass
    assert execution.operations["on the road"].succeeded
    assert not execution.ended
    signature.heartbeat()
    signature.succeed("G. H.")
    assert execution.result().value == "500 g, signed by G. H."


def test_other_scales() -> None:
    """What stands in for a step is recorded as if the step had run."""
    labels.clear()
    runner = LocalRunner(deliver, callbacks={"signature": "x"}, steps={"weigh": 7})
    assert runner.run(Parcel("Ada")).value == "7 g, signed by x"
    assert labels == ["Ada, 7 g"]


def test_broken_scales() -> None:
    result = LocalRunner(deliver, steps={"weigh": OSError("broken")}).run(Parcel("Ada"))
    assert result.status == "FAILED"
    assert result.step("weigh").attempt == 3


def test_a_crash_at_any_moment_changes_nothing() -> None:
    runner = LocalRunner(deliver, callbacks={"signature": "x"})
    explore_crashes(runner, Parcel("Ada")).check()
