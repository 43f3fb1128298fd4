"""The protocol of a chained invoke: START (awaited) makes the service invoke the other function; then suspended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durably.exceptions import InvokeError, operation_error

from .operation import Op, is_terminal
from .requests import Park, Turn
from .run import Protocol
from .sizes import check_size

if TYPE_CHECKING:
    from durably.serdes import Codec
    from durably.wire.shapes import ChainedInvokeOptions

__all__ = ["invoke"]


def invoke(
    op: Op, function_name: str, encode: Callable[[Any], str], given: Any, codec: Codec, tenant_id: str | None
) -> Protocol:
    """Return the invoked function's result. Raises InvokeError when it failed, timed out or was stopped.

    What is ``given`` is only encoded when the invoke is new. Raises SerDesError when it is too large.
    """
    payload: str | None = None
    if op.record() is None:  # before it begins: what cannot be written is not begun
        written: str = op.run.consult(encode, given)
        check_size(f"the payload of {op.describe()}", written, "Store it elsewhere and pass a reference.")
        payload = written
    record = op.begin()
    if record is None:
        options: ChainedInvokeOptions = {"FunctionName": function_name}
        if tenant_id is not None:
            options["TenantId"] = tenant_id
        if op.run.hooks is not None and (trace_id := op.run.hooks.trace_id(op, function_name)) is not None:
            options["XAmznTraceId"] = trace_id
        yield op.put("START", payload, {"ChainedInvokeOptions": options})
        record = op.record()
    elif is_terminal(record) and op.run.must_queue(op.id):
        yield Turn(op.id)
    while record is None or not is_terminal(record):
        yield Park(op)
        record = op.record()
    details = op.details(record)
    if record["Status"] == "SUCCEEDED":
        text = details.get("Result")
        return None if text is None else op.run.consult(codec.decode, text)
    message = f"{op.describe()} of {function_name} ended as {record['Status']}"
    raise operation_error(InvokeError, op.error(record, message))
