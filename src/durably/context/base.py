"""What both contexts share: everything but the waiting.

Each operation is checked and numbered here, at the moment of the call, and turned into a protocol; the two
contexts only differ in how they run it. But for steps and waits, protocols are imported when they are first needed: a
cold start pays for what the program does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final

from durably._config_checks import check_result_type
from durably._configs import CallbackConfig, ChildConfig, InvokeConfig, StepConfig, WaitForCallbackConfig
from durably._duration import Duration, as_seconds
from durably.engine.operation import Op
from durably.engine.requests import Request
from durably.engine.scope import CURRENT, Scope, refuse_use
from durably.engine.step import step
from durably.engine.wait import wait
from durably.exceptions import ChildContextError, ValidationError
from durably.ids import ExecutionArn
from durably.serdes import (
    MISSING,
    SerDesContext,
    codec_by,
    codec_for,
    default_serdes,
    json_codec_for,
    result_codec_for,
    return_annotation,
)
from durably.wire.limits import FUNCTION_NAME_PATTERN, MAX_WAIT_SECONDS

from .arguments import GOOD_NAMES, check_callable, check_config, check_name
from .operation_contexts import (
    ExecutionContext,
    StepContext,
    WaitForCallbackContext,
    WaitForConditionCheckContext,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from durably._logging.options import ReplayLogging, ReplayPredicate
    from durably.engine.run import Run
    from durably.logger import DurableLogger
    from durably.serdes import Codec, SerDes
    from durably.waits import WaitForConditionConfig
    from durably.wire.shapes import OperationTypeName

__all__ = [
    "ContextBase",
    "annotation_of",
]

Protocol = Generator[Request, Any, Any]

_STEP: Final = StepConfig()
_CALLBACK: Final = CallbackConfig()
_CHILD: Final[ChildConfig[Any]] = ChildConfig()
_INVOKE: Final[InvokeConfig[Any, Any]] = InvokeConfig()
_WAIT_FOR_CALLBACK: Final = WaitForCallbackConfig()


_CONTEXT_OF_STEP: Final = StepContext.of  # bound once


class ContextBase:
    """Operations, without the waiting. Users see :class:`DurableContext` and :class:`AsyncDurableContext`."""

    _operation_serdes: SerDes[Any] | None = None
    _logger: DurableLogger | None = None
    _logged_in: ContextBase | None = None
    _replay_logging: ReplayLogging | ReplayPredicate | None = None
    scope: Scope | None = None

    def __init__(self, run: Run, parent_id: str | None = None, label: str | Op = "the handler's context") -> None:
        self.run = run
        self._parent_id = parent_id
        self._label = label

    # ---- what a handler may ask --------------------------------------------------------------------------

    @property
    def execution_arn(self) -> ExecutionArn:
        """The ARN of this durable execution."""
        return ExecutionArn._trusted(self.run.arn)

    @property
    def execution_context(self) -> ExecutionContext:
        """The ARN under the official SDK's name, ``execution_context.durable_execution_arn``."""
        return ExecutionContext(self.execution_arn)

    @property
    def lambda_context(self) -> Any:
        """The context object of the current Lambda invocation."""
        return self.run.lambda_context

    @property
    def original_input(self) -> str | None:
        """The execution's input as it was sent, JSON text."""
        execution = self.run.execution
        return None if execution is None else execution.get("ExecutionDetails", {}).get("InputPayload")

    def is_replaying(self) -> bool:
        """Whether the code that asks runs over what an earlier invocation has already recorded."""
        scope = CURRENT.get()
        if scope is None or scope.run is not self.run:
            scope = self.scope
        return scope is not None and scope.replays

    @property
    def logger(self) -> DurableLogger:
        """A logger that is silent while this context replays; its records carry the execution's ARN.

        It goes on with what is configured in the context around this one at the moment of its first use.
        """
        if self._logger is None:
            from durably.logger import DurableLogger

            outer = self._logged_in
            self._logger = DurableLogger.of_context(self, None if outer is None else outer.logger)
        return self._logger

    def set_logger(self, new_logger: Any) -> None:
        """Log through ``new_logger`` from now on, as ``configure_logger(new_logger)`` does."""
        self.logger.configure(new_logger)

    def configure_logger(
        self,
        logger: Any = None,
        *,
        replay: ReplayLogging | ReplayPredicate | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Change, from now on, how this context, its steps and the child contexts it will have log.

        Parameters:
            logger: what is logged through: a ``logging.Logger`` or anything with debug, info, warning, error and
                exception.
            replay: what is shown during replay: a :class:`ReplayLogging` or a function of (level, message, fields).
            fields: added to every record, beside those set before.

        What is not given stays as it is. Raises ValidationError for what is none of these.
        """
        self.logger.configure(logger, replay, fields)

    def __str__(self) -> str:
        label = self._label
        return label if isinstance(label, str) else f"the context of {label.describe()}"

    # ---- numbering ---------------------------------------------------------------------------------------

    def _op(self, op_type: OperationTypeName, sub_type: str, name: str | None) -> Op:
        """Number the next operation. Raises ContextMisuseError where that cannot be done the same way again."""
        scope = CURRENT.get()
        if scope is None or scope.owner is not self or scope.thread != get_ident():
            raise refuse_use(self, scope)
        run, branch = self.run, scope.branch
        if run.verdict is not None or run.returned or (branch is not None and branch.is_over):
            run.refuse()
        if name is not None and (type(name) is not str or name not in GOOD_NAMES):
            name = check_name(name)
        return Op(run, scope, scope.take_id(), op_type, sub_type, name, self._parent_id)

    def _check_use(self) -> Scope:
        scope = CURRENT.get()
        if scope is None or scope.owner is None or scope.run is not self.run or scope.thread != get_ident():
            raise refuse_use(self, scope)
        self.run.refuse_if_ended(scope.branch)
        return scope

    def _is_suspended(self) -> bool:
        """Whether the code that asks is being unwound to go on in a later run: nothing it does counts."""
        scope = CURRENT.get()
        branch = None if scope is None else scope.branch
        return not self.run.recording or (branch is not None and branch.is_over)

    def _drive(self, protocol: Protocol, op: Op) -> Any:
        raise NotImplementedError

    # ---- operations ----------------------------------------------------------------------------------------

    def _step(self, func: Callable[..., Any], name: str | None, config: StepConfig | None, result_type: Any) -> Any:
        if not callable(func):
            check_callable(func, "step", "the function to run")
        op, protocol = self._make_step(func, name, config, result_type)
        return self._drive(protocol, op)

    def _make_step(
        self, func: Callable[..., Any], name: str | None, config: StepConfig | None, result_type: Any
    ) -> tuple[Op, Protocol]:
        config = _STEP if config is None else check_config(config, StepConfig, "step")
        op = self._op("STEP", config.sub_type or "Step", name or getattr(func, "_original_name", None))
        codec = self._result_codec(config.serdes, func, op, result_type, config.result_type)
        return op, step(op, func, config, codec, _CONTEXT_OF_STEP)

    def _wait_for_condition(
        self, check: Callable[..., Any], config: WaitForConditionConfig[Any], name: str | None, result_type: Any
    ) -> Any:
        from durably.engine.wait_for_condition import wait_for_condition

        check_callable(check, "wait_for_condition", "the check, called with the state and a context", 2)
        if config is None:
            raise ValidationError(
                "wait_for_condition() needs a WaitForConditionConfig: at least a strategy and a state"
            )
        from durably.waits import WaitForConditionConfig

        check_config(config, WaitForConditionConfig, "wait_for_condition")
        op = self._op("STEP", "WaitForCondition", name or getattr(check, "_original_name", None))
        codec = self._result_codec(config.serdes, check, op, result_type, config.result_type)
        return self._drive(wait_for_condition(op, check, config, codec, WaitForConditionCheckContext.of), op)

    def _wait(self, duration: Duration | timedelta, name: str | None) -> Any:
        seconds = as_seconds(duration, "duration")
        if not 1 <= seconds <= MAX_WAIT_SECONDS:
            raise ValidationError(f"a wait takes 1 second to {MAX_WAIT_SECONDS:,} seconds (366 days), not {duration!r}")
        op = self._op("WAIT", "Wait", name)
        return self._drive(wait(op, seconds), op)

    def _create_callback(
        self, name: str | None, config: CallbackConfig | None, result_type: Any, make: Callable[[str, Op, Any], Any]
    ) -> Any:
        from durably.engine.callback import create_callback

        config = _CALLBACK if config is None else check_config(config, CallbackConfig, "create_callback")
        op = self._op("CALLBACK", config.sub_type or "Callback", name)
        codec = _callback_codec(config.serdes, result_type, op)

        def protocol() -> Protocol:
            callback_id = yield from create_callback(op, config)
            return make(callback_id, op, codec)

        return self._drive(protocol(), op)

    def _callback_result(self, op: Op, codec: Codec | None) -> Any:
        from durably.engine.callback import callback_result

        scope = self._check_use()
        if op.scope.branch is not scope.branch:
            op = op.within(scope)
        return self._drive(callback_result(op, codec), op)

    def _invoke(
        self,
        function_name: str,
        payload: Any,
        name: str | None,
        config: InvokeConfig[Any, Any] | None,
        result_type: Any,
    ) -> Any:
        from durably.engine.invoke import invoke

        config = _INVOKE if config is None else check_config(config, InvokeConfig, "invoke")
        if (
            not isinstance(function_name, str)
            or len(function_name) > 256
            or not FUNCTION_NAME_PATTERN.fullmatch(function_name)
        ):
            raise ValidationError(
                f"{function_name!r} is not the name or ARN of a function, e.g. 'ship', 'ship:$LATEST', 'ship:prod'"
            )
        function_name = str.__str__(function_name)
        op = self._op("CHAINED_INVOKE", "ChainedInvoke", name)

        def encode(payload: Any) -> str:
            return _plain_codec(config.serdes_payload, MISSING, op).encode(payload)

        codec = _plain_codec(config.serdes_result, MISSING if result_type is None else result_type, op)
        return self._drive(invoke(op, function_name, encode, payload, codec, config.tenant_id), op)

    def _run_in_child_context(
        self, func: Callable[..., Any], name: str | None, config: ChildConfig[Any] | None, result_type: Any
    ) -> Any:
        from durably.engine.child import child

        check_callable(func, "run_in_child_context", "the function to run, called with a child context", 1)
        config = _CHILD if config is None else check_config(config, ChildConfig, "run_in_child_context")
        sub_type = config.sub_type or "RunInChildContext"
        op = self._op("CONTEXT", sub_type, name or getattr(func, "_original_name", None))
        codec = self._result_codec(config.serdes, func, op, result_type)
        return self._drive(
            child(op, func, self._child(op, config.is_virtual, config.operation_serdes), config, codec), op
        )

    def _wait_for_callback(
        self, submitter: Callable[..., Any], name: str | None, config: WaitForCallbackConfig | None, result_type: Any
    ) -> Any:
        from durably.engine.child import child
        from durably.engine.wait_for_callback import callback_failure, wait_for_callback

        what = "the submitter, called with the callback id and a context"
        check_callable(submitter, "wait_for_callback", what, 2)
        given = _WAIT_FOR_CALLBACK if config is None else config
        config = check_config(given, WaitForCallbackConfig, "wait_for_callback")
        name = name or getattr(submitter, "_original_name", None)
        op = self._op("CONTEXT", "WaitForCallback", name)

        annotation = MISSING if result_type is None else result_type

        def inside(context: ContextBase) -> Any:
            inner_name = f"{name} create callback id" if name else "create callback id"
            inner = context._op("CALLBACK", config.sub_type or "Callback", inner_name)
            codec = _callback_codec(config.serdes, annotation, inner)
            own = config
            if config.serdes is None and self._operation_serdes is not None:
                own = config.__replace__(serdes=self._operation_serdes)
            protocol = wait_for_callback(inner, context._op, submitter, name, own, codec, WaitForCallbackContext.of)
            return context._drive(protocol, inner)

        def protocol() -> Protocol:
            codec = self._default_codec(lambda: codec_for(annotation), op)
            try:
                return (yield from child(op, inside, self._child(op, False), _CHILD, codec))
            except ChildContextError as error:
                failure = callback_failure(error)
                raise failure from (failure.__cause__ if failure is error else error.__cause__)

        return self._drive(protocol(), op)

    def _child(self, op: Op, virtual: bool, operation_serdes: SerDes[Any] | None = None) -> ContextBase:
        inner = type(self)(self.run, op.parent_id if virtual else op.id, op)
        inner._logged_in = self
        if operation_serdes is not None:
            inner._operation_serdes = default_serdes(operation_serdes)
        elif self._operation_serdes is not None:
            inner._operation_serdes = self._operation_serdes
        return inner

    # ---- how results are written -------------------------------------------------------------------------------

    def _result_codec(
        self,
        serdes: SerDes[Any] | None,
        func: Callable[..., Any],
        op: Op,
        result_type: Any = MISSING,
        configured: Any = None,
    ) -> Codec:
        """By the operation's own serdes, else the context's, else by a type or the annotation of ``func``."""
        if serdes is None and self._operation_serdes is None:
            if result_type is MISSING and configured is None:  # as most are
                return result_codec_for(return_annotation(func))
            return result_codec_for(annotation_of(func, result_type, configured))
        name = "serdes"
        if serdes is None:
            serdes, name = self._operation_serdes, "operation_serdes"
        for one in (result_type, configured):
            check_result_type(serdes, None if one is MISSING else one, "result", name)
        assert serdes is not None
        return _codec_by(serdes, lambda: result_codec_for(annotation_of(func, result_type, configured)), op)

    def _default_codec(self, make_codec: Callable[[], Codec], op: Op) -> Codec:
        """For an operation that has no serdes of its own."""
        return make_codec() if self._operation_serdes is None else _codec_by(self._operation_serdes, make_codec, op)


def annotation_of(func: Callable[..., Any], result_type: Any = MISSING, configured: Any = None) -> Any:
    """The type a result is restored to: as given, else as the function is annotated."""
    if result_type is not MISSING and result_type is not None:
        return result_type
    if configured is not MISSING and configured is not None:
        return configured
    return return_annotation(func)


def _codec_by(serdes: SerDes[Any], make_codec: Callable[[], Codec], op: Op) -> Codec:
    return codec_by(serdes, SerDesContext(op.id, op.run.arn), make_codec)


def _plain_codec(serdes: SerDes[Any] | None, annotation: Any, op: Op) -> Codec:
    """For what other programs read or write: plain JSON without type tags."""
    if serdes is None:
        return json_codec_for(annotation)
    return _codec_by(serdes, lambda: json_codec_for(annotation), op)


def _callback_codec(serdes: SerDes[Any] | None, result_type: Any, op: Op) -> Codec | None:
    """None: the raw text is the result, as whoever answered sent it."""
    if serdes is None and (result_type is MISSING or result_type is None):
        return None
    return _plain_codec(serdes, result_type, op)
