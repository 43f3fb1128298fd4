"""Timing inside one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall seconds, processor seconds of this process and all its threads)."""
    cpu = time.process_time()
    wall = time.perf_counter()
    result = call()
    wall = time.perf_counter() - wall
    return result, wall, time.process_time() - cpu


def median(values: list[float]) -> float:
    return statistics.median(values)
