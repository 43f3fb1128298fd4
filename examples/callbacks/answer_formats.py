"""How an answer is read: as the text that was sent, as a type, or by a format of your own.

durably dev examples/callbacks/answer_formats.py
durably invoke weather '"Vienna"'
durably callback succeed ID 'rain'        and so on, for each of the three
"""

from dataclasses import dataclass
from typing import Any

from durably import AsyncDurableContext, CallbackConfig, SerDesError, custom_serdes, durable_execution


@dataclass(frozen=True)
class Wind:
    direction: str
    knots: int


def read_degrees(text: str, context: Any) -> float:
    number, unit = float(text[:-1]), text[-1]
    if unit == "F":
        return round((number - 32) / 1.8, 1)
    if unit == "C":
        return number
    raise SerDesError(f"{text!r} is no temperature: write 20C or 68F")


def write_degrees(value: float, context: Any) -> str:
    return f"{value}C"


DEGREES = custom_serdes(write_degrees, read_degrees)


@durable_execution
async def weather(place: str, ctx: AsyncDurableContext) -> str:
    sky = await ctx.create_callback("sky")
    wind = await ctx.create_callback("wind", result_type=Wind)
    degrees = await ctx.create_callback("degrees", CallbackConfig(serdes=DEGREES))
    blows: Wind = await wind.result()
    return f"{place}: {await sky.result()}, {blows.direction} {blows.knots}, {await degrees.result()} degrees"
