"""Values that are the same on every replay without being recorded, batches of checkpoints, and recurse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durably.checkpointing import CheckpointMode
from durably.engine.requests import Flush
from durably.engine.scope import CURRENT, Scope
from durably.exceptions import ContextMisuseError, ValidationError
from durably.replay_safe import random_from_operation, timestamp_from_execution, uuid_from_operation
from durably.wire.ids import execution_operation_id
from durably.wire.payloads import NO_TEXT

from .base import ContextBase, Protocol

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from types import TracebackType
    from uuid import UUID

    from durably.replay_safe import Random

__all__ = ["AsyncBatch", "Batch", "ExtraOperations"]


class ExtraOperations(ContextBase):
    """What both contexts have of these."""

    # ---- replay-safe values --------------------------------------------------------------------------------

    @property
    def execution_start_time(self) -> datetime:
        """When the execution was started, in UTC."""
        return timestamp_from_execution(self._start_ms())

    def remaining_time(self) -> timedelta | None:
        """What is left of this invocation before its function's timeout; None where nobody says. Differs on replay.

        Nothing has to be done about it: an invocation whose time is up ends by itself, and another one goes on.
        """
        from datetime import timedelta

        from durably.engine.invocation import remaining_ms

        left = remaining_ms(self.run.lambda_context)
        return None if left is None else timedelta(milliseconds=left)

    def now(self) -> datetime:
        """The time of the program, in UTC: when the latest operation that this code has seen the end of ended.

        It is the same on every replay, costs no checkpoint, and moves on with the operations. Take the time in a step
        if it has to be exact.
        """
        return timestamp_from_execution(max(self._start_ms(), self._check_use().time_ms))

    def uuid(self) -> UUID:
        """A UUID (version 4 by its bits) that is the same on every replay and differs from call to call."""
        seed, number = self._draw()
        return uuid_from_operation(seed, number)

    def random(self) -> Random:
        """A random generator seeded the same way on every replay; a new one, with another seed, for every call."""
        seed, number = self._draw()
        return random_from_operation(seed, number)

    def _draw(self) -> tuple[str, int]:
        scope = self._check_use()
        scope.drawn += 1
        return f"{execution_operation_id(self.run.arn)}/{scope.prefix or ''}", scope.drawn

    def _start_ms(self) -> int:
        execution = self.run.execution
        return 0 if execution is None else execution["StartTimestamp"]

    # ---- checkpoints ----------------------------------------------------------------------------------------

    def _flush(self) -> Any:
        branch = self._check_use().branch

        def protocol() -> Protocol:
            if self.run.outbox.acknowledged < self.run.outbox.last:
                yield Flush(self.run.outbox.last, "", None if branch is None else branch.strand)

        return self.run.drive(protocol())

    # ---- complete ---------------------------------------------------------------------------------------------

    def _complete(self, result: Any) -> Any:
        scope = self._check_use()
        function = self.run.function
        if function is None:
            raise ValidationError(
                "complete() needs the function to answer for: use it in a @durable_execution function"
            )
        from durably.engine.complete import complete

        text = function.output_codec.encode(result)
        return self.run.drive(complete(self.run, scope, "null" if text is NO_TEXT else text))

    # ---- recurse ----------------------------------------------------------------------------------------------

    def _recurse(self, payload: Any, name: str | None) -> Any:
        function = self.run.function
        if function is None:
            raise ValidationError("recurse() needs the function it is to call: use it in a @durable_execution function")
        from durably.engine.invoke import invoke
        from durably.wire.ids import ExecutionArn

        arn = ExecutionArn.parse(self.run.arn)
        op = self._op("CHAINED_INVOKE", "ChainedInvoke", name)
        encode = function.input_codec.encode
        protocol = invoke(op, f"{arn.function}:{arn.version}", encode, payload, function.output_codec, None)
        return self._drive(protocol, op)


class _BatchBase:
    def __init__(self, context: ExtraOperations) -> None:
        self._context = context
        self._scope: Scope | None = None
        self._before: CheckpointMode | None = None

    def _enter(self) -> None:
        if self._scope is not None:
            raise ContextMisuseError("a batch can be entered once; call ctx.batch() for each block")
        self._scope = self._context._check_use()
        self._before, self._scope.mode = self._scope.mode, CheckpointMode.BATCHED

    def _leave(self) -> bool:
        """Whether the block is to be flushed."""
        if self._scope is None:
            raise ContextMisuseError(
                "a batch was left that was not entered: write `with ctx.batch():`, or `async with`"
            )
        self._scope.mode = self._before
        return CURRENT.get() is self._scope and not self._context._is_suspended()


class Batch(_BatchBase):
    """``with ctx.batch():`` the steps of the block are recorded together, at its end at the latest."""

    def __enter__(self) -> None:
        self._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leave():
            self._context._flush()


class AsyncBatch(_BatchBase):
    """``async with ctx.batch():`` the steps of the block are recorded together, at its end at the latest."""

    async def __aenter__(self) -> None:
        self._enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._leave():
            await self._context._flush()
