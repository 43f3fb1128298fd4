"""Four ways to write one durable function: decorated, left as it is, a class with shared state, a builder.

    durably dev examples/ways_to_write/four_styles.py
    durably invoke decorated '"Ada"'

All four record the same.
"""

from durably import DurableBuilder, DurableContext, DurableHandler, durable, durable_execution


@durable_execution
def decorated(name: str, ctx: DurableContext) -> str:
    return ctx.step(lambda step: f"Dear {name}", name="greet")


def write(name: str, ctx: DurableContext) -> str:
    """An ordinary function, to be tested and used as such."""
    return ctx.step(lambda step: f"Dear {name}", name="greet")


called = durable(write)


class Letters(DurableHandler):
    """`self` is shared by the invocations of a process: a connection, a client, a configuration."""

    def __init__(self, opening: str) -> None:
        self.opening = opening

    def handle(self, name: str, ctx: DurableContext) -> str:
        return ctx.step(lambda step: f"{self.opening} {name}", name="greet")


from_class = Letters("Dear")

base = DurableBuilder().retention_days(30)  # options that many functions share
built = base.build(write)
