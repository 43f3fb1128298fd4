"""Operation ids and execution ARNs.

Ids are byte-for-byte the official Python SDK's, so an execution begun by one can be finished by the other:
``blake2b(text).hexdigest()[:64]``, the default 64-byte digest cut to its first 64 hex characters (not
``digest_size=32``, which is another function), of ``"{n}"`` at the root and ``"{prefix}-{n}"`` below.
"""

from __future__ import annotations

from typing import Final, NamedTuple

try:
    from _blake2 import blake2b  # the same, without the OpenSSL that hashlib loads
except ImportError:  # an implementation of Python that has it elsewhere
    from hashlib import blake2b

from .patterns import Pattern

__all__ = ["ARN_PATTERN", "ExecutionArn", "blake2b", "execution_operation_id", "operation_id"]


def operation_id(prefix: str | None, n: int | str) -> str:
    """The id of the ``n``-th operation below ``prefix`` (the enclosing context operation's full id)."""
    if prefix:
        return blake2b(f"{prefix}-{n}".encode()).hexdigest()[:64]
    known = _root_ids.get(n)
    if known is None:
        known = blake2b(str(n).encode()).hexdigest()[:64]
        if len(_root_ids) < _ROOT_IDS_KEPT:
            _root_ids[n] = known
    return known


_ROOT_IDS_KEPT: Final = 16_384
_root_ids: dict[int | str, str] = {}
"""They are the same in every execution, so a process hashes each once, for all replays that it makes."""


ARN_PATTERN: Final = Pattern(
    r"arn:(?P<partition>[a-zA-Z0-9-]+):lambda:(?P<region>[a-zA-Z0-9-]+):(?P<account>\d{12})"
    r":function:(?P<function>[a-zA-Z0-9_-]+):(?P<version>\$LATEST(?:\.PUBLISHED)?|[0-9]+)"
    r"/durable-execution/(?P<name>[a-zA-Z0-9_-]+)/(?P<id>[a-zA-Z0-9_-]+)"
)


class ExecutionArn(NamedTuple):
    """The parts of a durable execution's ARN. Source: shape DurableExecutionArn."""

    partition: str
    region: str
    account: str
    function: str
    version: str
    name: str
    id: str

    @classmethod
    def parse(cls, arn: str) -> ExecutionArn:
        """Split ``arn``. Raises ValueError, naming the value, when it is not an execution ARN."""
        found = ARN_PATTERN.fullmatch(arn)
        if found is None or len(arn) > 1024:
            raise ValueError(
                f"{arn!r} is not a durable execution ARN; expected "
                "arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION/durable-execution/EXECUTION_NAME/EXECUTION_ID"
            )
        return cls(**found.groupdict())

    def __str__(self) -> str:
        return (
            f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.function}:{self.version}"
            f"/durable-execution/{self.name}/{self.id}"
        )


def execution_operation_id(arn: str) -> str:
    """The id of the EXECUTION operation: the last segment of the execution's ARN."""
    return arn.rsplit("/", 1)[-1]
