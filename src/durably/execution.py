"""``@durable_execution``: from a function to a Lambda handler that is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import update_wrapper
from os import environ
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from ._config_checks import check_serdes
from .checkpointing import CheckpointConfig, CheckpointMode
from .engine.invocation import invoke_async, invoke_sync
from .exceptions import ValidationError
from .serdes import (
    SerDesContext,
    codec_by,
    default_serdes,
    json_codec_for,
    output_codec_for,
    parameter_annotation,
    return_annotation,
)

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from ._logging.options import ReplayLogging, ReplayPredicate
    from .context.asynchronous import AsyncDurableContext
    from .context.synchronous import DurableContext
    from .engine.run import Run
    from .plugin import DurableInstrumentationPluginFactory
    from .serdes import Codec, SerDes
    from .wire.shapes import InvocationOutput

__all__ = ["DurableFunction", "durable_execution"]

P = ParamSpec("P")
In = TypeVar("In")
Out = TypeVar("Out")

_idle_loops: list[AbstractEventLoop] = []


class DurableFunction(Generic[In, Out]):
    """A durable function: call it with ``(event, lambda_context)``, as AWS Lambda does.

    Made by :func:`durable_execution`. ``handler`` is the function that was decorated.
    """

    def __init__(
        self,
        handler: Callable[[In, Any], Any],
        *,
        client: Any = None,
        logger: Any = None,
        replay_logging: ReplayLogging | ReplayPredicate | None = None,
        checkpointing: CheckpointMode | CheckpointConfig | None = None,
        serdes: SerDes[Any] | None = None,
        operation_serdes: SerDes[Any] | None = None,
        plugins: Sequence[DurableInstrumentationPluginFactory] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.handler = handler
        self.is_async = _is_coroutine_function(handler)
        self.client = client
        self.logger, self.replay_logging = _checked_logging(logger, replay_logging)
        self.checkpoints = _checkpoints(checkpointing)
        self.durable_options: Mapping[str, Any] = dict(options or {})
        check_serdes(serdes, "serdes")
        check_serdes(operation_serdes, "operation_serdes")
        self._serdes = serdes
        self._operation_serdes = default_serdes(operation_serdes)
        self._codecs: tuple[Codec, Codec] | None = None
        self.plugins = _plugins(plugins)
        update_wrapper(self, handler)

    # ---- running it ---------------------------------------------------------------------------------------

    def __call__(self, event: Any, context: Any = None) -> InvocationOutput:
        """Carry out one invocation. Raises when the invocation is to be tried again.

        An async handler runs on an event loop that is kept for the next invocation, so that clients which the
        program keeps in globals go on working.
        """
        if not self.is_async:
            return self.run_sync(event, context)
        return _on_kept_loop(self.run_async(event, context))

    def run_sync(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput:
        """One invocation of a plain handler, in this thread; ``client`` instead of the configured one."""
        if self.is_async:
            raise ValidationError(
                f"{self.__name__} is a coroutine function: use run_async(), or call it as Lambda does"
            )
        return invoke_sync(self, event, context, client or self._client())

    async def run_async(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput:
        """One invocation of a coroutine handler, on this event loop."""
        if not self.is_async:
            raise ValidationError(f"{self.__name__} is a plain function: use run_sync(), or call it as Lambda does")
        return await invoke_async(self, event, context, client or self._client())

    # ---- what the engine asks -------------------------------------------------------------------------------

    @property
    def input_codec(self) -> Codec:
        return self._get_codecs()[0]

    @property
    def output_codec(self) -> Codec:
        return self._get_codecs()[1]

    def make_context(self, run: Run) -> DurableContext | AsyncDurableContext:
        context: DurableContext | AsyncDurableContext
        if self.is_async:
            from .context.asynchronous import AsyncDurableContext

            context = AsyncDurableContext(run)
        else:
            from .context.synchronous import DurableContext

            context = DurableContext(run)
        context._replay_logging = self.replay_logging
        context._operation_serdes = self._operation_serdes
        return context

    def _get_codecs(self) -> tuple[Codec, Codec]:
        if self._codecs is None:
            self._codecs = (
                self._codec_of(lambda: json_codec_for(parameter_annotation(self.handler, 0))),
                self._codec_of(lambda: output_codec_for(return_annotation(self.handler))),
            )
        return self._codecs

    def _codec_of(self, make_codec: Callable[[], Codec]) -> Codec:
        return make_codec() if self._serdes is None else codec_by(self._serdes, SerDesContext(), make_codec)

    def _client(self) -> Any:
        """The configured client, or one for AWS Lambda that is made once."""
        if self.client is None:
            from .client import LambdaClient

            self.client = _shared_client(LambdaClient)
        return self.client

    def __repr__(self) -> str:
        return f"<durable function {self.__name__}>"

    __name__: str


@overload
def durable_execution(func: Callable[[In, AsyncDurableContext], Awaitable[Out]]) -> DurableFunction[In, Out]: ...
@overload
def durable_execution(func: Callable[[In, DurableContext], Out]) -> DurableFunction[In, Out]: ...
@overload
def durable_execution(
    func: None = None,
    *,
    client: Any = None,
    boto3_client: Any = None,
    logger: Any = None,
    replay_logging: ReplayLogging | ReplayPredicate | None = None,
    checkpointing: CheckpointMode | CheckpointConfig | None = None,
    serdes: SerDes[Any] | None = None,
    operation_serdes: SerDes[Any] | None = None,
    execution_timeout: Any = None,
    retention_days: int | None = None,
    timeout: Any = None,
    plugins: Sequence[DurableInstrumentationPluginFactory] | None = None,
) -> Callable[[Callable[[In, Any], Any]], DurableFunction[In, Any]]: ...
def durable_execution(
    func: Callable[[Any, Any], Any] | None = None,
    *,
    client: Any = None,
    boto3_client: Any = None,
    logger: Any = None,
    replay_logging: ReplayLogging | ReplayPredicate | None = None,
    checkpointing: CheckpointMode | CheckpointConfig | None = None,
    serdes: SerDes[Any] | None = None,
    operation_serdes: SerDes[Any] | None = None,
    execution_timeout: Any = None,
    retention_days: int | None = None,
    timeout: Any = None,
    plugins: Sequence[DurableInstrumentationPluginFactory] | None = None,
) -> Any:
    """Make ``func(input, context)`` a durable function. A coroutine function gets an AsyncDurableContext.

    The input is read as the first parameter's annotation says, the result written as the return annotation says;
    both are plain JSON to the outside.

    Parameters:
        client: how the running function reaches the service: anything with ``checkpoint`` and ``get_state`` (see
            :mod:`durably.client`). By default AWS Lambda, by environment variables.
        boto3_client: a boto3 Lambda client to use instead.
        logger: what ``context.logger`` logs through: a ``logging.Logger`` or anything with debug, info, warning, error
            and exception; by default the root logger.
        replay_logging: what ``context.logger`` shows while it replays; by default nothing
            (``ReplayLogging.SUPPRESS_ALL``). A function of (level, message, fields) may decide instead.
        checkpointing: a CheckpointMode or CheckpointConfig: when a step's result is recorded; by default eagerly.
        serdes: for the input and the result, instead of the annotations.
        operation_serdes: for what operations record and have no serdes of their own for: results of steps, child
            contexts, items of map and parallel, states of wait_for_condition. Not for what other programs write or
            read, in callbacks and invokes.
        execution_timeout, retention_days, timeout: of the whole execution (Duration or timedelta), of its record
            after its end, and of one invocation, when served by the embedded service; on AWS the function's
            configuration says them.
        plugins: factories of plugins, see :mod:`durably.plugin`; those that the environment variable
            ``DURABLE_EXECUTION_PLUGINS`` names are added.

    Raises:
        ValidationError: ``func`` is not a function of two parameters, both clients are given, or ``logger`` or
            ``replay_logging`` is none.
        PluginLoadError: what is given or named is no plugin factory, or is not installed.
    """
    if client is not None and boto3_client is not None:
        raise ValidationError("client= and boto3_client= both say how to reach the service: pass one of them")
    options = _options(execution_timeout, retention_days, timeout)

    def decorate(handler: Callable[[Any, Any], Any]) -> DurableFunction[Any, Any]:
        _check_handler(handler)
        chosen = client
        if boto3_client is not None:
            from .client import Boto3Client

            chosen = Boto3Client(boto3_client)
        return DurableFunction(
            handler,
            client=chosen,
            logger=logger,
            replay_logging=replay_logging,
            checkpointing=checkpointing,
            serdes=serdes,
            operation_serdes=operation_serdes,
            plugins=plugins,
            options=options,
        )

    return decorate if func is None else decorate(func)


def _plugins(given: Any) -> Sequence[DurableInstrumentationPluginFactory]:
    """Without importing anything where there are none."""
    if given is None and not environ.get("DURABLE_EXECUTION_PLUGINS"):
        return ()
    from .plugin_discovery import load_configured_plugins

    return tuple(load_configured_plugins(given))


def _checked_logging(
    logger: Any, replay: ReplayLogging | ReplayPredicate | None
) -> tuple[Any, ReplayLogging | ReplayPredicate | None]:
    if logger is None and replay is None:
        return None, None
    from ._logging.options import check_logger, check_replay

    return None if logger is None else check_logger(logger), None if replay is None else check_replay(replay)


def _checkpoints(given: CheckpointMode | CheckpointConfig | None) -> CheckpointConfig:
    if given is None:
        return CheckpointConfig()
    if isinstance(given, CheckpointConfig):
        return given
    return CheckpointConfig(given)  # which refuses anything but a mode


def _options(execution_timeout: Any, retention_days: int | None, timeout: Any) -> dict[str, Any]:
    from .config import as_seconds

    options: dict[str, Any] = {}
    if execution_timeout is not None:
        options["execution_timeout_seconds"] = as_seconds(execution_timeout, "execution_timeout")
    if timeout is not None:
        options["timeout_seconds"] = as_seconds(timeout, "timeout")
    if retention_days is not None:
        if not isinstance(retention_days, int) or not 1 <= retention_days <= 90:
            raise ValidationError(f"retention_days is 1 to 90, not {retention_days!r}")
        options["retention_days"] = retention_days
    return options


def _check_handler(handler: Any) -> None:
    if not callable(handler):
        raise ValidationError(
            f"@durable_execution decorates a function of (input, context), not {type(handler).__name__} {handler!r}"
        )
    code = getattr(handler, "__code__", None)
    if code is None:
        return
    bound = 1 if getattr(handler, "__self__", None) is not None else 0
    count = code.co_argcount - bound
    defaults = len(getattr(handler, "__defaults__", None) or ())
    takes_more = code.co_flags & 0x04
    if count - defaults > 2 or (count < 2 and not takes_more):
        raise ValidationError(
            f"{handler.__name__}() takes {count} parameters; a durable function takes two: its input and its context"
        )


def _is_coroutine_function(handler: Any) -> bool:
    """As inspect.iscoroutinefunction, for functions, methods and callable objects, without importing inspect."""
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    if code is None:
        code = getattr(type(handler).__dict__.get("__call__"), "__code__", None)
    return code is not None and bool(code.co_flags & 0x80)


_default_client: Any = None


def _shared_client(make: Callable[[], Any]) -> Any:
    """One client for all functions of the process: connections are worth keeping."""
    global _default_client
    if _default_client is None:
        _default_client = make()
    return _default_client


def _on_kept_loop(coroutine: Coroutine[Any, Any, InvocationOutput]) -> InvocationOutput:
    """Run ``coroutine`` on an idle loop that earlier invocations used, or on a new one."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        coroutine.close()
        raise ValidationError("an event loop is running in this thread: use `await function.run_async(event, context)`")
    try:
        loop = _idle_loops.pop()
    except IndexError:
        loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        _idle_loops.append(loop)


def __getattr__(name: str) -> Any:
    """InvocationStatus is also here under the official SDK."""
    if name != "InvocationStatus":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .wire.names import InvocationStatus

    return InvocationStatus
