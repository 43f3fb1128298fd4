"""Errors of the durable execution API, the same object in the service that raises them and the client that
receives them."""

from __future__ import annotations

from typing import Final

__all__ = ["ApiError", "CONNECTION_ERROR", "INVALID_TOKEN_MESSAGE"]

INVALID_TOKEN_MESSAGE: Final = "Invalid checkpoint token"
"""How the message of a stale token begins (compare in any case: deployments differ)."""

CONNECTION_ERROR: Final = "ConnectionError"
"""Code of an :class:`ApiError` made by a client that got no answer at all."""

_STATUS: Final[dict[str, int]] = {
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "RequestTooLargeException": 413,
    "CallbackTimeoutException": 400,
    "ResourceNotFoundException": 404,
    "ResourceConflictException": 409,
    "DurableExecutionAlreadyStartedException": 409,
    "TooManyRequestsException": 429,
    "ServiceException": 500,
    "KMSAccessDeniedException": 502,
    "KMSDisabledException": 502,
    "KMSInvalidStateException": 502,
    "KMSNotFoundException": 502,
}

# They come as HTTP 502 but need a person to mend the key, so another try cannot help.
_KMS: Final[frozenset[str]] = frozenset(code for code in _STATUS if code.startswith("KMS"))


class ApiError(Exception):
    """An answer of the API that is not a success.

    Parameters:
        code: the service model's exception name, e.g. ``InvalidParameterValueException``.
        message: for people.
        status: HTTP status; by default the model's status for ``code``. None: no answer was received.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status: int | None = status if status is not None else _STATUS.get(code)

    @property
    def is_stale_token(self) -> bool:
        """The checkpoint token was used, replaced or fenced off; only a new invocation has a fresh one."""
        return self.code == "InvalidParameterValueException" and self.message.lower().startswith(
            INVALID_TOKEN_MESSAGE.lower()
        )

    @property
    def retry_invocation(self) -> bool:
        """True: the invocation is to be tried again. False: the execution is to fail.

        Source: error classes of the language-SDK specification. 4xx and the KMS errors fail; 429, 5xx, no
        answer and a stale token are tried again.
        """
        if self.code in _KMS:
            return False
        if self.status is None or self.status == 429 or self.status >= 500:
            return True
        return self.is_stale_token

    @property
    def retry_request(self) -> bool:
        """True: the same request may simply be sent again (throttled, failed on the far side, or unanswered)."""
        return self.retry_invocation and not self.is_stale_token

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
