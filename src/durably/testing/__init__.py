"""The testing kit: durable functions in tests, in virtual time, on the embedded service's own state machine.

    from durably.testing import LocalRunner

    def test_order():
        result = LocalRunner(process_order).run(Order(7))
        assert result.value == Receipt(7)

See docs/testing.md. Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .assertions import assert_checkpoint_count as assert_checkpoint_count
    from .assertions import assert_no_checkpoints as assert_no_checkpoints
    from .assertions import assert_no_duplicate_effects as assert_no_duplicate_effects
    from .assertions import assert_operation_count as assert_operation_count
    from .assertions import assert_operation_names as assert_operation_names
    from .assertions import assert_operation_order as assert_operation_order
    from .assertions import assert_operations as assert_operations
    from .assertions import assert_step_called as assert_step_called
    from .assertions import assert_step_not_called as assert_step_not_called
    from .callbacks import NEVER as NEVER
    from .callbacks import Answer as Answer
    from .callbacks import OpenCallback as OpenCallback
    from .calls import Crash as Crash
    from .calls import Interceptor as Interceptor
    from .calls import ServiceCall as ServiceCall
    from .clock import VirtualClock as VirtualClock
    from .cloud import AsyncCloudExecution as AsyncCloudExecution
    from .cloud import CloudError as CloudError
    from .cloud import CloudExecution as CloudExecution
    from .cloud import CloudRunner as CloudRunner
    from .crashes import CrashesFoundError as CrashesFoundError
    from .crashes import CrashPoint as CrashPoint
    from .crashes import CrashReport as CrashReport
    from .crashes import CrashRun as CrashRun
    from .crashes import aexplore_crashes as aexplore_crashes
    from .crashes import explore_crashes as explore_crashes
    from .determinism import DeterminismReport as DeterminismReport
    from .determinism import NotDeterministicError as NotDeterministicError
    from .determinism import acheck_determinism as acheck_determinism
    from .determinism import check_determinism as check_determinism
    from .errors import CallbackNotReady as CallbackNotReady
    from .errors import ExecutionStuck as ExecutionStuck
    from .errors import OperationNotFound as OperationNotFound
    from .errors import RunTimeout as RunTimeout
    from .errors import TestingError as TestingError
    from .errors import TooManyInvocations as TooManyInvocations
    from .errors import UnknownFunction as UnknownFunction
    from .executions import AsyncCallbackHandle as AsyncCallbackHandle
    from .executions import AsyncLocalExecution as AsyncLocalExecution
    from .executions import CallbackHandle as CallbackHandle
    from .executions import LocalExecution as LocalExecution
    from .export import export_history as export_history
    from .faults import Faults as Faults
    from .handles import AsyncRunnerCallback as AsyncRunnerCallback
    from .handles import RunnerCallback as RunnerCallback
    from .history import History as History
    from .history import HistoryError as HistoryError
    from .limits import Limits as Limits
    from .mock_context import MockAsyncDurableContext as MockAsyncDurableContext
    from .mock_context import MockDurableContext as MockDurableContext
    from .operations import Attempt as Attempt
    from .operations import CallbackOperation as CallbackOperation
    from .operations import ContextOperation as ContextOperation
    from .operations import InvokeOperation as InvokeOperation
    from .operations import Operations as Operations
    from .operations import RecordedOperation as RecordedOperation
    from .operations import StepOperation as StepOperation
    from .operations import WaitOperation as WaitOperation
    from .recorders import ClientCall as ClientCall
    from .recorders import MockClient as MockClient
    from .recorders import OperationRecord as OperationRecord
    from .recorders import RecordingClient as RecordingClient
    from .recorders import invocation_event as invocation_event
    from .replay_report import ReplayReport as ReplayReport
    from .replaying import ReplayFailedError as ReplayFailedError
    from .replaying import assert_replays as assert_replays
    from .replaying import replay as replay
    from .result import Invocation as Invocation
    from .result import RunResult as RunResult
    from .runner import LocalRunner as LocalRunner
    from .snapshots import SnapshotMismatch as SnapshotMismatch
    from .snapshots import assert_matches_snapshot as assert_matches_snapshot
    from .snapshots import signature as signature
    from .stand_ins import TIMES_OUT as TIMES_OUT
    from .stand_ins import Mock as Mock

_HOMES: Final = {
    "assertions": (
        "assert_checkpoint_count assert_no_checkpoints assert_no_duplicate_effects assert_operation_count "
        "assert_operation_names assert_operation_order assert_operations assert_step_called assert_step_not_called"
    ),
    "callbacks": "NEVER Answer OpenCallback",
    "calls": "Crash Interceptor ServiceCall",
    "clock": "VirtualClock",
    "crashes": "CrashPoint CrashReport CrashRun CrashesFoundError aexplore_crashes explore_crashes",
    "cloud": "AsyncCloudExecution CloudError CloudExecution CloudRunner",
    "determinism": "DeterminismReport NotDeterministicError acheck_determinism check_determinism",
    "errors": "CallbackNotReady ExecutionStuck OperationNotFound RunTimeout TestingError TooManyInvocations "
    "UnknownFunction",
    "executions": "AsyncCallbackHandle AsyncLocalExecution CallbackHandle LocalExecution",
    "export": "export_history",
    "history": "History HistoryError",
    "faults": "Faults",
    "handles": "AsyncRunnerCallback RunnerCallback",
    "limits": "Limits",
    "mock_context": "MockAsyncDurableContext MockDurableContext",
    "operations": (
        "Attempt CallbackOperation ContextOperation InvokeOperation Operations RecordedOperation StepOperation "
        "WaitOperation"
    ),
    "recorders": "ClientCall MockClient OperationRecord RecordingClient invocation_event",
    "replay_report": "ReplayReport",
    "replaying": "ReplayFailedError assert_replays replay",
    "result": "Invocation RunResult",
    "runner": "LocalRunner",
    "snapshots": "SnapshotMismatch assert_matches_snapshot signature",
    "stand_ins": "TIMES_OUT Mock",
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
