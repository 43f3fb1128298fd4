"""The writer: takes commands, runs the machine on cached executions, commits once, then answers and acts.

Everything that happens to executions happens in :meth:`Core.run`, on one thread. A batch is whatever was queued while
the commit before was on its way to the disk, so batches form by themselves: one caller alone is served at once, a
hundred share one commit. Nothing is visible outside before the commit: replies, dispatches and listeners are kept
back, and when the commit fails, the executions it touched are forgotten and read again when next needed.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from durably.wire.api_errors import ApiError
from durably.wire.ids import ExecutionArn
from durably.wire.shapes import Event

from . import chaining, codec
from .clock import Clock
from .machine import lifecycle, signals
from .machine.env import Env
from .machine.model import Effect, Execution, Facts
from .store.base import Store, WriteBatch

if TYPE_CHECKING:
    from .recovery import Backlog

__all__ = ["Command", "Core", "Reply"]

_log: Final = logging.getLogger("durably.service")

Reply = Callable[[Any], None]
Listener = Callable[[str, list[Event]], None]

_TIMERS_PER_BATCH: Final = 1000
_RETRY_COMMIT_MS: Final = 250
_RETRY_TIMER_MS: Final = 60_000


class Command(NamedTuple):
    """One thing to do. Without ``reply`` it is the service's own and must not be lost when a commit fails.

    ``rescue`` is for a command of the service's own that an execution waits for (law 9): called with the error when the
    handler has failed, which has left no trace.
    """

    handler: Callable[..., Any]
    args: tuple[Any, ...]
    reply: Reply | None = None
    rescue: Callable[[Exception], None] | None = None

    def refuse(self, why: str) -> None:
        if self.reply is not None:
            self.reply(ApiError("ServiceException", why))


class Core:
    """State and commits of a service. Knows neither threads nor workers; see :class:`~.kernel.Service`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        env: Env,
        dispatch: Callable[[Execution, dict[str, Any]], None],
        call_plain: chaining.CallPlain,
    ) -> None:
        self.store = store
        self.clock = clock
        self.env = env
        self._dispatch = dispatch
        self.call_plain = call_plain
        self.listeners: list[Listener] = []
        self.waiters: dict[int, list[Callable[[Execution | ApiError], None]]] = {}
        """Who waits for the end of an execution."""
        self._cache: OrderedDict[int, Execution] = OrderedDict()
        self._by_arn: dict[str, Execution] = {}
        self._last_key = 0
        self._timers: list[tuple[int, int]] = []
        self._armed: dict[int, int] = {}
        self._deferred: list[Command] = []
        self._deferred_until = 0
        self._purge_at: int | None = None
        self.backlog: Backlog | None = None
        # Of the batch at hand.
        self._dirty: dict[int, Execution] = {}
        self._named: dict[tuple[str, str], Execution] = {}
        self._deleted: list[int] = []
        self._after: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def open(self) -> None:
        self.store.open()
        self._last_key = self.store.last_key()
        self._purge_at = self.store.next_purge_ms()

    # ---- finding executions ----------------------------------------------------------------------------

    def execution(self, key: int) -> Execution | None:
        ex = self._cache.get(key)
        if ex is None:
            if key in self._deleted:
                return None
            ex = codec.load(self.store, key)
            if ex is None:
                return None
            self._keep(ex)
        else:
            self._cache.move_to_end(key)
        return ex

    def by_arn(self, arn: object) -> Execution:
        """Raises ApiError: not an ARN, or not found."""
        ex = self._by_arn.get(arn) if isinstance(arn, str) else None
        if ex is not None:
            self._cache.move_to_end(ex.key)
            return ex
        if not isinstance(arn, str):
            raise ApiError("InvalidParameterValueException", f"DurableExecutionArn must be a string, not {arn!r}")
        try:
            parts = ExecutionArn.parse(arn)
        except ValueError as failure:
            raise ApiError("InvalidParameterValueException", str(failure)) from None
        entry = self.store.find(parts.id)
        found = self.execution(entry.key) if entry is not None and entry.arn == arn else None
        if found is None:
            raise ApiError("ResourceNotFoundException", f"no durable execution has the ARN {arn}")
        return found

    def named(self, function: str, name: str) -> Execution | None:
        ex = self._named.get((function, name))
        if ex is None:
            entry = self.store.find_named(function, name)
            ex = None if entry is None else self.execution(entry.key)
        return ex

    def _keep(self, ex: Execution) -> None:
        self._cache[ex.key] = ex
        self._by_arn[ex.facts.arn] = ex

    def _forget(self, key: int) -> None:
        ex = self._cache.pop(key, None)
        if ex is not None:
            self._by_arn.pop(ex.facts.arn, None)

    # ---- changing them ---------------------------------------------------------------------------------

    def create(self, facts: Facts) -> Execution:
        self._last_key += 1
        ex = lifecycle.start(self._last_key, facts, self.env)
        self._keep(ex)
        self._named[facts.function, facts.name] = ex
        self.changed(ex)
        return ex

    def changed(self, ex: Execution) -> None:
        """``ex`` is to be committed; its effects within the service follow in the same commit."""
        self._dirty[ex.key] = ex
        if ex.effects:
            effects, ex.effects = ex.effects, []
            for effect in effects:
                self._effect(ex, effect)

    def delete(self, ex: Execution) -> None:
        self._deleted.append(ex.key)
        self._dirty.pop(ex.key, None)
        self._forget(ex.key)

    def after_commit(self, action: Callable[..., None], *args: Any) -> None:
        self._after.append((action, args))

    def _effect(self, ex: Execution, effect: Effect) -> None:
        if effect.kind == "dispatch":
            self.after_commit(self._dispatch, ex, effect.data)
        elif effect.kind == "launch":
            chaining.launch(self, ex, effect.operation, effect.data)
        else:
            self.after_commit(self._tell_waiters, ex)
            if ex.facts.parent_key is not None:
                chaining.tell_parent(self, ex)

    def _tell_waiters(self, ex: Execution) -> None:
        self.tell_waiters(ex.key, ex)

    def tell_waiters(self, key: int, answer: Execution | ApiError) -> None:
        for tell in self.waiters.pop(key, ()):
            tell(answer)

    # ---- the batch -----------------------------------------------------------------------------------

    def run(self, commands: Sequence[Command]) -> None:
        """Carry out ``commands`` in order, and what is due, in one commit."""
        self.env.now = self.clock.now_ms()
        batch = [*commands, *self._due_commands()]
        if not batch:
            return
        replies: list[tuple[Reply, Any]] = []
        try:
            for handler, args, reply, _ in batch:
                try:
                    answer = handler(*args)
                except ApiError as refusal:
                    answer = refusal
                if reply is not None and answer is not None:
                    replies.append((reply, answer))
            committed, rows = self._rows()
        except Exception as bug:
            self._failed(batch, bug)
            return
        try:
            self._commit(rows)
        except Exception as failure:
            _log.exception("the store refused a commit")
            self._abandon()
            self._defer([command for command in batch if command.reply is None])
            lost = ApiError("ServiceException", f"the store could not write: {failure}")
            for command in batch:
                if command.reply is not None:
                    _answer(command.reply, lost)
            return
        self._publish(committed)
        for reply, answer in replies:
            _answer(reply, answer)
        after, self._after = self._after, []
        for action, args in after:
            try:
                action(*args)
            except Exception:
                _log.exception("the service could not act on what it committed")

    def run_one(self, command: Command) -> None:
        self.run([command])

    def _failed(self, batch: Sequence[Command], bug: Exception) -> None:
        """A command has failed as none should: the others are carried out without it."""
        self._abandon()
        self._cache.clear()  # whatever the command touched before it failed
        self._by_arn.clear()
        if len(batch) > 1:
            for command in batch:
                self.run_one(command)
            return
        _log.error("a command of the service failed", exc_info=bug)
        _, _, reply, rescue = batch[0]
        if reply is not None:
            _answer(reply, ApiError("ServiceException", f"internal error: {type(bug).__name__}: {bug}"))
        if rescue is not None:
            rescue(bug)

    def _rows(self) -> tuple[list[Execution], WriteBatch]:
        batch = WriteBatch()
        committed = [ex for ex in self._dirty.values() if ex.touched]
        for ex in committed:
            batch.journal.append(codec.take_row(ex))
            if ex.new_status:
                batch.executions.append(codec.index_entry(ex))
        batch.deleted = self._deleted
        return committed, batch

    def _commit(self, batch: WriteBatch) -> None:
        if batch:
            self.store.commit(batch)
        for entry in batch.executions:
            if entry.purge_ms is not None and (self._purge_at is None or entry.purge_ms < self._purge_at):
                self._purge_at = entry.purge_ms
        for key in self._deleted:
            self._armed.pop(key, None)
        self._deleted = []
        self._dirty.clear()
        self._named.clear()

    def _publish(self, committed: list[Execution]) -> None:
        for ex in committed:
            ex.revision += 1
            ex.touched = ex.new_facts = ex.new_outcome = ex.new_status = False
            ex.changed = {}
            self.arm(ex.key, ex.head.due)
            events = ex.events
            if events:
                ex.events = []
                for listener in self.listeners:
                    try:
                        listener(ex.facts.arn, events)
                    except Exception:
                        _log.exception("a listener of the service failed")
        self._evict(len(committed) + 1)

    def _evict(self, tries: int) -> None:
        """Forget what was used longest ago, but not while its invocation runs: that comes back for it again and again.

        At most ``tries``, or a service with more running than it keeps would do nothing else.
        """
        cache, limit = self._cache, self.env.config.cached_executions
        while len(cache) > limit and tries > 0:
            tries -= 1
            key, oldest = next(iter(cache.items()))
            if oldest.head.request_id and not oldest.ended:
                cache.move_to_end(key)
            else:
                self._forget(key)

    def _abandon(self) -> None:
        """Forget all that the batch did."""
        for key in self._dirty:
            self._forget(key)
        self._dirty.clear()
        self._named.clear()
        self._deleted = []
        self._after = []

    def _defer(self, commands: list[Command]) -> None:
        if commands:
            self._deferred.extend(commands)
            self._deferred_until = self.env.now + _RETRY_COMMIT_MS

    # ---- timers ----------------------------------------------------------------------------------------

    def arm(self, key: int, due: int | None) -> None:
        if due == self._armed.get(key):
            return
        if due is None:
            self._armed.pop(key, None)
        else:
            self._armed[key] = due
            heappush(self._timers, (due, key))

    def next_timer_ms(self) -> int | None:
        """When the next timer of an execution is due."""
        timers = self._timers
        while timers and self._armed.get(timers[0][1]) != timers[0][0]:
            heappop(timers)
        due = timers[0][0] if timers else None
        if self._deferred:
            due = _earlier(due, self._deferred_until)
        if self.backlog is not None:
            due = _earlier(due, self.backlog.due_ms())
        return due

    def next_wake_ms(self) -> int | None:
        """When :meth:`run` next has something to do of its own accord."""
        return _earlier(self.next_timer_ms(), self._purge_at)

    def _due_commands(self) -> list[Command]:
        now = self.env.now
        found: list[Command] = []
        if self._deferred and self._deferred_until <= now:
            found, self._deferred = self._deferred, []
        timers = self._timers
        while timers and timers[0][0] <= now and len(found) < _TIMERS_PER_BATCH:
            due, key = heappop(timers)
            if self._armed.get(key) == due:
                del self._armed[key]
                again = partial(self._timers_failed, key)
                found.append(Command(self._timers_due, (key,), rescue=again))
        if self.backlog is not None:
            found += self.backlog.take(now)
        if self._purge_at is not None and self._purge_at <= now:
            found.append(Command(self._purge, ()))
        return found

    def _timers_due(self, key: int) -> None:
        ex = self.execution(key)
        if ex is not None and not ex.ended:
            signals.timers_due(ex, self.env)
            self.changed(ex)
            if not ex.touched:
                self.arm(key, ex.next_due())

    def _timers_failed(self, key: int, bug: Exception) -> None:
        self.arm(key, self.env.now + _RETRY_TIMER_MS)

    def _purge(self) -> None:
        keys = self.store.purgeable(self.env.now, _TIMERS_PER_BATCH)
        for key in keys:
            self._forget(key)
            self._dirty.pop(key, None)
        self._deleted.extend(keys)
        self.after_commit(self._plan_purge)

    def _plan_purge(self) -> None:
        self._purge_at = self.store.next_purge_ms()


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _answer(reply: Reply, answer: Any) -> None:
    try:
        reply(answer)
    except Exception:
        _log.exception("a reply of the service could not be delivered")
