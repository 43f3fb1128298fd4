"""How Lambda words the ways in which an invocation can end badly."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from durably.service.ports import InvocationResult
from durably.wire.shapes import ErrorObject

EXIT_ERROR: Final = "Runtime.ExitError"
TIMED_OUT: Final = "Sandbox.Timedout"
MARSHAL_ERROR: Final = "Runtime.MarshalError"
UNMARSHAL_ERROR: Final = "Runtime.UnmarshalError"

# Lambda's supervisor names signals as Go does.
_SIGNALS: Final = {
    signal.SIGABRT: "aborted",
    signal.SIGBUS: "bus error",
    signal.SIGFPE: "floating point exception",
    signal.SIGILL: "illegal instruction",
    signal.SIGINT: "interrupt",
    signal.SIGKILL: "killed",
    signal.SIGSEGV: "segmentation fault",
    signal.SIGTERM: "terminated",
}

_OWN_CODE: Final = str(Path(__file__).parent)


def crashed(request_id: str, reason: str, log: str = "") -> InvocationResult:
    """``reason`` as in ``exit status 1`` or ``signal: killed``; empty when the process gave none."""
    told = f"Runtime exited with error: {reason}" if reason else "Runtime exited without providing a reason"
    error = ErrorObject(ErrorType=EXIT_ERROR, ErrorMessage=f"RequestId: {request_id} Error: {told}")
    return InvocationResult("crashed", error=error, log=log)


def timed_out(request_id: str, limit: float | None, seconds: float, log: str = "") -> InvocationResult:
    """``limit``: the function's configured timeout; ``seconds``: what this invocation was given of it."""
    if limit is not None and abs(limit - seconds) < 0.5:
        seconds = limit
    message = f"RequestId: {request_id} Error: Task timed out after {seconds:.2f} seconds"
    return InvocationResult("timed_out", error=ErrorObject(ErrorType=TIMED_OUT, ErrorMessage=message), log=log)


def raised(error_type: str, message: str, stack: Sequence[str] = (), log: str = "") -> InvocationResult:
    return InvocationResult("raised", error=_error(error_type, message, stack), log=log)


def unavailable(error_type: str, message: str, stack: Sequence[str] = (), log: str = "") -> InvocationResult:
    return InvocationResult("unavailable", error=_error(error_type, message, stack), log=log)


def unknown_function(name: str, known: Sequence[str]) -> InvocationResult:
    there = ", ".join(sorted(known)) or "none"
    return unavailable("ResourceNotFoundException", f"Function not found: {name}. Functions that exist: {there}.")


def exit_reason(returncode: int) -> str:
    """``reason`` of :func:`crashed` for a process's return code as :mod:`subprocess` reports it."""
    if returncode == 0:
        return ""
    if returncode > 0:
        return f"exit status {returncode}"
    try:
        return f"signal: {_SIGNALS.get(signal.Signals(-returncode)) or (signal.strsignal(-returncode) or '').lower()}"
    except ValueError:
        return f"signal: signal {-returncode}"


def from_exception(exc: Exception) -> InvocationResult:
    """The function raised: its error as awslambdaric reports it, without the frames of the worker."""
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if not frame.filename.startswith(_OWN_CODE)]
    try:
        message = str(exc)
    except Exception as broken:
        message = f"<{type(exc).__name__} whose __str__ raised {type(broken).__name__}>"
    try:
        stack = traceback.format_list(frames)
    except Exception:  # a line that cannot be parsed for its carets, which some versions of Python take for an error
        stack = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n' for frame in frames]
    return raised(type(exc).__name__, message, stack)


def _error(error_type: str, message: str, stack: Sequence[str]) -> ErrorObject:
    error = ErrorObject(ErrorType=error_type, ErrorMessage=message)
    if stack:
        error["StackTrace"] = list(stack)
    return error
