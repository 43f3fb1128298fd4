"""The contract's numbers. Bytes unless the name says otherwise. Source: service model; language-SDK specification."""

from __future__ import annotations

from typing import Final

from .patterns import Pattern

MAX_UPDATES_PER_CHECKPOINT: Final = 250
MAX_CHECKPOINT_BYTES: Final = 750 * 1024
MAX_STATE_PAGE: Final = 1000

MAX_PAYLOAD: Final = 6 * 1024 * 1024
"""Shape OperationPayload: no payload of any kind is longer."""
MAX_OPERATION_PAYLOAD: Final = 1024 * 1024
"""Payload of a STEP, CONTEXT, CALLBACK or CHAINED_INVOKE (deployments may refuse less)."""
MAX_ASYNC_PAYLOAD: Final = 1024 * 1024
"""Input and result of an execution started with InvocationType Event."""
MAX_RECORDED_RESULT: Final = 16 * 1024 * 1024
"""Result of an execution that an EXECUTION update records. The embedded service's own figure: the service model has
OperationPayload's 6 MiB for it, and the language-SDK specification records what is above 6 MiB less 50 bytes."""
MAX_ERROR_BYTES: Final = 1024 * 1024
MAX_RESPONSE: Final = 6 * 1024 * 1024 - 50
"""A longer result is checkpointed on the EXECUTION operation instead of being returned."""
MAX_LAMBDA_RESPONSE: Final = 6 * 1024 * 1024 + 100
"""What a function may answer, all in all: of an invocation's output, with the result in it escaped as JSON text."""
REPLAY_CHILDREN_ABOVE: Final = 256 * 1024
"""A longer result of a context is rebuilt from its children on replay instead of being stored."""

MIN_WAIT_SECONDS: Final = 1
MAX_WAIT_SECONDS: Final = 31_622_400
MAX_CALLBACK_TIMEOUT_SECONDS: Final = 99_999_999
MAX_EXECUTION_TIMEOUT_SECONDS: Final = 31_622_400

MAX_NAME_LENGTH: Final = 256
MAX_ID_LENGTH: Final = 64
NAME_PATTERN: Final = Pattern(r"[\x20-\x7E]{1,256}")
SUBTYPE_PATTERN: Final = Pattern(r"[a-zA-Z0-9_-]{1,32}")
ID_PATTERN: Final = Pattern(r"[a-zA-Z0-9_-]{1,64}")
EXECUTION_NAME_PATTERN: Final = Pattern(r"[a-zA-Z0-9_-]{1,64}")
TENANT_ID_PATTERN: Final = Pattern(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
TOKEN_PATTERN: Final = Pattern(r"[A-Za-z0-9+/]+={0,2}")
FUNCTION_NAME_PATTERN: Final = Pattern(
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
"""Shape NamespacedFunctionName (1 to 256 characters)."""
