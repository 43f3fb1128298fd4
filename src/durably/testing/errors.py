"""What goes wrong with a test, as opposed to the code under test.

TestingError
├── ExecutionStuck        the execution can never end
├── RunTimeout            the run took too long, in real time
├── TooManyInvocations    it goes on and on
├── UnknownFunction       the function invokes one that the runner does not know
├── CallbackNotReady      the callback is not open
└── OperationNotFound     no operation of that name, index, id or type
"""

from __future__ import annotations

__all__ = [
    "CallbackNotReady",
    "ExecutionStuck",
    "OperationNotFound",
    "RunTimeout",
    "TestingError",
    "TooManyInvocations",
    "UnknownFunction",
]


class TestingError(Exception):
    """Base class of the testing kit's own errors."""

    __test__ = False  # not a class of tests


class ExecutionStuck(TestingError):
    """The execution can never end: nothing runs and nothing is due. The message names what is open."""


class RunTimeout(TestingError):
    """The run did not end within its ``timeout`` of real time. The message says where the code was."""


class TooManyInvocations(TestingError):
    """The function was invoked again and again; ``max_invocations`` says how often is enough."""


class UnknownFunction(TestingError, LookupError):
    """The function under test invokes one that the runner was not given; the message names those that it was."""


class CallbackNotReady(TestingError, LookupError):
    """The callback has not been created, or is not open any more."""


class OperationNotFound(TestingError, LookupError):
    """No operation of the execution is what was asked for. The message lists those that there are."""
