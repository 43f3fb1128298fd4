"""Which execution a person means: its ARN, its name or id, or enough of it.

What only looks may guess from the beginning of a name. What changes an execution must not: a name that was cut short,
or whose execution is gone, would hit another one. Part of an id hits one by chance only, hardly with four characters.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn

from .failures import Failure
from .options import Place
from .terminal import moment

__all__ = ["executions", "find_execution", "unknown_function"]

_SEARCHED: Final = 1000
"""Executions per function, newest first, among which an abbreviation is looked for."""

_ENOUGH: Final = 4
"""Characters of an id that stand for it where an execution is changed."""


def executions(place: Place, function: str | None, limit: int, **filters: Any) -> list[dict[str, Any]]:
    """The newest executions of one function, or of all that the service serves."""
    names = [function] if function else _served(place)
    found: list[dict[str, Any]] = []
    for name in names:
        pages = place.api.pages(
            "ListDurableExecutionsByFunction",
            "DurableExecutions",
            FunctionName=name,
            MaxItems=min(max(limit, 1), 1000),
            **filters,
        )
        found += islice(pages, limit)
    found.sort(key=lambda execution: -execution["StartTimestamp"])
    return found[:limit]


def find_execution(place: Place, given: str, function: str | None = None, *, to_change: bool = False) -> str:
    """The ARN of the one execution ``given`` stands for. Raises Failure when there is none, or more than one.

    Parameters:
        to_change: the beginning of a name does not do, nor less than four characters of an id.
    """
    if given.startswith("arn:"):
        try:
            return str(ExecutionArn.parse(given))
        except ValueError as exc:
            raise Failure(f"{exc}.") from None
    found = executions(place, function, 10, DurableExecutionName=given) if _could_be_name(given) else []
    if not found:
        everything = executions(place, function, _SEARCHED)
        meant = [execution for execution in everything if _stands_for(given, execution)]
        found = [execution for execution in meant if _is_enough(given, execution)] if to_change else meant
        if not found and meant:
            raise Failure(
                f"there is no execution '{given}', and a part does not do here; give the whole name, the ARN, or "
                f"{_ENOUGH} characters of the id:",
                "\n".join(_row(execution) for execution in meant[:10]),
            )
        if not found:
            raise _nothing(given, everything)
    if len(found) > 1:
        raise Failure(
            f"'{given}' stands for {len(found)} executions; give more of the name, or the ARN:",
            "\n".join(_row(execution) for execution in found[:10]),
        )
    arn: str = found[0]["DurableExecutionArn"]
    return arn


def unknown_function(place: Place, name: str, exc: ApiError) -> Failure:
    """A helpful form of 'function not found'."""
    served = [function["FunctionName"] for function in place.functions()]
    if not served:
        return Failure(exc.message)
    close = difflib.get_close_matches(name.split(":")[0], served, 1, 0.5)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return Failure(f"there is no function '{name}'.", f"{hint}Functions served: {', '.join(sorted(served))}.")


def _served(place: Place) -> list[str]:
    if place.aws:
        raise Failure("AWS lists executions by function only.", "Name the function: --function NAME.")
    return [function["FunctionName"] for function in place.functions() if function.get("Durable", True)]


def _could_be_name(given: str) -> bool:
    return 1 <= len(given) <= 64 and given.replace("-", "").replace("_", "").isalnum() and given.isascii()


def _stands_for(given: str, execution: dict[str, Any]) -> bool:
    arn = ExecutionArn.parse(execution["DurableExecutionArn"])
    return arn.name.startswith(given) or arn.id.startswith(given) or arn.id.endswith(given)


def _is_enough(given: str, execution: dict[str, Any]) -> bool:
    identifier = ExecutionArn.parse(execution["DurableExecutionArn"]).id
    return len(given) >= _ENOUGH and (identifier.startswith(given) or identifier.endswith(given))


def _nothing(given: str, recent: Iterable[dict[str, Any]]) -> Failure:
    shown = [_row(execution) for execution in islice(recent, 5)]
    return Failure(
        f"there is no execution '{given}'.",
        "The newest are:\n" + "\n".join(shown) if shown else "There are no executions yet.",
    )


def _row(execution: dict[str, Any]) -> str:
    arn = ExecutionArn.parse(execution["DurableExecutionArn"])
    started = moment(execution["StartTimestamp"])
    return f"    {started}  {execution['Status']:<9}  {arn.function}  {arn.name}  (id {arn.id})"
