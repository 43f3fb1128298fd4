"""A catalogue: for every operation, programs that use it whole, in both worlds, with suspensions and failures inside.

A program is a generator function of (story, ctx), as :class:`Flavour` has it. ``expected`` is what it returns,
``records`` what it leaves behind: ``type:subtype:name=status`` of each operation. Effects are the ledger of what step
bodies did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from durably import (
    AllFailedError,
    CallbackConfig,
    CallbackError,
    CheckpointMode,
    ChildConfig,
    ChildContextError,
    CompletionConfig,
    Duration,
    FixedWait,
    InvokeError,
    ItemBatcher,
    MapConfig,
    NestingType,
    ParallelBranch,
    ParallelConfig,
    RetryDecision,
    StepConfig,
    StepError,
    StepSemantics,
    WaitForCallbackConfig,
    WaitForConditionConfig,
    WaitForConditionError,
    WithRetryConfig,
)

from .harness import Answer, Flavour
from .modes import ModeWorld

SECOND = Duration.from_seconds(1)
LONG = Duration.from_days(3)
RETRY = StepConfig(lambda error, n: RetryDecision(n < 3, Duration.from_seconds(2)))
ONCE = StepConfig(lambda error, n: RetryDecision.no_retry())
AT_MOST_ONCE = StepConfig(RETRY.retry_strategy, StepSemantics.AT_MOST_ONCE_PER_RETRY)
ALL: MapConfig[Any] = MapConfig(completion_config=CompletionConfig.all_completed())


@dataclass(frozen=True)
class Program:
    """One entry of the catalogue.

    Parameters:
        source: the generator function.
        expected: its result.
        records: what it leaves.
        answers: to callbacks, by operation name.
        repeats: how many bodies a single crash may make run again.
        mode: of checkpointing.
        optional: name of an operation that may have no record: a loser that had not begun, in a thread of its own, when
            the decision that it had lost was already recorded.
    """

    source: Callable[..., Any]
    expected: Any
    records: frozenset[str]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    repeats: int = 1
    mode: CheckpointMode = CheckpointMode.EAGER
    optional: str | None = None

    @property
    def name(self) -> str:
        return self.source.__name__


CATALOGUE: list[Program] = []


def program(expected: Any, records: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the function into the catalogue. ``records``: one a line."""

    def enter(source: Callable[..., Any]) -> Callable[..., Any]:
        lines = frozenset(line.strip() for line in records.strip().splitlines())
        CATALOGUE.append(Program(source, expected, lines, **options))
        return source

    return enter


class Story:
    """What a program needs: functions of the right flavour, and steps that note what they did."""

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.world: ModeWorld

    def body(self, name: str, value: Any = None, failures: int = 0) -> Any:
        def run_body(step: Any) -> Any:
            recorded = [view["Status"] for view in list(self.world.operations.values()) if view.get("Name") == name]
            assert recorded in ([], ["STARTED"], ["READY"]), f"law R1: {name} runs again although it is {recorded}"
            self.world.effect((name, step.attempt))
            if step.attempt <= failures:
                raise ValueError(f"{name} {step.attempt}")
            return name if value is None else value

        return self.flavour(run_body)

    def step(self, ctx: Any, name: str, value: Any = None, failures: int = 0, config: StepConfig = RETRY) -> Any:
        return ctx.step(self.body(name, value, failures), name=name, config=config)

    def flow(self, name: str, seconds: int, *, fails: bool = False) -> Any:
        """A function of a child context: a step, a wait, a step."""

        def inside(inner: Any, *rest: Any) -> Any:
            yield self.step(inner, f"{name} 1")
            yield inner.wait(Duration.from_seconds(seconds))
            found = yield self.step(inner, f"{name} 2")
            if fails:
                raise KeyError(name)
            return found

        return self.flavour(inside)


def double(payload: Any) -> Any:
    return {"doubled": payload * 2}


# ---- step, wait, callbacks, invoke --------------------------------------------------------------------------------


@program(["a", "b"], "STEP:Step:a=SUCCEEDED\nSTEP:Step:b=SUCCEEDED")
def steps(story, ctx):
    return [(yield story.step(ctx, "a")), (yield story.step(ctx, "b"))]


@program("hopeless 3", "STEP:Step:flaky=SUCCEEDED\nSTEP:Step:hopeless=FAILED")
def retried_steps(story, ctx):
    yield story.step(ctx, "flaky", failures=2)
    try:
        yield story.step(ctx, "hopeless", failures=3)
    except StepError as error:
        return str(error)


@program(
    ["a", "durably.StepError"],
    "STEP:Step:a=SUCCEEDED\nSTEP:Step:b=FAILED",
)
def steps_at_most_once(story, ctx):
    """One that a crash cuts off is tried again as a new attempt."""
    first = yield story.step(ctx, "a", config=AT_MOST_ONCE)
    try:
        yield story.step(ctx, "b", failures=3, config=AT_MOST_ONCE)
    except StepError as error:
        return [first, f"durably.{type(error).__name__}"]


@program("end", "WAIT:Wait:w=SUCCEEDED\nWAIT:Wait:-=SUCCEEDED\nSTEP:Step:end=SUCCEEDED")
def waits(story, ctx):
    yield ctx.wait(SECOND, name="w")
    yield ctx.wait(Duration.from_hours(1))
    return (yield story.step(ctx, "end"))


@program(
    [True, None, False, "end"],
    """
    WAIT:Wait:long=CANCELLED
    WAIT:Wait:short=SUCCEEDED
    STEP:Step:between=SUCCEEDED
    STEP:Step:end=SUCCEEDED
    """,
)
def cancelled_waits(story, ctx):
    long = ctx.start(ctx.wait, LONG, name="long")
    yield story.step(ctx, "between")
    cancelled = yield ctx.cancel_wait(long)
    short = ctx.start(ctx.wait, SECOND, name="short")
    yield short.result() if not story.flavour.is_async else short
    too_late = yield ctx.cancel_wait(short)
    ended = yield (long if story.flavour.is_async else long.result())
    return [cancelled, ended, too_late, (yield story.step(ctx, "end"))]


@program(
    ["yes", "CallbackExternalError Denied no", "CallbackTimeoutError Callback.Timeout"],
    """
    CALLBACK:Callback:answered=SUCCEEDED
    CALLBACK:Callback:refused=FAILED
    CALLBACK:Callback:ignored=TIMED_OUT
    STEP:Step:send=SUCCEEDED
    """,
    answers={
        "answered": Answer("yes"),
        "refused": Answer(failure={"ErrorType": "Denied", "ErrorMessage": "no"}),
    },
)
def callbacks(story, ctx):
    answered = yield ctx.create_callback(name="answered")
    refused = yield ctx.create_callback(name="refused")
    ignored = yield ctx.create_callback(name="ignored", config=CallbackConfig(timeout=SECOND))
    yield story.step(ctx, "send")
    found = [(yield answered.result())]
    for callback in (refused, ignored):
        try:
            yield callback.result()
        except CallbackError as error:
            message = f" {error}" if callback is refused else ""
            found.append(f"{type(error).__name__} {error.error_type}{message}")
    return found


@program(
    ["approved", "CallbackExternalError Denied", "CallbackTimeoutError Callback.Heartbeat", "CallbackSubmitterError"],
    """
    CONTEXT:WaitForCallback:asked=SUCCEEDED
    CALLBACK:Callback:asked create callback id=SUCCEEDED
    STEP:Step:asked submitter=SUCCEEDED
    CONTEXT:WaitForCallback:refused=FAILED
    CALLBACK:Callback:refused create callback id=FAILED
    STEP:Step:refused submitter=SUCCEEDED
    CONTEXT:WaitForCallback:silent=FAILED
    CALLBACK:Callback:silent create callback id=TIMED_OUT
    STEP:Step:silent submitter=SUCCEEDED
    CONTEXT:WaitForCallback:broken=FAILED
    CALLBACK:Callback:broken create callback id=STARTED
    STEP:Step:broken submitter=FAILED
    """,
    answers={
        "asked create callback id": Answer("approved"),
        "refused create callback id": Answer(failure={"ErrorType": "Denied", "ErrorMessage": "no"}),
    },
)
def wait_for_callbacks(story, ctx):
    def submit(name, failures):
        def submitter(callback_id, context):
            story.world.effect((f"{name} submitted", context.attempt))
            if context.attempt <= failures:
                raise OSError("away")

        return story.flavour(submitter)

    retry = RETRY.retry_strategy
    found = [
        (
            yield ctx.wait_for_callback(
                submit("asked", 1), name="asked", config=WaitForCallbackConfig(retry_strategy=retry)
            )
        )
    ]
    patient = WaitForCallbackConfig(retry_strategy=retry)
    brief = WaitForCallbackConfig(heartbeat_timeout=SECOND, retry_strategy=retry)
    for name, failures, config in [("refused", 0, None), ("silent", 0, brief), ("broken", 3, patient)]:
        try:
            yield ctx.wait_for_callback(submit(name, failures), name=name, config=config)
        except CallbackError as error:
            kind = "" if name == "broken" else f" {error.error_type}"
            found.append(f"{type(error).__name__}{kind}")
    return found


@program(
    [{"doubled": 4}, "TypeError"],
    "CHAINED_INVOKE:ChainedInvoke:good=SUCCEEDED\nCHAINED_INVOKE:ChainedInvoke:bad=FAILED",
)
def invokes(story, ctx):
    found = [(yield ctx.invoke("double", 2, name="good"))]
    try:
        yield ctx.invoke("double", None, name="bad")
    except InvokeError as error:
        found.append(error.error_type)
    return found


@program(
    [3, "durably.WaitForConditionError", "ValueError"],
    """
    STEP:WaitForCondition:met=SUCCEEDED
    STEP:WaitForCondition:unmet=FAILED
    STEP:WaitForCondition:broken=FAILED
    """,
)
def conditions(story, ctx):
    def check(name):
        def look(state, context):
            story.world.effect((name, context.attempt))
            if name == "broken" and context.attempt == 2:
                raise ValueError("broken")
            return state + 1

        return story.flavour(look)

    def config(goal):
        return WaitForConditionConfig(FixedWait(lambda state: state == goal, SECOND, max_attempts=4), 0)

    found = [(yield ctx.wait_for_condition(check("met"), config(3), name="met"))]
    for name in ("unmet", "broken"):
        try:
            yield ctx.wait_for_condition(check(name), config(99), name=name)
        except WaitForConditionError as error:
            found.append(error.error_type)
    return found


# ---- child contexts -------------------------------------------------------------------------------------------------


@program(
    ["in 2", "KeyError", "after"],
    """
    CONTEXT:RunInChildContext:good=SUCCEEDED
    STEP:Step:in 1=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    STEP:Step:in 2=SUCCEEDED
    CONTEXT:RunInChildContext:bad=FAILED
    STEP:Step:out 1=SUCCEEDED
    STEP:Step:out 2=SUCCEEDED
    STEP:Step:after=SUCCEEDED
    """,
)
def child_contexts(story, ctx):
    found = [(yield ctx.run_in_child_context(story.flow("in", 1), name="good"))]
    try:
        yield ctx.run_in_child_context(story.flow("out", 1, fails=True), name="bad")
    except ChildContextError as error:
        found.append(error.error_type)
    return [*found, (yield story.step(ctx, "after"))]


@program(
    ["flat 2", 300_000],
    """
    STEP:Step:flat 1=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    STEP:Step:flat 2=SUCCEEDED
    CONTEXT:RunInChildContext:large=SUCCEEDED
    STEP:Step:part=SUCCEEDED
    WAIT:Wait:then=SUCCEEDED
    """,
)
def virtual_and_large_contexts(story, ctx):
    def large(inner):
        part = yield story.step(inner, "part", "x" * 50_000)
        return [part] * 6

    flat = yield ctx.run_in_child_context(story.flow("flat", 1), config=ChildConfig(is_virtual=True))
    parts = yield ctx.run_in_child_context(story.flavour(large), name="large")
    yield ctx.wait(SECOND, name="then")  # what follows rebuilds the large result
    return [flat, sum(map(len, parts))]


# ---- map, parallel --------------------------------------------------------------------------------------------------


def shape(result: Any) -> list[Any]:
    return [result.completion_reason.value, [item.status.value for item in result], result.get_results()]


def item_flow(story, inner, item):
    yield story.step(inner, f"step {item}")
    yield inner.wait(Duration.from_seconds(item))
    if item == 2:
        raise ValueError("two")
    return item * 10


BRANCHES = """
    STEP:Step:step 1=SUCCEEDED
    STEP:Step:step 2=SUCCEEDED
    STEP:Step:step 3=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
"""
MAPPED = ["ALL_COMPLETED", ["SUCCEEDED", "FAILED", "SUCCEEDED"], [10, 30]]


@program(
    MAPPED,
    BRANCHES
    + """CONTEXT:Map:items=SUCCEEDED
    CONTEXT:MapIteration:map-item-0=SUCCEEDED
    CONTEXT:MapIteration:map-item-1=FAILED
    CONTEXT:MapIteration:map-item-2=SUCCEEDED""",
    repeats=3,
)
def mapped(story, ctx):
    def one(inner, item):
        return (yield from item_flow(story, inner, item))

    return shape((yield ctx.map([1, 2, 3], story.flavour(one), name="items", config=ALL)))


@program(MAPPED, BRANCHES + "CONTEXT:Map:items=SUCCEEDED", repeats=3)
def mapped_flat(story, ctx):
    def one(inner, item):
        return (yield from item_flow(story, inner, item))

    config = MapConfig(nesting_type=NestingType.FLAT, max_concurrency=2, completion_config=ALL.completion_config)
    return shape((yield ctx.map([1, 2, 3], story.flavour(one), name="items", config=config)))


@program(
    MAPPED,
    BRANCHES
    + """CONTEXT:Map:items=SUCCEEDED
    CONTEXT:MapIteration:map-batch-0=SUCCEEDED
    CONTEXT:MapIteration:map-batch-1=SUCCEEDED""",
    repeats=2,
)
def mapped_in_batches(story, ctx):
    def one(inner, item):
        return (yield from item_flow(story, inner, item))

    config = MapConfig(item_batcher=ItemBatcher(2), completion_config=ALL.completion_config)
    return shape((yield ctx.map([1, 2, 3], story.flavour(one), name="items", config=config)))


@program(
    ["MIN_SUCCESSFUL_REACHED", ["STARTED", "SUCCEEDED", "STARTED"], [20], "after"],
    """
    CONTEXT:Map:items=SUCCEEDED
    CONTEXT:MapIteration:map-item-0=STARTED
    CONTEXT:MapIteration:map-item-1=SUCCEEDED
    CONTEXT:MapIteration:map-item-2=STARTED
    WAIT:Wait:day 0=STARTED
    WAIT:Wait:day 2=STARTED
    WAIT:Wait:day 1=SUCCEEDED
    STEP:Step:item 1=SUCCEEDED
    STEP:Step:after=SUCCEEDED
    """,
    repeats=1,
)
def mapped_to_an_early_end(story, ctx):
    def one(inner, item):
        yield inner.wait(LONG if item != 1 else SECOND, name=f"day {item}")
        yield story.step(inner, f"item {item}")
        return item * 20

    config = MapConfig(completion_config=CompletionConfig.first_successful())
    found = shape((yield ctx.map([0, 1, 2], story.flavour(one), name="items", config=config)))
    return [*found, (yield story.step(ctx, "after"))]


@program(
    ["ALL_COMPLETED", ["SUCCEEDED", "FAILED", "SUCCEEDED"], ["a 2", "c 2"]],
    """
    CONTEXT:Parallel:side by side=SUCCEEDED
    CONTEXT:ParallelBranch:parallel-branch-0=SUCCEEDED
    CONTEXT:ParallelBranch:named=FAILED
    CONTEXT:ParallelBranch:parallel-branch-2=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    STEP:Step:a 1=SUCCEEDED
    STEP:Step:a 2=SUCCEEDED
    STEP:Step:b 1=SUCCEEDED
    STEP:Step:b 2=SUCCEEDED
    STEP:Step:c 1=SUCCEEDED
    STEP:Step:c 2=SUCCEEDED
    """,
    repeats=3,
)
def parallel_branches(story, ctx):
    branches = [story.flow("a", 2), ParallelBranch(story.flow("b", 1, fails=True), "named"), story.flow("c", 3)]
    config = ParallelConfig(completion_config=CompletionConfig.all_completed())
    return shape((yield ctx.parallel(branches, name="side by side", config=config)))


# ---- futures, decisions ------------------------------------------------------------------------------------------


@program(
    ["between", "flow 2", "a", "KeyError", "end"],
    """
    STEP:Step:a=SUCCEEDED
    CONTEXT:RunInChildContext:flow=SUCCEEDED
    STEP:Step:flow 1=SUCCEEDED
    STEP:Step:flow 2=SUCCEEDED
    CONTEXT:RunInChildContext:bad=FAILED
    STEP:Step:bad 1=SUCCEEDED
    STEP:Step:bad 2=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    WAIT:Wait:pause=SUCCEEDED
    STEP:Step:between=SUCCEEDED
    STEP:Step:end=SUCCEEDED
    """,
    repeats=4,
)
def futures(story, ctx):
    def taken(future):
        return future if story.flavour.is_async else future.result()

    a = ctx.start(ctx.step, story.body("a"), name="a", config=RETRY)
    flow = ctx.start(ctx.run_in_child_context, story.flow("flow", 2), name="flow")
    bad = ctx.start(ctx.run_in_child_context, story.flow("bad", 1, fails=True), name="bad")
    pause = ctx.start(ctx.wait, SECOND, name="pause")
    found = [(yield story.step(ctx, "between"))]
    try:
        yield pause if story.flavour.is_async else pause.result()
        found += [(yield taken(flow)), (yield taken(a))]
        yield bad if story.flavour.is_async else bad.result()
    except ChildContextError as error:
        found.append(error.error_type)
    return [*found, (yield story.step(ctx, "end"))]


@program(
    ["quick 2", "after"],
    """
    STEP:Race:race=SUCCEEDED
    CONTEXT:RunInChildContext:-=STARTED
    CONTEXT:RunInChildContext:-=SUCCEEDED
    STEP:Step:slow 1=SUCCEEDED
    STEP:Step:quick 1=SUCCEEDED
    STEP:Step:quick 2=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    WAIT:Wait:-=STARTED
    WAIT:Wait:deadline=CANCELLED
    STEP:Step:after=SUCCEEDED
    """,
    repeats=2,
)
def raced(story, ctx):
    deadline = ctx.start(ctx.wait, LONG, name="deadline")
    won = yield ctx.race([story.flow("slow", 90_000), deadline, story.flow("quick", 1)], name="race")
    return [won, (yield story.step(ctx, "after"))]


@program(
    ["good 2", 2],
    """
    STEP:Any:any=SUCCEEDED
    STEP:Any:none=SUCCEEDED
    CONTEXT:RunInChildContext:-=FAILED
    CONTEXT:RunInChildContext:-=SUCCEEDED
    STEP:Step:bad 1=SUCCEEDED
    STEP:Step:bad 2=SUCCEEDED
    STEP:Step:good 1=SUCCEEDED
    STEP:Step:good 2=SUCCEEDED
    STEP:Step:x=FAILED
    STEP:Step:y=FAILED
    WAIT:Wait:-=SUCCEEDED
    """,
    repeats=2,
)
def any_of(story, ctx):
    good = yield ctx.any([story.flow("bad", 1, fails=True), story.flow("good", 2)], name="any")
    failing = [ctx.start(ctx.step, story.body(name, failures=1), name=name, config=ONCE) for name in ("x", "y")]
    try:
        yield ctx.any(failing, name="none")
    except AllFailedError as error:
        return [good, len(error.errors)]


@program(
    [["a 2", "b 2"], "ValueError", "after"],
    """
    STEP:All:all=SUCCEEDED
    STEP:All:failing=SUCCEEDED
    CONTEXT:RunInChildContext:-=SUCCEEDED
    STEP:Step:a 1=SUCCEEDED
    STEP:Step:a 2=SUCCEEDED
    STEP:Step:b 1=SUCCEEDED
    STEP:Step:b 2=SUCCEEDED
    STEP:Step:x=FAILED
    WAIT:Wait:-=SUCCEEDED
    WAIT:Wait:long=CANCELLED
    STEP:Step:after=SUCCEEDED
    """,
    repeats=2,
    optional="long",
)
def all_of(story, ctx):
    found = yield ctx.all([story.flow("a", 2), story.flow("b", 1)], name="all")
    x = ctx.start(ctx.step, story.body("x", failures=1), name="x", config=ONCE)
    long = ctx.start(ctx.wait, LONG, name="long")
    kind = None
    try:
        yield ctx.all([long, x], name="failing")
    except StepError as error:
        kind = error.error_type
    return [found, kind, (yield story.step(ctx, "after"))]


@program(
    ["ALL_COMPLETED", ["SUCCEEDED", "FAILED", "SUCCEEDED"], ["a 2", None]],
    """
    STEP:AllSettled:settled=SUCCEEDED
    CONTEXT:RunInChildContext:-=SUCCEEDED
    CONTEXT:RunInChildContext:-=FAILED
    STEP:Step:a 1=SUCCEEDED
    STEP:Step:a 2=SUCCEEDED
    STEP:Step:b 1=SUCCEEDED
    STEP:Step:b 2=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
    WAIT:Wait:pause=SUCCEEDED
    """,
    repeats=2,
)
def all_settled(story, ctx):
    pause = ctx.start(ctx.wait, SECOND, name="pause")
    flows = [story.flow("a", 2), story.flow("b", 1, fails=True), pause]
    return shape((yield ctx.all_settled(flows, name="settled")))


# ---- blocks ------------------------------------------------------------------------------------------------------


@program(
    ["again 2", "durably.StepError"],
    """
    CONTEXT:RunInChildContext:good=SUCCEEDED
    STEP:Step:first 1=SUCCEEDED
    STEP:Step:first 2=SUCCEEDED
    STEP:Step:again 2=SUCCEEDED
    STEP:Step:again 1=FAILED
    WAIT:Wait:good-backoff-1=SUCCEEDED
    CONTEXT:RunInChildContext:bad=FAILED
    STEP:Step:bad 1=FAILED
    STEP:Step:bad 2=FAILED
    WAIT:Wait:bad-backoff-1=SUCCEEDED
    """,
)
def retried_blocks(story, ctx):
    def good(inner, attempt):
        yield story.step(inner, f"first {attempt}")
        return (yield story.step(inner, f"again {attempt}", failures=2 - attempt, config=ONCE))

    def bad(inner, attempt):
        yield story.step(inner, f"bad {attempt}", failures=1, config=ONCE)

    config = WithRetryConfig(lambda error, n: RetryDecision(n < 2, SECOND))
    found = [(yield ctx.with_retry(story.flavour(good), name="good", config=config))]
    try:
        yield ctx.with_retry(story.flavour(bad), name="bad", config=config)
    except ChildContextError as error:
        found.append(error.error_type)
    return found


@program(
    ["here 2", "here-backoff-1"],
    """
    STEP:Step:here 1=FAILED
    STEP:Step:here 2=SUCCEEDED
    WAIT:Wait:here-backoff-1=SUCCEEDED
    """,
)
def retried_in_place(story, ctx):
    def here(inner, attempt):
        return (yield story.step(inner, f"here {attempt}", failures=2 - attempt, config=ONCE))

    config = WithRetryConfig(lambda error, n: RetryDecision(n < 2, SECOND), wrap_with_run_in_child_context=False)
    return [(yield ctx.with_retry(story.flavour(here), name="here", config=config)), "here-backoff-1"]


def undoing(story, name, fails=False):
    def undo(inner, made):
        assert made == name
        yield story.step(inner, f"undo {name}")
        yield inner.wait(SECOND)
        if fails:
            raise LookupError(name)

    return story.flavour(undo)


UNDONE = """
    STEP:Step:a=SUCCEEDED
    STEP:Step:b=SUCCEEDED
    STEP:Step:c=FAILED
    CONTEXT:Compensation:a=SUCCEEDED
    CONTEXT:Compensation:b=FAILED
    STEP:Step:undo a=SUCCEEDED
    STEP:Step:undo b=SUCCEEDED
    WAIT:Wait:-=SUCCEEDED
"""


@program(["b LookupError", "a None", True], UNDONE)
def compensations(story, ctx):
    nothing = yield ctx.run_compensations()
    yield ctx.step_with_compensation(story.body("a"), undoing(story, "a"), name="a", config=RETRY)
    yield ctx.step_with_compensation(story.body("b"), undoing(story, "b", fails=True), name="b", config=RETRY)
    try:
        yield ctx.step_with_compensation(story.body("c", failures=1), undoing(story, "c"), name="c", config=ONCE)
    except StepError:
        result = yield ctx.run_compensations()
        return [*[f"{item.name} {item.error and item.error.type}" for item in result], nothing.all_succeeded]


@program(
    ["c 1", "b LookupError", "a None", "clean None"],
    UNDONE + "CONTEXT:Cleanup:clean=SUCCEEDED\nSTEP:Step:clean up=SUCCEEDED",
)
def saga_scope(story, ctx):
    saga = ctx.saga()

    def block():
        saga.add_cleanup(story.flavour(clean), name="clean")
        yield saga.step(story.body("a"), undoing(story, "a"), name="a", config=RETRY)
        yield saga.step(story.body("b"), undoing(story, "b", fails=True), name="b", config=RETRY)
        yield saga.step(story.body("c", failures=1), undoing(story, "c"), name="c", config=ONCE)

    def clean(inner):
        yield story.step(inner, "clean up")

    message = ""
    try:
        yield entered(story, saga, block)
    except StepError as error:
        message = str(error)
    outcomes = [*saga.result, *saga.cleanup_result]
    return [message, *[f"{item.name} {item.error and item.error.type}" for item in outcomes]]


def entered(story: Story, manager: Any, block: Callable[[], Any]) -> Any:
    """``block`` inside ``with manager``, or ``async with``."""
    if story.flavour.is_async:

        async def inside() -> Any:
            async with manager:
                return await story.flavour(block)()

        return inside()
    with manager:
        return story.flavour(block)()


@program(
    ["a", "b", "c"],
    "STEP:Step:a=SUCCEEDED\nSTEP:Step:b=SUCCEEDED\nSTEP:Step:c=SUCCEEDED\nWAIT:Wait:w=SUCCEEDED",
    repeats=2,
)
def batch_block(story, ctx):
    def block():
        return [(yield story.step(ctx, "a")), (yield story.step(ctx, "b"))]

    found = yield entered(story, ctx.batch(), block)
    yield ctx.wait(SECOND, name="w")
    return [*found, (yield story.step(ctx, "c"))]


@program(
    ["a", "b", "c", "d"],
    """
    STEP:Step:a=SUCCEEDED
    STEP:Step:b=SUCCEEDED
    STEP:Step:c=SUCCEEDED
    STEP:Step:d=SUCCEEDED
    WAIT:Wait:w=SUCCEEDED
    """,
    repeats=2,
    mode=CheckpointMode.BATCHED,
)
def batched_and_flushed(story, ctx):
    found = [(yield story.step(ctx, "a")), (yield story.step(ctx, "b"))]
    yield ctx.flush()
    found.append((yield story.step(ctx, "c")))
    yield ctx.wait(SECOND, name="w")
    return [*found, (yield story.step(ctx, "d"))]
