"""Between an execution in memory and its rows in a store."""

from __future__ import annotations

from typing import Final

import msgspec

from .machine.model import Execution, Facts, Head, Op, Outcome
from .store.base import ExecutionIndex, JournalRow, Store

__all__ = ["decode_head", "index_entry", "load", "take_row"]

_DAY_MS: Final = 86_400_000

_Records = tuple[Facts | None, Outcome | None, list[Op]]


def _text(value: object) -> str:
    """What a client in this process hands over is not read from JSON: a text may be of a class of its own."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"a record cannot hold a {type(value).__name__}")


_encoder: Final = msgspec.json.Encoder(enc_hook=_text)
_records: Final = msgspec.json.Decoder(_Records)
_head: Final = msgspec.json.Decoder(Head)


def decode_head(data: bytes) -> Head:
    return _head.decode(data)


def take_row(ex: Execution) -> JournalRow:
    """What changed since the last row, as the next one."""
    head = ex.head
    head.due = ex.next_due()
    changed = ex.changed
    records = b""
    if changed or ex.new_facts or ex.new_outcome:
        records = _encoder.encode(
            (ex.facts if ex.new_facts else None, ex.outcome if ex.new_outcome else None, list(changed.values()))
        )
    return JournalRow(
        ex.key, ex.revision + 1, _encoder.encode(ex.events) if ex.events else b"", records, _encoder.encode(head)
    )


def index_entry(ex: Execution) -> ExecutionIndex:
    facts = ex.facts
    end_ms = ex.outcome.end_ms if ex.ended and ex.outcome is not None else None
    purge_ms = None if end_ms is None else end_ms + facts.retention_days * _DAY_MS
    return ExecutionIndex(
        ex.key,
        facts.id,
        facts.arn,
        facts.function,
        facts.version,
        facts.name,
        ex.head.status,
        facts.start_ms,
        end_ms,
        purge_ms,
    )


def load(store: Store, key: int) -> Execution | None:
    """The execution as it was last committed."""
    found = store.load(key)
    if found is None:
        return None
    blobs, head, revision = found
    facts: Facts | None = None
    outcome: Outcome | None = None
    ops: dict[str, Op] = {}
    for blob in blobs:
        new_facts, new_outcome, changed = _records.decode(blob)
        facts = new_facts or facts
        outcome = new_outcome or outcome
        for op in changed:
            ops[op.view["Id"]] = op
    assert facts is not None, "the first row of a journal holds the facts"
    ex = Execution(key, facts, _head.decode(head))
    ex.outcome = outcome
    ex.ops = ops
    ex.revision = revision
    ex.restore_indexes()
    if ex.ended:
        ex.timers.clear()
    return ex
