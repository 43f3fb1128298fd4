"""The service is killed again and again, with all that runs in it, and started again."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from . import laws
from .load import Load
from .services import Background, service

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(150),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # botocore, when a connection breaks
]

EACH = {"pipeline": 5, "fan": 5, "parent": 5, "asks": 5, "once": 8, "big": 3, "loop": 3, "async_loop": 3}


def test_at_random_moments(tmp_path: Path) -> None:
    moments = random.Random(20)
    with service(tmp_path) as served:
        load = Load(served.start())
        with Background(load.answer), Background(load.start_many(EACH, 0.15, seed=1)) as starting:
            for _ in range(18):
                time.sleep(moments.uniform(0.05, 1.2))
                served.kill()
                served.start()
            starting.join()
            repeated = load.check(60)
        assert repeated > 0, "no kill hit a running step: the test tests nothing"
        served.stop()
        laws.check_store(served.store)
