"""Sizes of payloads as the service counts them."""

from __future__ import annotations

from typing import Final

__all__ = ["NO_TEXT", "utf8_size"]


class _NoText(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_TEXT"


NO_TEXT: Final = _NoText()
"""Instead of a payload: there is to be none."""


def utf8_size(text: str) -> int:
    """Bytes of ``text`` in UTF-8, without encoding it where that is not needed."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
