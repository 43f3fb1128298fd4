"""What one invocation knows: the journal of recorded operations, the outbox, and how it is to end.

A run is what the contexts of one invocation share. The two subclasses add the waiting:
:class:`~durably.engine.sync_run.SyncRun` and :class:`~durably.engine.async_run.AsyncRun`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from durably.checkpointing import CheckpointConfig
from durably.exceptions import (
    CheckpointError,
    InvocationError,
    NonDeterministicExecutionError,
    TerminationReason,
    UnrecoverableError,
    error_object,
)
from durably.wire.api_errors import ApiError

from .environment import REAL, Environment
from .operation import Op, describe
from .outbox import Outbox
from .requests import Request
from .suspension import SuspendExecution, Verdict

if TYPE_CHECKING:
    from durably.wire.shapes import CheckpointResponse, ExecutionState, Operation, OperationUpdate

    from .branch import Branch
    from .group import MakeBranch
    from .plugins import Hooks
    from .runaways import Runaways
    from .scope import Scope

__all__ = ["Protocol", "Run", "state_of"]

TERMINATION_MARGIN_MS: Final = 5_000
"""Source: the seeds' termination manager; a fifth of the time for functions that have less than 25 s."""

Protocol = Generator[Request, Any, Any]


class Run:
    """One invocation of one execution.

    Parameters:
        arn: of the durable execution.
        token: the invocation's first checkpoint token.
        operations: everything recorded so far, EXECUTION included.

    Attributes:
        updated: ids of the operations that have changed since the last invocation.
        went_on: something has happened that no earlier invocation has seen.
        given_up: see :func:`durably.engine.combinators.given_up`; None until somebody asks.
        hooks: those of the function's plugins; None without plugins.
        keeps_records: somebody may ask for records that the program itself is through with.
    """

    is_async = False

    def __init__(self, arn: str, token: str, operations: list[Operation], lambda_context: Any = None) -> None:
        self.arn = arn
        self.token: str | None = token
        self.environment: Environment = REAL
        self.ops: dict[str, Operation] = {operation["Id"]: operation for operation in operations}
        self.is_replay: bool = len(self.ops) > 1
        """An earlier invocation has recorded something."""
        self.outbox: Outbox = Outbox()
        self.lambda_context = lambda_context
        self.logger: Any = None
        self.verdict: Verdict | None = None
        self.returned = False
        self.updated: frozenset[str] = frozenset()
        self.went_on = False
        self.given_up: set[str] | None = None
        self.runaways: Runaways | None = None
        self.hooks: Hooks | None = None
        self.keeps_records = True
        self.checkpoints: CheckpointConfig = CheckpointConfig()
        self.function: Any = None
        self.stop_at: float | None = None
        self.cut_at: float | None = None
        self.stopping = False
        """The function's timeout is near; see :meth:`limit`."""
        self.urgent = 0
        """Number of the last update that is not deferred."""
        self.execution: Operation | None = next((o for o in operations if o["Type"] == "EXECUTION"), None)

    # ---- what protocols use ------------------------------------------------------------------------------

    def send(self, update: OperationUpdate, branch: Branch | None, awaited: bool, deferred: bool = False) -> int:
        """Queue ``update``. Awaited ones are followed by a Flush; the others travel when they can.

        ``deferred``: it travels when enough have been collected, or before the program waits for anything.

        Raises what :meth:`refusal` makes when the run, or the branch that the update comes from, has ended (law R6).
        """
        raise NotImplementedError

    def close_branch(self, branch: Branch) -> None:
        """The code of ``branch`` is through: what it left running may not record anything more."""
        branch.over = True

    def open_group(self, branch: Branch | None, make: MakeBranch) -> Any:
        """A group of branches inside ``branch``; see :mod:`durably.engine.group`."""
        raise NotImplementedError

    def drive(self, protocol: Protocol) -> Any:
        """Run ``protocol`` to its end: answers its result, or a coroutine that does."""
        raise NotImplementedError

    def is_being_cancelled(self) -> bool:
        """Whether somebody has asked the code that runs to stop, as only async code can be."""
        return False

    def must_queue(self, op_id: str) -> bool:
        """A recorded completion is about to be seen: whether it has to wait for its Turn (law R9)."""
        return False

    def forgo(self, op_id: str) -> None:
        """An earlier invocation has given up ``op_id``: the program meets neither it again nor what is inside of it."""

    def non_determinism(self, op: Op, record: Operation) -> NonDeterministicExecutionError:
        """End the run: ``record`` is not of the call that met it. Returns the error to raise."""
        was = describe(record["Type"], record.get("SubType"), record.get("Name"))
        rows = [
            ("type", record["Type"], op.type),
            ("subtype", record.get("SubType"), op.sub_type),
            ("name", record.get("Name"), op.name),
            ("parent", record.get("ParentId"), op.parent_id),
        ]
        differences = "; ".join(
            f"{what}: recorded {old!r}, now {new!r}" for what, old, new in rows if (old or None) != (new or None)
        )
        return self.fail_non_deterministic(
            f"this execution recorded {was} as operation {op.scope.count} of {op.scope.where}, but the code now calls "
            f"{op.describe()} there ({differences}). The handler must call the same operations in the same order on "
            "every run: look for a changed deployment, or a branch that depends on time, chance or the environment. "
            f"Operation id {op.id}.",
            op.id,
        )

    def check_return(self, scope: Scope) -> None:
        """The code of ``scope`` has returned: fail if an earlier invocation recorded a further operation there.

        Where nothing more may be recorded it was told to stop, so what it left out says nothing.
        """
        record = self.ops.get(scope.peek_id())
        branch = scope.branch
        if record is None or not self.recording or (branch is not None and branch.is_over):
            return
        if self.is_being_cancelled():
            return
        count = scope.count
        raise self.fail_non_deterministic(
            f"this execution recorded {describe(record['Type'], record.get('SubType'), record.get('Name'))} as "
            f"operation {count + 1} of {scope.where}, but the code now returns after {count} "
            f"operation{'s' * (count != 1)} there. The handler must call the same operations in the same order on "
            "every run: look for a changed deployment, or a branch that depends on time, chance or the environment. "
            f"Operation id {record['Id']}.",
            record["Id"],
        )

    def fail_non_deterministic(self, message: str, op_id: str | None = None) -> NonDeterministicExecutionError:
        error = NonDeterministicExecutionError(message, op_id)
        self.end(Verdict(error=error_object(error)))
        return error

    def may_defer(self, op_id: str, branch: Branch | None) -> bool:
        """Whether the program may see a completion before it is recorded; if so, it counts as seen."""
        return True

    def must_send(self) -> bool:
        """Whether something waits in the outbox that is not, or no longer, to be collected."""
        return self.urgent > self.outbox.acknowledged or self.collected_enough()

    def collected_enough(self) -> bool:
        config, outbox = self.checkpoints, self.outbox
        return outbox.pending >= config.max_updates or outbox.pending_bytes >= config.max_bytes

    def admit(self, branch: Branch | None) -> None:
        """New work is about to begin in ``branch``. Raises when there is no time for it (see :meth:`limit`)."""

    def limit(self, remaining_ms: int) -> None:
        """The invocation will be killed in ``remaining_ms``: shortly before, it stops by itself.

        From ``stop_at`` on nothing new begins; steps that run have until ``cut_at``, where they can be cut off.
        """
        margin = min(TERMINATION_MARGIN_MS, remaining_ms // 5)
        now = self.environment.monotonic()
        self.stop_at = now + (remaining_ms - margin) / 1000
        self.cut_at = now + (remaining_ms - margin / 4) / 1000

    @staticmethod
    def timeout_near() -> Verdict:
        """What is done has been sent; the rest is for another invocation, which raising asks for."""
        message = "the function's timeout is near: what is done is recorded, and another invocation goes on with it"
        return Verdict(raises=InvocationError(message, TerminationReason.LAMBDA_TIMEOUT_APPROACHING))

    # ---- how a run ends -----------------------------------------------------------------------------------

    def end(self, verdict: Verdict) -> None:
        """Set the verdict. The first one stands; nothing is recorded after it."""
        if self.verdict is None:
            self.verdict = verdict
            self.outbox.discard()

    def end_by(self, error: UnrecoverableError) -> None:
        """End as ``error`` says, whoever catches it: the execution fails, or the invocation is to be tried again."""
        if isinstance(error, InvocationError):
            self.end(Verdict(raises=error))
        else:
            self.end(Verdict(error=error_object(error), cause=error))

    def consult(self, call: Callable[[Any], Any], value: Any) -> Any:
        """``call(value)``, a serdes of the program's own. What it fails with for the moment ends the invocation,
        whoever catches it: the code must not take another way because of it.
        """
        try:
            return call(value)
        except UnrecoverableError as error:
            self.end_by(error)
            raise

    def suspend(self) -> SuspendExecution:
        """End with PENDING, or to go on in another invocation at once if time is up; returns what to raise."""
        self.end(self.timeout_near() if self.stopping else Verdict(pending=True))
        return SuspendExecution()

    @property
    def recording(self) -> bool:
        """Whether the program may still record: its handler has not returned and there is no verdict."""
        return self.verdict is None and not self.returned

    def refuse_if_ended(self, branch: Branch | None = None) -> None:
        if self.verdict is not None or self.returned or (branch is not None and branch.is_over):
            self.refuse()

    def refuse(self) -> NoReturn:
        """Raise what :meth:`refusal` makes, and note who does not mind."""
        if self.runaways is None:
            from .runaways import Runaways

            self.runaways = Runaways()
        self.runaways.refused(self)
        raise self.refusal()

    def refusal(self) -> BaseException:
        """What to raise in code that goes on with operations although it has been told to stop."""
        return SuspendExecution("the invocation has ended; nothing more is recorded in it")

    def api_failure(self, error: ApiError) -> None:
        """A call of the service failed for good: the invocation is raised out of, or the execution fails."""
        failure = CheckpointError(f"a checkpoint failed: {error}", error)
        failure.__cause__ = error
        if failure.retriable:
            self.end(Verdict(raises=failure))
        else:
            self.end(Verdict(error=error_object(failure)))

    # ---- answers of the service ------------------------------------------------------------------------------

    def absorb(self, response: CheckpointResponse, batch: list[OperationUpdate], operations: list[Operation]) -> None:
        """Merge an answer (its further pages already in ``operations``) and take its token.

        An answer without a token after anything but an EXECUTION update means that this invocation has been
        revoked: PENDING, whatever it was doing. What cannot be merged ends the run: nobody is left waiting for it.
        """
        ops = self.ops
        try:
            if self.hooks is not None:
                self.hooks.note_changes(operations)
            for operation in operations:
                op_id = operation["Id"]
                ops.pop(op_id, None)  # in the order of the last changes, as the next invocation is given them
                ops[op_id] = operation
        except (KeyError, TypeError):
            self.end(Verdict(raises=_no_answer(response)))
            return
        except Exception as error:
            self.end(Verdict(raises=error))
            return
        self.outbox.acknowledge()
        self.token = response.get("CheckpointToken")
        if self.token is None and not any(update["Type"] == "EXECUTION" for update in batch):
            self.end(Verdict(pending=True))


def state_of(answer: CheckpointResponse) -> ExecutionState:
    """The state in an answer. Raises CheckpointError for what is no answer: a client may be anybody's code."""
    try:
        state = answer["NewExecutionState"]
        if isinstance(state["Operations"], list):
            return state
    except (KeyError, TypeError):
        pass
    raise _no_answer(answer)


def _no_answer(answer: object) -> CheckpointError:
    return CheckpointError(
        f"the client answered a checkpoint with {str(answer)[:200]}; it must return the response of "
        "CheckpointDurableExecution, a dict with NewExecutionState.Operations, each with its Id"
    )
