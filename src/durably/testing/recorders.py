"""Clients that remember: what a running function asked of its service.

:class:`RecordingClient` stands between a function and any client; :class:`MockClient` answers from a script, with no
service at all. Both are given to a function as its client: ``@durable_execution(client=...)`` or
``function.run_sync(event, None, client=...)``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any, Final, Literal

from durably.wire.shapes import CheckpointResponse, ExecutionState, OperationUpdate

__all__ = ["ClientCall", "MockClient", "OperationRecord", "RecordingClient", "invocation_event"]

_ARN: Final = "arn:aws:lambda:us-east-1:000000000000:function:mock:$LATEST/durable-execution/mock/mock-execution"
_TOKEN: Final = "bW9jaw=="


@dataclass(slots=True)
class ClientCall:
    """One call of CheckpointDurableExecution or GetDurableExecutionState.

    Attributes:
        updates: what a checkpoint asked to record.
        answer: what came back; None while it is under way, and when it failed.
        error: what the call failed with.
    """

    kind: Literal["checkpoint", "get_state"]
    arn: str
    token: str
    updates: list[OperationUpdate] = field(default_factory=list[OperationUpdate])
    marker: str | None = None
    answer: Any = None
    error: BaseException | None = None

    @property
    def actions(self) -> list[str]:
        """As in ``STEP START charge``."""
        return [" ".join(filter(None, (one["Type"], one["Action"], one.get("Name")))) for one in self.updates]


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """An operation that was begun."""

    type: str
    sub_type: str | None
    name: str | None
    id: str
    parent_id: str | None

    def __str__(self) -> str:
        return f"{kind_of(self.type, self.sub_type)}:{self.name or ''}"


_KINDS: Final = {"ChainedInvoke": "invoke", "RunInChildContext": "child", "MapIteration": "item"}
_TYPES: Final = {"CHAINED_INVOKE": "invoke", "CONTEXT": "child"}


def kind_of(op_type: str, sub_type: str | None) -> str:
    """``step``, ``wait``, ``callback``, ``invoke``, ``child``, ``map``, ``item``, ``wait_for_callback``, ..."""
    if not sub_type:
        return _TYPES.get(op_type, op_type.lower())
    known = _KINDS.get(sub_type)
    return known or "".join(f"_{c.lower()}" if c.isupper() and n else c.lower() for n, c in enumerate(sub_type))


class _Recorder:
    def __init__(self) -> None:
        self.calls: list[ClientCall] = []

    @property
    def checkpoints(self) -> list[ClientCall]:
        """The calls that recorded, or asked for news."""
        return [call for call in self.calls if call.kind == "checkpoint"]

    @property
    def updates(self) -> list[OperationUpdate]:
        """Every update, in order."""
        return [update for call in self.calls for update in call.updates]

    @property
    def operations(self) -> list[OperationRecord]:
        """Every operation, in the order in which they were begun."""
        found: dict[str, OperationRecord] = {}
        for update in self.updates:
            if update["Type"] != "EXECUTION" and update["Id"] not in found:
                found[update["Id"]] = OperationRecord(
                    update["Type"], update.get("SubType"), update.get("Name"), update["Id"], update.get("ParentId")
                )
        return list(found.values())

    def clear(self) -> None:
        """Forget the calls."""
        self.calls.clear()

    def _begin(self, arn: str, token: str, updates: Sequence[OperationUpdate]) -> ClientCall:
        call = ClientCall("checkpoint", arn, token, json.loads(json.dumps(list(updates))))
        self.calls.append(call)
        return call

    def _begin_state(self, arn: str, token: str, marker: str | None) -> ClientCall:
        call = ClientCall("get_state", arn, token, marker=marker)
        self.calls.append(call)
        return call


class RecordingClient(_Recorder):
    """``inner``, with a record of what goes through it. Offers the worlds (sync, async) that ``inner`` offers.

    Attributes:
        calls: every call, in order.
    """

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner
        if iscoroutinefunction(getattr(inner, "checkpoint", None)):
            self.checkpoint: Any = self._acheckpoint
            self.get_state: Any = self._aget_state
        else:
            self.checkpoint = self._checkpoint
            self.get_state = self._get_state
            if hasattr(inner, "acheckpoint"):
                self.acheckpoint: Any = self._acheckpoint
                self.aget_state: Any = self._aget_state
        environment = getattr(inner, "environment", None)
        if environment is not None:
            self.environment = environment

    def _checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        call = self._begin(arn, token, updates)
        with _failure_noted(call):
            call.answer = self.inner.checkpoint(arn, token, updates, client_token)
        return call.answer  # type: ignore[no-any-return]

    def _get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        call = self._begin_state(arn, token, marker)
        with _failure_noted(call):
            call.answer = self.inner.get_state(arn, token, marker, max_items)
        return call.answer  # type: ignore[no-any-return]

    async def _acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        call = self._begin(arn, token, updates)
        ask = getattr(self.inner, "acheckpoint", None) or self.inner.checkpoint
        with _failure_noted(call):
            call.answer = await ask(arn, token, updates, client_token)
        return call.answer  # type: ignore[no-any-return]

    async def _aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        call = self._begin_state(arn, token, marker)
        ask = getattr(self.inner, "aget_state", None) or self.inner.get_state
        with _failure_noted(call):
            call.answer = await ask(arn, token, marker, max_items)
        return call.answer  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<RecordingClient of {self.inner!r}, {len(self.calls)} calls>"


class MockClient(_Recorder):
    """Answers from a script, one answer for each call: a response, or an exception to raise.

    When the script is over, checkpoints are answered with a token and no news, and pages of state with nothing.

    Parameters:
        checkpoints, states: the script of CheckpointDurableExecution and of GetDurableExecutionState.
    """

    def __init__(self, checkpoints: Iterable[Any] = (), states: Iterable[Any] = ()) -> None:
        super().__init__()
        self._checkpoints = deque(checkpoints)
        self._states = deque(states)

    def add_checkpoint(self, *operations: Mapping[str, Any], token: str | None = _TOKEN) -> MockClient:
        """Script one more answer: these operations have changed. ``token`` None: the invocation is revoked."""
        answer: dict[str, Any] = {"NewExecutionState": {"Operations": list(operations)}}
        if token is not None:
            answer["CheckpointToken"] = token
        self._checkpoints.append(answer)
        return self

    def add_failure(self, error: BaseException) -> MockClient:
        """Script one more answer to a checkpoint: ``error`` is raised, e.g. an ApiError."""
        self._checkpoints.append(error)
        return self

    def add_state(self, *operations: Mapping[str, Any], next_marker: str | None = None) -> MockClient:
        """Script one more page of state."""
        self._states.append({"Operations": list(operations), **({"NextMarker": next_marker} if next_marker else {})})
        return self

    def checkpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        call = self._begin(arn, token, updates)
        default = {"CheckpointToken": _TOKEN, "NewExecutionState": {"Operations": []}}
        return _given(call, self._checkpoints, default)  # type: ignore[no-any-return]

    def get_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        return _given(self._begin_state(arn, token, marker), self._states, {"Operations": []})  # type: ignore[no-any-return]

    async def acheckpoint(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None = None
    ) -> CheckpointResponse:
        return self.checkpoint(arn, token, updates, client_token)

    async def aget_state(self, arn: str, token: str, marker: str | None, max_items: int = 1000) -> ExecutionState:
        return self.get_state(arn, token, marker, max_items)

    def __repr__(self) -> str:
        return f"<MockClient, {len(self.calls)} calls, {len(self._checkpoints) + len(self._states)} answers left>"


def invocation_event(
    input: Any = None,
    operations: Iterable[Mapping[str, Any]] = (),
    *,
    arn: str = _ARN,
    token: str = _TOKEN,
    start_ms: int = 1_767_225_600_000,
    next_marker: str | None = None,
) -> dict[str, Any]:
    """The event of an invocation, as Lambda hands it to the function.

    Parameters:
        input: of the execution; written as plain JSON.
        operations: recorded by earlier invocations.
        next_marker: there is more state, to be fetched with GetDurableExecutionState.
    """
    from durably.serdes import json_codec_for

    execution = {
        "Id": arn.rpartition("/")[2],
        "Type": "EXECUTION",
        "Status": "STARTED",
        "StartTimestamp": start_ms,
        "ExecutionDetails": {"InputPayload": json_codec_for().encode(input)},
    }
    state: dict[str, Any] = {"Operations": [execution, *operations]}
    if next_marker:
        state["NextMarker"] = next_marker
    return {"DurableExecutionArn": arn, "CheckpointToken": token, "InitialExecutionState": state}


@contextmanager
def _failure_noted(call: ClientCall) -> Generator[None]:
    try:
        yield
    except BaseException as error:
        call.error = error
        raise


def _given(call: ClientCall, script: deque[Any], default: Any) -> Any:
    answer = script.popleft() if script else default
    if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
        call.error = answer if isinstance(answer, BaseException) else answer()
        raise call.error
    call.answer = answer
    return answer
