"""What processes write, however it is cut up on its way."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably.workers.runtime_api.output import MAX_MESSAGE_BYTES, Channel, Frames, Lines, Tail

messages = st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=6)


def frame(message: bytes, microseconds: int = 1_700_000_000_123_456, kind: int = 0xA55A0003) -> bytes:
    return kind.to_bytes(4, "big") + len(message).to_bytes(4, "big") + microseconds.to_bytes(8, "big") + message


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]


@given(messages, st.lists(st.integers(0, 10_000), max_size=8))
def test_lines_in_any_pieces(written: list[str], cuts: list[int]) -> None:
    lines = Lines()
    data = "".join(f"{line}\n" for line in written).encode() + b"rest"
    read = [text for piece in pieces(data, cuts) for _, text in lines.feed(piece)]
    assert read == written
    assert lines.flush() == [(None, "rest")]
    assert lines.flush() == []


@given(messages, st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_in_any_pieces(written: list[str], cuts: list[int]) -> None:
    frames = Frames()
    data = b"".join(frame(f"two\n{message}\n".encode()) for message in written)
    read = [entry for piece in pieces(data, cuts) for entry in frames.feed(piece)]
    assert read == [(1_700_000_000_123, f"two\n{message}".rstrip("\n")) for message in written]
    assert frames.flush() == []


@pytest.mark.parametrize("alien", [b"just text, without a frame around it", frame(b"x")[:4] + b"\xff" * 40])
def test_what_is_no_frame_is_shown_as_it_is(alien: bytes) -> None:
    frames = Frames()
    assert [text for _, text in frames.feed(alien)] == [alien.decode("utf-8", "replace")]
    assert [text for _, text in frames.feed(frame(b"next"))] == ["next"]


def test_an_endless_line_is_cut() -> None:
    lines = Lines()
    read = [text for _ in range(10) for _, text in lines.feed(b"x" * 100_000)]
    assert {len(text) for text in read} == {MAX_MESSAGE_BYTES}
    assert sum(map(len, read)) + sum(len(text) for _, text in lines.flush()) == 1_000_000


def test_bytes_that_are_no_utf_8() -> None:
    assert Lines().feed(b"a\xffb\r\n") == [(None, "a\ufffdb")]


def test_the_tail_is_bounded() -> None:
    tail = Tail(limit=100)
    for n in range(1000):
        tail.add(f"message {n}")
    text = tail.take()
    assert len(text) <= 100
    assert text.endswith("message 998\nmessage 999\n")
    tail.add("y" * 1000)
    assert tail.take() == "y" * 100 + "\n"
    assert tail.take() == ""


def test_a_channel() -> None:
    read: list[str] = []
    channel = Channel(Lines(), lambda when, text: read.append(text))
    try:
        assert channel.read()
        os.write(channel.write_end, b"one\ntwo")
        assert channel.read()
        assert read == ["one"]
        channel.close_write_end()
        assert not channel.read()
        channel.flush()
        assert read == ["one", "two"]
    finally:
        channel.close()
        channel.close()
