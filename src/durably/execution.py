"""``@durable_execution``: from a function to a Lambda handler that is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from ._config_checks import check_serdes
from ._handlers import (
    check_handler,
    checked_client,
    checked_error_handler,
    checked_logging,
    checkpoints_of,
    is_coroutine_function,
    is_method,
    name_of,
    plugins_of,
    service_options,
)
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
    from datetime import timedelta

    from ._duration import Duration
    from ._logging.options import ReplayLogging, ReplayPredicate
    from .checkpointing import CheckpointConfig, CheckpointMode
    from .context.asynchronous import AsyncDurableContext
    from .context.synchronous import DurableContext
    from .engine.run import Run
    from .failures import ErrorHandler
    from .plugin import DurableInstrumentationPluginFactory
    from .serdes import Codec, SerDes
    from .tracing import Tracing
    from .wire.shapes import InvocationOutput

__all__ = ["DurableDecorator", "DurableFunction", "DurableMethod", "durable_execution", "durable_function_of"]

P = ParamSpec("P")
S = TypeVar("S")
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
        error_handler: ErrorHandler | None = None,
        tracing: Tracing | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.__name__: str = name_of(handler)
        self.handler = handler
        self.is_async: bool = is_coroutine_function(handler)
        self.client: Any = checked_client(client, self.is_async)
        self.logger: Any
        self.replay_logging: ReplayLogging | ReplayPredicate | None
        self.logger, self.replay_logging = checked_logging(logger, replay_logging)
        self.checkpoints: CheckpointConfig = checkpoints_of(checkpointing)
        self.durable_options: Mapping[str, Any] = dict(options or {})
        check_serdes(serdes, "serdes")
        check_serdes(operation_serdes, "operation_serdes")
        self._serdes = serdes
        self._operation_serdes = default_serdes(operation_serdes)
        self._codecs: tuple[Codec, Codec] | None = None
        self.plugins: Sequence[DurableInstrumentationPluginFactory] = plugins_of(plugins)
        if tracing is not None:
            from .tracing import TracingFactory

            self.plugins = (TracingFactory(tracing, self.__name__), *self.plugins)
        self.error_handler: Any = checked_error_handler(error_handler, self.is_async)
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


class DurableMethod(Generic[S, In, Out]):
    """A decorated method: ``orders.process`` is a durable function that shares what ``orders`` holds.

    Made by :func:`durable_execution` of a function whose first parameter is ``self``. Give the bound function a name in
    its module (``process = orders.process``): that is what Lambda and the workers call.
    """

    def __init__(
        self, method: Callable[[S, In, Any], Any], decorate: Callable[[Callable[..., Any]], DurableFunction[In, Out]]
    ) -> None:
        self._decorate = decorate
        self._attribute: str | None = None
        update_wrapper(cast(Any, self), method)

    def __set_name__(self, owner: type, name: str) -> None:
        self._attribute = name

    @overload
    def __get__(self, instance: None, owner: type) -> DurableMethod[S, In, Out]: ...
    @overload
    def __get__(self, instance: S, owner: type) -> DurableFunction[In, Out]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        name = f"_durable_{self._attribute or id(self)}"
        return kept_by(instance, name, lambda: self._decorate(self.__wrapped__.__get__(instance, owner)))

    def __repr__(self) -> str:
        return f"<durable method {self.__name__}>"

    __name__: str
    __wrapped__: Any


class _Kept:
    """What an object keeps beside its state. A copy of the object makes its own: copies of this hold nothing."""

    def __init__(self, owner: Any = None, function: DurableFunction[Any, Any] | None = None) -> None:
        self.owner = owner
        self.function = function

    def __reduce__(self) -> Any:
        return _Kept, ()


def kept_by(instance: Any, name: str, make: Callable[[], DurableFunction[Any, Any]]) -> DurableFunction[Any, Any]:
    """The durable function that belongs to ``instance``, the same object every time if it has a ``__dict__``."""
    state: dict[str, Any] = getattr(instance, "__dict__", {})
    kept = state.get(name)
    if isinstance(kept, _Kept) and kept.owner is instance and kept.function is not None:
        return kept.function
    function = make()
    state[name] = _Kept(instance, function)
    return function


class DurableDecorator(Protocol):
    """What ``durable_execution(...)`` with options is: for functions and for methods."""

    @overload
    def __call__(self, func: Callable[[In, AsyncDurableContext], Awaitable[Out]], /) -> DurableFunction[In, Out]: ...
    @overload
    def __call__(self, func: Callable[[In, DurableContext], Out], /) -> DurableFunction[In, Out]: ...
    @overload
    def __call__(
        self, func: Callable[[S, In, AsyncDurableContext], Awaitable[Out]], /
    ) -> DurableMethod[S, In, Out]: ...
    @overload
    def __call__(self, func: Callable[[S, In, DurableContext], Out], /) -> DurableMethod[S, In, Out]: ...


@overload
def durable_execution(func: Callable[[In, AsyncDurableContext], Awaitable[Out]]) -> DurableFunction[In, Out]: ...
@overload
def durable_execution(func: Callable[[In, DurableContext], Out]) -> DurableFunction[In, Out]: ...
@overload
def durable_execution(func: Callable[[S, In, AsyncDurableContext], Awaitable[Out]]) -> DurableMethod[S, In, Out]: ...
@overload
def durable_execution(func: Callable[[S, In, DurableContext], Out]) -> DurableMethod[S, In, Out]: ...
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
    execution_timeout: Duration | timedelta | None = None,
    retention_days: int | None = None,
    timeout: Duration | timedelta | None = None,
    plugins: Sequence[DurableInstrumentationPluginFactory] | None = None,
    error_handler: ErrorHandler | None = None,
    tracing: Tracing | None = None,
) -> DurableDecorator: ...
def durable_execution(
    func: Callable[..., Any] | None = None,
    *,
    client: Any = None,
    boto3_client: Any = None,
    logger: Any = None,
    replay_logging: ReplayLogging | ReplayPredicate | None = None,
    checkpointing: CheckpointMode | CheckpointConfig | None = None,
    serdes: SerDes[Any] | None = None,
    operation_serdes: SerDes[Any] | None = None,
    execution_timeout: Duration | timedelta | None = None,
    retention_days: int | None = None,
    timeout: Duration | timedelta | None = None,
    plugins: Sequence[DurableInstrumentationPluginFactory] | None = None,
    error_handler: ErrorHandler | None = None,
    tracing: Tracing | None = None,
) -> Any:
    """Make ``func(input, context)`` a durable function. A coroutine function gets an AsyncDurableContext.

    A method ``func(self, input, context)`` becomes one for each instance: see :class:`DurableMethod`.

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
        error_handler: told what the execution is about to fail with, and how far its operations are; may put another
            exception in its place. See :mod:`durably.failures`.
        tracing: a function of a :class:`TraceSpan` that gives a context manager to put around each invocation and each
            run of an operation's function. See :mod:`durably.tracing`.

    Raises:
        ValidationError: ``func`` is not a function of two parameters, both clients are given, or ``logger`` or
            ``replay_logging`` is none.
        PluginLoadError: what is given or named is no plugin factory, or is not installed.
    """
    if client is not None and boto3_client is not None:
        raise ValidationError("client= and boto3_client= both say how to reach the service: pass one of them")
    options = service_options(execution_timeout, retention_days, timeout)

    def decorate(handler: Callable[..., Any]) -> DurableFunction[Any, Any] | DurableMethod[Any, Any, Any]:
        if is_method(handler):
            return DurableMethod(handler, make)
        check_handler(handler)
        return make(handler)

    def make(handler: Callable[..., Any]) -> DurableFunction[Any, Any]:
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
            error_handler=error_handler,
            tracing=tracing,
            options=options,
        )

    return decorate if func is None else decorate(func)


def durable_function_of(value: Any) -> DurableFunction[Any, Any] | None:
    """The durable function that ``value`` is, or has, as an instance of a DurableHandler does; None: neither."""
    if isinstance(value, DurableFunction):
        return value
    inner = None if isinstance(value, type) else getattr(value, "function", None)
    return inner if isinstance(inner, DurableFunction) else None


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
