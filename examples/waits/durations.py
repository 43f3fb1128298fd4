"""Durations: every unit a wait can be told in, and what it comes to.

    durably dev examples/waits/durations.py
    durably invoke units '"hours"'
    python examples/waits/durations.py

A month has 30 days and a year 365; parts of a second are rounded up. A number without a unit is refused.
"""

from durably import AsyncDurableContext, Duration, durable_execution

ONE = {
    "seconds": Duration.from_seconds(30),
    "minutes": Duration.from_minutes(5),
    "hours": Duration.from_hours(2),
    "days": Duration.from_days(7),
    "weeks": Duration.from_weeks(2),
    "months": Duration.from_months(3),
    "years": Duration.from_years(1),
}


@durable_execution
async def units(unit: str, ctx: AsyncDurableContext) -> int:
    await ctx.wait(ONE[unit])
    return ONE[unit].to_seconds()


if __name__ == "__main__":
    for name, duration in ONE.items():
        print(f"{name:8} {duration.to_seconds():>10,} s = {duration.to_timedelta()}")
