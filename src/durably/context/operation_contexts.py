"""What the functions inside an operation receive: a step's body, a submitter, a check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durably._values import Value
from durably.ids import ExecutionArn, OperationId

if TYPE_CHECKING:
    from durably._logging.options import LoggerInterface
    from durably.engine.operation import Op
    from durably.logger import DurableLogger

__all__ = [
    "ExecutionContext",
    "OperationContext",
    "StepContext",
    "WaitForCallbackContext",
    "WaitForConditionCheckContext",
]


class ExecutionContext(Value):
    """What is known of the execution around a context.

    Parameters:
        durable_execution_arn: its ARN.
    """

    __slots__ = ("durable_execution_arn",)
    __match_args__ = _fields = ("durable_execution_arn",)

    durable_execution_arn: ExecutionArn

    def __init__(self, durable_execution_arn: ExecutionArn) -> None:
        self._set(durable_execution_arn=durable_execution_arn)


class OperationContext:
    """What the function of any operation receives.

    A durable function is given one by the engine. To call such a function in a test of its own, make one:
    ``charge.__wrapped__(StepContext(logging.getLogger()), order)``.

    Parameters:
        logger: what the function logs through: a ``logging.Logger``, or anything with its methods.
        attempt: number of this attempt, from 1.
        operation_id, name, execution_arn: of the operation.
    """

    __slots__ = ("_logger", "_op", "attempt")

    def __init__(
        self,
        logger: LoggerInterface,
        attempt: int = 1,
        *,
        operation_id: str = "",
        name: str | None = None,
        execution_arn: str = "",
    ) -> None:
        self._logger: Any = _taking_fields(logger)
        self._op: Any = _MadeByHand(operation_id, name, execution_arn)
        self.attempt: int = attempt

    @classmethod
    def of(cls, op: Op, attempt: int) -> OperationContext:
        """The engine's way to make one."""
        made = cls.__new__(cls)
        made._op = op
        made._logger = None
        made.attempt = attempt
        return made

    @property
    def operation_id(self) -> OperationId:
        return OperationId._trusted(self._op.id)

    @property
    def name(self) -> str | None:
        name: str | None = self._op.name
        return name

    @property
    def execution_arn(self) -> ExecutionArn:
        return ExecutionArn._trusted(self._op.run.arn)

    @property
    def logger(self) -> DurableLogger:
        """A logger whose records carry the operation's ids, name and attempt."""
        if self._logger is None:
            from durably.logger import DurableLogger

            owner = self._op.scope.owner
            self._logger = DurableLogger.of_step(self._op, self.attempt, None if owner is None else owner.logger)
        logger: DurableLogger = self._logger
        return logger

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name or self.operation_id} attempt {self.attempt}>"


def _taking_fields(logger: Any) -> Any:
    """The standard library's loggers do not know fields; whatever else was given is left as it is."""
    import logging

    from durably.logger import DurableLogger

    return DurableLogger(logger, {}) if isinstance(logger, logging.Logger) else logger


class _MadeByHand:
    """Stands for the operation, and for its run, of a context that no engine has made."""

    __slots__ = ("arn", "id", "name", "run")

    def __init__(self, op_id: str, name: str | None, arn: str) -> None:
        self.id = op_id
        self.name = name
        self.arn = arn
        self.run = self


class StepContext(OperationContext):
    """What a step's function receives.

    Attributes:
        attempt: number of this attempt, from 1.
        operation_id, name, execution_arn: of the step.
    """

    __slots__ = ()


class WaitForCallbackContext(StepContext):
    """What a submitter receives besides the callback id: the context of the step it runs in."""

    __slots__ = ()


class WaitForConditionCheckContext(StepContext):
    """What the check of wait_for_condition receives besides the state; ``attempt`` counts checks, from 1."""

    __slots__ = ()
