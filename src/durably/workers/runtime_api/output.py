"""What a worker process writes, cut into messages as Lambda's log has them.

Standard output and error come as lines. awslambdaric's own records (logging, tracebacks) come on a channel of
their own, ``_LAMBDA_TELEMETRY_LOG_FD``, in frames: type (4 bytes, 0xA55A....), length (4), time (8, microseconds),
message; big-endian. A frame is one message however many lines it has.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["Channel", "Frames", "Lines", "Tail"]

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""A longer line is cut into several messages."""
_MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
_FRAME_HEADER: Final = 16
_READ_BYTES: Final = 64 * 1024
_READS_PER_TURN: Final = 64

Message = tuple[int | None, str]
"""When it was written (epoch milliseconds; None: not said) and what."""


class Lines:
    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        while len(self._rest) > MAX_MESSAGE_BYTES:
            lines.append(self._rest[:MAX_MESSAGE_BYTES])
            self._rest = self._rest[MAX_MESSAGE_BYTES:]
        return [_message(line) for line in lines]

    def flush(self) -> list[Message]:
        rest, self._rest = self._rest, b""
        return [_message(rest)] if rest else []


class Frames:
    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        self._rest += data
        messages: list[Message] = []
        while len(self._rest) >= _FRAME_HEADER:
            length = int.from_bytes(self._rest[4:8], "big")
            if self._rest[:2] != b"\xa5\x5a" or length > _MAX_FRAME_BYTES:
                # Not ours: some library wrote to the descriptor. Its text is still worth showing.
                messages += self.flush()
                break
            end = _FRAME_HEADER + length
            if len(self._rest) < end:
                break
            when = int.from_bytes(self._rest[8:16], "big") // 1000
            messages.append((when, _text(bytes(self._rest[_FRAME_HEADER:end]))))
            del self._rest[:end]
        return messages

    def flush(self) -> list[Message]:
        rest = bytes(self._rest)
        self._rest.clear()
        return [_message(rest)] if rest else []


class Channel:
    """The reading end of one pipe."""

    def __init__(self, decoder: Lines | Frames, deliver: Callable[[int | None, str], None]) -> None:
        self._decoder = decoder
        self._deliver = deliver
        self.read_end: int
        self.write_end: int
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)

    def read(self, turns: int = _READS_PER_TURN) -> bool:
        """Take what is there, up to a few megabytes. False: the writers have closed it."""
        for _ in range(turns):
            try:
                data = os.read(self.read_end, _READ_BYTES)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._hand_over(self._decoder.feed(data))
            if len(data) < _READ_BYTES:
                return True
        return True

    def flush(self) -> None:
        """A last line without an end of line is a message too."""
        self._hand_over(self._decoder.flush())

    def close_write_end(self) -> None:
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def close(self) -> None:
        self.close_write_end()
        if self.read_end >= 0:
            os.close(self.read_end)
            self.read_end = -1

    def _hand_over(self, messages: list[Message]) -> None:
        for when, text in messages:
            self._deliver(when, text)


class Tail:
    """The last ``limit`` characters' worth of messages."""

    def __init__(self, limit: int = 64 * 1024) -> None:
        self._limit = limit
        self._messages: deque[str] = deque()
        self._length = 0

    def add(self, message: str) -> None:
        self._messages.append(message[-self._limit :])
        self._length += len(self._messages[-1]) + 1
        while self._length > self._limit and len(self._messages) > 1:
            self._length -= len(self._messages.popleft()) + 1

    def take(self) -> str:
        text = "".join(f"{message}\n" for message in self._messages)
        self._messages.clear()
        self._length = 0
        return text


def _message(data: bytes) -> Message:
    return None, _text(data)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\r\n")
