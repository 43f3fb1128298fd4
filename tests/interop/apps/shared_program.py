"""A program of the official SDK. With PACKAGE=durably in the environment it is the same program, moved over by
replacing the package's name in its import lines."""

import importlib
import os

PACKAGE = os.environ.get("PACKAGE", "aws_durable_execution_sdk_python")
sdk = importlib.import_module(PACKAGE)
config = importlib.import_module(f"{PACKAGE}.config")
retries = importlib.import_module(f"{PACKAGE}.retries")
LEDGER = os.environ["LEDGER"]


def note(what):
    with open(LEDGER, "a") as ledger:
        ledger.write(f"{PACKAGE} {what}\n")


@sdk.durable_step
def reserve(step, order_id):
    note("reserve")
    return {"order": order_id, "lines": [1, 2.5, None, True], "note": "ünïcode"}


@sdk.durable_with_child_context
def packing(child, order):
    weight = child.step(lambda step: note("weigh") or len(order["lines"]), name="weigh")
    child.wait(config.Duration.from_seconds(1), name="cool")
    return {"weight": weight, "label": child.step(lambda step: note("label") or "L1", name="label")}


def unlucky(step):
    note(f"unlucky {step.attempt}")
    if step.attempt < 2:
        raise ValueError("not yet")
    return ("a", b"bytes")


def submit(callback_id, context):
    note("submit")
    with open(f"{LEDGER}.callback", "w") as out:
        out.write(callback_id)


@sdk.durable_execution
def process(event, context):
    order = context.step(reserve(event["id"]))
    fixed = config.StepConfig(retry_strategy=retries.RetryPresets.fixed(config.Duration.from_seconds(1)))
    pair = context.step(unlucky, name="unlucky", config=fixed)
    packed = context.run_in_child_context(packing(order), name="packing")
    answer = context.wait_for_callback(submit, name="approval")
    try:
        context.step(
            lambda step: 1 / 0, name="broken", config=config.StepConfig(retry_strategy=retries.RetryPresets.none())
        )
    except sdk.StepError as error:
        broken = f"{error.error_type}: {error.message}"
    square = context.invoke("square:$LATEST", 7, name="square")
    return [order, next(iter(pair)), packed, answer, broken, square]


@sdk.durable_execution
def square(event, context):
    return context.step(lambda step: note("square") or event * event, name="multiply")
