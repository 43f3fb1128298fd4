"""Codecs for annotations that name Pydantic models: Pydantic writes and reads them by its own rules."""

from __future__ import annotations

from typing import Any

import msgspec

from durably.exceptions import SerDesError

from ._base import excerpt
from ._hooks import to_builtins_hook
from ._paths import BadValue, format_path
from ._tags import is_tagged, read_json, untag, write_tagged
from ._typed import RICH, TAG_START, describe, equal, same


class PydanticCodec:
    """Values of an annotation such as ``Order``, ``list[Order]`` or ``Order | Refund``.

    Written by alias and without computed fields, so that the model reads back what it wrote.
    """

    __slots__ = ("_adapter", "_tagged", "annotation")

    def __init__(self, annotation: Any, tagged: bool) -> None:
        from pydantic import TypeAdapter

        self.annotation = annotation
        self._tagged = tagged
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except Exception as failure:
            raise SerDesError(
                f"Pydantic has no codec for the annotation {describe(annotation)}: {failure}"
            ) from failure

    def encode(self, value: Any) -> str:
        return self.round_trip(value)[0]

    def round_trip(self, value: Any) -> tuple[str, Any]:
        try:
            return self._as_json(value)
        except SerDesError:
            found = self._as_tagged(value) if self._tagged else None
            if found is None:
                raise
            return found

    def _as_tagged(self, value: Any) -> tuple[str, Any] | None:
        """What JSON has no word for, such as bytes and NaN, by tags."""
        try:
            fields = self._adapter.dump_python(value, by_alias=True, round_trip=True, warnings=False)
            text = write_tagged(msgspec.to_builtins(fields, builtin_types=RICH, enc_hook=to_builtins_hook))
            back = self.decode(text)
        except Exception:
            return None
        return (text, back) if same(value, back, loose=True) else None

    def _as_json(self, value: Any) -> tuple[str, Any]:
        try:
            # Without the warnings of values that are not what the annotation says: the comparison finds them all.
            text = self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings=False).decode()
        except Exception as failure:
            raise SerDesError(
                f"cannot record the value as {describe(self.annotation)}: {self._reason(failure)}"
            ) from failure
        if self._tagged and text.startswith(TAG_START):
            tree = read_json(text)
            if is_tagged(tree):
                text = write_tagged(tree)
        try:
            back = self.decode(text)
        except SerDesError as failure:
            raise SerDesError(
                f"cannot record the value: {describe(self.annotation)} does not read back what it writes: {failure}"
            ) from failure
        if equal(value, back) or same(value, back, loose=True, extras=self._tagged):
            return text, back
        from ._explain import first_difference

        raise SerDesError(f"cannot record the value as {describe(self.annotation)}: {first_difference(value, back)}")

    def decode(self, text: str) -> Any:
        try:
            if self._tagged and text.startswith(TAG_START):
                tree = read_json(text)
                if is_tagged(tree):
                    return self._adapter.validate_python(untag(tree))
            return self._adapter.validate_json(text)
        except BadValue as bad:
            raise SerDesError(f"cannot read the recorded value: {bad}") from None
        except Exception as failure:
            raise SerDesError(
                f"the JSON does not fit {describe(self.annotation)}: {self._reason(failure)}"
            ) from failure

    def _reason(self, failure: Exception) -> str:
        errors: Any = getattr(failure, "errors", None)
        if not callable(errors):
            return str(failure)
        found: Any = errors()
        lines = [
            f"{format_path(error['loc'])}: {error['msg']}, got {excerpt(error.get('input'))}" for error in found[:5]
        ]
        if len(found) > 5:
            lines.append(f"and {len(found) - 5} more")
        return "; ".join(lines)
