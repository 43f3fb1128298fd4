"""Files below one directory, as a serdes needs them: whole or not at all, and never anywhere else.

A file is written under another name, forced to the disk and then renamed, so that whoever finds it finds all of it,
also after a crash; the other name is taken with O_EXCL, so that writers on several machines do not meet. Each directory
on the way is opened from the one before it and no symbolic link is followed below the base, so that nobody who may
write there can lead us out. (Windows opens no directories; there the links are looked for first.)

What is wrong with a file is a SerDesError. What is wrong with the filesystem passes, so it is a RetryableSerDesError.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from durably.exceptions import RetryableSerDesError, SerDesError

__all__ = ["read_file", "write_file"]

_OPENS_FOLDERS: bool = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "O_DIRECTORY")
_PLAIN: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_DIRECTORY", 0)
_STAYS: Final = {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EEXIST, errno.EMLINK}
"""What is so because of what lies in the filesystem. Anything else (away, full, not permitted) may be put right."""


class _Folder:
    """An open directory, or only its path where directories cannot be opened."""

    __slots__ = ("fd", "path")

    def __init__(self, path: str, fd: int | None) -> None:
        self.path = path
        self.fd = fd

    def at(self, name: str) -> str:
        return name if self.fd is not None else os.path.join(self.path, name)

    def open(self, name: str, flags: int) -> int:
        if self.fd is None and not flags & os.O_EXCL:
            _refuse_link(self.at(name))
        return os.open(self.at(name), flags | _PLAIN, 0o666, dir_fd=self.fd)

    def enter(self, name: str, create: bool) -> _Folder:
        path = os.path.join(self.path, name)
        if create:
            try:
                os.mkdir(self.at(name), dir_fd=self.fd)
                self.sync()
            except FileExistsError:
                pass
        if self.fd is None:
            _refuse_link(path)
            return _Folder(path, None)
        return _Folder(path, os.open(name, _FOLDER | _PLAIN, dir_fd=self.fd))

    def sync(self) -> None:
        if self.fd is None:
            return
        try:
            os.fsync(self.fd)
        except OSError as failure:
            if failure.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every filesystem knows this of directories
                raise

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def write_file(base: str, parts: tuple[str, ...], name: str, data: bytes) -> None:
    """Have ``base/parts/name`` hold ``data``. The names are taken as they are: they must be safe."""
    try:
        os.makedirs(base, exist_ok=True)
        with _folder(base, parts, create=True) as folder:
            if not _holds(folder, name, data):
                _replace(folder, name, data)
                folder.sync()
    except OSError as failure:
        raise _explained("written", base, (*parts, name), failure) from failure


def read_file(base: str, parts: tuple[str, ...], name: str, size: int | None) -> bytes:
    """What ``base/parts/name`` holds; ``size``: how many bytes it must have."""
    try:
        with _folder(base, parts, create=False) as folder:
            return _read(folder, name, size)
    except FileNotFoundError as failure:
        if not os.path.isdir(base):
            raise RetryableSerDesError(f"{base} is not there: is the filesystem mounted?") from failure
        where = os.path.join(base, *parts, name)
        raise SerDesError(f"{where} is gone: files are needed as long as their executions run") from failure
    except OSError as failure:
        raise _explained("read", base, (*parts, name), failure) from failure


@contextmanager
def _folder(base: str, parts: tuple[str, ...], *, create: bool) -> Generator[_Folder]:
    # The base itself may be a link: it is the operator's word, not data.
    folder = _Folder(base, os.open(base, _FOLDER) if _OPENS_FOLDERS else None)
    try:
        for part in parts:
            inner = folder.enter(part, create)
            folder.close()
            folder = inner
        yield folder
    finally:
        folder.close()


def _holds(folder: _Folder, name: str, data: bytes) -> bool:
    """Whether another attempt, or another operation with the same result, has written it already."""
    try:
        return _read(folder, name, len(data)) == data
    except (OSError, SerDesError):
        return False


def _read(folder: _Folder, name: str, size: int | None) -> bytes:
    with os.fdopen(folder.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        found = os.fstat(file.fileno())
        path = os.path.join(folder.path, name)
        if not stat.S_ISREG(found.st_mode):
            raise SerDesError(f"{path} is no regular file")
        if size is not None and found.st_size != size:
            raise SerDesError(f"{path} is damaged: it has {found.st_size:,} bytes and was written with {size:,}")
        return file.read()


def _replace(folder: _Folder, name: str, data: bytes) -> None:
    temporary, fd = _new_file(folder, name[:16])
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(folder.at(temporary), folder.at(name), src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except BaseException:
        try:
            os.unlink(folder.at(temporary), dir_fd=folder.fd)
        except OSError:
            pass  # the error that is on its way says more
        raise


def _new_file(folder: _Folder, stem: str) -> tuple[str, int]:
    number = 0
    while True:
        name = f".{stem}.{os.getpid()}-{number}.tmp"
        try:
            return name, folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:  # of another writer, or left over by one that was killed
            number += 1


def _refuse_link(path: str) -> None:
    if os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _explained(verb: str, base: str, names: tuple[str, ...], failure: OSError) -> Exception:
    said = f"{os.path.join(base, *names)} cannot be {verb}: {failure.strerror or failure}"
    if failure.errno in (errno.ELOOP, errno.ENOTDIR):
        return SerDesError(f"{said}. A symbolic link is on the way, or a file where a directory should be")
    return SerDesError(said) if failure.errno in _STAYS else RetryableSerDesError(said)
