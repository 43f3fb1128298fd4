"""Serving the API: uvicorn on a thread of its own, with a loop of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Sequence
from typing import Final

import uvicorn
from starlette.routing import BaseRoute

from .app import ServicePort, create_app

__all__ = ["CannotListen", "HttpServer", "PortInUse"]

DEFAULT_PORT: Final = 9014

_KEEP_ALIVE_SECONDS: Final = 900
"""An idle connection stays open this long: a warm function's next checkpoint should not have to connect again."""

_GRACE_SECONDS: Final = 1
"""How long requests that are being answered may take once the server stops."""


class CannotListen(OSError):
    """The address cannot be listened on."""


class PortInUse(CannotListen):
    """Another process listens there."""


class _Server(uvicorn.Server):
    """uvicorn asks ten times a second whether it should stop; this one is woken, and ticks once a second for Date."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._exit = asyncio.Event()

    def exit_now(self) -> None:
        """Stop serving. Call it on the loop; from elsewhere ``should_exit`` does the same within a second."""
        self.should_exit = True
        self._exit.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            try:
                await asyncio.wait_for(self._exit.wait(), 1)
            except TimeoutError:
                pass


class HttpServer:
    """The HTTP API of a service.

    Parameters:
        host: address to listen on. Whoever can reach it may run the functions, so the default is this machine only.
        port: 0 for any free one.
        routes: further Starlette routes, e.g. a console's pages.
    """

    def __init__(
        self,
        service: ServicePort,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        *,
        routes: Sequence[BaseRoute] = (),
    ) -> None:
        self.host = host
        self.port: int = port
        self._app = create_app(service, bound_to=host, routes=routes)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._uvicorn: _Server | None = None

    @property
    def url(self) -> str:
        """Where programs on this machine reach the server, e.g. as ``AWS_ENDPOINT_URL_LAMBDA``."""
        host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Listen, and answer from now on. Raises PortInUse or CannotListen."""
        if self._thread is not None:
            raise RuntimeError(f"the server is already running at {self.url}")
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http="httptools",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        self._uvicorn = _Server(config)
        self._thread = threading.Thread(
            target=self._run, args=(self._uvicorn, listener), name="durably-http", daemon=True
        )
        self._thread.start()

    def _run(self, server: _Server, listener: socket.socket) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await server.serve(sockets=[listener])

        with listener:
            asyncio.run(serve())

    def _wind_up(self, server: _Server) -> None:
        self._app.hang_up()
        server.exit_now()

    def stop(self) -> None:
        """Stop listening, answer open Invokes with an error, close all connections. Idempotent."""
        thread, server = self._thread, self._uvicorn
        if thread is None or server is None:
            return
        server.should_exit = True
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._wind_up, server)
            except RuntimeError:
                pass  # the loop has just ended by itself
        thread.join()
        self._thread = self._uvicorn = self._loop = None

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise CannotListen(f"there is no port {port}; give one from 1 to 65535, or 0 for any free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        # With its protocol named: asyncio sets TCP_NODELAY only then, and without it an answer waits for an ACK.
        listener = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise CannotListen(f"{host!r} is not the name or address of a network interface here: {problem}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as problem:
        listener.close()
        raise _explained(problem, host, port) from None
    return listener


def _explained(problem: OSError, host: str, port: int) -> CannotListen:
    where = f"{host}:{port}"
    if problem.errno == errno.EADDRINUSE:
        return PortInUse(
            f"{where} is in use, perhaps by another `durably dev`. Stop that one, or choose another port "
            "with --port (0 picks a free one)"
        )
    if problem.errno in (errno.EACCES, errno.EPERM):
        return CannotListen(f"not allowed to listen on {where}; choose a port above 1023 with --port")
    if problem.errno == errno.EADDRNOTAVAIL:
        return CannotListen(f"{host} is not an address of this machine; use 127.0.0.1, or 0.0.0.0 for all, with --host")
    return CannotListen(f"cannot listen on {where}: {problem.strerror or problem}")
