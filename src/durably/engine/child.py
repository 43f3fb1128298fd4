"""The protocol of a child context: START (not awaited), run, SUCCEED or FAIL.

A result above 256 KiB is not stored: the context is completed with ReplayChildren and a summary, and replay runs
the function again over its children's records to rebuild the value. A virtual context has no record at all; its
function runs on every replay, over its children.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from durably._configs import ChildConfig
from durably.exceptions import (
    ChildContextError,
    UnrecoverableError,
    ValidationError,
    error_object,
    operation_error,
)
from durably.wire.limits import REPLAY_CHILDREN_ABOVE
from durably.wire.payloads import utf8_size

from .branch import Branch
from .cancellation import by_own_code, cancelled_error, is_cancellation, raise_recorded
from .operation import Op, is_terminal
from .requests import Body, Turn
from .run import Protocol
from .scope import Scope
from .sizes import check_size

if TYPE_CHECKING:
    from durably.serdes import Codec

__all__ = ["child"]

_SHORT: Final = REPLAY_CHILDREN_ABOVE // 4
"""Characters that are at most as many bytes as are stored."""


def child(
    op: Op,
    func: Callable[..., Any],
    context: Any,
    config: ChildConfig[Any],
    codec: Codec,
    more: tuple[Any, ...] = (),
) -> Protocol:
    """Run ``func(context, *more)`` with ids of its own.

    Raises ChildContextError with what escaped from it as the cause.
    """
    run = op.run
    virtual = config.is_virtual
    record = op.begin()
    if virtual and record is not None:
        raise run.fail_non_deterministic(
            f"this execution recorded {op.describe()} as a context, but the code now runs it without a record of its "
            "own (is_virtual=True, or a map or parallel that has become NestingType.FLAT). An execution that has begun "
            f"one way must end that way. Operation id {op.id}.",
            op.id,
        )
    rebuild = False
    if record is not None and is_terminal(record):
        details = op.details(record)
        rebuild = record["Status"] == "SUCCEEDED" and bool(details.get("ReplayChildren"))
        if not rebuild:
            if record["Status"] == "SUCCEEDED":
                if run.must_queue(op.id):
                    yield Turn(op.id)
                text = details.get("Result")
                return None if text is None else run.consult(codec.decode, text)
            yield from raise_recorded(op, record, ChildContextError)
    if record is None and not virtual:
        op.post("START")

    strand = _strand_of(op)
    branch = Branch(op.scope.branch)
    scope = Scope(run, context, op.id, op, op.scope.replaying, op.scope, branch)
    scope.time_ms = op.time_ms
    try:
        try:
            value = yield Body(func, (context, *more), scope)
            if record is not None or (virtual and run.is_replay):
                run.check_return(scope)
        except BaseException as error:
            if is_cancellation(error) and op.recording and (strand is not None or not run.is_being_cancelled()):
                raise by_own_code(op.describe(), error) from error
            raise
        finally:
            run.close_branch(branch)
        text, value = codec.round_trip(value)
        if strand is not None:
            strand.text = text
        replay_children = len(text) > _SHORT and utf8_size(text) > REPLAY_CHILDREN_ABOVE
        if replay_children and not virtual and not rebuild:
            text = _summary(config, value)
            check_size(f"the summary of {op.describe()}", text, "Let summary_generator return less.")
    except UnrecoverableError as error:  # says itself what is to become of the execution or the invocation
        run.end_by(error)
        raise
    except Exception as error:
        failure = error_object(_mapped(config, error))
        if not virtual and not rebuild:
            yield op.put("FAIL", None, {"Error": failure}, True, True)
        wrapped = operation_error(ChildContextError, failure)
        raise wrapped from wrapped.__cause__  # as on replay; `from None` would take the cause away
    except BaseException as error:
        if is_cancellation(error) and op.recording and not virtual and not rebuild:
            op.post("FAIL", None, {"Error": cancelled_error(op.describe())})
        raise
    if rebuild and run.must_queue(op.id):
        yield Turn(op.id)  # rebuilt or read, a recorded completion is seen when its turn has come
    if virtual or rebuild:
        return value
    yield op.put("SUCCEED", text, {"ContextOptions": {"ReplayChildren": replay_children}}, True, True)
    if strand is not None and not run.keeps_records:
        run.ops.pop(op.id, None)  # there may be ten thousand
    return value


def _strand_of(op: Op) -> Branch | None:
    """The branch of a map or parallel that this is the operation of."""
    around = op.scope.branch
    return around if around is not None and around.strand is around else None


def _mapped(config: ChildConfig[Any], error: Exception) -> Exception:
    """What the child's failure is recorded as."""
    if config.error_mapper is None:
        return error
    try:
        return config.error_mapper(error)
    except Exception as broken:  # the mapper may also raise what it maps to
        return broken


def _summary(config: ChildConfig[Any], value: Any) -> str:
    """What is recorded instead of a result that is too large."""
    if config.summary_generator is None:
        return ""
    summary: Any = config.summary_generator(value)
    if not isinstance(summary, str):
        raise ValidationError(f"summary_generator returned {type(summary).__name__} {summary!r}; it must return a str")
    if summary.isascii():
        return str.__str__(summary)
    return summary.encode("utf-8", "backslashreplace").decode()  # it is for people
