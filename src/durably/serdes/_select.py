"""From an annotation to its codec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ._annotations import MISSING
from ._base import SerDes, SerDesContext

if TYPE_CHECKING:
    from ._base import Codec

_CACHE_LIMIT: Final = 2048

_codecs: dict[Any, Codec] = {}
_result_codecs: dict[Any, Codec] = {}
_json_codecs: dict[Any, Codec] = {}
_output_codecs: dict[Any, Codec] = {}


def codec_for(annotation: Any = MISSING) -> Codec:
    """The codec for the results of operations.

    Parameters:
        annotation: the type the value is declared as. MISSING, Any and object restore what they find: plain JSON
            with type tags only where JSON has no word for the type.

    Raises:
        SerDesError: values of this annotation could not be told apart in JSON.
    """
    try:
        return _codecs[annotation]
    except (KeyError, TypeError):  # an annotation with unhashable metadata is not kept
        return _build(annotation, _codecs, tagged=True)


def result_codec_for(annotation: Any = MISSING) -> Codec:
    """The codec for what the program's own functions return, to be recorded.

    As :func:`codec_for`, but an annotation of nothing but JSON's own types (``dict[str, bool]``) restores nothing, so a
    value that does not fit it is recorded as if there were none, with an AnnotationMismatchWarning.
    """
    try:
        return _result_codecs[annotation]
    except (KeyError, TypeError):
        return _build(annotation, _result_codecs, tagged=True, lenient=True)


def json_codec_for(annotation: Any = MISSING) -> Codec:
    """The codec for what leaves the execution: the handler's input and result, the payload and result of an invoke.

    Always plain JSON, in the form that other programs expect: a date is its ISO text, bytes are base64, a dataclass
    is an object. Reading takes an object for what it says, never for a type tag.
    """
    try:
        return _json_codecs[annotation]
    except (KeyError, TypeError):
        return _build(annotation, _json_codecs, tagged=False)


def output_codec_for(annotation: Any = MISSING) -> Codec:
    """The codec for a handler's result: to :func:`json_codec_for` as :func:`result_codec_for` to :func:`codec_for`."""
    try:
        return _output_codecs[annotation]
    except (KeyError, TypeError):
        return _build(annotation, _output_codecs, tagged=False, lenient=True)


def _build(annotation: Any, cache: dict[Any, Codec], *, tagged: bool, lenient: bool = False) -> Codec:
    from ._build import build_codec

    codec = build_codec(annotation, tagged, lenient)
    if len(cache) >= _CACHE_LIMIT:  # types made inside functions are new in every call
        cache.clear()
    try:
        cache[annotation] = codec
    except TypeError:
        pass
    return codec


def round_trip(codec: Codec, value: Any) -> tuple[str, Any]:
    """The text to record and the value as a replay will read it, so that the first run can go on with the same."""
    return codec.round_trip(value)


class DefaultSerDes(SerDes[Any]):
    """What operations use, as a SerDes.

    Parameters:
        annotation: the type to write and read values as.
    """

    def __init__(self, annotation: Any = MISSING) -> None:
        self.annotation = annotation
        self._codec = codec_for(annotation)

    def serialize(self, value: Any, serdes_context: SerDesContext | None = None) -> str:
        return self._codec.encode(value)

    def deserialize(self, data: str, serdes_context: SerDesContext | None = None) -> Any:
        return self._codec.decode(data)


def default_serdes(serdes: SerDes[Any] | None) -> SerDes[Any] | None:
    """What stands in for the annotations' codecs; ``DefaultSerDes()`` says that nothing does."""
    return None if type(serdes) is DefaultSerDes and serdes.annotation is MISSING else serdes


ExtendedTypeSerDes = DefaultSerDes
"""The official SDK's name for it."""
