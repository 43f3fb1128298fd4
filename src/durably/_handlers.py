"""What a handler is, and checks of the options of a durable function. Loads nothing that is not asked for."""

from __future__ import annotations

from collections.abc import Sequence
from os import environ
from typing import TYPE_CHECKING, Any

from ._config_checks import takes
from .checkpointing import CheckpointConfig, CheckpointMode
from .exceptions import ValidationError
from .wire.limits import MAX_EXECUTION_TIMEOUT_SECONDS

if TYPE_CHECKING:
    from ._logging.options import ReplayLogging, ReplayPredicate
    from .plugin import DurableInstrumentationPluginFactory

_GENERATOR = 0x20
_ASYNC_GENERATOR = 0x200


def plugins_of(given: Any) -> Sequence[DurableInstrumentationPluginFactory]:
    """Without importing anything where there are none."""
    if given is None and not environ.get("DURABLE_EXECUTION_PLUGINS"):
        return ()
    from .plugin_discovery import load_configured_plugins

    return tuple(load_configured_plugins(given))


def checked_logging(
    logger: Any, replay: ReplayLogging | ReplayPredicate | None
) -> tuple[Any, ReplayLogging | ReplayPredicate | None]:
    if logger is None and replay is None:
        return None, None
    from ._logging.options import check_logger, check_replay

    return None if logger is None else check_logger(logger), None if replay is None else check_replay(replay)


def checkpoints_of(given: CheckpointMode | CheckpointConfig | None) -> CheckpointConfig:
    if given is None:
        return CheckpointConfig()
    if isinstance(given, CheckpointConfig):
        return given
    return CheckpointConfig(given)  # which refuses anything but a mode


def service_options(execution_timeout: Any, retention_days: int | None, timeout: Any) -> dict[str, Any]:
    from ._duration import as_seconds

    options: dict[str, Any] = {}
    for name, duration in (("execution_timeout", execution_timeout), ("timeout", timeout)):
        if duration is not None:
            seconds = as_seconds(duration, name, minimum=1, maximum=MAX_EXECUTION_TIMEOUT_SECONDS)
            options[f"{name}_seconds"] = seconds
    if retention_days is not None:
        if type(retention_days) is not int or not 1 <= retention_days <= 90:
            raise ValidationError(f"retention_days is 1 to 90, not {retention_days!r}")
        options["retention_days"] = retention_days
    return options


def checked_error_handler(handler: Any, is_async: bool) -> Any:
    if handler is None:
        return None
    if not callable(handler) or not takes(handler, 2):
        raise ValidationError(f"error_handler is {handler!r}, and must be a function of the error and its failure")
    if not is_async and is_coroutine_function(handler):
        raise ValidationError(
            f"the error handler {name_of(handler)}() is a coroutine function, and nobody awaits it in a "
            "plain durable function: make it a plain function"
        )
    return handler


def checked_client(client: Any, is_async: bool) -> Any:
    """``client``, or ValidationError when it cannot make a checkpoint."""
    if client is None:
        return None
    checkpoint = getattr(client, "checkpoint", None)
    if callable(checkpoint) or (is_async and callable(getattr(client, "acheckpoint", None))):
        if not is_async and is_coroutine_function(checkpoint):
            raise ValidationError(
                f"client is {client!r}, whose checkpoint() is a coroutine function, and nobody awaits it in a plain "
                "durable function: pass a client that blocks, or write the function as `async def`"
            )
        return client
    remedy = "pass an object with checkpoint() and get_state(), such as a durably.client.LambdaClient"
    if callable(getattr(client, "checkpoint_durable_execution", None)):
        remedy = "a boto3 client goes into boto3_client="
    raise ValidationError(f"client is {client!r}, which makes no checkpoints: {remedy}")


def name_of(handler: Any) -> str:
    """Also for what has no name of its own: a partial, an object that can be called."""
    inner = getattr(handler, "func", None)
    name: str | None = getattr(handler, "__name__", None)
    return name or (type(handler).__name__ if inner is None else name_of(inner))


def is_method(handler: Any) -> bool:
    """Whether it is a function, not yet bound, with ``self`` before its two parameters."""
    while getattr(handler, "__self__", None) is None and getattr(handler, "__wrapped__", None) is not None:
        handler = handler.__wrapped__
    if getattr(handler, "__self__", None) is not None:
        return False
    code = getattr(handler, "__code__", None)
    return code is not None and code.co_argcount > 2 and code.co_varnames[0] == "self"


def check_handler(handler: Any) -> None:
    if not callable(handler):
        raise ValidationError(
            f"@durable_execution decorates a function of (input, context), not {type(handler).__name__} {handler!r}"
        )
    if isinstance(handler, type) and callable(getattr(handler, "handle", None)):
        raise ValidationError(f"{handler.__name__} is a class: make an object of it, {handler.__name__}(...)")
    if callable(getattr(handler, "run_sync", None)) and callable(getattr(handler, "run_async", None)):
        raise ValidationError(
            f"{handler!r} is a durable function already: give its options where it is made, or make another one of "
            "the function itself"
        )
    code = getattr(handler, "__code__", None)
    if code is None:
        return
    if code.co_flags & (_GENERATOR | _ASYNC_GENERATOR):
        raise ValidationError(
            f"{handler.__name__}() is a generator function: it has a yield in it. A durable function returns its result"
        )
    bound = 1 if getattr(handler, "__self__", None) is not None else 0
    count = code.co_argcount - bound
    defaults = len(getattr(handler, "__defaults__", None) or ())
    takes_more = code.co_flags & 0x04
    if count - defaults > 2 or (count < 2 and not takes_more):
        raise ValidationError(
            f"{handler.__name__}() takes {count} parameter{'s' * (count != 1)}; a durable function takes two: its "
            "input and its context"
        )
    if not takes(handler, 2):
        raise ValidationError(
            f"{handler.__name__}() has keyword parameters without a default, and nobody gives them: a durable function "
            "is called with its input and its context"
        )


def is_coroutine_function(handler: Any) -> bool:
    """As inspect.iscoroutinefunction, for functions, methods and callable objects, without importing inspect."""
    while hasattr(handler, "func") and hasattr(handler, "keywords"):  # functools.partial
        handler = handler.func
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    if code is None:
        code = getattr(getattr(type(handler), "__call__", None), "__code__", None)  # noqa: B004
    return code is not None and bool(code.co_flags & 0x80)
