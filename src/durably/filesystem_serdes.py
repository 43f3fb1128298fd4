"""Large values in files, and in the record only where they are.

The files must outlive the process and be seen by every process that may carry the execution on: a mount of Amazon EFS
or S3 Files, a network filesystem, a directory of a machine that keeps its executions to itself. Lambda's ``/tmp`` is
none of these.

A file is named after its own digest, in a directory of the execution. So the name says what the file must hold, the
same value is written once, and an attempt that is cut off between file and record leaves a file that nobody refers to.
A reference is data, and data may come from anywhere. It is matched against the form that this module writes; nobody can
refer to what they do not know.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Protocol
from urllib.parse import quote

from ._config_checks import check_callable, check_serdes
from ._values import T, Value, publish
from .exceptions import SerDesError, ValidationError
from .serdes import Codec, SerDes, SerDesCodec, SerDesContext, WrappingSerDes, codec_for
from .serdes._base import excerpt
from .serdes._files import read_file, write_file
from .wire.ids import ARN_PATTERN
from .wire.limits import REPLAY_CHILDREN_ABOVE

__all__ = [
    "FileSystemPathEncoding",
    "FileSystemSerDes",
    "FileSystemSerDesConfig",
    "FileSystemSerDesMode",
    "GeneratePreview",
]


_OVERFLOW_BYTES: Final = REPLAY_CHILDREN_ABOVE - 1024
_LONGEST_NAME: Final = 100
_SEGMENT: Final = r"[A-Za-z0-9_%][A-Za-z0-9_%.~-]{0,254}"
_REFERENCE: Final = re.compile(rf"(?P<folder>{_SEGMENT}(?:/{_SEGMENT}){{0,2}})/(?P<digest>[0-9a-f]{{64}})\.json")


class FileSystemSerDesMode(StrEnum):
    """Which values go to files."""

    ALWAYS = "ALWAYS"
    """All of them."""
    OVERFLOW = "OVERFLOW"
    """Those that are too large for the record."""


class FileSystemPathEncoding(StrEnum):
    """What the directory of an execution is called."""

    URI = "URI"
    """``function/execution name/execution id``, percent-encoded; long names are cut and end in a digest."""
    HASH = "HASH"
    """The SHA-256 of the execution's ARN."""


class GeneratePreview(Protocol):
    """Makes what is shown of a value in the record, or None for nothing."""

    def __call__(self, value: Any, /) -> dict[str, Any] | None: ...


class FileSystemSerDesConfig(Value):
    """How a FileSystemSerDes works.

    Parameters:
        storage_mode: which values go to files.
        path_encoding: what the directory of an execution is called.
        generate_preview: makes an object of JSON values that is recorded beside the reference, for people to read; see
            :func:`durably.preview.build_preview`. One that does not fit into the record is left out.
        serdes: writes and reads the text; by default what would be used without a serdes, by the annotation.
        overflow_bytes: in the mode OVERFLOW, how many bytes of text the record takes: 1 to 261,120 (255 KiB).
    """

    __slots__ = ("generate_preview", "overflow_bytes", "path_encoding", "serdes", "storage_mode")
    _fields = ("storage_mode", "path_encoding", "generate_preview", "serdes", "overflow_bytes")
    _keyword_only = ("overflow_bytes",)
    _defaults = {  # noqa: RUF012 - declared in the base
        "storage_mode": FileSystemSerDesMode.ALWAYS,
        "path_encoding": FileSystemPathEncoding.URI,
        "overflow_bytes": _OVERFLOW_BYTES,
    }

    storage_mode: FileSystemSerDesMode
    path_encoding: FileSystemPathEncoding
    generate_preview: GeneratePreview | None
    serdes: SerDes[Any] | None
    overflow_bytes: int

    def __init__(
        self,
        storage_mode: FileSystemSerDesMode = FileSystemSerDesMode.ALWAYS,
        path_encoding: FileSystemPathEncoding = FileSystemPathEncoding.URI,
        generate_preview: GeneratePreview | None = None,
        serdes: SerDes[Any] | None = None,
        *,
        overflow_bytes: int = _OVERFLOW_BYTES,
    ) -> None:
        if not isinstance(storage_mode, FileSystemSerDesMode):
            raise ValidationError(f"storage_mode is {storage_mode!r}: pass FileSystemSerDesMode.ALWAYS or .OVERFLOW")
        if not isinstance(path_encoding, FileSystemPathEncoding):
            raise ValidationError(f"path_encoding is {path_encoding!r}: pass FileSystemPathEncoding.URI or .HASH")
        check_callable(generate_preview, "generate_preview", "lambda value: build_preview(value, config)", ("value",))
        check_serdes(serdes, "serdes")
        if isinstance(overflow_bytes, bool) or not isinstance(overflow_bytes, int):
            raise ValidationError(f"overflow_bytes is {overflow_bytes!r}, and must be an int")
        if not 1 <= overflow_bytes <= _OVERFLOW_BYTES:
            raise ValidationError(f"overflow_bytes is {overflow_bytes}, and must be 1 to {_OVERFLOW_BYTES:,}")
        if overflow_bytes != _OVERFLOW_BYTES and storage_mode is FileSystemSerDesMode.ALWAYS:
            raise ValidationError(
                "overflow_bytes needs storage_mode=FileSystemSerDesMode.OVERFLOW: ALWAYS has no limit"
            )
        self._set(
            storage_mode=storage_mode,
            path_encoding=path_encoding,
            generate_preview=generate_preview,
            serdes=serdes,
            overflow_bytes=overflow_bytes,
        )


class FileSystemSerDes(WrappingSerDes[T]):
    """Writes values to files and records where they are.

    Parameters:
        base_path: a directory that lasts and that every process sees which may carry the execution on. ``~`` is the
            user's own; a relative path is taken from where the process is started.
        config: what goes there, and how.

    What is wrong with a file (gone, damaged, a link) raises SerDesError; when the filesystem is away, full or not
    permitted, RetryableSerDesError has the invocation tried again. The record is ``{"data": TEXT}`` or
    ``{"file": PATH, "bytes": SIZE, "preview": {...}}``, the path below ``base_path``. Nothing is ever deleted here.
    """

    def __init__(self, base_path: str | os.PathLike[str], config: FileSystemSerDesConfig | None = None) -> None:
        path: Any = os.fspath(base_path) if hasattr(base_path, "__fspath__") else base_path
        if not isinstance(path, str) or not path or "\0" in path:
            raise ValidationError(f"base_path is {base_path!r}, and must be a directory, e.g. '/mnt/payloads'")
        if config is not None and not isinstance(config, FileSystemSerDesConfig):
            raise ValidationError(f"config is {config!r}: pass a FileSystemSerDesConfig")
        self._base = os.path.abspath(os.path.expanduser(path))
        self._config = config or FileSystemSerDesConfig()
        self._codec: Codec | None = None

    def over(self, make_codec: Callable[[], Codec]) -> SerDes[T]:
        inner = self._config.serdes
        if isinstance(inner, WrappingSerDes):
            return FileSystemSerDes(self._base, self._config.__replace__(serdes=inner.over(make_codec)))
        if inner is not None:
            return self
        bound: FileSystemSerDes[T] = FileSystemSerDes(self._base, self._config)
        bound._codec = make_codec()
        return bound

    def serialize(self, value: T, serdes_context: SerDesContext) -> str:
        text = self._inner(serdes_context).encode(value)
        config = self._config
        if config.storage_mode is FileSystemSerDesMode.OVERFLOW:
            inline = json.dumps({"data": text})
            if len(inline) <= config.overflow_bytes:
                return inline
        data = text.encode("utf-8", "surrogatepass")
        folder = _folder_of(serdes_context.durable_execution_arn, config.path_encoding)
        name = f"{sha256(data).hexdigest()}.json"
        write_file(self._base, folder, name, data)
        reference = {"file": "/".join((*folder, name)), "bytes": len(data)}
        return self._with_preview(value, reference)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> T:
        try:
            envelope: Any = json.loads(data)
        except (ValueError, RecursionError) as failure:
            raise SerDesError(f"{self!r} cannot read {excerpt(data)}: {failure}") from failure
        match envelope:
            case {"file": str(path), "bytes": int(size)}:
                text = self._text(path, size)
            case {"file": str(path)}:
                text = self._foreign_text(path, serdes_context)
            case {"data": str(text)}:
                pass
            case _:
                raise SerDesError(f"{self!r} cannot read {excerpt(data)}: it did not write that")
        value: T = self._inner(serdes_context).decode(text)
        return value

    def _inner(self, context: SerDesContext) -> Codec:
        if self._config.serdes is not None:
            return SerDesCodec(self._config.serdes, context)
        return codec_for() if self._codec is None else self._codec

    def _text(self, path: str, size: int) -> str:
        found = _REFERENCE.fullmatch(path)
        if found is None:
            raise SerDesError(f"{self!r} did not write the reference {excerpt(path)}")
        data = read_file(self._base, tuple(found["folder"].split("/")), f"{found['digest']}.json", size)
        if sha256(data).hexdigest() != found["digest"]:
            raise SerDesError(f"{os.path.join(self._base, path)} is damaged: it does not hold what was written")
        return _decoded(data, path)

    def _foreign_text(self, path: str, context: SerDesContext) -> str:
        """Of a file that AWS's Python SDK wrote. It overwrites one file for each operation, named after its id."""
        arn = ARN_PATTERN.fullmatch(context.durable_execution_arn)
        if self._config.path_encoding is FileSystemPathEncoding.HASH:
            folder: tuple[str, ...] = (_digest(context.durable_execution_arn),)
            name = f"{_digest(context.operation_id)}.json"
        else:
            folder = (arn["function"], arn["name"], arn["id"]) if arn else (quote(context.durable_execution_arn, ""),)
            name = f"{quote(context.operation_id, '')}.json"
        if os.path.abspath(path) != os.path.join(self._base, *folder, name):
            raise SerDesError(f"{self!r} did not write the reference {excerpt(path)}")
        return _decoded(read_file(self._base, folder, name, None), path)

    def _with_preview(self, value: T, reference: dict[str, Any]) -> str:
        text = json.dumps(reference)
        if self._config.generate_preview is None:
            return text
        try:
            preview: Any = self._config.generate_preview(value)
            if preview is None:
                return text
            if not isinstance(preview, dict):
                raise TypeError(f"it returned a {type(preview).__name__}, not a dict or None")
            shown = json.dumps({**reference, "preview": preview}, allow_nan=False)
        except Exception as failure:
            said = f"{type(failure).__name__}: {failure}"
            raise SerDesError(f"generate_preview failed on a {type(value).__name__}: {said}") from failure
        return shown if len(shown) <= _OVERFLOW_BYTES else text

    def __repr__(self) -> str:
        return f"FileSystemSerDes({self._base!r})"


def _folder_of(arn: str, encoding: FileSystemPathEncoding) -> tuple[str, ...]:
    if encoding is FileSystemPathEncoding.HASH:
        return (_digest(arn),)
    found = ARN_PATTERN.fullmatch(arn)
    names = (found["function"], found["name"], found["id"]) if found else (arn,)
    return tuple(_segment(name) for name in names)


def _segment(text: str) -> str:
    """A name for a directory, of any text: never empty, hidden, ``.`` or ``..``, never two, never too long."""
    name = quote(text, safe="", errors="surrogatepass") or "_"
    if name[0] in ".-~":
        name = f"%{ord(name[0]):02X}{name[1:]}"
    return name if len(name) <= _LONGEST_NAME else f"{name[:60]}~{_digest(text)[:32]}"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _decoded(data: bytes, path: str) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as failure:
        raise SerDesError(f"{path} is damaged: {failure}") from failure


publish(__name__, __all__, globals())
