"""The configuration of each operation: same fields, order and meaning as in the official SDK, ours keyword-only."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from ._config_checks import check_callable, check_result_type, check_retry_strategy, check_serdes, check_sub_type
from ._duration import Duration, DurationLike, as_duration
from ._values import T, Value, publish
from .exceptions import ValidationError
from .wire.limits import MAX_CALLBACK_TIMEOUT_SECONDS, TENANT_ID_PATTERN

if TYPE_CHECKING:
    from datetime import timedelta

    from typing_extensions import TypeVar as TypeVarWithDefault

    from .retries import RetryDecision
    from .serdes import SerDes

T_contra = TypeVar("T_contra", contravariant=True)
if TYPE_CHECKING:
    P = TypeVarWithDefault("P", default=Any)
    R = TypeVarWithDefault("R", default=Any)
else:
    P = TypeVar("P")
    R = TypeVar("R")

RetryStrategy: TypeAlias = "Callable[[Exception, int], RetryDecision | Duration | timedelta | None]"
"""Decides on another attempt: gets the error and how many attempts were made, answers with a RetryDecision, or with
the delay before the next attempt, or with None for no more."""


class SummaryGenerator(Protocol[T_contra]):
    """Describes a result too large to be stored (above 256 KiB) in a few words, for whoever reads the history."""

    def __call__(self, result: T_contra, /) -> str: ...


class StepSemantics(Enum):
    """How often one attempt of a step may run its function if the process dies in it."""

    AT_MOST_ONCE_PER_RETRY = "AT_MOST_ONCE_PER_RETRY"
    """Once: the start is recorded first, and an attempt found cut off goes to the retry strategy."""
    AT_LEAST_ONCE_PER_RETRY = "AT_LEAST_ONCE_PER_RETRY"
    """Again and again until its outcome is recorded."""


# ---- configs ------------------------------------------------------------------------------------------


class StepConfig(Value):
    """Configuration of a step.

    Parameters:
        retry_strategy: decides whether and when a failed attempt is followed by another; by default
            ``RetryPresets.default()``.
        step_semantics: how often one attempt may run the function.
        serdes: writes and reads the result; by default the codec of the function's return annotation.
        sub_type: what history calls the step, instead of ``Step``: 1 to 32 characters of ``A-Z a-z 0-9 _ -``.
            Changing it breaks executions in flight.
        timeout: how long an attempt may take before it fails with StepTimeoutError.
        result_type: the type to write and read the result as, instead of the return annotation.
    """

    __slots__ = ("result_type", "retry_strategy", "serdes", "step_semantics", "sub_type", "timeout")
    _fields = ("retry_strategy", "step_semantics", "serdes", "sub_type", "timeout", "result_type")
    _keyword_only = ("sub_type", "timeout", "result_type")
    _defaults = {"step_semantics": StepSemantics.AT_LEAST_ONCE_PER_RETRY}  # noqa: RUF012 - declared in the base

    retry_strategy: RetryStrategy | None
    step_semantics: StepSemantics
    serdes: SerDes[Any] | None
    sub_type: str | None
    timeout: DurationLike | None
    result_type: Any

    def __init__(
        self,
        retry_strategy: RetryStrategy | None = None,
        step_semantics: StepSemantics = StepSemantics.AT_LEAST_ONCE_PER_RETRY,
        serdes: SerDes[Any] | None = None,
        *,
        sub_type: str | None = None,
        timeout: DurationLike | None = None,
        result_type: Any = None,
    ) -> None:
        check_retry_strategy(retry_strategy)
        if not isinstance(step_semantics, StepSemantics):
            names = " or ".join(f"StepSemantics.{member.name}" for member in StepSemantics)
            raise ValidationError(f"step_semantics is {step_semantics!r}: pass {names}")
        check_serdes(serdes, "serdes")
        check_sub_type(sub_type)
        if timeout is not None:
            # A timedelta stays one: a timeout is kept by the process itself, and may be less than a second.
            as_duration(timeout, "timeout")
            if not (timeout.seconds if isinstance(timeout, Duration) else timeout):
                raise ValidationError("timeout is zero: leave it out for no timeout")
        check_result_type(serdes, result_type, "result")
        self._set(
            retry_strategy=retry_strategy,
            step_semantics=step_semantics,
            serdes=serdes,
            sub_type=sub_type,
            timeout=timeout,
            result_type=result_type,
        )

    @property
    def timeout_seconds(self) -> float | None:
        """The timeout in seconds, parts included."""
        if self.timeout is None:
            return None
        return float(self.timeout.seconds) if isinstance(self.timeout, Duration) else self.timeout.total_seconds()


class CallbackConfig(Value):
    """Configuration of a callback.

    Parameters:
        timeout: how long to wait for the result; zero, the default, waits without end.
        heartbeat_timeout: how long to wait for a heartbeat; zero, the default, needs none.
        serdes: reads the result; by default it is the string that was sent, as it is.
        sub_type: what history calls the callback, instead of ``Callback`` (see StepConfig).

    Timeouts are 0 to 99,999,999 s.
    """

    __slots__ = ("heartbeat_timeout", "serdes", "sub_type", "timeout")
    _fields: ClassVar[tuple[str, ...]] = ("timeout", "heartbeat_timeout", "serdes", "sub_type")
    _keyword_only = ("sub_type",)
    _defaults = {"timeout": Duration(), "heartbeat_timeout": Duration()}  # noqa: RUF012 - declared in the base

    timeout: Duration
    heartbeat_timeout: Duration
    serdes: SerDes[Any] | None
    sub_type: str | None

    def __init__(
        self,
        timeout: DurationLike = Duration(),  # noqa: B008 - frozen
        heartbeat_timeout: DurationLike = Duration(),  # noqa: B008 - frozen
        serdes: SerDes[Any] | None = None,
        *,
        sub_type: str | None = None,
    ) -> None:
        check_serdes(serdes, "serdes")
        check_sub_type(sub_type)
        self._set(
            timeout=as_duration(timeout, "timeout", maximum=MAX_CALLBACK_TIMEOUT_SECONDS),
            heartbeat_timeout=as_duration(heartbeat_timeout, "heartbeat_timeout", maximum=MAX_CALLBACK_TIMEOUT_SECONDS),
            serdes=serdes,
            sub_type=sub_type,
        )

    @property
    def timeout_seconds(self) -> int:
        return self.timeout.seconds

    @property
    def heartbeat_timeout_seconds(self) -> int:
        return self.heartbeat_timeout.seconds


class WaitForCallbackConfig(CallbackConfig):
    """Configuration of wait_for_callback: a callback's, and how to retry the function that hands out its id.

    Parameters:
        retry_strategy: for the submitter; by default ``RetryPresets.default()``.
    """

    __slots__ = ("retry_strategy",)
    _fields = ("timeout", "heartbeat_timeout", "serdes", "retry_strategy", "sub_type")

    retry_strategy: RetryStrategy | None

    def __init__(
        self,
        timeout: DurationLike = Duration(),  # noqa: B008 - frozen
        heartbeat_timeout: DurationLike = Duration(),  # noqa: B008 - frozen
        serdes: SerDes[Any] | None = None,
        retry_strategy: RetryStrategy | None = None,
        *,
        sub_type: str | None = None,
    ) -> None:
        super().__init__(timeout, heartbeat_timeout, serdes, sub_type=sub_type)
        check_retry_strategy(retry_strategy)
        self._set(retry_strategy=retry_strategy)


class InvokeConfig(Value, Generic[P, R]):
    """Configuration of an invoke.

    Parameters:
        serdes_payload: writes the payload; by default plain JSON.
        serdes_result: reads the result; by default plain JSON, as the type that is asked for.
        tenant_id: the tenant to run the invoked function for: 1 to 256 characters of ``A-Z a-z 0-9 . _ : / = + - @``
            and space.
    """

    __slots__ = ("serdes_payload", "serdes_result", "tenant_id")
    _fields = ("serdes_payload", "serdes_result", "tenant_id")

    serdes_payload: SerDes[P] | None
    serdes_result: SerDes[R] | None
    tenant_id: str | None

    def __init__(
        self,
        serdes_payload: SerDes[P] | None = None,
        serdes_result: SerDes[R] | None = None,
        tenant_id: str | None = None,
    ) -> None:
        check_serdes(serdes_payload, "serdes_payload")
        check_serdes(serdes_result, "serdes_result")
        if tenant_id is not None and not (isinstance(tenant_id, str) and TENANT_ID_PATTERN.fullmatch(tenant_id)):
            raise ValidationError(
                f"tenant_id is {tenant_id!r}, and must be 1 to 256 characters of A-Z a-z 0-9 . _ : / = + - @ and space"
            )
        self._set(serdes_payload=serdes_payload, serdes_result=serdes_result, tenant_id=tenant_id)


class ChildConfig(Value, Generic[T]):
    """Configuration of a child context.

    Parameters:
        serdes: writes and reads the result; by default the codec of the function's return annotation.
        sub_type: what history calls the context, instead of ``RunInChildContext`` (see StepConfig).
        summary_generator: describes a result above 256 KiB, which is not stored but rebuilt from the context's
            operations on replay.
        is_virtual: leave no record of the context itself, only of what it holds.
        error_mapper: turns what the function raised into the exception to record and raise instead.
        operation_serdes: for the operations inside that have no serdes of their own, and those in their child contexts;
            by default that of the context around this one. ``DefaultSerDes()`` goes back to the annotations.
    """

    __slots__ = ("error_mapper", "is_virtual", "operation_serdes", "serdes", "sub_type", "summary_generator")
    _fields = ("serdes", "sub_type", "summary_generator", "is_virtual", "error_mapper", "operation_serdes")
    _keyword_only = ("error_mapper", "operation_serdes")
    _defaults = {"is_virtual": False}  # noqa: RUF012 - declared in the base

    serdes: SerDes[T] | None
    sub_type: str | None
    summary_generator: SummaryGenerator[T] | None
    is_virtual: bool
    error_mapper: Callable[[Exception], Exception] | None
    operation_serdes: SerDes[Any] | None

    def __init__(
        self,
        serdes: SerDes[T] | None = None,
        sub_type: str | None = None,
        summary_generator: SummaryGenerator[T] | None = None,
        is_virtual: bool = False,
        *,
        error_mapper: Callable[[Exception], Exception] | None = None,
        operation_serdes: SerDes[Any] | None = None,
    ) -> None:
        check_serdes(serdes, "serdes")
        check_serdes(operation_serdes, "operation_serdes")
        check_sub_type(sub_type)
        check_callable(summary_generator, "summary_generator", "lambda result: f'{len(result)} rows'", ("result",))
        if not isinstance(is_virtual, bool):
            raise ValidationError(f"is_virtual is {is_virtual!r}, and must be True or False")
        check_callable(error_mapper, "error_mapper", "lambda error: OrderFailed(str(error))", ("error",))
        self._set(
            serdes=serdes,
            sub_type=sub_type,
            summary_generator=summary_generator,
            is_virtual=is_virtual,
            error_mapper=error_mapper,
            operation_serdes=operation_serdes,
        )


publish(
    "durably.config",
    [
        "CallbackConfig",
        "ChildConfig",
        "InvokeConfig",
        "StepConfig",
        "StepSemantics",
        "SummaryGenerator",
        "WaitForCallbackConfig",
    ],
    globals(),
)
