"""The same interface against a deployed function: on AWS, or on `durably dev examples/testing/parcel.py`.

    PARCEL_FUNCTION=deliver pytest examples/testing/test_deployed.py

`AWS_ENDPOINT_URL_LAMBDA` says where the service is if it is not AWS.
"""

import os

import pytest
from parcel import Parcel, deliver

from durably.testing import CloudRunner

FUNCTION = os.environ.get("PARCEL_FUNCTION", "")
pytestmark = pytest.mark.skipif(not FUNCTION, reason="PARCEL_FUNCTION names no function")


def test_the_deployed_function() -> None:
    with CloudRunner(FUNCTION, handler=deliver, timeout=120, poll_interval=0.1) as runner:
        execution = runner.start(Parcel("Ada", express=True))
        assert execution.wait_for("print_label", ended=True).succeeded
        execution.callback("signature").wait().succeed("Ada L.")
        result = execution.result()
    assert result.value == "300 g, signed by Ada L."
    assert result.step("weigh").attempt == 2
