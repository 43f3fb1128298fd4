"""Formats of your own: two functions, or a class, that write and read what is recorded.

    durably dev examples/serialization/custom_formats.py
    durably invoke chess '["e4", "e5", "Nf3"]'

A serdes that cannot read what it is given raises SerDesError. In the history the board stands as `board/e4 e5 Nf3`.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from durably import (
    DurableContext,
    SerDes,
    SerDesContext,
    SerDesError,
    StepConfig,
    custom_serdes,
    durable_execution,
)


@dataclass(frozen=True)
class Board:
    moves: list[str]


class BoardSerDes(SerDes[Board]):
    def serialize(self, value: Board, serdes_context: SerDesContext) -> str:
        return "board/" + " ".join(value.moves)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Board:
        if not data.startswith("board/"):
            raise SerDesError(f"{data!r} is no board")
        return Board(data.removeprefix("board/").split())


def write_roman(value: int, context: Any) -> str:
    return "I" * value


def read_roman(text: str, context: Any) -> int:
    return len(text)


@durable_execution
def chess(moves: list[str], ctx: DurableContext) -> dict[str, Any]:
    board = ctx.step(lambda step: Board(moves), name="play", config=StepConfig(serdes=BoardSerDes()))
    count = ctx.step(
        lambda step: len(board.moves), name="count", config=StepConfig(serdes=custom_serdes(write_roman, read_roman))
    )
    ctx.wait(timedelta(minutes=5), name="think")  # after it, both are read back
    return {"moves": board.moves, "count": count}
