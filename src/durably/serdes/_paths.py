"""Where in a value something is wrong: ``$.items[3].price``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


class BadValue(Exception):
    """A part of a value that cannot be written or read: where it is, and why. Never leaves this package."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{format_path(self.path)} {self.reason}"


def format_path(path: Iterable[str | int]) -> str:
    parts = list(path)
    if len(parts) > 24:
        parts[12:-8] = ["..."]
    text = "$"
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part == "...":
            text += " ... "
        elif part.isidentifier():
            text += f".{part}"
        else:
            text += f"[{part!r}]"
    return text
