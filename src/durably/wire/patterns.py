"""Regular expressions that cost nothing until they are used: compiling all of the contract's takes a millisecond."""

from __future__ import annotations

import re

__all__ = ["Pattern"]


class Pattern:
    """``pattern`` (its text) and ``fullmatch``, of a regular expression that is compiled when first asked."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern: str = pattern
        self._compiled: re.Pattern[str] | None = None

    def fullmatch(self, text: str) -> re.Match[str] | None:
        if self._compiled is None:
            self._compiled = re.compile(self.pattern)
        return self._compiled.fullmatch(text)
