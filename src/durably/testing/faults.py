"""Faults between a function and the service, at chosen calls. The run must come out as if there were none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from durably.wire.api_errors import CONNECTION_ERROR, ApiError

from ._durations import Span, as_ms
from .calls import ServiceCall

__all__ = ["Faults"]

Which = int | str | Callable[[ServiceCall], bool]
"""A call by its number (from 1, in its execution), the first one that carries an operation of this name, or any for
which a function says so."""


class Faults:
    """An interceptor that makes the network and the service misbehave.

    Each of the lists names calls: by number, counted from 1 in every execution; by the name of an operation, for the
    first call that carries an update of it; or by a function of the :class:`ServiceCall`, asked for every call.

    Parameters:
        latency: virtual time that every call takes; or a function of the call that says how much.
        throttle: answered with TooManyRequestsException (429), not carried out.
        server_errors: answered with ServiceException (500), not carried out.
        lost_requests: never arrive; the caller gets no answer.
        lost_responses: are carried out, but the caller gets no answer.
        missing_token: are carried out, but the answer brings no further checkpoint token: the service has taken the
            execution away from this invocation (as when it is paused and resumed).

    Attributes:
        injected: (kind, call) of every fault so far, for tests to see that they have happened.
    """

    def __init__(
        self,
        *,
        latency: Span | Callable[[ServiceCall], Span] | None = None,
        throttle: Iterable[Which] = (),
        server_errors: Iterable[Which] = (),
        lost_requests: Iterable[Which] = (),
        lost_responses: Iterable[Which] = (),
        missing_token: Iterable[Which] = (),
    ) -> None:
        self._latency = latency
        self._refusals = [
            ("throttle", list(throttle), "TooManyRequestsException", "Rate exceeded"),
            ("server_error", list(server_errors), "ServiceException", "An internal error occurred."),
            ("lost_request", list(lost_requests), CONNECTION_ERROR, "no answer from the service: the request was lost"),
        ]
        self._lost_responses = list(lost_responses)
        self._missing_token = list(missing_token)
        self._met: WeakKeyDictionary[object, set[tuple[str, str, str]]] = WeakKeyDictionary()
        self.injected: list[tuple[str, ServiceCall]] = []

    def before(self, call: ServiceCall) -> float:
        for kind, which, code, message in self._refusals:
            if self._hits(kind, which, call):
                raise ApiError(code, message)
        if call.kind == "checkpoint" and self._hits("missing_token", self._missing_token, call):
            call.revoke()
        return self._delay(call)

    def after(self, call: ServiceCall) -> None:
        if self._hits("lost_response", self._lost_responses, call):
            raise ApiError(CONNECTION_ERROR, "no answer from the service: it was lost")

    def _delay(self, call: ServiceCall) -> float:
        latency = self._latency
        if latency is None:
            return 0.0
        span: Any = latency(call) if callable(latency) else latency
        return as_ms(span, "latency") / 1000

    def _hits(self, kind: str, which: list[Which], call: ServiceCall) -> bool:
        hit = any(self._is_meant(kind, one, call) for one in which)
        if hit:
            self.injected.append((kind, call))
        return hit

    def _is_meant(self, kind: str, one: Which, call: ServiceCall) -> bool:
        if isinstance(one, int):
            return call.number == one
        if not isinstance(one, str):
            return one(call)
        if one not in call.names:
            return False
        met = self._met.setdefault(call.world, set())
        before = len(met)
        met.add((kind, call.execution_arn, one))
        return len(met) > before
