"""The HTTP face of the service: Invoke and the twelve durable actions, as the AWS SDKs and the AWS CLI speak them.

The API has a router of its own (see :mod:`.routes` for why); every other path goes to a Starlette application,
which holds the pages under ``/_durably`` and whatever ``routes`` adds. Requests need no signature: SigV4 headers
are accepted and not verified (see :mod:`.guard` for what stands in their place).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Protocol

from starlette.routing import BaseRoute

from durably.service.clock import Ids, RandomIds
from durably.service.ports import FunctionSpec
from durably.wire.api_errors import ApiError

from .answers import Answer, error_answer, in_the_callers_words, invoke_answer, json_answer
from .guard import check_host, check_origin
from .mailbox import Mailbox, Result, settle
from .pages import create_pages
from .requests import ClientGone, Receive, invoke_params, params, read_body
from .routes import MethodNotAllowed, find_route

__all__ = ["App", "ServicePort", "create_app"]

Headers = Mapping[bytes, bytes]
Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log: Final = logging.getLogger("durably.service.http")


class ServicePort(Protocol):
    """What the API needs of a service."""

    def submit(self, action: str, params: dict[str, Any], reply: Callable[[Result], None]) -> None: ...

    def functions(self) -> Mapping[str, FunctionSpec]: ...


def create_app(
    service: ServicePort, *, bound_to: str | None = None, routes: Sequence[BaseRoute] = (), ids: Ids | None = None
) -> App:
    """The service as an ASGI application.

    Parameters:
        bound_to: the host that is listened on; if a loopback one, other names in ``Host`` are refused.
        routes: further Starlette routes, e.g. a console's pages, behind the same checks.
        ids: where request ids come from.
    """
    return App(service, bound_to, routes, ids or RandomIds())


class App:
    """Made by :func:`create_app`; serves one event loop at a time."""

    def __init__(self, service: ServicePort, bound_to: str | None, routes: Sequence[BaseRoute], ids: Ids) -> None:
        self._service = service
        self._bound_to = bound_to
        self._pages = create_pages(service, routes)
        self._ids = ids
        self._mailbox: Mailbox | None = None
        self._open_invokes: set[asyncio.Future[dict[str, Any]]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
            return
        request_id = (b"x-amzn-requestid", self._ids.request_id().encode())
        headers = dict[bytes, bytes](scope["headers"])
        try:
            check_host(headers, self._bound_to)
            check_origin(headers, scope["method"])
            path: bytes = scope.get("raw_path") or scope["path"].encode()
            if not path.startswith((b"/2025-12-01/", b"/2015-03-31/")):
                await self._pages(scope, receive, _adding(request_id, send))
                return
            answer = await self._answer(scope, path, headers, receive)
        except ClientGone:
            return
        except ApiError as error:
            answer = error_answer(error)
            if isinstance(error, MethodNotAllowed):
                answer.headers.append((b"allow", error.allowed.encode()))
        except Exception:
            _log.exception("%s %s failed", scope["method"], scope["path"])
            answer = error_answer(ApiError("ServiceException", "internal error; its traceback is in the service's log"))
        answer.headers.append(request_id)
        if answer.status != 204:
            answer.headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, path: bytes, headers: Headers, receive: Receive) -> Answer:
        route, target = find_route(scope["method"], path)
        body = await read_body(receive, route.action)
        if route.action == "Invoke":
            return await self._invoke(invoke_params(route, target, scope["query_string"], headers, body), receive)
        try:
            result = await self._submit(route.action, params(route, target, scope["query_string"], body))
        except ApiError as error:
            raise in_the_callers_words(error, headers.get(b"user-agent", b"")) from None
        return json_answer(route.status, result)

    async def _invoke(self, members: dict[str, Any], receive: Receive) -> Answer:
        """A synchronous Invoke waits as long as the execution takes, costing a future and an open connection."""
        future = self._submit("Invoke", members)
        gone = asyncio.ensure_future(_until_disconnect(receive))
        self._open_invokes.add(future)
        try:
            await asyncio.wait((future, gone), return_when=asyncio.FIRST_COMPLETED)
            if not future.done():
                raise ClientGone  # the execution goes on without its caller
            return invoke_answer(future.result())
        finally:
            self._open_invokes.discard(future)
            gone.cancel()
            future.cancel()

    def _submit(self, action: str, members: dict[str, Any]) -> asyncio.Future[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        mailbox = self._mailbox
        if mailbox is None or mailbox.loop is not loop:
            mailbox = self._mailbox = Mailbox(loop)
        future, deliver = mailbox.expect()
        self._service.submit(action, members, deliver)
        return future

    def hang_up(self) -> None:
        """Answer every open Invoke with an error, since the server is about to stop. Call it on the loop."""
        stopping = ApiError(
            "ServiceException",
            "the durably service is stopping; an execution that was started goes on when it runs again",
        )
        for future in list(self._open_invokes):
            settle(future, stopping)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _adding(header: tuple[bytes, bytes], send: Send) -> Send:
    async def wrapped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return wrapped
