"""How an invocation stops before its handler has returned.

In a sync handler the only way out of the user's frames is an exception. It derives from BaseException, so that
``except Exception`` does not see it, and raising it sets the run's verdict first: whoever swallows it changes
nothing, because from then on every operation raises it again and the handler's own outcome is not looked at.
An async handler never sees it while it could go on: its tasks are parked, and cancelled once the verdict is out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from durably.exceptions import TerminationReason

if TYPE_CHECKING:
    from durably.wire.shapes import ErrorObject, InvocationOutput, Operation

__all__ = ["SuspendExecution", "Verdict", "pending_reason"]


class SuspendExecution(BaseException):
    """The invocation is over for now; the execution goes on later. Not to be caught."""

    def __init__(self, message: str = "the execution is suspended") -> None:
        super().__init__(message)


class Verdict:
    """Why a run ended before its handler returned. The first verdict stands.

    Parameters:
        pending: answer PENDING (suspended, or revoked by the service).
        error: answer FAILED with this error.
        raises: raise this out of the invocation, so that the service invokes again.
        output: answer this: the program has completed the execution.
        cause: the program's own exception that ``error`` is of.
    """

    __slots__ = ("cause", "error", "output", "pending", "raises")

    def __init__(
        self,
        *,
        pending: bool = False,
        error: ErrorObject | None = None,
        raises: BaseException | None = None,
        output: InvocationOutput | None = None,
        cause: Exception | None = None,
    ) -> None:
        self.pending: bool = pending
        self.error: ErrorObject | None = error
        self.raises: BaseException | None = raises
        self.output: InvocationOutput | None = output
        self.cause: Exception | None = cause

    def __repr__(self) -> str:
        if self.pending:
            return "Verdict(pending)"
        if self.output is not None:
            return f"Verdict(output={self.output!r})"
        return f"Verdict(error={self.error!r})" if self.error is not None else f"Verdict(raises={self.raises!r})"


def pending_reason(operations: Iterable[Operation]) -> TerminationReason:
    """Why an invocation has ended PENDING: what is due next by time among ``operations``, else what others will end."""
    due: list[tuple[int, TerminationReason]] = []
    others = TerminationReason.OPERATION_TERMINATED
    for operation in operations:
        status = operation["Status"]
        if operation["Type"] == "STEP" and status == "PENDING":
            at = (operation.get("StepDetails") or {}).get("NextAttemptTimestamp")
            due.append((at or 0, TerminationReason.RETRY_SCHEDULED))
        elif status != "STARTED":
            continue
        elif operation["Type"] == "WAIT":
            at = (operation.get("WaitDetails") or {}).get("ScheduledEndTimestamp")
            due.append((at or 0, TerminationReason.WAIT_SCHEDULED))
        elif operation["Type"] == "CALLBACK":
            others = TerminationReason.CALLBACK_PENDING
        elif operation["Type"] == "CHAINED_INVOKE" and others is not TerminationReason.CALLBACK_PENDING:
            others = TerminationReason.INVOKE_PENDING
    return min(due, key=lambda one: one[0])[1] if due else others
