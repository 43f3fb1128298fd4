"""How values become text and come back.

``codec_for(annotation)`` is what operations use: the function's return annotation decides, and without one plain
JSON is written, with just enough type tags to restore what JSON has no word for. A :class:`SerDes` is what a user
writes to do it another way.
"""

from __future__ import annotations

from durably._values import publish

from ._annotations import MISSING, parameter_annotation, return_annotation
from ._base import (
    Codec,
    JsonSerDes,
    PassThroughSerDes,
    SerDes,
    SerDesCodec,
    SerDesContext,
    WrappingSerDes,
    codec_by,
)
from ._select import (
    DefaultSerDes,
    ExtendedTypeSerDes,
    codec_for,
    default_serdes,
    json_codec_for,
    round_trip,
)

__all__ = [
    "SerDes",
    "SerDesContext",
    "JsonSerDes",
    "PassThroughSerDes",
    "DefaultSerDes",
    "ExtendedTypeSerDes",
    "Codec",
    "SerDesCodec",
    "WrappingSerDes",
    "codec_by",
    "codec_for",
    "default_serdes",
    "json_codec_for",
    "round_trip",
    "MISSING",
    "return_annotation",
    "parameter_annotation",
]

publish(__name__, __all__, globals())
