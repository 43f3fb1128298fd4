"""One invocation of a durable function, from event to answer; the sync and the async one differ where they wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from durably.exceptions import ExecutionError, InvocationError, SerDesError, error_object
from durably.wire.api_errors import ApiError
from durably.wire.payloads import NO_TEXT

from .cancellation import cancelled_by_itself, is_cancellation
from .envelope import Envelope, failed, from_verdict, oversized, state_failure, succeeded
from .run import Run
from .scope import CURRENT, Scope
from .suspension import SuspendExecution, Verdict

if TYPE_CHECKING:
    from durably.checkpointing import CheckpointConfig
    from durably.plugin import DurableInstrumentationPluginFactory
    from durably.serdes import Codec
    from durably.wire.shapes import InvocationOutput, Operation

    from .async_run import AsyncRun
    from .plugins import Hooks
    from .sync_run import SyncRun

__all__ = ["Function", "invoke_async", "invoke_sync", "remaining_ms", "run_async", "run_sync"]

_LONGEST_MS = 400 * 86_400_000


class Function(Protocol):
    """What is invoked: the user's handler and how its input and result are read and written."""

    handler: Callable[..., Any]
    logger: Any
    checkpoints: CheckpointConfig

    @property
    def input_codec(self) -> Codec: ...

    @property
    def output_codec(self) -> Codec: ...

    def make_context(self, run: Run) -> Any: ...


class WatchedFunction(Function, Protocol):
    """A function whose invocations are told to plugins."""

    plugins: Sequence[DurableInstrumentationPluginFactory]


def invoke_sync(function: WatchedFunction, event: Any, lambda_context: Any, client: Any) -> InvocationOutput:
    """Run a plain handler in this thread. Raises to ask for another invocation."""
    from .sync_run import SyncRun, load_state

    envelope = Envelope(event)
    try:
        operations = envelope.operations + load_state(client, envelope.arn, envelope.token, envelope.marker)
    except ApiError as error:
        return state_failure(error)
    run = SyncRun(envelope.arn, envelope.token, operations, client, lambda_context)
    run.updated = frozenset(envelope.updated)
    with _Watched(function, run, operations) as watched:
        try:
            output = run_sync(function, run)
        finally:
            run.close()
        return watched.answer(output)


def run_sync(function: Function, run: SyncRun) -> InvocationOutput:
    """The handler's outcome; not to be looked at once there is a verdict."""
    output: InvocationOutput = {"Status": "PENDING"}
    failure: Exception | None = None
    try:
        context, scope = _enter(function, run)
        token = CURRENT.set(scope)
        try:
            result = function.handler(read_input(function, run), context)
            if run.is_replay:
                run.check_return(scope)
            output = _output(function, result)
        except Exception as error:
            failure, output = error, _failure(run, error)
        except BaseException as error:
            if not is_cancellation(error):
                raise
            failure = cancelled_by_itself()  # an event loop that the handler ran itself; nobody cancels a thread
            output = _failure(run, failure)
        finally:
            CURRENT.reset(token)
            run.returned = True
        run.flush_rest()
        if failure is not None and run.verdict is None and (asked := _error_handler(function)) is not None:
            from .error_hook import ask

            output = _failure(run, ask(asked, run, failure))
        if run.verdict is None and (instead := oversized(run, output)) is not None:
            update, output = instead
            run.outbox.add(update)
            run.flush_rest()
    except SuspendExecution:
        if run.verdict is None:
            raise  # of another invocation, whose context was kept
    finally:
        del failure  # and with it the cycle of its traceback
    if (cause := _cause(run)) is not None and (asked := _error_handler(function)) is not None:
        from .error_hook import ask

        run.verdict = _verdict_of(ask(asked, run, cause))
    return output


async def invoke_async(function: WatchedFunction, event: Any, lambda_context: Any, client: Any) -> InvocationOutput:
    """Run a coroutine handler on this loop. Raises to ask for another invocation."""
    import asyncio

    from .async_run import AsyncRun
    from .tasks import install_task_factory
    from .timers import install_timers
    from .transport import load_state, transport_for

    envelope = Envelope(event)
    install_task_factory(asyncio.get_running_loop())
    install_timers(asyncio.get_running_loop())
    transport = transport_for(client)
    try:
        operations = envelope.operations + await load_state(transport, envelope.arn, envelope.token, envelope.marker)
    except ApiError as error:
        return state_failure(error)
    run = AsyncRun(envelope.arn, envelope.token, operations, transport, lambda_context)
    run.updated = frozenset(envelope.updated)
    with _Watched(function, run, operations) as watched:
        return watched.answer(await run_async(function, run))


async def run_async(function: Function, run: AsyncRun) -> InvocationOutput:
    output: InvocationOutput = {"Status": "PENDING"}
    failure: Exception | None = None
    try:
        context, scope = _enter(function, run)

        async def call() -> Any:
            CURRENT.set(scope)  # the handler's task has a context of its own, so nothing is to be reset
            result = await function.handler(read_input(function, run), context)
            if run.is_replay:
                run.check_return(scope)
            return result

        try:
            output = _output(function, await run.run_handler(call))
        except Exception as error:
            failure, output = error, _failure(run, error)
        await run.flush_rest()
        if failure is not None and run.verdict is None and (asked := _error_handler(function)) is not None:
            from .error_hook import ask_async

            output = _failure(run, await ask_async(asked, run, failure))
        if run.verdict is None and (instead := oversized(run, output)) is not None:
            update, output = instead
            run.outbox.add(update)
            await run.flush_rest()
    except SuspendExecution:
        if run.verdict is None:
            raise
    finally:
        del failure
    if (cause := _cause(run)) is not None and (asked := _error_handler(function)) is not None:
        from .error_hook import ask_async

        run.verdict = _verdict_of(await ask_async(asked, run, cause))
    return output


class _Watched:
    """An invocation as its plugins see it: from before the handler until the answer is final, or is to be raised."""

    __slots__ = ("_answer", "_hooks", "_run")

    def __init__(self, function: WatchedFunction, run: Run, operations: list[Operation]) -> None:
        self._run = run
        self._answer: InvocationOutput | None = None
        self._hooks: Hooks | None = None
        if function.plugins:
            from .plugins import Hooks

            self._hooks = Hooks(run, function.plugins, operations)
            run.hooks = self._hooks if self._hooks.watch_operations else None

    def __enter__(self) -> _Watched:
        if self._hooks is not None:
            try:
                self._hooks.invocation_start()
            except BaseException as error:
                self.__exit__(type(error), error)
                raise
        return self

    def answer(self, output: InvocationOutput) -> InvocationOutput:
        """The final answer, of ``output`` and the run's verdict. Raises to ask for another invocation."""
        verdict = self._run.verdict
        self._answer = output if verdict is None else from_verdict(verdict)
        return self._answer

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        if self._hooks is not None:
            answer = error if error is not None else self._answer
            assert answer is not None
            self._hooks.invocation_end(answer)


def _enter(function: Function, run: Run) -> tuple[Any, Scope]:
    """The handler's context and scope."""
    run.logger = function.logger
    run.function = function
    run.checkpoints = function.checkpoints
    # Sync code runs again over its records in the same invocation, when it has been unwound to wait.
    asked_for = getattr(function, "plugins", ()) or _error_handler(function) is not None
    run.keeps_records = not run.is_async or bool(asked_for)
    left = remaining_ms(run.lambda_context)
    if left is not None:
        run.limit(left)
    context = function.make_context(run)
    scope = Scope(run, context, None, "the handler", replaying=run.is_replay)
    context.scope = scope
    return context, scope


def remaining_ms(lambda_context: Any) -> int | None:
    """What is left of the invocation; None where that is not known, or told by a stand-in that knows nothing."""
    ask = getattr(lambda_context, "get_remaining_time_in_millis", None)
    left = ask() if callable(ask) else None
    if isinstance(left, bool) or not isinstance(left, (int, float)) or not 1 <= left <= _LONGEST_MS:
        return None
    return int(left)


def _output(function: Function, result: Any) -> InvocationOutput:
    text = function.output_codec.encode(result)
    return succeeded("null" if text is NO_TEXT else text)


def _failure(run: Run, error: Exception) -> InvocationOutput:
    """The answer for what escaped from the handler; an InvocationError asks for another invocation."""
    if isinstance(error, InvocationError) and error.is_retryable():
        run.end(Verdict(raises=error))
    return failed(error_object(error))


def _error_handler(function: Function) -> Any:
    return getattr(function, "error_handler", None)


def _cause(run: Run) -> Exception | None:
    """The program's own exception by which an operation has decided that the execution fails."""
    return None if run.verdict is None else run.verdict.cause


def _verdict_of(error: Exception) -> Verdict:
    if isinstance(error, InvocationError) and error.is_retryable():
        return Verdict(raises=error)
    return Verdict(error=error_object(error))


def read_input(function: Function, run: Run) -> Any:
    """The handler's input; an execution without one gets an empty object, as under the official SDK.

    Raises SerDesError naming the path of what does not fit the handler's annotation.
    """
    if run.execution is None:
        raise ExecutionError("the execution's state holds no EXECUTION operation, so there is no input to run with")
    payload = (run.execution.get("ExecutionDetails") or {}).get("InputPayload")
    if payload is None or not payload.strip():
        payload = "{}"
    try:
        return function.input_codec.decode(payload)
    except SerDesError as error:
        raise SerDesError(f"the execution's input does not fit the handler: {error.message}") from error
