"""Programs of the official Python SDK with every operation it has. With PACKAGE=durably in the environment they are
the same programs, moved over by replacing the package's name in the import lines.

Each takes a number and gives a result that only depends on it. Side effects are noted in a ledger.
"""

import importlib
import json
import os
import time

if "PROXY" in os.environ:
    os.environ["AWS_ENDPOINT_URL_LAMBDA"] = os.environ["PROXY"]
PACKAGE = os.environ.get("PACKAGE", "aws_durable_execution_sdk_python")
sdk = importlib.import_module(PACKAGE)
config = importlib.import_module(f"{PACKAGE}.config")
retries = importlib.import_module(f"{PACKAGE}.retries")
waits = importlib.import_module(f"{PACKAGE}.waits")

SECOND = config.Duration.from_seconds(1)
MINUTES = config.Duration.from_minutes(5)
NEVER = config.StepConfig(retry_strategy=retries.RetryPresets.none())
BIG = 300_000


def note(ctx, **entry):
    arn = ctx.execution_context.durable_execution_arn
    line = json.dumps({"arn": arn, "pid": os.getpid(), "ms": time.time_ns() // 1_000_000, **entry}) + "\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(ledger, line.encode())
    finally:
        os.close(ledger)


def again(error, attempts_made):
    return retries.RetryDecision.retry(SECOND)


def step(ctx, root, name, body, step_config=None):
    """A step whose body is noted."""

    def noted(step_context):
        note(root, kind="step", name=name, attempt=step_context.attempt)
        time.sleep(0.03)  # for a kill to hit it
        return body(step_context)

    return ctx.step(noted, name=name, config=step_config)


@sdk.durable_execution
def pipeline(n, ctx):
    def unlucky(step_context):
        if step_context.attempt < 3:
            raise ConnectionError("not yet")
        return step_context.attempt

    first = step(ctx, ctx, "first", lambda _: {"n": n, "list": [1, None, 2.5], "text": "é"})
    attempts = step(ctx, ctx, "unlucky", unlucky, config.StepConfig(retry_strategy=again))
    ctx.wait(SECOND, name="rest")
    try:
        step(ctx, ctx, "hopeless", lambda _: 1 / 0, NEVER)
    except sdk.StepError as error:
        caught = error.message
    return [first, attempts, caught, step(ctx, ctx, "last", lambda _: n + 1)]


@sdk.durable_execution
def fan(n, ctx):
    def flow(index):
        def branch(child):
            value = step(child, ctx, f"begin {index}", lambda _: n + index)
            if index % 2:
                child.wait(SECOND, name=f"rest {index}")
            return step(child, ctx, f"end {index}", lambda _: value + 1)

        return branch

    def square(child, item, index, items):
        value = step(child, ctx, f"square {index}", lambda _: item * item)
        child.wait(SECOND, name=f"rest of {index}")
        return value

    def odd(child, item, index, items):
        if item % 2:
            raise ValueError(f"odd {item}")
        return item

    branches = ctx.parallel([flow(index) for index in range(4)], name="branches")
    squares = ctx.map([1, 2, 3, 4, 5], square, name="squares", config=config.MapConfig(max_concurrency=2))
    tolerant = config.CompletionConfig(tolerated_failure_count=5)
    tolerated = ctx.map([1, 2, 3], odd, name="tolerated", config=config.MapConfig(completion_config=tolerant))
    counts = [tolerated.success_count, tolerated.failure_count, tolerated.completion_reason.value]
    return [branches.get_results(), squares.get_results(), counts]


@sdk.durable_execution
def parent(n, ctx):
    failures = []
    for name, target, payload in (("refuses", "leaf:$LATEST", -1), ("absent", "nobody:$LATEST", 1)):
        try:
            ctx.invoke(target, payload, name=name)
        except sdk.InvokeError:
            failures.append(name)
    return [ctx.invoke("leaf:$LATEST", n, name="leaf"), ctx.invoke("plain", n, name="plain"), failures]


@sdk.durable_execution
def leaf(n, ctx):
    if n < 0:
        raise ValueError("refused")
    before = step(ctx, ctx, "before", lambda _: n + 10)
    ctx.wait(SECOND, name="rest")
    return step(ctx, ctx, "after", lambda _: before + 10)


def plain(event, context):
    return event * 3


@sdk.durable_execution
def asks(n, ctx):
    def submit(what):
        return lambda callback_id, _: note(ctx, kind="callback", id=callback_id, what=what, result=f"text {n}")

    early = ctx.create_callback(name="early", config=config.CallbackConfig(timeout=MINUTES))
    submit("succeed")(early.callback_id, None)
    answers = [early.result()]
    answers.append(
        ctx.wait_for_callback(
            submit("succeed"),
            name="second",
            config=config.WaitForCallbackConfig(timeout=MINUTES, heartbeat_timeout=MINUTES),
        )
    )
    for name, submitter, timeout, heartbeat in (
        ("refused", submit("fail"), MINUTES, None),
        ("silent", lambda *_: None, SECOND, None),
        ("heartless", lambda *_: None, MINUTES, SECOND),
    ):
        options = {} if heartbeat is None else {"heartbeat_timeout": heartbeat}
        try:
            ctx.wait_for_callback(submitter, name=name, config=config.WaitForCallbackConfig(timeout=timeout, **options))
        except sdk.CallbackError as error:
            answers.append([name, type(error).__name__])
    return answers


@sdk.durable_execution
def careful(n, ctx):
    once = config.StepConfig(
        step_semantics=config.StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=retries.RetryPresets.none()
    )
    per_attempt = config.StepConfig(step_semantics=config.StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=again)
    try:
        first = step(ctx, ctx, "once", lambda _: time.sleep(0.1) or n, once)
    except sdk.StepError:
        first = "interrupted"
    except Exception as error:
        first = "interrupted" if "interrupted" in f"{type(error)} {error}".lower() else repr(error)
    return [first, step(ctx, ctx, "per attempt", lambda _: n + 1, per_attempt)]


@sdk.durable_execution
def polls(n, ctx):
    def strategy(state, attempt):
        if state >= n + 3:
            return waits.WaitForConditionDecision.stop_polling()
        return waits.WaitForConditionDecision.continue_waiting(SECOND)

    return ctx.wait_for_condition(
        lambda state, _: state + 1,
        waits.WaitForConditionConfig(wait_strategy=strategy, initial_state=n),
        name="count",
    )


@sdk.durable_execution
def large(n, ctx):
    """Results above 256 KiB, whose children are run again from their records; more state than one page of it holds."""

    def child(inner):
        return "".join(step(inner, ctx, f"part {part}", lambda _, part=part: str(part) * BIG) for part in range(4))

    def bulk(inner, item, index, items):
        return step(inner, ctx, f"bulk {index}", lambda _: str(item % 10) * BIG)

    text = ctx.run_in_child_context(child, name="large")
    ctx.wait(SECOND, name="rest")
    mapped = ctx.map(list(range(16)), bulk, name="bulks", config=config.MapConfig(max_concurrency=4))
    ctx.wait(SECOND, name="rest again")
    return [len(text), sum(len(item) for item in mapped.get_results()), n]
