"""Hello: the smallest durable function has one step.

durably dev examples/getting_started/hello.py
durably invoke hello '"Ada"'
"""

from durably import DurableContext, durable_execution


@durable_execution
def hello(name: str, ctx: DurableContext) -> str:
    return ctx.step(lambda step: f"Hello, {name}!", name="greet")
