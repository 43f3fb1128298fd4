"""Ending an execution from anywhere in its code: with a result, as if the handler had returned it.

What has been done is recorded first. From then on nothing of the invocation records anything (law R6), and the answer
stands whatever user code does, like that of a suspension (law R7).
"""

from __future__ import annotations

from .envelope import oversized, succeeded
from .requests import Flush
from .run import Protocol, Run
from .scope import Scope
from .suspension import Verdict

__all__ = ["complete"]


def complete(run: Run, scope: Scope, text: str) -> Protocol:
    """Answer SUCCEEDED with the result ``text``. Never returns: raises what unwinds the program."""
    strand = None if scope.branch is None else scope.branch.strand
    if run.outbox.acknowledged < run.outbox.last:
        yield Flush(run.outbox.last, "", strand)
    run.returned = True
    output = succeeded(text)
    instead = oversized(run, output)
    if instead is not None:
        update, output = instead
        yield Flush(run.outbox.add(update), update["Id"], strand, final=True)
    run.end(Verdict(output=output))
    raise run.refusal()
