"""Noise on delays, so that what failed together does not come back together.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from . import _random

if TYPE_CHECKING:
    from ._random import RandomSource

__all__ = ["JitterStrategy"]


class JitterStrategy(StrEnum):
    """How much of a delay is left to chance."""

    NONE = "NONE"
    """Nothing: the delay as computed."""
    FULL = "FULL"
    """All: between nothing and the delay."""
    HALF = "HALF"
    """Half: between half the delay and the delay."""

    def apply_jitter(self, delay: float, random: RandomSource | None = None) -> float:
        """The delay with its noise, in the unit it came in.

        Parameters:
            delay: the computed delay.
            random: gives a float in [0, 1); by default the system's.
        """
        if self is JitterStrategy.NONE:
            return delay
        chance = (random or _random.random)()
        if self is JitterStrategy.HALF:
            return delay / 2 + chance * (delay / 2)
        return chance * delay

    def finalize_delay(self, base_delay: float, random: RandomSource | None = None) -> int:
        """Whole seconds to wait: with noise, rounded up, at least one."""
        return max(1, math.ceil(self.apply_jitter(base_delay, random)))
