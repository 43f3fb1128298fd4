"""Ids as types: strings that cannot be mixed up, checked where a program makes them.

    durably dev examples/types_and_ids/typed_ids.py
    durably invoke ids '{}'

They are strings in every way: as keys, in JSON, in logs. What the service hands out is of these types already.
"""

import json
from typing import Any

from durably import CallbackId, DurableContext, ExecutionArn, OperationId, ValidationError, durable_execution

ARN = (
    "arn:aws:lambda:eu-west-1:123456789012:function:ship:7/durable-execution/A-17/0f8fad5b-d9cb-469f-a165-70867728950e"
)


@durable_execution
def ids(event: dict[str, Any], ctx: DurableContext) -> dict[str, Any]:
    operation = OperationId("op-123")
    found: dict[OperationId, str] = {operation: "as a key"}
    try:
        OperationId("")
        refused = ""
    except ValidationError as error:
        refused = str(error)
    arn = ExecutionArn(ARN)
    own: ExecutionArn = ctx.execution_arn
    callback = ctx.create_callback("somebody")
    return {
        "starts": operation.startswith("op-") and len(operation) == 6,
        "json": json.dumps(operation),
        "key": found[OperationId("op-123")],
        "refused": refused,
        "parts": [arn.region, arn.function_name, arn.execution_name],
        "own function": own.function_name,
        "callback": isinstance(callback.callback_id, CallbackId),
    }
