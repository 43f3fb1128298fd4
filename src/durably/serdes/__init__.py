"""How values become text and come back.

``codec_for(annotation)`` is what operations use: the function's return annotation decides, and without one plain
JSON is written, with just enough type tags to restore what JSON has no word for. A :class:`SerDes` is what a user
writes to do it another way.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from durably._values import publish
from durably.exceptions import (
    DurableExecutionsError as DurableExecutionsError,
)
from durably.exceptions import (
    RetryableSerDesError as RetryableSerDesError,
)
from durably.exceptions import (
    SerDesError as SerDesError,
)

from ._annotations import MISSING, parameter_annotation, return_annotation
from ._base import (
    AnnotationMismatchWarning,
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
    output_codec_for,
    result_codec_for,
    round_trip,
)

if TYPE_CHECKING:
    from durably.concurrency.models import BatchResult as BatchResult

    from ._functions import deserialize, serialize
    from .pipeline import CompressSerDes, CustomSerDes, PipelineSerDes, custom_serdes

    DEFAULT_JSON_SERDES: SerDes[Any]
    EXTENDED_TYPES_SERDES: SerDes[Any]

__all__ = [
    "SerDes",
    "SerDesContext",
    "JsonSerDes",
    "PassThroughSerDes",
    "DefaultSerDes",
    "ExtendedTypeSerDes",
    "AnnotationMismatchWarning",
    "Codec",
    "SerDesCodec",
    "WrappingSerDes",
    "codec_by",
    "codec_for",
    "default_serdes",
    "json_codec_for",
    "output_codec_for",
    "result_codec_for",
    "round_trip",
    "MISSING",
    "return_annotation",
    "parameter_annotation",
]

publish(__name__, __all__, globals())

__all__ += ["CompressSerDes", "CustomSerDes", "PipelineSerDes", "custom_serdes"]
__all__ += ["DEFAULT_JSON_SERDES", "EXTENDED_TYPES_SERDES", "deserialize", "serialize"]

_HOME: Final = {
    "BatchResult": "durably.concurrency.models",
    "deserialize": "durably.serdes._functions",
    "serialize": "durably.serdes._functions",
}
_CONSTANTS: Final = {"DEFAULT_JSON_SERDES": JsonSerDes, "EXTENDED_TYPES_SERDES": DefaultSerDes}


def __getattr__(name: str) -> Any:
    """What few programs need is loaded when it is."""
    if name in _CONSTANTS:
        value: Any = _CONSTANTS[name]()
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in __all__:
        from . import pipeline

        value = getattr(pipeline, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value
