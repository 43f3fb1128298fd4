"""Sizes of payloads as the service counts them."""

from __future__ import annotations

__all__ = ["utf8_size"]


def utf8_size(text: str) -> int:
    """Bytes of ``text`` in UTF-8, without encoding it where that is not needed."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
