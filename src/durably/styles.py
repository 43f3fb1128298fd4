"""Other ways to a durable function than the decorator: a call, a class, a builder. One engine is under all of them.

    process = durable(process_order, timeout=timedelta(minutes=1))       # a function that is left as it is

    class Orders(DurableHandler):                                        # shared state
        def __init__(self, db: Database) -> None:
            self.db = db

        def handle(self, order: Order, ctx: DurableContext) -> Receipt: ...

    process = Orders(connect())

    base = DurableBuilder().logger(log).plugins(metrics)                 # options to be used again
    process = base.timeout(timedelta(minutes=1)).build(process_order)

Each gives the same :class:`~durably.execution.DurableFunction`, takes the same options, and records the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar, Unpack, overload

from ._config_checks import check_serdes, takes
from ._handlers import checked_client, checked_error_handler, checked_logging, checkpoints_of, is_coroutine_function
from .exceptions import ValidationError
from .execution import DurableFunction, durable_execution, kept_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from ._logging.options import ReplayLogging, ReplayPredicate
    from .checkpointing import CheckpointConfig, CheckpointMode
    from .config import Duration
    from .context.asynchronous import AsyncDurableContext
    from .context.synchronous import DurableContext
    from .execution import DurableMethod
    from .failures import ErrorHandler, ExecutionFailure
    from .plugin import DurableInstrumentationPluginFactory
    from .serdes import SerDes
    from .tracing import Tracing
    from .wire.shapes import InvocationOutput

__all__ = ["DurableBuilder", "DurableHandler", "DurableOptions", "durable"]

In = TypeVar("In")
Out = TypeVar("Out")
S = TypeVar("S")


class DurableOptions(TypedDict, total=False):
    """The options of a durable function, in every style; see :func:`durably.durable_execution`."""

    client: Any
    boto3_client: Any
    logger: Any
    replay_logging: ReplayLogging | ReplayPredicate | None
    checkpointing: CheckpointMode | CheckpointConfig | None
    serdes: SerDes[Any] | None
    operation_serdes: SerDes[Any] | None
    execution_timeout: Duration | timedelta | None
    retention_days: int | None
    timeout: Duration | timedelta | None
    plugins: Sequence[DurableInstrumentationPluginFactory] | None
    error_handler: ErrorHandler | None
    tracing: Tracing | None


# ---- a call ------------------------------------------------------------------------------------------------------


@overload
def durable(
    func: Callable[[In, AsyncDurableContext], Awaitable[Out]], /, **options: Unpack[DurableOptions]
) -> DurableFunction[In, Out]: ...
@overload
def durable(
    func: Callable[[In, DurableContext], Out], /, **options: Unpack[DurableOptions]
) -> DurableFunction[In, Out]: ...
def durable(func: Callable[..., Any], /, **options: Unpack[DurableOptions]) -> DurableFunction[Any, Any]:
    """A durable function of ``func(input, context)``, which stays what it is: to be called in tests, or used twice.

    ``func`` may be anything that can be called with two arguments: a function, a bound method, a partial, an object. It
    takes the options of :func:`durably.durable_execution`, and raises as it does.
    """
    made = durable_execution(**options)(func)
    if not isinstance(made, DurableFunction):
        raise ValidationError(
            f"{func!r} is a method without its object: give the method of an object, durable(orders.process)"
        )
    return made


# ---- a class -----------------------------------------------------------------------------------------------------


class DurableHandler:
    """Base of durable functions with shared state: an instance is a durable function, its ``handle`` is what runs.

    Options are arguments of the class (``class Orders(DurableHandler, timeout=...)``); those that belong to an instance
    are what :meth:`instance_options` returns. A method ``on_error(self, error, failure)`` is its error
    handler. Subclasses need not call ``super().__init__()``.

    State lives as long as the process: clients, caches, configuration. Whatever an execution must find again belongs
    into steps.
    """

    _class_options: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **options: Unpack[DurableOptions]) -> None:
        super().__init_subclass__()
        if options:
            _check(options)
            cls._class_options = {**cls._class_options, **options}
        handle = cls.__dict__.get("handle")
        if handle is not None:
            _check_handle(cls, handle)

    def handle(self, event: Any, ctx: Any, /) -> Any:
        """The durable function: a plain method gets a DurableContext, a coroutine method an AsyncDurableContext."""
        raise NotImplementedError

    def on_error(self, error: Exception, failure: ExecutionFailure, /) -> Any:
        """Told what the execution is about to fail with; see :mod:`durably.failures`."""
        return None

    def instance_options(self) -> DurableOptions:
        """Options that depend on the instance, such as its logger; they go before those of the class."""
        return {}

    # ---- what makes it one -----------------------------------------------------------------------------------

    @property
    def function(self) -> DurableFunction[Any, Any]:
        """The durable function of this instance."""
        return kept_by(self, "_durable_function", self._make_function)

    def _make_function(self) -> DurableFunction[Any, Any]:
        cls = type(self)
        if cls.handle is DurableHandler.handle:
            raise ValidationError(f"{cls.__name__} has no handle(self, event, ctx): that is what is to run")
        own: Any = self.instance_options()
        if not isinstance(own, Mapping):
            raise ValidationError(
                f"{cls.__name__}.instance_options() returned {own!r}, and must return a dict of options"
            )
        options: dict[str, Any] = {**cls._class_options, **own}
        if cls.on_error is not DurableHandler.on_error:
            options.setdefault("error_handler", self.on_error)
        return durable(self.handle, **options)

    @property
    def is_async(self) -> bool:
        return is_coroutine_function(type(self).handle)

    @property
    def __name__(self) -> str:
        return type(self).__qualname__.rpartition(".")[2]

    @property
    def durable_options(self) -> Mapping[str, Any]:
        return self.function.durable_options

    def __call__(self, event: Any, context: Any = None) -> InvocationOutput:
        """Carry out one invocation, as AWS Lambda asks for it."""
        return self.function(event, context)

    def run_sync(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput:
        return self.function.run_sync(event, context, client=client)

    async def run_async(self, event: Any, context: Any, *, client: Any = None) -> InvocationOutput:
        return await self.function.run_async(event, context, client=client)


def _check_handle(cls: type, handle: Any) -> None:
    if isinstance(handle, (staticmethod, classmethod)) or not callable(handle):
        raise ValidationError(f"{cls.__name__}.handle is {handle!r}, and must be a method: handle(self, event, ctx)")
    if not takes(handle, 3):
        raise ValidationError(f"{cls.__name__}.handle is called with three arguments, self, its input and its context")


def _check(options: Any) -> None:
    """Say what is wrong where it is written, and not where the options are used."""
    durable_execution(**options)
    checked_client(options.get("client"), is_async=True)
    checked_logging(options.get("logger"), options.get("replay_logging"))
    checkpoints_of(options.get("checkpointing"))
    checked_error_handler(options.get("error_handler"), is_async=True)
    for name in ("serdes", "operation_serdes"):
        check_serdes(options.get(name), name)
    if options.get("boto3_client") is not None:
        from .client.boto3_client import check_boto3_client

        check_boto3_client(options["boto3_client"])
    if options.get("plugins") is not None:
        from .plugin_discovery import check_factories

        options["plugins"] = check_factories(options["plugins"])
    if options.get("tracing") is not None:
        from .tracing import TracingFactory

        TracingFactory(options["tracing"], "")


# ---- a builder -----------------------------------------------------------------------------------------------------


class DurableBuilder:
    """Options for durable functions, one after the other; then :meth:`build`, or use it as a decorator.

    Every method returns a new builder, so one can be the base of many functions. An option that is given again replaces
    the one before; :meth:`plugins` adds.
    """

    __slots__ = ("_options",)

    def __init__(self, **options: Unpack[DurableOptions]) -> None:
        self._options: Mapping[str, Any] = options
        _check(options)

    def _with(self, **options: Any) -> DurableBuilder:
        return DurableBuilder(**{**self._options, **options})

    def client(self, client: Any) -> DurableBuilder:
        """Reach the service through ``client``."""
        return self._with(client=client)

    def boto3_client(self, client: Any) -> DurableBuilder:
        """Reach the service through a boto3 Lambda client."""
        return self._with(boto3_client=client)

    def logger(self, logger: Any) -> DurableBuilder:
        """What ``context.logger`` logs through."""
        return self._with(logger=logger)

    def replay_logging(self, shown: ReplayLogging | ReplayPredicate) -> DurableBuilder:
        """What ``context.logger`` shows while it replays."""
        return self._with(replay_logging=shown)

    def checkpointing(self, mode: CheckpointMode | CheckpointConfig) -> DurableBuilder:
        """When a step's result is recorded."""
        return self._with(checkpointing=mode)

    def serdes(self, serdes: SerDes[Any]) -> DurableBuilder:
        """For the input and the result."""
        return self._with(serdes=serdes)

    def operation_serdes(self, serdes: SerDes[Any]) -> DurableBuilder:
        """For what operations record."""
        return self._with(operation_serdes=serdes)

    def plugins(self, *factories: DurableInstrumentationPluginFactory) -> DurableBuilder:
        """Add plugins."""
        return self._with(plugins=[*(self._options.get("plugins") or ()), *factories])

    def error_handler(self, handler: ErrorHandler) -> DurableBuilder:
        """Tell ``handler`` what executions fail with."""
        return self._with(error_handler=handler)

    def tracing(self, tracing: Tracing) -> DurableBuilder:
        """Put a context manager around invocations and the functions of operations."""
        return self._with(tracing=tracing)

    def execution_timeout(self, duration: Duration | timedelta) -> DurableBuilder:
        """Of a whole execution, when served by the embedded service."""
        return self._with(execution_timeout=duration)

    def timeout(self, duration: Duration | timedelta) -> DurableBuilder:
        """Of one invocation, when served by the embedded service."""
        return self._with(timeout=duration)

    def retention_days(self, days: int) -> DurableBuilder:
        """How long the embedded service keeps the record of an execution that has ended."""
        return self._with(retention_days=days)

    @property
    def options(self) -> Mapping[str, Any]:
        """What has been given so far."""
        return dict(self._options)

    @overload
    def build(self, func: Callable[[In, AsyncDurableContext], Awaitable[Out]], /) -> DurableFunction[In, Out]: ...
    @overload
    def build(self, func: Callable[[In, DurableContext], Out], /) -> DurableFunction[In, Out]: ...
    def build(self, func: Callable[..., Any], /) -> DurableFunction[Any, Any]:
        """The durable function of ``func(input, context)``."""
        return durable(func, **self._options)

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
    def __call__(self, func: Callable[..., Any], /) -> Any:
        """The builder as a decorator, of functions and of methods."""
        return durable_execution(**self._options)(func)

    def __repr__(self) -> str:
        return f"DurableBuilder({', '.join(f'{name}={value!r}' for name, value in self._options.items())})"
