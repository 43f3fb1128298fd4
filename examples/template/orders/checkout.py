"""A function of a template: its configuration comes from ``template.yaml``, not from this file.

    durably dev examples/template/template.yaml
    durably invoke Order '{"book": 3, "pen": 2}'

What it calls is told by its environment, on AWS as here.
"""

import os
from datetime import timedelta

from durably import DurableContext, StepContext, durable_execution


@durable_execution
def handler(lines: dict[str, int], ctx: DurableContext) -> str:
    ctx.wait(timedelta(seconds=2), name="stock")
    prices = ctx.invoke(os.environ["PRICES"], sorted(lines), name="prices", result_type=dict[str, int])

    def add(step: StepContext) -> int:
        return sum(count * prices[article] for article, count in lines.items())

    return f"{ctx.step(add, name='total')} {os.environ['CURRENCY']}"
