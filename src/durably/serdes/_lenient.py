"""Annotations of nothing but JSON's own types, for what a program's functions return.

Such an annotation restores nothing: what is recorded reads back the same without it. So a value that does not fit it
(``-> dict[str, bool]`` with a text inside) is no reason to stop an execution; Python itself does not mind. It is
recorded by its own type and a warning says what does not fit.
"""

from __future__ import annotations

import warnings
from typing import Any

from durably.exceptions import SerDesError

from ._base import AnnotationMismatchWarning
from ._typed import TypedCodec
from ._untyped import FAILURES, PlainJsonCodec, UntypedCodec


class LenientCodec(TypedCodec):
    """As its base, where that would not raise."""

    __slots__ = ()

    def _the_long_way(self, value: Any, failure: Exception | None) -> tuple[str, Any]:
        try:
            return super()._the_long_way(value, failure)
        except SerDesError as mismatch:
            text, back = (UntypedCodec() if self._tagged else PlainJsonCodec()).round_trip(value)
            # What is only written for others need not come back as it was: a tuple may go as a list.
            if not self._fits(value if self._tagged else back):
                _warn(mismatch)
            return text, back

    def _decode_slowly(self, text: str) -> Any:
        try:
            return super()._decode_slowly(text)
        except SerDesError as mismatch:
            value = (UntypedCodec() if self._tagged else PlainJsonCodec()).decode(text)
            _warn(mismatch)
            return value

    def _fits(self, value: Any) -> bool:
        try:
            self._convert(value)
        except FAILURES:
            return False
        return True


def _warn(mismatch: SerDesError) -> None:
    """Raises SerDesError where warnings are errors, as in tests: trying again would not help."""
    message = str(mismatch).removeprefix("cannot record the value: ")
    try:
        warnings.warn(
            f"a returned value does not fit its annotation: {message}. It is recorded as it is; mend the annotation.",
            AnnotationMismatchWarning,
            stacklevel=3,
        )
    except AnnotationMismatchWarning:
        raise SerDesError(f"the value does not fit its annotation, and warnings are errors: {message}") from None
